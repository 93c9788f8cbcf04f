// SPDX-License-Identifier: GPL-2.0

//! The per-subflow socket options of MPTCP, at level `SOL_MPTCP`.
//!
//! | option                | written to user space                                            |
//! |-----------------------|------------------------------------------------------------------|
//! | `MPTCP_TCPINFO`       | [`SubflowData`], then an array of [`TcpInfo`]                    |
//! | `MPTCP_SUBFLOW_ADDRS` | [`SubflowData`], then an array of [`SubflowAddrs`]               |
//! | `MPTCP_FULL_INFO`     | [`FullInfo`], and the arrays of [`SubflowInfo`] and [`TcpInfo`]  |
//! |                       | that it points to                                                |
//!
//! An array gets one [`Element`] for each subflow, as long as there is room. The header reports the
//! number of subflows, so that user space can retry with more room.
//!
//! User space passes the sizes of its structures, so that programs that are older or newer than the
//! kernel work. An element is truncated to the smaller of the two versions. If the user's header is
//! longer than the kernel's, only the part known to the kernel is written.
//!
//! C header: [`include/net/mptcp_rust.h`](srctree/include/net/mptcp_rust.h)

use core::{
    marker::PhantomData,
    mem::MaybeUninit, //
};

use kernel::{
    bindings,
    error::from_result,
    net::mptcp::{
        kmsan_unpoison,
        FullInfo,
        FullInfoHeader,
        LockedSock,
        MptcpInfo,
        SubflowAddrs,
        SubflowContext,
        SubflowData,
        SubflowInfo,
        TcpInfo, //
    },
    num::casts::{
        usize_into_u32,
        IntoSafeCast, //
    },
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

use zerocopy::{
    transmute,
    FromZeros,
    Immutable, //
};

/// Size of the first version of [`SubflowData`], which every later kernel accepts.
const MIN_INFO_OPTLEN_SIZE: u32 = 16;

// If the header grows, the code below must handle both sizes.
static_assert!(size_of::<SubflowData>() == 16);

/// Size of the header of [`FullInfo`].
const MIN_FULL_INFO_OPTLEN_SIZE: u32 = usize_into_u32::<{ size_of::<FullInfoHeader>() }>();

/// The largest size that is valid.
///
/// Like `optlen`, sizes are `int`s in C.
const MAX_SIZE: u32 = c_int::MAX.unsigned_abs();

/// An array element, which describes one subflow.
trait Element: IntoBytes + Immutable + Sized {
    /// Size of the kernel's version of an element.
    // CAST: The structures are far smaller than 4 GiB.
    const SIZE: u32 = size_of::<Self>() as u32;

    /// Writes the element of `subflow` to `slot`.
    fn get<'s>(subflow: &SubflowContext, slot: &'s mut MaybeUninit<Self>) -> &'s Self;
}

impl Element for TcpInfo {
    #[inline]
    fn get<'s>(subflow: &SubflowContext, slot: &'s mut MaybeUninit<Self>) -> &'s Self {
        subflow.get_tcp_info(slot)
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
        subflow.get_subflow_info(slot)
    }
}

/// An array in user memory, to which elements are appended.
struct Array<E> {
    /// Where the next element goes.
    next: UserPtr,
    /// Size of an element: the smaller of the user's and the kernel's version.
    size_user: u32,
    /// Number of bytes left for more elements.
    room: u32,
    _element: PhantomData<E>,
}

impl<E: Element> Array<E> {
    /// Creates an array of `room` bytes, in which user space expects elements of `size_user` bytes.
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

        // This only saturates if the array has room for more subflows than can exist.
        array.room = array.size_user.saturating_mul(len);
        array
    }

    /// Reserves room for the next element.
    ///
    /// Returns [`None`] if there is none. An array of elements of size 0 has no room.
    #[inline]
    fn place(&mut self) -> Option<UserSlice> {
        if self.room == 0 {
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

        write_truncated(place, E::get(subflow, &mut slot))
    }
}

/// Writes as much of `value` as fits in `place`.
#[inline]
fn write_truncated(place: UserSlice, value: &(impl IntoBytes + Immutable)) -> Result {
    place
        .writer()
        .write_slice_partial(value.as_bytes(), 0)
        .map(drop)
}

/// The user's side of a `getsockopt()` call.
struct SockOpt {
    /// Address of the buffer.
    optval: UserPtr,
    /// Address of the size of the buffer.
    optlen: UserPtr,
}

impl SockOpt {
    /// Returns the first `len` bytes of the buffer.
    #[inline]
    fn optval(&self, len: usize) -> UserSlice {
        UserSlice::new(self.optval, len)
    }
}

/// Validates the size of a buffer, which must be at least `min` bytes.
fn check_optlen(len: u32, min: u32) -> Result<u32> {
    if (min..=MAX_SIZE).contains(&len) {
        Ok(len)
    } else {
        Err(EINVAL)
    }
}

/// A validated request with a header of type [`SubflowData`].
struct Request {
    /// The user's header. The array follows it in the buffer.
    header: SubflowData,
    /// Room in the array, in bytes.
    room: u32,
}

impl Request {
    /// Reads a request.
    ///
    /// No byte is read twice, since user space could change it in between.
    #[inline]
    fn read(opt: &SockOpt) -> Result<Self> {
        let len = check_optlen(opt.optlen.get_u32()?, MIN_INFO_OPTLEN_SIZE)?;

        let header: [u32; 4] = opt.optval(size_of::<SubflowData>()).reader().read()?;

        Self::new(transmute!(header), len)
    }

    /// Validates the header of a request whose buffer has `len` bytes.
    fn new(header: SubflowData, len: u32) -> Result<Self> {
        if header.size_subflow_data < MIN_INFO_OPTLEN_SIZE || header.size_user > MAX_SIZE {
            return Err(EINVAL);
        }

        // These are output fields: user space must set them to 0.
        if header.num_subflows != 0 || header.size_kernel != 0 {
            return Err(EINVAL);
        }

        let room = len.checked_sub(header.size_subflow_data).ok_or(EINVAL)?;

        Ok(Self {
            // Elements of size 0 are not written.
            room: if header.size_user == 0 { 0 } else { room },
            header,
        })
    }

    /// Returns the array in the user's buffer, still empty.
    fn array<E: Element>(&self, optval: UserPtr) -> Array<E> {
        let start = optval.wrapping_byte_add(self.header.size_subflow_data.into_safe_cast());

        Array::with_room(start, self.header.size_user, self.room)
    }

    /// Returns the size of the reply.
    fn optlen<E>(&self, array: &Array<E>) -> u32 {
        // Without elements, only the part of the header that the kernel knows counts.
        match self.room.saturating_sub(array.room) {
            0 => MIN_INFO_OPTLEN_SIZE,
            copied => self.header.size_subflow_data.saturating_add(copied),
        }
    }

    /// Returns the header of the reply.
    fn reply<E: Element>(mut self, num_subflows: u32, array: &Array<E>) -> SubflowData {
        self.header.num_subflows = num_subflows;
        self.header.size_kernel = E::SIZE;
        self.header.size_user = array.size_user;
        self.header
    }
}

/// Handles an option that has a header of type [`SubflowData`] and one array.
fn subflow_data<E: Element>(msk: &LockedSock, opt: &SockOpt) -> Result {
    let request = Request::read(opt)?;
    let mut array = request.array::<E>(opt.optval);
    let mut num_subflows: u32 = 0;

    for subflow in msk.subflows() {
        num_subflows = num_subflows.wrapping_add(1);
        array.push(subflow)?;
    }

    opt.optlen.put_u32(request.optlen(&array))?;

    let header: [u32; 4] = transmute!(request.reply(num_subflows, &array));

    opt.optval(size_of::<SubflowData>())
        .writer()
        .write(kmsan_unpoison(&header))
}

/// Validates a request for [`FullInfo`].
fn check_full_info(header: &FullInfoHeader) -> Result {
    // These are output fields: user space must set them to 0.
    if header.size_tcpinfo_kernel != 0 || header.size_sfinfo_kernel != 0 || header.num_subflows != 0
    {
        return Err(EINVAL);
    }

    if header.size_sfinfo_user > MAX_SIZE || header.size_tcpinfo_user > MAX_SIZE {
        return Err(EINVAL);
    }

    Ok(())
}

/// Handles `MPTCP_FULL_INFO`.
fn full_info(msk: &LockedSock, opt: &SockOpt) -> Result {
    let len = check_optlen(opt.optlen.get_u32()?, MIN_FULL_INFO_OPTLEN_SIZE)?;
    let header: [u64; 5] = opt.optval(size_of::<FullInfoHeader>()).reader().read()?;
    let mut info = FullInfo {
        header: transmute!(header),
        mptcp_info: MptcpInfo::new_zeroed(),
    };
    let header = &mut info.header;

    check_full_info(header)?;

    let max = header.size_arrays_user;
    let mut subflow_info =
        Array::<SubflowInfo>::with_len(user_ptr(header.subflow_info), header.size_sfinfo_user, max);
    let mut tcp_info =
        Array::<TcpInfo>::with_len(user_ptr(header.tcp_info), header.size_tcpinfo_user, max);
    let mut num_subflows: u32 = 0;

    if len > MIN_FULL_INFO_OPTLEN_SIZE {
        msk.fill_info(&mut info.mptcp_info);
    }

    for subflow in msk.subflows() {
        num_subflows = num_subflows.wrapping_add(1);
        subflow_info.push(subflow)?;
        tcp_info.push(subflow)?;
    }

    header.size_tcpinfo_kernel = TcpInfo::SIZE;
    header.size_tcpinfo_user = tcp_info.size_user;
    header.size_sfinfo_kernel = SubflowInfo::SIZE;
    header.size_sfinfo_user = subflow_info.size_user;
    header.num_subflows = num_subflows;

    let len = len.min(usize_into_u32::<{ size_of::<FullInfo>() }>());

    opt.optlen.put_u32(len)?;
    // C code fills in the rest.
    kmsan_unpoison(&info.header);
    write_truncated(opt.optval(len.into_safe_cast()), &info)
}

/// Returns the pointer that user space passed as a 64-bit integer, on 32-bit kernels as well.
#[doc(alias = "u64_to_user_ptr")]
#[inline]
fn user_ptr(addr: u64) -> UserPtr {
    // CAST: 32-bit kernels ignore the upper half, as in C.
    UserPtr::from_addr(addr as usize)
}

/// C entry point, see the kernel-doc in the C header.
///
/// # Safety
///
/// - `msk` must point to an initialized `struct mptcp_sock` that stays valid during the call.
/// - The current task must own its socket lock during the call.
/// - `socket()` must have created the socket, or `accept()` returned it.
#[export]
pub unsafe extern "C" fn mptcp_getsockopt_subflow_info(
    msk: *mut bindings::mptcp_sock,
    optname: c_int,
    optval: *mut c_char,
    optlen: *mut c_int,
) -> c_int {
    // SAFETY: `msk` is valid, locked, and in no accept queue during the call, by the safety
    // requirements of this function.
    let msk = unsafe { LockedSock::from_raw(msk) };

    let opt = SockOpt {
        optval: UserPtr::from_ptr(optval.cast()),
        optlen: UserPtr::from_ptr(optlen.cast()),
    };

    from_result(|| {
        // CAST: A negative `optname` becomes a number that no option has.
        match optname as u32 {
            bindings::MPTCP_TCPINFO => subflow_data::<TcpInfo>(msk, &opt),
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

    const SIZE: u32 = TcpInfo::SIZE;

    /// Returns the header of a valid request.
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
    fn valid_request() {
        let room = Request::new(header(), MIN_INFO_OPTLEN_SIZE + 2 * SIZE).map(|r| r.room);

        assert_eq!(room, Ok(2 * SIZE));
    }

    #[test]
    fn output_fields_must_be_zero() {
        let refused = |header| Request::new(header, 1000).err();
        let mut num_subflows = header();
        let mut size_kernel = header();

        num_subflows.num_subflows = 1;
        assert_eq!(refused(num_subflows), Some(EINVAL));

        size_kernel.size_kernel = SIZE;
        assert_eq!(refused(size_kernel), Some(EINVAL));
    }

    #[test]
    fn header_size() {
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
    fn element_is_truncated() {
        let with_size = |size_user| {
            let mut header = header();
            header.size_user = size_user;
            Request::new(header, 1000)
                .map(|request| request.array::<TcpInfo>(UserPtr::from_addr(0)).size_user)
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

    /// Returns the offset and size of each element that fits, and the size of the reply.
    ///
    /// Writes nothing: the buffer is at address 0.
    fn elements(request: Request) -> ([Option<(usize, usize)>; 3], u32) {
        let mut array = request.array::<TcpInfo>(UserPtr::from_addr(0));
        let elements = core::array::from_fn(|_| {
            let offset = array.next.as_const_ptr().addr();
            array.place().map(|slice| (offset, slice.writer().len()))
        });

        (elements, request.optlen(&array))
    }

    #[test]
    fn array_follows_the_users_header() {
        assert_eq!(
            elements(request(24, 10, 20)),
            ([Some((24, 10)), Some((34, 10)), None], 44)
        );
    }

    #[test]
    fn no_partial_element() {
        let with_room = |room| elements(request(16, 10, room));

        assert_eq!(with_room(0), ([None; 3], 16));
        assert_eq!(with_room(9), ([None; 3], 16));
        assert_eq!(with_room(10), ([Some((16, 10)), None, None], 26));
        assert_eq!(with_room(19), ([Some((16, 10)), None, None], 26));
    }

    #[test]
    fn elements_of_size_zero() {
        let mut header = header();
        header.size_user = 0;

        assert_eq!(Request::new(header, 100).map(elements), Ok(([None; 3], 16)));
    }

    #[test]
    fn array_with_len() {
        let places = |size_user, len| {
            let mut array = Array::<SubflowInfo>::with_len(UserPtr::from_addr(0), size_user, len);
            (array.size_user, iter::from_fn(|| array.place()).count())
        };

        assert_eq!(places(10, 0), (10, 0));
        assert_eq!(places(10, 3), (10, 3));
        assert_eq!(places(0, 3), (0, 0));
        assert_eq!(places(MAX_SIZE, 1), (SubflowInfo::SIZE, 1));
    }

    #[test]
    fn full_info_header() {
        let check = |set: fn(&mut FullInfoHeader, u32), value| {
            let mut header = FullInfoHeader::new_zeroed();
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
    fn pointer_of_a_32_bit_kernel_has_32_bits() {
        let upper = if cfg!(CONFIG_64BIT) { 1 << 32 } else { 0 };
        let ptr = user_ptr(1 << 32 | 8).as_const_ptr();

        assert_eq!(ptr.addr() as u64, upper | 8);
    }

    #[test]
    fn array_wraps_around_the_address_space() {
        let mut array = request(16, 10, 20).array::<TcpInfo>(UserPtr::from_addr(usize::MAX));

        assert_eq!(array.next.as_const_ptr().addr(), 15);
        array.next = UserPtr::from_addr(usize::MAX);
        assert!(array.place().is_some());
        assert_eq!(array.next.as_const_ptr().addr(), 9);
    }

    #[test]
    fn reply_header() {
        let request = request(24, 10, 20);
        let array = request.array::<TcpInfo>(UserPtr::from_addr(0));
        let header = request.reply(3, &array);

        assert_eq!(header.size_subflow_data, 24);
        assert_eq!(header.num_subflows, 3);
        assert_eq!(header.size_kernel, SIZE);
        assert_eq!(header.size_user, 10);
    }
}
