// SPDX-License-Identifier: GPL-2.0

//! The user memory of every request: areas with pages that can be written or only be read, between
//! which there is nothing.

use std::io;
use std::ops::Range;

use crate::memory::{Memory, PAGE, Page};

/// Where the first area is, and pages are counted from.
const NEAR: usize = 0x2000_0000;
/// Where the last area is: as far from the others as a header can be long.
pub const FAR: usize = NEAR + (1 << 31);

/// Address of the page `n`, counted from the first.
pub const fn near(n: usize) -> usize {
    NEAR + n * PAGE
}

/// Where pages begin that differ in what the kernel may do from those before.
pub const EDGES: [usize; 6] = [near(0), near(2), near(3), near(4), near(5), near(6)];
/// A page that can only be read.
pub const READ_ONLY: usize = near(4);

const AREAS: [(usize, &[Page]); 3] = [
    (near(0), &[Page::Open; 2]),
    (near(3), &[Page::Open, Page::ReadOnly, Page::Open]),
    (FAR, &[Page::Open; 2]),
];

/// Where Linux puts programs, their heaps, mappings and stacks: of 32 bits and of 64, each from below
/// and from above. In the last page of all is nothing.
const PROGRAMS: [Range<u64>; 4] = [
    0x5000_0000..0x6000_0000,
    0xe000_0000..0xffff_e000,
    0x5000_0000_0000..0x6000_0000_0000,
    0x7000_0000_0000..0x7fff_ffff_e000,
];

/// Whether it may be in memory of a program's own, where no request should point.
pub fn is_program(address: usize) -> bool {
    let address = address as u64;
    PROGRAMS.iter().any(|program| program.contains(&address))
}

/// Size of an image: a copy of all areas, one behind the other.
pub const SIZE: usize = (2 + 3 + 2) * PAGE;

/// The address of a byte of an image.
pub fn address(index: usize) -> usize {
    let mut begin = 0;
    for (address, pages) in AREAS {
        let end = begin + pages.len() * PAGE;
        if index < end {
            return address + (index - begin);
        }
        begin = end;
    }
    unreachable!("an image has {SIZE} bytes");
}

/// The opposite of [`address()`]. `None` where there is no memory.
pub fn index(address: usize) -> Option<usize> {
    let mut begin = 0;
    for (area, pages) in AREAS {
        let size = pages.len() * PAGE;
        let offset = address.wrapping_sub(area);
        if offset < size {
            return Some(begin + offset);
        }
        begin += size;
    }
    None
}

/// Memory is filled and looked at block by block: most of it is as it was filled.
const BLOCK: usize = 64;
const _: () = assert!(SIZE.is_multiple_of(BLOCK));

/// The indices of all bytes that any of the images, given with its fill byte, was not filled with, and of some
/// more.
pub fn changed(images: &[Vec<u8>; 2], fill: [u8; 2]) -> impl Iterator<Item = usize> {
    let blocks = images.each_ref().map(|image| image.as_chunks::<BLOCK>().0);
    (0..SIZE / BLOCK)
        .filter(move |n| (0..2).any(|run| blocks[run][*n] != [fill[run]; BLOCK]))
        .flat_map(|n| n * BLOCK..(n + 1) * BLOCK)
}

/// All areas.
#[derive(Debug)]
pub struct Space(Vec<Memory>);

impl Space {
    /// Maps them.
    ///
    /// # Errors
    ///
    /// As those of mmap(2).
    pub fn new() -> io::Result<Self> {
        let areas = AREAS.iter();
        let areas = areas.map(|(address, pages)| Memory::new(*address, pages));
        Ok(Self(areas.collect::<io::Result<_>>()?))
    }

    /// Makes `image` what is in the memory now.
    pub fn read_image(&self, image: &mut Vec<u8>) {
        image.clear();
        for area in &self.0 {
            image.extend_from_slice(area.bytes());
        }
    }

    /// How many of the `len` bytes at `address` come before the first in no page that `fits`.
    fn reach(&self, address: usize, len: usize, fits: impl Fn(Page) -> bool) -> usize {
        let mut reach = 0;
        while reach < len {
            let address = address.wrapping_add(reach);
            if !self
                .areas
                .iter()
                .filter_map(|area| area.page(address))
                .any(&fits)
            {
                break;
            }
            reach += PAGE - address % PAGE;
        }
        reach.min(len)
    }

    /// How many of the `len` bytes at `address` the kernel can write before it faults.
    pub fn writable(&self, address: usize, len: usize) -> usize {
        self.reach(address, len, |page| page == Page::Open)
    }

    /// What the kernel reads at `address`, unless it faults.
    pub fn read<const N: usize>(&self, address: usize) -> Option<[u8; N]> {
        self.0.iter().find_map(|area| {
            let offset = address.wrapping_sub(area.address());
            area.bytes().get(offset..)?.first_chunk().copied()
        })
    }

    /// Makes every byte `fill`.
    pub fn fill(&mut self, fill: u8) {
        for area in &mut self.0 {
            area.bytes_mut().as_chunks_mut().0.fill([fill; BLOCK]);
        }
    }

    /// Puts `bytes` at `address`, as far as there is memory.
    pub fn put(&mut self, address: usize, bytes: &[u8]) {
        for (n, byte) in bytes.iter().enumerate() {
            let address = address.wrapping_add(n);
            for area in &mut self.0 {
                let offset = address.wrapping_sub(area.address());
                if let Some(place) = area.bytes_mut().get_mut(offset) {
                    *place = *byte;
                }
            }
        }
    }

    /// The next access of the kernel to any page will have to fetch it.
    ///
    /// # Errors
    ///
    /// As those of madvise(2).
    pub fn evict(&self) -> io::Result<()> {
        self.0.iter().try_for_each(Memory::evict)
    }
}
