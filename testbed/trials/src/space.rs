// SPDX-License-Identifier: GPL-2.0

//! The user memory of every request: areas with pages that can be written or only be read, between
//! which there is nothing.

use std::io;

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

/// For more, libc uses instructions that QEMU emulates byte by byte.
const PIECE: usize = 1024;

/// Makes every byte `fill`.
pub fn fill_bytes(bytes: &mut [u8], fill: u8) {
    bytes.chunks_mut(PIECE).for_each(|piece| piece.fill(fill));
}

/// All areas.
#[derive(Debug)]
pub struct Space {
    areas: Vec<Memory>,
}

impl Space {
    /// Maps them.
    ///
    /// # Errors
    ///
    /// As those of mmap(2).
    pub fn new() -> io::Result<Self> {
        let areas = AREAS
            .iter()
            .map(|(address, pages)| Memory::new(*address, pages));
        Ok(Self {
            areas: areas.collect::<io::Result<_>>()?,
        })
    }

    /// Copies everything to `image`.
    pub fn read_image(&self, image: &mut [u8]) {
        let bytes = self
            .areas
            .iter()
            .flat_map(|area| area.bytes().chunks(PIECE));
        for (piece, bytes) in image.chunks_mut(PIECE).zip(bytes) {
            piece.copy_from_slice(bytes);
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
        self.areas.iter().find_map(|area| {
            let offset = address.wrapping_sub(area.address());
            area.bytes().get(offset..)?.first_chunk().copied()
        })
    }

    /// Makes every byte `fill`.
    pub fn fill(&mut self, fill: u8) {
        for area in &mut self.areas {
            fill_bytes(area.bytes_mut(), fill);
        }
    }

    /// Puts `bytes` at `address`, as far as there is memory.
    pub fn put(&mut self, address: usize, bytes: &[u8]) {
        for area in &mut self.areas {
            let begin = area.address();
            for (n, byte) in bytes.iter().enumerate() {
                let offset = address.wrapping_add(n).wrapping_sub(begin);
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
        self.areas.iter().try_for_each(Memory::evict)
    }
}
