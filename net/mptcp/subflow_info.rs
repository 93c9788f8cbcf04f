// SPDX-License-Identifier: GPL-2.0

//! What an MPTCP connection tells about its subflows, by socket options of the level `SOL_MPTCP`.
//!
//! | option                | answer                                                         |
//! |-----------------------|----------------------------------------------------------------|
//! | `MPTCP_TCPINFO`       | [`SubflowData`], then an array of [`tcp::Info`]                |
//! | `MPTCP_SUBFLOW_ADDRS` | [`SubflowData`], then an array of [`SubflowAddrs`]             |
//! | `MPTCP_FULL_INFO`     | [`FullInfo`], with pointers to arrays of [`SubflowInfo`] and   |
//! |                       | [`tcp::Info`]                                                  |
//!
//! An array gets one [`Element`] for each subflow, for as long as there is room. The header tells
//! how many subflows there are, so that a user who provided too little room can retry.
//!
//! The sizes of structures are the user's own, so that programs older or newer than the kernel
//! work: an element is cut to the shorter of the user's and the kernel's structure, and of a header
//! that is longer than the kernel's, only the part that the kernel knows is written.
//!
//! C header: [`include/net/mptcp_rust.h`](srctree/include/net/mptcp_rust.h)

use core::{
    marker::PhantomData,
    mem::MaybeUninit, //
};

use kernel::{
    bindings,
    error::from_result,
    net::{
        mptcp::{
            self,
            FullInfo,
            SubflowAddrs,
            SubflowContext,
            SubflowData,
            SubflowInfo, //
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

/// Size of the first version of [`SubflowData`], which user space may always use.
const MIN_INFO_OPTLEN_SIZE: u32 = 16;

// A header that has grown needs to be read, and written back, by the size that the user states.
static_assert!(size_of::<SubflowData>() == 16);

/// Size of the header of [`FullInfo`].
const MIN_FULL_INFO_OPTLEN_SIZE: u32 = usize_into_u32::<{ FullInfo::HEADER_SIZE }>();

/// The largest size that user space may state. Sizes are `int`s, as is `optlen`.
const MAX_SIZE: u32 = c_int::MAX.unsigned_abs();

/// What the kernel writes to an array, once for each subflow.
trait Element: AsBytes + Sized {
    /// Size of the kernel's version of an element.
    // CAST: The structures are far smaller than 4 GiB.
    const SIZE: u32 = size_of::<Self>() as u32;

    /// Writes the element of `subflow` to `slot`.
    fn get<'s>(subflow: &SubflowContext, slot: &'s mut MaybeUninit<Self>) -> &'s Self;
}

impl Element for tcp::Info {
    #[inline]
    fn get<'s>(subflow: &SubflowContext, slot: &'s mut MaybeUninit<Self>) -> &'s Self {
        subflow.tcp_sock().get_info(slot)
    }
}

impl Element for SubflowAddrs {
    #[inline]
    fn get<'s>(subflow: &SubflowContext, slot: &'s mut MaybeUninit<Self>) -> &'s Self {
        subflow.get_addrs(slot)
    }
}

impl Element for SubflowInfo {
    #[inline]
    fn get<'s>(subflow: &SubflowContext, slot: &'s mut MaybeUninit<Self>) -> &'s Self {
        subflow.get_info(slot)
    }
}

/// An array in user memory, to which elements are appended.
struct Array<E> {
    /// Where the next element goes.
    next: UserPtr,
    /// Size of an element: the shorter of the user's and the kernel's version.
    size_user: u32,
    /// How many bytes there are for more elements.
    room: u32,
    _element: PhantomData<E>,
}

impl<E: Element> Array<E> {
    /// Creates an array with `room` bytes, of elements whose size is `size_user` for the user.
    fn with_room(start: UserPtr, size_user: u32, room: u32) -> Self {
        Self {
            next: start,
            size_user: size_user.min(E::SIZE),
            room,
            _element: PhantomData,
        }
    }

    /// Creates an array with room for `len` elements.
    fn with_len(start: UserPtr, size_user: u32, len: u32) -> Self {
        let mut array = Self::with_room(start, size_user, 0);

        // Saturates where there is room for more subflows than there is memory.
        array.room = array.size_user.saturating_mul(len);
        array
    }

    /// Takes the place of the next element, if there is room for it.
    ///
    /// Elements without a size have room, but there is nothing to write.
    #[inline]
    fn place(&mut self) -> Option<UserSlice> {
        if self.size_user == 0 {
            return None;
        }
        self.room = self.room.checked_sub(self.size_user)?;

        let size = self.size_user.into_safe_cast();
        let place = UserSlice::new(self.next, size);
        self.next = self.next.wrapping_byte_add(size);
        Some(place)
    }

    /// Writes the element of `subflow`, if there is room for it.
    #[inline]
    fn push(&mut self, subflow: &SubflowContext) -> Result {
        let Some(place) = self.place() else {
            return Ok(());
        };
        let mut slot = MaybeUninit::uninit();

        // Cut to the size of an element in user memory.
        place
            .writer()
            .write_truncated(E::get(subflow, &mut slot))
            .map(drop)
    }
}

/// Calls `f` for each subflow, under the lock of `msk`, and returns how many there are.
#[inline]
fn for_each_subflow(
    msk: &Locked<'_, mptcp::Sock>,
    mut f: impl FnMut(&SubflowContext) -> Result,
) -> Result<u32> {
    let mut num_subflows: u32 = 0;

    for subflow in msk.subflows() {
        num_subflows = num_subflows.wrapping_add(1);
        f(subflow)?;
    }

    Ok(num_subflows)
}

/// Validates the size of the user's buffer, in which `min` bytes must fit.
fn check_optlen(len: u32, min: u32) -> Result<u32> {
    if (min..=MAX_SIZE).contains(&len) {
        Ok(len)
    } else {
        Err(EINVAL)
    }
}

/// A validated request with a header of type [`SubflowData`].
struct Request {
    /// The user's header, behind which the array begins.
    header: SubflowData,
    /// Size of the array.
    room: u32,
}

impl Request {
    /// Reads a request, each byte of it once.
    #[inline]
    fn read(opt: &SockOpt) -> Result<Self> {
        let len = check_optlen(opt.get_optlen()?, MIN_INFO_OPTLEN_SIZE)?;
        let header = UserSlice::new(opt.optval(), size_of::<SubflowData>())
            .reader()
            .read()?;

        Self::new(header, len)
    }

    /// Validates the header of a request for which the user has provided `len` bytes.
    fn new(header: SubflowData, len: u32) -> Result<Self> {
        if header.size_subflow_data < MIN_INFO_OPTLEN_SIZE || header.size_user > MAX_SIZE {
            return Err(EINVAL);
        }

        // These two are for the kernel to fill in.
        if [header.num_subflows, header.size_kernel] != [0, 0] {
            return Err(EINVAL);
        }

        Ok(Self {
            room: len.checked_sub(header.size_subflow_data).ok_or(EINVAL)?,
            header,
        })
    }

    /// Returns the array in the user's buffer, empty as yet.
    fn array<E: Element>(&self, optval: UserPtr) -> Array<E> {
        let start = optval.wrapping_byte_add(self.header.size_subflow_data.into_safe_cast());

        Array::with_room(start, self.header.size_user, self.room)
    }

    /// Returns the size of the answer.
    fn optlen<E>(&self, array: &Array<E>) -> u32 {
        // Without elements, what the kernel does not know of the header does not count.
        match self.room.saturating_sub(array.room) {
            0 => MIN_INFO_OPTLEN_SIZE,
            copied => self.header.size_subflow_data.saturating_add(copied),
        }
    }

    /// Returns the header of the answer.
    fn answer<E: Element>(mut self, num_subflows: u32, array: &Array<E>) -> SubflowData {
        self.header.num_subflows = num_subflows;
        self.header.size_kernel = E::SIZE;
        self.header.size_user = array.size_user;
        self.header
    }
}

/// Answers an option with a header of type [`SubflowData`], and an array.
fn subflow_data<E: Element>(msk: &mptcp::Sock, opt: &SockOpt) -> Result {
    let request = Request::read(opt)?;
    let mut array = request.array::<E>(opt.optval());
    let num_subflows = for_each_subflow(&Locked::new(msk), |subflow| array.push(subflow))?;

    opt.put_optlen(request.optlen(&array))?;
    UserSlice::new(opt.optval(), size_of::<SubflowData>())
        .writer()
        .write(&request.answer(num_subflows, &array))
}

/// Validates the header of a request for [`FullInfo`].
fn check_full_info(header: &bindings::mptcp_full_info) -> Result {
    // These are for the kernel to fill in.
    if header.size_tcpinfo_kernel != 0 || header.size_sfinfo_kernel != 0 || header.num_subflows != 0
    {
        return Err(EINVAL);
    }

    if header.size_sfinfo_user > MAX_SIZE || header.size_tcpinfo_user > MAX_SIZE {
        return Err(EINVAL);
    }

    Ok(())
}

/// Answers `MPTCP_FULL_INFO`.
fn full_info(msk: &mptcp::Sock, opt: &SockOpt) -> Result {
    let len = check_optlen(opt.get_optlen()?, MIN_FULL_INFO_OPTLEN_SIZE)?;
    let mut slot = MaybeUninit::uninit();
    let info = FullInfo::read(opt.optval(), &mut slot)?;

    check_full_info(info)?;

    let max = info.size_arrays_user;
    let mut subflow_info =
        Array::<SubflowInfo>::with_len(info.subflow_info(), info.size_sfinfo_user, max);
    let mut tcp_info = Array::<tcp::Info>::with_len(info.tcp_info(), info.size_tcpinfo_user, max);

    let msk = Locked::new(msk);
    if len > MIN_FULL_INFO_OPTLEN_SIZE {
        msk.get_info(info);
    }
    let num_subflows = for_each_subflow(&msk, |subflow| {
        subflow_info.push(subflow)?;
        tcp_info.push(subflow)
    })?;
    drop(msk);

    info.set_header(num_subflows, tcp_info.size_user, subflow_info.size_user);

    let len = len.min(usize_into_u32::<{ size_of::<FullInfo>() }>());

    opt.put_optlen(len)?;
    UserSlice::new(opt.optval(), len.into_safe_cast())
        .writer()
        .write_truncated(info)
        .map(drop)
}

/// C entry point, see the kernel-doc in the C header.
///
/// # Safety
///
/// `msk` must point to an initialized `struct mptcp_sock` that stays valid during the call.
#[export]
pub unsafe extern "C" fn mptcp_getsockopt_subflow_info(
    msk: *mut bindings::mptcp_sock,
    optname: c_int,
    optval: *mut c_char,
    optlen: *mut c_int,
) -> c_int {
    // SAFETY: `msk` is valid and initialized by the safety requirements of this function.
    let msk = unsafe { mptcp::Sock::from_raw(msk) };

    let opt = SockOpt::new(
        UserPtr::from_ptr(optval.cast()),
        UserPtr::from_ptr(optlen.cast()),
    );

    from_result(|| {
        // CAST: No option has a negative number, nor the one that it turns into.
        match optname as u32 {
            bindings::MPTCP_TCPINFO => subflow_data::<tcp::Info>(msk, &opt),
            bindings::MPTCP_SUBFLOW_ADDRS => subflow_data::<SubflowAddrs>(msk, &opt),
            bindings::MPTCP_FULL_INFO => full_info(msk, &opt),
            _ => Err(EOPNOTSUPP),
        }
        .map(|()| 0)
    })
}

#[cfg(CONFIG_MPTCP_RUST_KUNIT_TEST)]
#[kunit_tests(mptcp_subflow_info)]
mod tests {
    use super::*;
    use core::iter;

    const SIZE: u32 = <tcp::Info as Element>::SIZE;

    /// Returns the header of a request that is as the specification wants it.
    fn header() -> SubflowData {
        SubflowData {
            size_subflow_data: MIN_INFO_OPTLEN_SIZE,
            num_subflows: 0,
            size_kernel: 0,
            size_user: SIZE,
        }
    }

    #[test]
    fn buffer_holds_the_header() {
        for len in [0, 1, 15, 0x8000_0000, u32::MAX] {
            assert_eq!(check_optlen(len, 16), Err(EINVAL));
        }
        for len in [16, 17, 0x7fff_ffff] {
            assert_eq!(check_optlen(len, 16), Ok(len));
        }
        assert_eq!(check_optlen(39, MIN_FULL_INFO_OPTLEN_SIZE), Err(EINVAL));
        assert_eq!(check_optlen(40, MIN_FULL_INFO_OPTLEN_SIZE), Ok(40));
    }

    #[test]
    fn request_as_specified() {
        let room = Request::new(header(), MIN_INFO_OPTLEN_SIZE + 2 * SIZE).map(|r| r.room);

        assert_eq!(room, Ok(2 * SIZE));
    }

    #[test]
    fn fields_of_the_kernel_are_zero() {
        let refused = |header| Request::new(header, 1000).err();
        let mut num_subflows = header();
        let mut size_kernel = header();

        num_subflows.num_subflows = 1;
        assert_eq!(refused(num_subflows), Some(EINVAL));

        size_kernel.size_kernel = SIZE;
        assert_eq!(refused(size_kernel), Some(EINVAL));
    }

    #[test]
    fn header_of_any_version_but_smaller() {
        let room = |size_subflow_data, len| {
            let mut header = header();
            header.size_subflow_data = size_subflow_data;
            Request::new(header, len).map(|request| request.room)
        };

        assert_eq!(room(0, 1000), Err(EINVAL));
        assert_eq!(room(15, 1000), Err(EINVAL));
        assert_eq!(room(16, 1000), Ok(984));
        assert_eq!(room(24, 1000), Ok(976));
        assert_eq!(room(1000, 1000), Ok(0));
        assert_eq!(room(1001, 1000), Err(EINVAL));
        assert_eq!(room(u32::MAX, 1000), Err(EINVAL));
        assert_eq!(room(0x8000_0000, 0x7fff_ffff), Err(EINVAL));
    }

    #[test]
    fn element_is_cut_to_the_shorter() {
        let with_size = |size_user| {
            let mut header = header();
            header.size_user = size_user;
            Request::new(header, 1000)
                .map(|request| request.array::<tcp::Info>(UserPtr::from_addr(0)).size_user)
        };

        assert_eq!(with_size(0), Ok(0));
        assert_eq!(with_size(1), Ok(1));
        assert_eq!(with_size(SIZE - 1), Ok(SIZE - 1));
        assert_eq!(with_size(SIZE + 1), Ok(SIZE));
        assert_eq!(with_size(0x7fff_ffff), Ok(SIZE));
        assert_eq!(with_size(0x8000_0000), Err(EINVAL));
        assert_eq!(with_size(u32::MAX), Err(EINVAL));
    }

    /// Returns a validated request.
    fn request(size_subflow_data: u32, size_user: u32, room: u32) -> Request {
        Request {
            header: SubflowData {
                size_subflow_data,
                size_user,
                ..header()
            },
            room,
        }
    }

    /// Returns offset and size of the elements that fit in the array of a request, and the size of
    /// the answer.
    ///
    /// Writes nothing: the buffer is at address 0.
    fn elements(request: Request) -> ([Option<(usize, usize)>; 3], u32) {
        let mut array = request.array::<tcp::Info>(UserPtr::from_addr(0));
        let elements = core::array::from_fn(|_| {
            let offset = array.next.as_const_ptr().addr();
            array.place().map(|slice| (offset, slice.writer().len()))
        });

        (elements, request.optlen(&array))
    }

    #[test]
    fn array_begins_behind_the_users_header() {
        assert_eq!(
            elements(request(24, 10, 20)),
            ([Some((24, 10)), Some((34, 10)), None], 44)
        );
    }

    #[test]
    fn no_part_of_an_element() {
        let with_room = |room| elements(request(16, 10, room));

        assert_eq!(with_room(0), ([None; 3], 16));
        assert_eq!(with_room(9), ([None; 3], 16));
        assert_eq!(with_room(10), ([Some((16, 10)), None, None], 26));
        assert_eq!(with_room(19), ([Some((16, 10)), None, None], 26));
    }

    #[test]
    fn elements_of_no_size() {
        assert_eq!(elements(request(24, 0, 100)), ([None; 3], 16));
    }

    #[test]
    fn array_of_a_number_of_elements() {
        let places = |size_user, len| {
            let mut array = Array::<SubflowInfo>::with_len(UserPtr::from_addr(0), size_user, len);
            (array.size_user, iter::from_fn(|| array.place()).count())
        };

        assert_eq!(places(10, 0), (10, 0));
        assert_eq!(places(10, 3), (10, 3));
        assert_eq!(places(0, 3), (0, 0));
        assert_eq!(places(MAX_SIZE, 1), (<SubflowInfo as Element>::SIZE, 1));
    }

    #[test]
    fn full_info_header() {
        let check = |set: fn(&mut bindings::mptcp_full_info, u32), value| {
            let mut header = bindings::mptcp_full_info::default();
            set(&mut header, value);
            check_full_info(&header)
        };

        assert_eq!(check(|_, _| (), 0), Ok(()));
        for value in [1, u32::MAX] {
            assert_eq!(check(|h, v| h.size_tcpinfo_kernel = v, value), Err(EINVAL));
            assert_eq!(check(|h, v| h.size_sfinfo_kernel = v, value), Err(EINVAL));
            assert_eq!(check(|h, v| h.num_subflows = v, value), Err(EINVAL));
            assert_eq!(check(|h, v| h.size_arrays_user = v, value), Ok(()));
        }
        for (value, result) in [(0x7fff_ffff, Ok(())), (0x8000_0000, Err(EINVAL))] {
            assert_eq!(check(|h, v| h.size_tcpinfo_user = v, value), result);
            assert_eq!(check(|h, v| h.size_sfinfo_user = v, value), result);
        }
    }

    #[test]
    fn array_wraps_around_the_address_space() {
        let mut array = request(16, 10, 20).array::<tcp::Info>(UserPtr::from_addr(usize::MAX));

        assert_eq!(array.next.as_const_ptr().addr(), 15);
        array.next = UserPtr::from_addr(usize::MAX);
        assert!(array.place().is_some());
        assert_eq!(array.next.as_const_ptr().addr(), 9);
    }

    #[test]
    fn answer_tells_what_was_written() {
        let request = request(24, 10, 20);
        let array = request.array::<tcp::Info>(UserPtr::from_addr(0));
        let header = request.answer(3, &array);

        assert_eq!(header.size_subflow_data, 24);
        assert_eq!(header.num_subflows, 3);
        assert_eq!(header.size_kernel, SIZE);
        assert_eq!(header.size_user, 10);
    }
}
