// SPDX-License-Identifier: GPL-2.0

//! Random requests, of which a seed and a number always give the same.

use std::mem::offset_of;

use bytemuck::bytes_of;
use fastrand::Rng;
use mptcp_trials::abi::{
    self, FullInfo, MPTCP_INFO_SIZE, SUBFLOW_ADDRS_SIZE, SubflowData, TCP_INFO_SIZE,
};
use mptcp_trials::probe::Probe;
use mptcp_trials::space::{self, near};
use mptcp_trials::subjects::Role;

const PAGE: u64 = mptcp_trials::space::PAGE as u64;
/// Where the pointers begin in a header that has any.
const POINTERS: usize = offset_of!(FullInfo, subflow_info);
const _: () = assert!(POINTERS >= size_of::<SubflowData>());
/// Boundaries between two pages that can both be written.
const MIDDLES: [u64; 2] = [near(1) as u64, space::FAR as u64 + PAGE];
/// Pointers to no memory: to the kernel's, to none, and close to where addresses wrap around.
const NOWHERE: [u64; 15] = [
    0,
    1,
    near(0) as u64 - 8,
    near(2) as u64 + 8,
    near(0) as u64 + (1 << 32),
    0x7fff_ffff_efff,
    0x7fff_ffff_f000,
    0x8000_0000_0000,
    0x00ff_ffff_ffff_ffff,
    0xffff_8880_0000_1000,
    0xffff_ffff_8100_0000,
    0xffff_ffff_ffff_f000,
    -16_i64 as u64,
    -4_i64 as u64,
    -1_i64 as u64,
];
/// Sizes that no structure has.
const SIZES: [u32; 12] = [
    0,
    1,
    15,
    39,
    u16::MAX as u32,
    1 << 24,
    i32::MAX as u32 - 1,
    i32::MAX as u32,
    1 << 31,
    (1 << 31) + 16,
    u32::MAX - 1,
    u32::MAX,
];

/// What requests are made for.
#[derive(Clone, Copy)]
pub struct Target {
    /// The bits of the program.
    pub bits: u32,
    /// The kernel's size of `struct mptcp_subflow_info`.
    pub subflow_info: usize,
}

/// The request number `n` of `seed`, and the index of the role that it is made to.
pub fn generate(seed: u64, n: u64, target: Target, roles: &[Role]) -> (usize, Probe) {
    // The generator's sequences for neighbouring seeds have much in common.
    let mut rng = Random(Rng::with_seed(seed ^ Rng::with_seed(n).u64(..)));
    let (subject, mut request) = rng.request(roles, target.subflow_info);
    if target.bits == 32 {
        request.optval &= u64::from(u32::MAX);
        request.optlen &= u64::from(u32::MAX);
    }
    request.keep_pointers();
    // Each of the two values is used as often for a request as its complement.
    let fill = [seed as u8, !(seed as u8)];
    let probe = Probe {
        option: request.option,
        optval: request.optval as usize,
        optlen: request.optlen as usize,
        header: request.header,
        len: request.len,
        fill: fill[(n % 2) as usize],
        evict: rng.once_in(16),
    };
    (subject, probe)
}

struct Request {
    option: i32,
    optval: u64,
    optlen: u64,
    header: Vec<u8>,
    len: i32,
}

impl Request {
    /// Where optlen overlaps a pointer of the header, gives it the pointer's bytes. With other bytes,
    /// the pointer could be to memory of this program.
    fn keep_pointers(&mut self) {
        let mut len = self.len.to_ne_bytes();
        for (n, byte) in (0..).zip(&mut len) {
            let offset = self.optlen.wrapping_add(n).wrapping_sub(self.optval);
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            if offset >= POINTERS {
                *byte = self.header.get(offset).copied().unwrap_or(*byte);
            }
        }
        self.len = i32::from_ne_bytes(len);
    }
}

/// Numbers that do not depend on the size of a pointer.
struct Random(Rng);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0.u64(..end)
    }

    fn size_below(&mut self, end: u32) -> u32 {
        self.0.u32(..end)
    }

    fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn request(&mut self, roles: &[Role], subflow_info: usize) -> (usize, Request) {
        let subject = self.below(roles.len() as u64) as usize;
        let subflows = u64::from(roles[subject].subflows());
        let option = match self.below(100) {
            0..40 => abi::MPTCP_TCPINFO,
            40..65 => abi::MPTCP_SUBFLOW_ADDRS,
            65..95 => abi::MPTCP_FULL_INFO,
            95..98 => abi::MPTCP_INFO,
            _ => self.pick(&[i32::MIN, -1, 0, 5, 6, 100, 1 << 16, i32::MAX]),
        };
        let (optval, header, len, end) = match option {
            abi::MPTCP_TCPINFO => self.subflow_data(TCP_INFO_SIZE, subflows),
            abi::MPTCP_SUBFLOW_ADDRS => self.subflow_data(SUBFLOW_ADDRS_SIZE, subflows),
            abi::MPTCP_FULL_INFO => self.full_info(subflow_info, subflows),
            _ => {
                let optval = self.place(MPTCP_INFO_SIZE as u64, 0, 0, None);
                let len = self.len_around(MPTCP_INFO_SIZE as u64);
                (optval, Vec::new(), len, MPTCP_INFO_SIZE as u64)
            }
        };
        let optlen = match self.below(16) {
            // In the result, or just beside it.
            0 => optval.wrapping_add(self.below(64)).wrapping_sub(8),
            1 => optval.wrapping_add(self.below(end + 1)),
            2 => self.place(4, 0, 0, None),
            3 => space::READ_ONLY as u64 + self.below(PAGE),
            _ => near(2) as u64 - 8 + self.below(5),
        };
        let request = Request {
            option,
            optval,
            optlen,
            header,
            len,
        };
        (subject, request)
    }

    /// A pointer to `begin` bytes and then `num` elements of `size`: within a page, across two, or where
    /// an access fails. It may overlap what `other` points to.
    fn place(&mut self, begin: u64, size: u64, num: u64, other: Option<u64>) -> u64 {
        let all = begin + size * num;
        match (self.below(16), other) {
            (0, _) => self.pick(&NOWHERE),
            (1 | 2, Some(other)) => {
                let back = self.below(all + 1);
                other.wrapping_add(self.below(all + 64)).wrapping_sub(back)
            }
            (1..8, _) => {
                // At an edge: a byte of the header, an element, or a byte of an element.
                let part = match self.below(4) {
                    0 => self.below(begin + 1),
                    1 | 2 => begin + size * self.below(num + 1),
                    _ => self.below(all + 1),
                };
                let edge = match self.once_in(4) {
                    true => self.pick(&MIDDLES),
                    false => self.pick(&space::EDGES) as u64,
                };
                edge - part + self.pick(&[0, 0, 0, 1]) - self.pick(&[0, 0, 0, 1])
            }
            (8..12, _) => near(0) as u64 + 8 * self.below(PAGE / 8),
            _ => near(0) as u64 + self.below(PAGE),
        }
    }

    /// A size for elements that have `kernel` bytes in the kernel.
    fn size_user(&mut self, kernel: usize) -> u32 {
        let kernel = kernel as u32;
        match self.below(16) {
            0 => self.pick(&SIZES),
            1..4 => self.size_below(kernel + 64),
            4..6 => 8 * self.size_below(kernel / 8 + 2),
            6 => kernel - 1 + self.size_below(3),
            _ => kernel,
        }
    }

    /// A length close to `good`.
    fn len_around(&mut self, good: u64) -> i32 {
        let good = i32::try_from(good).unwrap_or(i32::MAX);
        match self.below(16) {
            0 => self.pick(&[
                i32::MIN,
                i32::MIN + 16,
                -1000,
                -1,
                0,
                1,
                4,
                15,
                i32::MAX - 1,
                i32::MAX,
            ]),
            1 => self.0.i32(..64).abs(),
            2 | 3 => good.saturating_sub(1),
            4 | 5 => good.saturating_add(1),
            6 => good.saturating_add(self.0.i32(..PAGE as i32)),
            7 => good / 2,
            _ => good,
        }
    }

    /// A value of a field that must be 0, and mostly is.
    fn kernels_own(&mut self) -> u32 {
        match self.once_in(40) {
            true => self.pick(&SIZES),
            false => 0,
        }
    }

    /// The buffer's address, its header and length, and how long the result can be.
    fn subflow_data(&mut self, kernel: usize, subflows: u64) -> (u64, Vec<u8>, i32, u64) {
        let mut data = SubflowData {
            size_subflow_data: match self.below(16) {
                0 => self.pick(&SIZES),
                1..4 => 14 + self.size_below(66),
                _ => size_of::<SubflowData>() as u32,
            },
            num_subflows: self.kernels_own(),
            size_kernel: self.kernels_own(),
            size_user: self.size_user(kernel),
        };
        let size = u64::from(data.size_user).min(kernel as u64);
        let array = size * self.below(subflows + 3);
        let mut begin = u64::from(data.size_subflow_data);
        let mut len = self.len_around(begin + array);
        if self.once_in(16) {
            // The header is so long that the array is far behind.
            let room = array as u32 + self.size_below(16);
            data.size_subflow_data = i32::MAX as u32 - room - self.size_below(PAGE as u32 / 2);
            len = (data.size_subflow_data + room) as i32;
        }
        begin = begin.min(PAGE);
        let optval = self.place(begin, size, subflows, None);
        (optval, bytes_of(&data).to_vec(), len, begin + array)
    }

    /// The same for `MPTCP_FULL_INFO`.
    fn full_info(&mut self, kernel: usize, subflows: u64) -> (u64, Vec<u8>, i32, u64) {
        let header = size_of::<FullInfo>() as u64;
        let info = match self.below(4) {
            0 => 0,
            1 => self.below(MPTCP_INFO_SIZE as u64 + 32),
            _ => MPTCP_INFO_SIZE as u64,
        };
        let optval = self.place(header, info, 1, None);
        let size_tcpinfo_user = self.size_user(TCP_INFO_SIZE);
        let size_sfinfo_user = self.size_user(kernel);
        let tcp_info_size = u64::from(size_tcpinfo_user).min(TCP_INFO_SIZE as u64);
        let subflow_info_size = u64::from(size_sfinfo_user).min(kernel as u64);
        let subflow_info = self.place(0, subflow_info_size, subflows, Some(optval));
        let other = self.pick(&[optval, subflow_info]);
        let full = FullInfo {
            size_tcpinfo_kernel: self.kernels_own(),
            size_tcpinfo_user,
            size_sfinfo_kernel: self.kernels_own(),
            size_sfinfo_user,
            num_subflows: self.kernels_own(),
            size_arrays_user: match self.below(16) {
                0 => self.pick(&SIZES),
                1..6 => self.below(subflows + 2) as u32,
                _ => subflows as u32,
            },
            subflow_info,
            tcp_info: self.place(0, tcp_info_size, subflows, Some(other)),
        };
        let len = self.len_around(header + info);
        (optval, bytes_of(&full).to_vec(), len, header + info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bits: u32) -> Vec<(Role, Probe)> {
        let roles = Role::all();
        let target = Target {
            bits,
            subflow_info: abi::SUBFLOW_INFO_SIZE,
        };
        let one = |n| generate(1, n, target, &roles);
        (0..20_000)
            .map(one)
            .map(|(subject, probe)| (roles[subject], probe))
            .collect()
    }

    /// Where `size` bytes at `address` meet a boundary.
    fn crosses(address: usize, size: usize, boundary: usize) -> bool {
        address < boundary && boundary < address.saturating_add(size)
    }

    #[test]
    fn nothing_is_left_out() {
        let all = all(64);
        let any = |what: &str, is: &dyn Fn(&Role, &Probe) -> bool| {
            let n = all.iter().filter(|(role, probe)| is(role, probe)).count();
            assert!(n >= 20, "{what}: {n}");
        };

        for role in Role::all() {
            any(&role.to_string(), &|asked, _| *asked == role);
        }
        for option in 0..6 {
            any("option", &|_, probe| probe.option == option);
        }
        for pointer in NOWHERE {
            any("optval", &|_, probe| probe.optval as u64 == pointer);
        }
        for edge in space::EDGES
            .into_iter()
            .chain(MIDDLES.map(|edge| edge as usize))
        {
            any("edge in the header", &|_, probe| {
                crosses(probe.optval, probe.header.len(), edge)
            });
            any("edge in the array", &|_, probe| {
                let header = probe.header.len();
                header == 16 && crosses(probe.optval.wrapping_add(header), 2000, edge)
            });
            any("edge in optlen", &|_, probe| crosses(probe.optlen, 4, edge));
        }
        any("negative length", &|_, probe| probe.len < 0);
        any("largest length", &|_, probe| probe.len == i32::MAX);
        any("optlen in the header", &|_, probe| {
            probe.optlen.wrapping_sub(probe.optval) < probe.header.len()
        });
        any("optlen in a pointer", &|_, probe| {
            (POINTERS..probe.header.len()).contains(&probe.optlen.wrapping_sub(probe.optval))
        });
        any("optlen that is not aligned", &|_, probe| {
            probe.optlen % 4 != 0
        });
        any("absent pages", &|_, probe| probe.evict);
    }

    #[test]
    fn optlen_leaves_the_pointers_as_they_are() {
        for (_, probe) in [32, 64].into_iter().flat_map(all) {
            for (offset, byte) in probe.header.iter().enumerate().skip(POINTERS) {
                let address = probe.optval.wrapping_add(offset);
                assert_eq!(probe.byte(address), Some(*byte), "{probe}");
            }
        }
    }

    #[test]
    fn of_32_bits_where_a_program_has_no_more() {
        let distance = |probe: &Probe| probe.optlen.wrapping_sub(probe.optval);
        for ((_, wide), (_, narrow)) in all(64).into_iter().zip(all(32)) {
            let same_place = distance(&wide) == distance(&narrow);
            let expected = Probe {
                optval: wide.optval & u32::MAX as usize,
                optlen: wide.optlen & u32::MAX as usize,
                // It may hold a part of a pointer in one, and not in the other.
                len: if same_place { wide.len } else { narrow.len },
                ..wide
            };
            assert_eq!(narrow, expected);
        }
    }
}
