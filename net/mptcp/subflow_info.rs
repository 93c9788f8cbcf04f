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
        sock::{
            Locked,
            SockOpt, //
        },
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

/// Size of the header's first version, which user space may always use.
const MIN_INFO_OPTLEN_SIZE: u32 = 16;

// A header that has grown needs to be read, and written back, by the size that the user states.
static_assert!(size_of::<SubflowData>() == 16);

/// Size of the kernel's version of an array element.
const SIZE_KERNEL: u32 = usize_into_u32::<{ size_of::<tcp::Info>() }>();

/// The largest size that user space may state. Sizes are `int`s, as is `optlen`.
const MAX_SIZE: u32 = c_int::MAX.unsigned_abs();

/// A validated request.
#[derive(Debug, PartialEq)]
struct Request {
    /// Size of the user's version of the header, behind which the array begins.
    size_subflow_data: u32,
    /// Size of an array element in the user's buffer, at most [`SIZE_KERNEL`].
    size_user: u32,
    /// Size of the array.
    room: u32,
}

impl Request {
    /// Reads a request, each byte of it once.
    fn read(opt: &SockOpt) -> Result<Self> {
        let len = Self::check_optlen(opt.get_optlen()?)?;
        let header = UserSlice::new(opt.optval(), size_of::<SubflowData>())
            .reader()
            .read()?;

        Self::new(&header, len)
    }

    /// Validates the size of the user's buffer, in which at least the header must fit.
    fn check_optlen(len: u32) -> Result<u32> {
        if (MIN_INFO_OPTLEN_SIZE..=MAX_SIZE).contains(&len) {
            Ok(len)
        } else {
            Err(EINVAL)
        }
    }

    /// Validates the header of a request for which the user has provided `len` bytes.
    fn new(header: &SubflowData, len: u32) -> Result<Self> {
        if header.size_subflow_data < MIN_INFO_OPTLEN_SIZE || header.size_user > MAX_SIZE {
            return Err(EINVAL);
        }

        // These two are for the kernel to fill in.
        if header.num_subflows != 0 || header.size_kernel != 0 {
            return Err(EINVAL);
        }

        Ok(Self {
            size_subflow_data: header.size_subflow_data,
            size_user: header.size_user.min(SIZE_KERNEL),
            room: len.checked_sub(header.size_subflow_data).ok_or(EINVAL)?,
        })
    }

    /// Returns the array in the user's buffer, empty as yet.
    fn array(&self, optval: UserPtr) -> Array {
        Array {
            next: optval.wrapping_byte_add(self.size_subflow_data.into_safe_cast()),
            size_user: self.size_user,
            // Any number of elements without a size would fit, but there is nothing to write.
            left: self.room.checked_div(self.size_user).unwrap_or(0),
            copied: 0,
        }
    }

    /// Returns the header of the answer.
    fn header(&self, num_subflows: u32) -> SubflowData {
        SubflowData {
            size_subflow_data: self.size_subflow_data,
            num_subflows,
            size_kernel: SIZE_KERNEL,
            size_user: self.size_user,
        }
    }

    /// Returns the size of an answer with `copied` bytes of elements.
    fn optlen(&self, copied: u32) -> u32 {
        // Without elements, what the kernel does not know of the header does not count.
        match copied {
            0 => MIN_INFO_OPTLEN_SIZE,
            _ => self.size_subflow_data.saturating_add(copied),
        }
    }
}

/// The array in the user's buffer, as an iterator over the places of its elements.
struct Array {
    /// Where the next element goes.
    next: UserPtr,
    /// Size of an element.
    size_user: u32,
    /// How many more elements there is room for.
    left: u32,
    /// Size of the elements up to now.
    copied: u32,
}

impl Iterator for Array {
    type Item = UserSlice;

    fn next(&mut self) -> Option<UserSlice> {
        self.left = self.left.checked_sub(1)?;

        let size = self.size_user.into_safe_cast();
        let element = UserSlice::new(self.next, size);

        self.next = self.next.wrapping_byte_add(size);
        // At most the room that there was, so it never saturates.
        self.copied = self.copied.saturating_add(self.size_user);

        Some(element)
    }
}

/// Answers `MPTCP_TCPINFO`: one [`tcp::Info`] for each subflow.
fn tcpinfo(msk: &Locked<'_, mptcp::Sock>, opt: &SockOpt) -> Result {
    let request = Request::read(opt)?;
    let mut array = request.array(opt.optval());
    let mut info = MaybeUninit::uninit();
    let mut num_subflows: u32 = 0;

    for subflow in msk.subflows() {
        num_subflows = num_subflows.saturating_add(1);

        if let Some(element) = array.next() {
            let info = subflow.tcp_sock().get_info(&mut info);

            // Cut to the size of an element in the user's buffer.
            element.writer().write_slice_partial(info.as_bytes(), 0)?;
        }
    }

    opt.put_optlen(request.optlen(array.copied))?;
    UserSlice::new(opt.optval(), size_of::<SubflowData>())
        .writer()
        .write(&request.header(num_subflows))
}

/// C entry point, see the kernel-doc in the C header.
///
/// # Safety
///
/// - `msk` must point to an initialized `struct mptcp_sock` that stays valid during the call.
/// - The current task must own the socket lock of `msk` during the call.
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

    let opt = SockOpt::new(
        UserPtr::from_ptr(optval.cast()),
        UserPtr::from_ptr(optlen.cast()),
    );

    from_result(|| tcpinfo(&msk, &opt).map(|()| 0))
}

#[cfg(CONFIG_MPTCP_RUST_KUNIT_TEST)]
#[kunit_tests(mptcp_subflow_info)]
mod tests {
    use super::*;

    /// Returns the header of a request that is as the specification wants it.
    fn header() -> SubflowData {
        SubflowData {
            size_subflow_data: MIN_INFO_OPTLEN_SIZE,
            num_subflows: 0,
            size_kernel: 0,
            size_user: SIZE_KERNEL,
        }
    }

    #[test]
    fn buffer_holds_the_header() {
        for len in [0, 1, 15, 0x8000_0000, u32::MAX] {
            assert_eq!(Request::check_optlen(len), Err(EINVAL));
        }
        for len in [16, 17, 0x7fff_ffff] {
            assert_eq!(Request::check_optlen(len), Ok(len));
        }
    }

    #[test]
    fn request_as_specified() {
        assert_eq!(
            Request::new(&header(), MIN_INFO_OPTLEN_SIZE + 2 * SIZE_KERNEL),
            Ok(Request {
                size_subflow_data: MIN_INFO_OPTLEN_SIZE,
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

        let header = request.header(3);
        assert_eq!(header.size_subflow_data, 24);
        assert_eq!(header.num_subflows, 3);
        assert_eq!(header.size_kernel, SIZE_KERNEL);
        assert_eq!(header.size_user, 10);

        assert_eq!(request.optlen(20), 44);
        assert_eq!(request.optlen(0), 16);
    }
}
