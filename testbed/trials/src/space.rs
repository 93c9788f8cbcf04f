// SPDX-License-Identifier: GPL-2.0

//! The user memory of requests: pages that can be written, and one that can only be read, with gaps
//! between them.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::ptr;
use std::slice;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap};

/// Size of a page.
pub const PAGE: usize = 4096;
/// Where the first page is, from which pages are counted.
const NEAR: usize = 0x2000_0000;
/// Where the last two pages begin: as far from the others as a header can be long.
pub const FAR: usize = NEAR + (1 << 31);

/// Address of the page `n`, counted from the first.
pub const fn near(n: usize) -> usize {
    NEAR + n * PAGE
}

/// Where memory begins or ends, or begins to be writable, or ends to be.
pub const EDGES: [usize; 6] = [near(0), near(2), near(3), near(4), near(5), near(6)];
/// The page that can only be read.
pub const READ_ONLY: usize = near(4);

/// All pages, at addresses that are the same in every run.
const PAGES: [usize; 7] = [
    near(0),
    near(1),
    near(3),
    READ_ONLY,
    near(5),
    FAR,
    FAR + PAGE,
];

/// Size of all pages.
pub const SIZE: usize = PAGES.len() * PAGE;

/// The address of a byte, counted from the first of the first page.
pub fn address(index: usize) -> usize {
    PAGES[index / PAGE] + index % PAGE
}

/// The opposite of [`address()`]. `None` where there is no memory.
pub fn index(address: usize) -> Option<usize> {
    let offset = address % PAGE;
    let page = PAGES.iter().position(|page| *page == address - offset)?;
    Some(page * PAGE + offset)
}

/// Where Linux puts programs, their heaps, mappings and stacks, each from below and from above. The last
/// page of all is not used.
const PROGRAMS: [Range<u64>; 8] = [
    // i386
    0x5000_0000..0x6000_0000,
    0xe000_0000..0xffff_e000,
    // x86_64
    0x5000_0000_0000..0x6000_0000_0000,
    0x7000_0000_0000..0x7fff_ffff_e000,
    // arm
    0x0040_0000..0x1000_0000,
    0xb000_0000..0xc000_0000,
    // arm64
    0xaaaa_0000_0000..0xffff_ffff_e000,
    // s390
    0x02aa_0000_0000..0x03ff_ffff_e000,
];

/// Whether the program itself may have memory at an address. No request may point there.
pub fn is_program(address: usize) -> bool {
    let address = address as u64;
    PROGRAMS.iter().any(|program| program.contains(&address))
}

/// Memory is filled and read in blocks, most of which keep what they were filled with. To fill or copy
/// all memory at once would be slow in an emulated guest.
const BLOCK: usize = 128;
const _: () = assert!(SIZE.is_multiple_of(BLOCK));

/// Whether any byte is another than `fill`. Words are compared faster than bytes in an emulated guest.
fn differs(block: &[u8; BLOCK], fill: u8) -> bool {
    let fill = u64::from_ne_bytes([fill; 8]);
    let words = block.as_chunks().0.iter();
    words.fold(0, |differs, word| {
        differs | (u64::from_ne_bytes(*word) ^ fill)
    }) != 0
}

/// The content of the memory.
#[derive(Debug, Default)]
pub struct Image {
    fill: u8,
    /// The blocks that have another byte.
    blocks: BTreeMap<usize, [u8; BLOCK]>,
}

impl Image {
    /// The byte at `index`.
    pub fn byte(&self, index: usize) -> u8 {
        self.block(index / BLOCK)[index % BLOCK]
    }

    fn block(&self, n: usize) -> [u8; BLOCK] {
        self.blocks.get(&n).copied().unwrap_or([self.fill; BLOCK])
    }
}

/// The bytes that differ from the fill byte in either image: the index, and the byte in each.
pub fn changed(images: &[Image; 2]) -> impl Iterator<Item = (usize, [u8; 2])> {
    let fill = images.each_ref().map(|image| image.fill);
    let blocks = images.iter().flat_map(|image| image.blocks.keys());
    let blocks: BTreeSet<usize> = blocks.copied().collect();
    let bytes = blocks.into_iter().flat_map(|n| {
        let [a, b] = images.each_ref().map(|image| image.block(n));
        (0..BLOCK).map(move |offset| (n * BLOCK + offset, [a[offset], b[offset]]))
    });
    bytes.filter(move |(_, byte)| *byte != fill)
}

/// All pages, and a second mapping of them that never faults, through which the process fills them and
/// reads what the kernel wrote. A process can map them once.
#[derive(Debug)]
pub struct Space(*mut u8);

impl Space {
    /// Maps the pages.
    pub fn new() -> io::Result<Self> {
        let file = memfd_create("trials", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, SIZE as u64)?;
        let all = ProtFlags::READ | ProtFlags::WRITE;
        for (n, page) in PAGES.into_iter().enumerate() {
            let prot = if page == READ_ONLY {
                ProtFlags::READ
            } else {
                all
            };
            let place = ptr::with_exposed_provenance_mut(page);
            let flags = MapFlags::SHARED | MapFlags::FIXED_NOREPLACE;
            // SAFETY: Nothing is replaced.
            unsafe { mmap(place, PAGE, prot, flags, &file, (n * PAGE) as u64) }?;
        }
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: The kernel chooses the place.
        let view = unsafe { mmap(ptr::null_mut(), SIZE, all, flags, &file, 0) }?;
        Ok(Self(view.cast()))
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: They stay mapped. The kernel writes through the first mapping, but only during a
        // system call that is unsafe for that reason; for anything else there is `bytes_mut()`.
        unsafe { slice::from_raw_parts(self.0, SIZE) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: As in `bytes()`.
        unsafe { slice::from_raw_parts_mut(self.0, SIZE) }
    }

    /// How many of the `len` bytes at `address` the kernel can write before it faults.
    pub fn writable(&self, address: usize, len: usize) -> usize {
        let mut reach = 0;
        while reach < len {
            let address = address.wrapping_add(reach);
            let page = address - address % PAGE;
            if page == READ_ONLY || !PAGES.contains(&page) {
                break;
            }
            reach += PAGE - address % PAGE;
        }
        reach.min(len)
    }

    /// What the kernel reads at `address`, unless it faults.
    pub fn read<const N: usize>(&self, address: usize) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = self.bytes()[index(address.wrapping_add(n))?];
        }
        Some(bytes)
    }

    /// Makes every byte `fill`.
    pub fn fill(&mut self, fill: u8) {
        // As the compiler does not know the block, it does not make one string instruction of the loop.
        let filled = black_box([fill; BLOCK]);
        for block in self.bytes_mut().as_chunks_mut().0 {
            *block = filled;
        }
    }

    /// What is in the memory now, which was filled with `fill`.
    pub fn image(&self, fill: u8) -> Image {
        let blocks = self.bytes().as_chunks().0.iter().enumerate();
        let changed = blocks.filter(|(_, block)| differs(block, fill));
        Image {
            fill,
            blocks: changed.map(|(n, block)| (n, *block)).collect(),
        }
    }

    /// Puts `bytes` at `address`, as far as there is memory.
    pub fn put(&mut self, address: usize, bytes: &[u8]) {
        for (n, byte) in bytes.iter().enumerate() {
            if let Some(index) = index(address.wrapping_add(n)) {
                self.bytes_mut()[index] = *byte;
            }
        }
    }

    /// Lets the next access of the kernel to each page fault, so that the kernel has to map the page.
    pub fn evict(&self) -> io::Result<()> {
        for page in PAGES {
            let place = ptr::with_exposed_provenance_mut(page);
            // SAFETY: A shared mapping of a file keeps its content.
            unsafe { madvise(place, PAGE, Advice::LinuxDontNeed) }?;
        }
        Ok(())
    }
}
