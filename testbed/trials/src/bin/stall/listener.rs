// SPDX-License-Identifier: GPL-2.0

//! A stalled request of a listener.

use std::os::fd::AsFd;

use anyhow::{Result, ensure};
use mptcp_trials::net::{self, Family};
use mptcp_trials::request::Choice;
use socket2::{Protocol, Socket};

use crate::calls::{Beside, RETURNS};
use crate::stalled::{Access, Stalled};

/// Returns which of the [`calls`](crate::calls::NAMES) wait for the end of a stall.
pub fn stall(option: Choice, access: Access) -> Result<[bool; 4]> {
    let listener: &'static Socket =
        Box::leak(Box::new(net::listen(Family::V4, Protocol::MPTCP, 0)?));
    let listener = listener.as_fd();
    let stalled = Stalled::begin(listener, option, 1, access)?;
    let beside = Beside::begin(listener, option, 1);
    let waits = beside.waits()?;
    stalled.end()?;
    let returned = beside.end()?;
    ensure!(returned == RETURNS, "the calls returned {returned:?}");
    Ok(waits)
}
