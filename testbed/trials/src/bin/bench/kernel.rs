// SPDX-License-Identifier: GPL-2.0

//! The functions of a kernel, and which of them call each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use iced_x86::{Decoder, DecoderOptions};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

use crate::lock::Functions;

/// A function.
#[derive(Clone, Debug)]
struct Function {
    name: String,
    size: u64,
}

/// The text of a `vmlinux`.
#[derive(Debug)]
pub struct Kernel {
    functions: BTreeMap<u64, Function>,
    addresses: HashMap<String, u64>,
    sizes: HashMap<String, u64>,
    sections: Vec<(u64, Vec<u8>)>,
}

impl Kernel {
    /// Reads a `vmlinux`.
    pub fn read(vmlinux: &Path) -> Result<Self> {
        let context = || vmlinux.display().to_string();
        let data = fs::read(vmlinux).with_context(context)?;
        let file = object::File::parse(&*data).with_context(context)?;

        let mut functions = BTreeMap::new();
        let mut addresses = HashMap::new();
        let mut sizes = HashMap::new();
        for symbol in file.symbols() {
            if symbol.kind() == SymbolKind::Text && symbol.size() > 0 {
                let name = symbol.name()?.to_owned();
                let size = symbol.size();
                addresses.insert(name.clone(), symbol.address());
                *sizes.entry(name.clone()).or_default() += size;
                functions.insert(symbol.address(), Function { name, size });
            }
        }
        let sections = file
            .sections()
            .filter(|section| section.kind() == object::SectionKind::Text)
            .map(|section| Ok((section.address(), section.data()?.to_vec())))
            .collect::<Result<_>>()?;
        Ok(Self {
            functions,
            addresses,
            sizes,
            sections,
        })
    }

    /// Size of a function, or of all that have its name, which a static one may share.
    pub fn size(&self, name: &str) -> u64 {
        self.sizes.get(name).copied().unwrap_or_default()
    }

    /// The functions that a function reaches by direct calls and jumps, itself included.
    pub fn reach(&self, name: &str) -> Result<BTreeSet<&str>> {
        let mut todo = vec![self.address(name)?];
        let mut seen = BTreeMap::new();
        while let Some(address) = todo.pop() {
            if let Some(function) = self.functions.get(&address)
                && seen.insert(address, &*function.name).is_none()
            {
                todo.extend(self.targets(address, function.size));
            }
        }
        Ok(seen.into_values().collect())
    }

    /// The targets of a function's direct calls and jumps, and 0 for every other instruction.
    fn targets(&self, address: u64, size: u64) -> Vec<u64> {
        let code = self.sections.iter().find_map(|(start, data)| {
            let offset = address.checked_sub(*start)? as usize;
            data.get(offset..offset + size as usize)
        });
        let instructions =
            Decoder::with_ip(64, code.unwrap_or_default(), address, DecoderOptions::NONE);
        instructions
            .into_iter()
            .map(|instruction| instruction.near_branch_target())
            .collect()
    }
}

impl Functions for Kernel {
    fn address(&self, name: &str) -> Result<u64> {
        let address = self.addresses.get(name);
        address
            .copied()
            .with_context(|| format!("the kernel has no {name}"))
    }

    fn at(&self, address: u64) -> &str {
        let before = self.functions.range(..=address).next_back();
        before.map_or("?", |(_, function)| &function.name)
    }
}
