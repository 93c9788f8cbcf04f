// SPDX-License-Identifier: GPL-2.0

//! What an MPTCP connection tells about its subflows: the socket option `MPTCP_TCPINFO`.
//!
//! The user's buffer starts with a header, [`SubflowData`], in which the user states its size and
//! the size of one array element. The array follows, and gets one element for each subflow, for as
//! long as there is room. The header is then written back with the number of subflows, so that a
//! user who provided too little room can tell, and retry.
//!
//! Sizes of the header and of an element are the user's own, so that programs older or newer than
//! the kernel work: an element is cut to the shorter of the user's and the kernel's structure, and
//! of a header that is longer than the kernel's, only the part that the kernel knows is written.
//!
//! C header: [`include/net/mptcp_rust.h`](srctree/include/net/mptcp_rust.h)

use core::mem::MaybeUninit;

use kernel::{
    bindings,
    error::from_result,
    net::{
        mptcp::{
            self,
            SubflowData, //
        },
        sock::Locked,
        tcp, //
    },
    num::casts::{
        usize_into_u32,
        IntoSafeCast, //
    },
    prelude::*,
    transmute::AsBytes,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// Size of the kernel's version of the header. No smaller one was ever in use.
const SIZE_HEADER: u32 = usize_into_u32::<{ size_of::<SubflowData>() }>();

/// Size of the kernel's version of an array element.
const SIZE_KERNEL: u32 = usize_into_u32::<{ size_of::<tcp::Info>() }>();

/// A validated request.
///
/// # Invariants
///
/// - `SIZE_HEADER <= size_subflow_data`, and `size_subflow_data + room <= c_int::MAX`.
/// - `size_user <= SIZE_KERNEL`.
#[derive(Debug, PartialEq)]
struct Request {
    /// Size of the user's version of the header, behind which the array begins.
    size_subflow_data: u32,
    /// Size of an array element in the user's buffer.
    size_user: u32,
    /// Size of the array.
    room: u32,
}

impl Request {
    /// Reads a request, each byte of it once.
    fn read(optval: UserPtr, optlen: UserPtr) -> Result<Self> {
        let len = UserSlice::new(optlen, size_of::<c_int>()).reader().read()?;
        let len = Self::buffer_len(len)?;
        let header = UserSlice::new(optval, size_of::<SubflowData>())
            .reader()
            .read()?;

        Self::new(&header, len)
    }

    /// Validates the size of the user's buffer, in which at least the header must fit.
    fn buffer_len(len: c_int) -> Result<u32> {
        match u32::try_from(len) {
            Ok(len) if len >= SIZE_HEADER => Ok(len),
            _ => Err(EINVAL),
        }
    }

    /// Validates the header of a request for which the user has provided `len` bytes.
    fn new(header: &SubflowData, len: u32) -> Result<Self> {
        if header.size_subflow_data < SIZE_HEADER {
            return Err(EINVAL);
        }

        // The kernel's own structures may grow, but not beyond this.
        if header.size_user > c_int::MAX.unsigned_abs() {
            return Err(EINVAL);
        }

        // These two are for the kernel to fill in.
        if header.num_subflows != 0 || header.size_kernel != 0 {
            return Err(EINVAL);
        }

        let room = len.checked_sub(header.size_subflow_data).ok_or(EINVAL)?;

        // INVARIANT: The two sizes were checked above, and `len` is no larger than `c_int::MAX`,
        // since it has passed `buffer_len()`.
        Ok(Self {
            size_subflow_data: header.size_subflow_data,
            size_user: header.size_user.min(SIZE_KERNEL),
            room,
        })
    }

    /// Returns the array in the user's buffer at `optval`, empty as yet.
    fn array(&self, optval: UserPtr) -> Array {
        Array {
            next: optval.wrapping_byte_add(self.size_subflow_data.into_safe_cast()),
            size_user: self.size_user,
            copied: 0,
            room: self.room,
        }
    }

    /// Returns the length and the header of the answer, of which `copied` bytes are elements.
    fn answer(&self, num_subflows: u32, copied: u32) -> (u32, SubflowData) {
        // Without an array, a part of the header that the kernel does not know does not count.
        let len = match copied {
            0 => SIZE_HEADER,
            _ => self.size_subflow_data.saturating_add(copied),
        };

        let header = SubflowData {
            size_subflow_data: self.size_subflow_data,
            num_subflows,
            size_kernel: SIZE_KERNEL,
            size_user: self.size_user,
        };

        (len, header)
    }
}

/// The array in the user's buffer, as an iterator over the places of its elements.
struct Array {
    /// Where the next element goes.
    next: UserPtr,
    /// Size of an element.
    size_user: u32,
    /// Size of the elements up to now.
    copied: u32,
    /// Size of what is left.
    room: u32,
}

impl Iterator for Array {
    type Item = UserSlice;

    fn next(&mut self) -> Option<UserSlice> {
        // There is room for any number of elements of no size, but nothing to write.
        if self.size_user == 0 {
            return None;
        }

        self.room = self.room.checked_sub(self.size_user)?;
        // No more than what `room` was at first, hence never saturates.
        self.copied = self.copied.saturating_add(self.size_user);

        let size = self.size_user.into_safe_cast();
        let element = UserSlice::new(self.next, size);

        self.next = self.next.wrapping_byte_add(size);

        Some(element)
    }
}

/// Answers `MPTCP_TCPINFO`: one [`tcp::Info`] for each subflow.
fn tcpinfo(msk: &Locked<'_, mptcp::Sock>, optval: UserPtr, optlen: UserPtr) -> Result {
    let request = Request::read(optval, optlen)?;
    let mut array = request.array(optval);
    let mut info = MaybeUninit::uninit();
    let mut num_subflows: u32 = 0;

    for subflow in msk.subflows() {
        num_subflows = num_subflows.saturating_add(1);

        if let Some(element) = array.next() {
            let info = subflow.tcp_sock().get_info(&mut info);

            element.writer().write_slice_partial(info.as_bytes(), 0)?;
        }
    }

    let (len, header) = request.answer(num_subflows, array.copied);

    UserSlice::new(optlen, size_of_val(&len))
        .writer()
        .write(&len)?;
    UserSlice::new(optval, size_of_val(&header))
        .writer()
        .write(&header)
}

/// C entry point, see the kernel-doc in the C header.
///
/// # Safety
///
/// - `msk` must point to an initialized `struct mptcp_sock` that stays valid during the call.
/// - The current context must own the socket lock of `msk` during the call.
#[export]
pub unsafe extern "C" fn mptcp_getsockopt_subflow_info(
    msk: *mut bindings::mptcp_sock,
    optval: *mut c_char,
    optlen: *mut c_int,
) -> c_int {
    // SAFETY: `msk` is valid and initialized by the safety requirements of this function.
    let msk = unsafe { mptcp::Sock::from_raw(msk) };

    // SAFETY: The lock is owned by the safety requirements of this function.
    let msk = unsafe { Locked::assume(msk) };

    from_result(|| {
        tcpinfo(
            &msk,
            UserPtr::from_ptr(optval.cast()),
            UserPtr::from_ptr(optlen.cast()),
        )?;
        Ok(0)
    })
}

#[cfg(CONFIG_MPTCP_RUST_KUNIT_TEST)]
#[kunit_tests(mptcp_subflow_info)]
mod tests {
    use super::*;

    /// Returns the header of a request that is as the specification wants it.
    fn header() -> SubflowData {
        SubflowData {
            size_subflow_data: SIZE_HEADER,
            num_subflows: 0,
            size_kernel: 0,
            size_user: SIZE_KERNEL,
        }
    }

    #[test]
    fn buffer_holds_the_header() {
        for len in [c_int::MIN, -1, 0, 1, 15] {
            assert_eq!(Request::buffer_len(len), Err(EINVAL));
        }
        for len in [16, 17, c_int::MAX] {
            assert_eq!(Request::buffer_len(len), Ok(len.unsigned_abs()));
        }
    }

    #[test]
    fn request_as_specified() {
        assert_eq!(
            Request::new(&header(), SIZE_HEADER + 2 * SIZE_KERNEL),
            Ok(Request {
                size_subflow_data: SIZE_HEADER,
                size_user: SIZE_KERNEL,
                room: 2 * SIZE_KERNEL,
            })
        );
    }

    #[test]
    fn fields_of_the_kernel_are_zero() {
        let mut num_subflows = header();
        num_subflows.num_subflows = 1;
        assert_eq!(Request::new(&num_subflows, 1000), Err(EINVAL));

        let mut size_kernel = header();
        size_kernel.size_kernel = SIZE_KERNEL;
        assert_eq!(Request::new(&size_kernel, 1000), Err(EINVAL));
    }

    #[test]
    fn header_of_any_version_but_smaller() {
        let with_size = |size_subflow_data, len| {
            let mut header = header();
            header.size_subflow_data = size_subflow_data;
            Request::new(&header, len).map(|request| request.room)
        };

        assert_eq!(with_size(0, 1000), Err(EINVAL));
        assert_eq!(with_size(15, 1000), Err(EINVAL));
        assert_eq!(with_size(16, 1000), Ok(984));
        assert_eq!(with_size(24, 1000), Ok(976));
        assert_eq!(with_size(1000, 1000), Ok(0));
        assert_eq!(with_size(1001, 1000), Err(EINVAL));
        assert_eq!(with_size(u32::MAX, 1000), Err(EINVAL));
        assert_eq!(with_size(0x8000_0000, 0x7fff_ffff), Err(EINVAL));
    }

    #[test]
    fn element_is_cut_to_the_shorter() {
        let with_size = |size_user| {
            let mut header = header();
            header.size_user = size_user;
            Request::new(&header, 1000).map(|request| request.size_user)
        };

        assert_eq!(with_size(0), Ok(0));
        assert_eq!(with_size(1), Ok(1));
        assert_eq!(with_size(SIZE_KERNEL - 1), Ok(SIZE_KERNEL - 1));
        assert_eq!(with_size(SIZE_KERNEL + 1), Ok(SIZE_KERNEL));
        assert_eq!(with_size(0x7fff_ffff), Ok(SIZE_KERNEL));
        assert_eq!(with_size(0x8000_0000), Err(EINVAL));
        assert_eq!(with_size(u32::MAX), Err(EINVAL));
    }

    /// Returns offset and size of the elements that fit in the array of a request, and their sum.
    ///
    /// Writes nothing: the buffer is at address 0.
    fn elements(request: Request) -> ([Option<(usize, usize)>; 3], u32) {
        let mut array = request.array(UserPtr::from_addr(0));
        let elements = core::array::from_fn(|_| {
            let offset = array.next.as_const_ptr().addr();
            array.next().map(|slice| (offset, slice.writer().len()))
        });

        (elements, array.copied)
    }

    #[test]
    fn array_begins_behind_the_users_header() {
        let request = Request {
            size_subflow_data: 24,
            size_user: 10,
            room: 20,
        };

        assert_eq!(
            elements(request),
            ([Some((24, 10)), Some((34, 10)), None], 20)
        );
    }

    #[test]
    fn no_part_of_an_element() {
        let with_room = |room| {
            elements(Request {
                size_subflow_data: 16,
                size_user: 10,
                room,
            })
        };

        assert_eq!(with_room(0), ([None; 3], 0));
        assert_eq!(with_room(9), ([None; 3], 0));
        assert_eq!(with_room(10), ([Some((16, 10)), None, None], 10));
        assert_eq!(with_room(19), ([Some((16, 10)), None, None], 10));
    }

    #[test]
    fn elements_of_no_size() {
        let request = Request {
            size_subflow_data: 16,
            size_user: 0,
            room: 100,
        };

        assert_eq!(elements(request), ([None; 3], 0));
    }

    #[test]
    fn array_wraps_around_the_address_space() {
        let request = Request {
            size_subflow_data: 16,
            size_user: 10,
            room: 20,
        };
        let mut array = request.array(UserPtr::from_addr(usize::MAX));

        assert_eq!(array.next.as_const_ptr().addr(), 15);
        array.next = UserPtr::from_addr(usize::MAX);
        assert!(array.next().is_some());
        assert_eq!(array.next.as_const_ptr().addr(), 9);
    }

    #[test]
    fn answer_tells_what_was_written() {
        let request = Request {
            size_subflow_data: 24,
            size_user: 10,
            room: 20,
        };

        let (len, header) = request.answer(3, 20);
        assert_eq!(len, 44);
        assert_eq!(header.size_subflow_data, 24);
        assert_eq!(header.num_subflows, 3);
        assert_eq!(header.size_kernel, SIZE_KERNEL);
        assert_eq!(header.size_user, 10);

        let (len, _) = request.answer(3, 0);
        assert_eq!(len, SIZE_HEADER);
    }
}
