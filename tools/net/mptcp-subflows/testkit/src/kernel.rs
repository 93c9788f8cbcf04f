// SPDX-License-Identifier: GPL-2.0

//! Kernels that are older than this one, or refuse something.

use std::thread;

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

/// Major and minor number of the running kernel.
pub fn version() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// From now on MPTCP_FULL_INFO is refused as by a kernel that lacks it, to this thread and all that
/// it starts.
pub fn without_full_info() -> Result<(), Error> {
    let argument = |index, value| {
        SeccompCondition::new(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
    };
    let full_info = SeccompRule::new(vec![argument(1, 284)?, argument(2, 4)?])?;
    refuse(libc::SYS_getsockopt, vec![full_info], libc::EOPNOTSUPP)
}

/// From now on a socket of this family is refused with `errno`, to this thread and all that it starts.
pub fn without_family(family: i32, errno: i32) -> Result<(), Error> {
    let equal = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family as u64)?;
    refuse(
        libc::SYS_socket,
        vec![SeccompRule::new(vec![equal])?],
        errno,
    )
}

/// From now on the system call is refused with `errno`, to this thread and all that it starts.
pub fn without_call(number: i64, errno: i32) -> Result<(), Error> {
    refuse(number, Vec::new(), errno)
}

fn refuse(call: i64, rules: Vec<SeccompRule>, errno: i32) -> Result<(), Error> {
    let filter = SeccompFilter::new(
        [(call, rules)].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno as u32),
        std::env::consts::ARCH.try_into()?,
    )?;
    apply_filter(&BpfProgram::try_from(filter)?)
}

/// Runs `test` where `restrict` was called.
pub fn restricted<T: Send>(
    restrict: impl FnOnce() -> Result<(), Error> + Send,
    test: impl FnOnce() -> T + Send,
) -> T {
    let in_thread = || {
        restrict().unwrap();
        test()
    };
    thread::scope(|scope| match scope.spawn(in_thread).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
