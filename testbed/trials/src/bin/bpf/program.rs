// SPDX-License-Identifier: GPL-2.0

//! BPF programs that the kernel calls after getsockopt(2), of the type `BPF_PROG_TYPE_CGROUP_SOCKOPT`. Names
//! and numbers are those of `include/uapi/linux/bpf.h`.

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use bytemuck::{Pod, Zeroable, bytes_of};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

const BPF_PROG_LOAD: c_int = 5;
const BPF_LINK_CREATE: c_int = 28;
const BPF_PROG_TYPE_CGROUP_SOCKOPT: u32 = 25;
const BPF_CGROUP_GETSOCKOPT: u32 = 21;

/// The offset of `retval` in `struct bpf_sockopt`, the context of the program.
const RETVAL: i16 = 36;

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Insn {
    code: u8,
    /// The destination in the lower half, the source in the upper.
    registers: u8,
    off: i16,
    imm: i32,
}

/// `BPF_MOV64_IMM`.
const fn set(register: u8, imm: i32) -> Insn {
    Insn {
        code: 0xb7,
        registers: register,
        off: 0,
        imm,
    }
}

/// `BPF_STX_MEM(BPF_W)`.
const fn store(source: u8, destination: u8, off: i16) -> Insn {
    Insn {
        code: 0x63,
        registers: (source << 4) | destination,
        off,
        imm: 0,
    }
}

/// `BPF_EXIT_INSN`.
const EXIT: Insn = Insn {
    code: 0x95,
    registers: 0,
    off: 0,
    imm: 0,
};

/// `union bpf_attr` of `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log: [u64; 2],
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

/// `union bpf_attr` of `BPF_LINK_CREATE`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Link {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

/// A program that is attached to the root cgroup, to which all sockets here belong, until it is dropped.
pub struct Attached {
    _link: OwnedFd,
}

impl Attached {
    /// One that only returns 1.
    pub fn passing() -> Result<Self> {
        Self::new(&[set(0, 1), EXIT])
    }

    /// One that has getsockopt(2) return `value`.
    pub fn returning(value: i32) -> Result<Self> {
        Self::new(&[set(2, value), store(2, 1, RETVAL), set(0, 1), EXIT])
    }

    fn new(program: &[Insn]) -> Result<Self> {
        let address = |bytes: &[u8]| bytes.as_ptr().expose_provenance() as u64;
        let load = Load {
            prog_type: BPF_PROG_TYPE_CGROUP_SOCKOPT,
            insn_cnt: program.len() as u32,
            insns: address(bytemuck::cast_slice(program)),
            license: address(c"GPL".to_bytes_with_nul()),
            expected_attach_type: BPF_CGROUP_GETSOCKOPT,
            ..Zeroable::zeroed()
        };
        // SAFETY: The kernel reads the instructions and the licence, which outlive the call.
        let program = unsafe { bpf(BPF_PROG_LOAD, &load) }.context("load a BPF program")?;
        let cgroup = root_cgroup().context("mount cgroup2")?;
        let link = Link {
            prog_fd: program.as_raw_fd() as u32,
            target_fd: cgroup.as_raw_fd() as u32,
            attach_type: BPF_CGROUP_GETSOCKOPT,
            flags: 0,
        };
        // SAFETY: There are no pointers.
        let link = unsafe { bpf(BPF_LINK_CREATE, &link) }.context("attach a BPF program")?;
        Ok(Self { _link: link })
    }
}

/// The root of the hierarchy of cgroups, wherever that is mounted, or whether it is.
fn root_cgroup() -> io::Result<OwnedFd> {
    let cgroup2 = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(cgroup2.as_fd())?;
    let mount = fsmount(
        cgroup2.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )?;
    Ok(mount)
}

/// Calls bpf(2) with a command that returns a file descriptor.
///
/// # Safety
///
/// The kernel must be allowed to access what the pointers in `attr` point to.
unsafe fn bpf(command: c_int, attr: &impl Pod) -> io::Result<OwnedFd> {
    let attr = bytes_of(attr);
    // SAFETY: The kernel reads `attr`, and for the rest, the caller promises.
    let fd: c_long = unsafe { libc::syscall(libc::SYS_bpf, command, attr.as_ptr(), attr.len()) };
    match fd {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: The kernel has just opened it.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) }),
    }
}
