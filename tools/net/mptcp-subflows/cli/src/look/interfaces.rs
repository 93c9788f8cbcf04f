// SPDX-License-Identifier: GPL-2.0

//! Which interface a path uses: the one that it is bound to, or that has its local address.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::model::Path;

#[derive(Default)]
pub struct Interfaces {
    by_address: HashMap<IpAddr, String>,
    by_index: HashMap<u32, String>,
}

impl Interfaces {
    /// Those of the current network namespace, or none if they cannot be listed.
    pub fn new() -> Self {
        let mut interfaces = Self::default();
        for interface in if_addrs::get_if_addrs().unwrap_or_default() {
            if let Some(index) = interface.index {
                interfaces.by_index.insert(index, interface.name.clone());
            }
            interfaces.by_address.insert(interface.ip(), interface.name);
        }
        interfaces
    }

    /// Names the interface of a path.
    pub fn name(&self, path: &mut Path) {
        let details = path.subflow.details();
        let bound = details.and_then(|details| details.interface());
        let bound = bound.and_then(|index| self.by_index.get(&index.get()));
        let local = path.subflow.local().ip().to_canonical();
        path.interface = bound.or_else(|| self.by_address.get(&local)).cloned();
    }
}
