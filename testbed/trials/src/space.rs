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

/// Memory is looked at block by block: most of it is as it was.
const BLOCK: usize = 128;
const _: () = assert!(SIZE.is_multiple_of(BLOCK) && BLOCK.is_multiple_of(WORD));
/// And then word by word.
const WORD: usize = size_of::<u64>();

/// Whether any byte of these words is another than `fill`.
fn differs(bytes: &[u8], fill: u8) -> bool {
    let fill = u64::from_ne_bytes([fill; WORD]);
    let words = bytes.as_chunks().0.iter();
    words.fold(0, |differs, word| {
        differs | (u64::from_ne_bytes(*word) ^ fill)
    }) != 0
}

/// What is in the memory.
#[derive(Debug)]
pub struct Image {
    fill: u8,
    /// Of each block, whether it has another byte. If not, it is not in `bytes`.
    changed: Vec<bool>,
    bytes: Vec<u8>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            fill: 0,
            changed: vec![false; SIZE / BLOCK],
            bytes: vec![0; SIZE],
        }
    }
}

impl Image {
    /// The byte at `index`.
    pub fn byte(&self, index: usize) -> u8 {
        match self.changed[index / BLOCK] {
            true => self.bytes[index],
            false => self.fill,
        }
    }

    /// Whether the block or word at `index`, of so many bytes, has one that it was not filled with.
    fn differs(&self, index: usize, len: usize) -> bool {
        self.changed[index / BLOCK] && differs(&self.bytes[index..][..len], self.fill)
    }
}

/// The indices of all bytes that any of the images was not filled with, and of some more.
pub fn changed(images: &[Image]) -> impl Iterator<Item = usize> {
    let differs = |index, len| images.iter().any(|image| image.differs(index, len));
    (0..SIZE)
        .step_by(BLOCK)
        .filter(move |block| differs(*block, BLOCK))
        .flat_map(|block| (block..block + BLOCK).step_by(WORD))
        .filter(move |word| differs(*word, WORD))
        .flat_map(|word| word..word + WORD)
}

/// All areas.
#[derive(Debug)]
pub struct Space {
    areas: Vec<Memory>,
    fill: u8,
    /// Of each block, whether it had another byte when it was last looked at, or got one.
    changed: Vec<bool>,
    /// Whether the kernel may have written since.
    stale: bool,
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
            fill: 0,
            changed: vec![false; SIZE / BLOCK],
            stale: false,
        })
    }

    /// Copies to `image` what is in the memory now.
    pub fn read_image(&mut self, image: &mut Image) {
        image.fill = self.fill;
        self.stale = false;
        let areas = self.areas.iter();
        let blocks = areas.flat_map(|area| area.bytes().as_chunks::<BLOCK>().0);
        let copies = image.bytes.as_chunks_mut::<BLOCK>().0.iter_mut();
        for ((n, block), copy) in blocks.enumerate().zip(copies) {
            let changed = differs(block, self.fill);
            if changed {
                *copy = *block;
            }
            self.changed[n] = changed;
            image.changed[n] = changed;
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

    /// The kernel may write to any page from now on.
    pub fn lend(&mut self) {
        self.stale = true;
    }

    /// Makes every byte `fill`.
    pub fn fill(&mut self, fill: u8) {
        let all = self.stale || fill != self.fill;
        let areas = self.areas.iter_mut();
        let blocks = areas.flat_map(|area| area.bytes_mut().as_chunks_mut::<BLOCK>().0);
        for (block, changed) in blocks.zip(&mut self.changed) {
            if all || *changed {
                *block = [fill; BLOCK];
            }
            *changed = false;
        }
        self.fill = fill;
        self.stale = false;
    }

    /// Puts `bytes` at `address`, as far as there is memory.
    pub fn put(&mut self, address: usize, bytes: &[u8]) {
        for (n, byte) in bytes.iter().enumerate() {
            let address = address.wrapping_add(n);
            for area in &mut self.areas {
                let offset = address.wrapping_sub(area.address());
                if let Some(place) = area.bytes_mut().get_mut(offset) {
                    *place = *byte;
                }
            }
            if let Some(index) = index(address) {
                self.changed[index / BLOCK] = true;
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

/// For a test that has the areas: no other may have them meanwhile.
#[cfg(test)]
pub static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_what_was_written() {
        let _alone = ALONE.lock();
        let mut space = Space::new().unwrap();
        let mut image = Image::default();
        // Filled anew, or only where something was written, as is known, or not.
        for (fill, looked_at) in [(1, true), (1, false), (2, true), (2, false), (3, false)] {
            space.fill(fill);
            space.read_image(&mut image);
            assert!((0..SIZE).all(|index| image.byte(index) == fill));

            space.put(near(2) - 1, &[7, 8]);
            space.lend();
            // As the kernel would.
            space.areas[2].bytes_mut()[BLOCK] = 9;
            if looked_at {
                space.read_image(&mut image);
                let expected = |index| match address(index) {
                    place if place == near(2) - 1 => 7,
                    place if place == FAR + BLOCK => 9,
                    _ => fill,
                };
                assert!((0..SIZE).all(|index| image.byte(index) == expected(index)));
            }
        }
    }
}
