// SPDX-License-Identifier: GPL-2.0

//! Sockets of the Internet protocols.
//!
//! C header: [`include/net/inet_sock.h`](srctree/include/net/inet_sock.h)

use crate::{
    bindings,
    prelude::*,
    types::Opaque, //
};

// The layout is as in C.
static_assert!(size_of::<bindings::inet_sock>() == bindings::SIZEOF_INET_SOCK);

/// A socket of the family IPv4 or IPv6.
///
/// # Invariants
///
/// The underlying [`struct inet_sock`] is initialized.
///
/// [`struct inet_sock`]: srctree/include/net/inet_sock.h
#[repr(transparent)]
pub struct Sock(Opaque<bindings::inet_sock>);

/// The addresses of the two ends of a connection, as user space sees them.
///
/// An IPv6 socket may be connected over IPv4. Its addresses are IPv6 ones then, too: the IPv4
/// addresses, mapped.
pub enum Addrs {
    /// Address and port of this host, then of the peer.
    V4(bindings::sockaddr_in, bindings::sockaddr_in),
    /// Address and port of this host, then of the peer.
    #[cfg(CONFIG_IPV6)]
    V6(bindings::sockaddr_in6, bindings::sockaddr_in6),
}

impl Sock {
    /// Creates a reference to a [`Sock`] from a raw pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must point to an initialized `struct inet_sock` that stays valid for `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::inet_sock) -> &'a Self {
        // SAFETY: `Self` is transparent over `struct inet_sock`, and `ptr` is valid for `'a` by the
        // safety requirements of this function.
        //
        // INVARIANT: The pointee is initialized by the same requirements.
        unsafe { &*ptr.cast() }
    }

    /// Returns the addresses of the connection.
    ///
    /// They are all zeroes while the socket is neither bound nor connected. There are none for a
    /// family that the kernel is not configured for.
    #[inline]
    pub fn addrs(&self) -> Option<Addrs> {
        let inet = self.0.get();
        // SAFETY: `self` is valid and initialized by the type invariants. All of the fields are
        // plain integers, and the unions that they are part of have no other use in an `inet_sock`.
        let (skc, sport, saddr) = unsafe {
            (
                &raw const (*inet).sk.__sk_common,
                (*inet).inet_sport,
                (*inet).inet_saddr,
            )
        };
        // SAFETY: As above.
        let (family, dport, daddr, rcv_saddr) = unsafe {
            let addrs = (*skc).__bindgen_anon_1.__bindgen_anon_1;
            (
                (*skc).skc_family,
                (*skc).__bindgen_anon_3.__bindgen_anon_1.skc_dport,
                addrs.skc_daddr,
                addrs.skc_rcv_saddr,
            )
        };

        match u32::from(family) {
            bindings::AF_INET => {
                let sockaddr = |port, s_addr| bindings::sockaddr_in {
                    sin_family: family,
                    sin_port: port,
                    sin_addr: bindings::in_addr { s_addr },
                    ..pin_init::zeroed()
                };
                let local = if rcv_saddr != 0 { rcv_saddr } else { saddr };

                Some(Addrs::V4(sockaddr(sport, local), sockaddr(dport, daddr)))
            }
            #[cfg(CONFIG_IPV6)]
            bindings::AF_INET6 => {
                let sockaddr = |port, addr| bindings::sockaddr_in6 {
                    sin6_family: family,
                    sin6_port: port,
                    sin6_addr: addr,
                    ..pin_init::zeroed()
                };
                // SAFETY: As above.
                let (np, daddr, rcv_saddr) =
                    unsafe { ((*inet).pinet6, (*skc).skc_v6_daddr, (*skc).skc_v6_rcv_saddr) };
                if np.is_null() {
                    return None;
                }
                // SAFETY: `pinet6` of an initialized IPv6 socket is valid if it is set.
                let saddr = unsafe { (*np).saddr };
                // SAFETY: Any of the union's fields is made of the same bytes.
                let is_any = unsafe { rcv_saddr.in6_u.u6_addr8 } == [0; 16];
                let local = if is_any { saddr } else { rcv_saddr };

                Some(Addrs::V6(sockaddr(sport, local), sockaddr(dport, daddr)))
            }
            _ => None,
        }
    }
}
