// SPDX-License-Identifier: GPL-2.0

//! The results of a kernel.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::results::{Cost, Line, Load, Name, read};
use crate::trace::{self, Trace};

/// A value of each kernel.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Each<T> {
    pub c: T,
    pub rust: T,
    /// Rust with the C helpers inlined.
    pub inline: T,
}

impl<T> Each<T> {
    /// Calls `f` with the name of each kernel's folder.
    pub fn new(f: impl Fn(&str) -> Result<T>) -> Result<Self> {
        Ok(Self {
            c: f("c")?,
            rust: f("rust")?,
            inline: f("inline-rust")?,
        })
    }

    pub fn try_map<'a, U>(&'a self, f: impl Fn(&'a T) -> Result<U>) -> Result<Each<U>> {
        Ok(Each {
            c: f(&self.c)?,
            rust: f(&self.rust)?,
            inline: f(&self.inline)?,
        })
    }
}

impl<T> Each<Option<T>> {
    /// All three, if there are all.
    pub fn all(self) -> Option<Each<T>> {
        Some(Each {
            c: self.c?,
            rust: self.rust?,
            inline: self.inline?,
        })
    }
}

/// The results of a boot.
#[derive(Debug, Default)]
pub struct Boot {
    pub costs: Vec<Cost>,
    loads: Vec<Load>,
}

impl Boot {
    fn read(file: &Path) -> Result<Self> {
        let mut boot = Self::default();
        for line in read(file)? {
            match line {
                Line::Cost(cost) => boot.costs.push(cost),
                Line::Load(load) => boot.loads.push(load),
                Line::Mark(_) => (),
            }
        }
        Ok(boot)
    }

    /// What a request costs.
    pub fn cost(&self, name: &Name) -> Result<f64> {
        let found = self.costs.iter().find(|cost| cost.name == *name);
        Ok(found
            .with_context(|| format!("not every boot measured {name}"))?
            .cost)
    }

    /// The results of some boots by reader.
    pub fn loads(boots: &[Self]) -> BTreeMap<String, Vec<Load>> {
        let mut loads: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for load in boots.iter().flat_map(|boot| &boot.loads) {
            loads
                .entry(load.reader.clone())
                .or_default()
                .push(load.clone());
        }
        loads
    }
}

/// All results of one kernel.
#[derive(Debug)]
pub struct Measured {
    /// Two boots with the instructions counted.
    pub boots: [Boot; 2],
    /// As many as there are, under KVM.
    pub kvm: Vec<Boot>,
    pub traces: Vec<(Name, Trace)>,
}

impl Measured {
    /// Reads what is in a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let boots = [
            Boot::read(&folder.join("1"))?,
            Boot::read(&folder.join("2"))?,
        ];
        let kvm = (1..)
            .map(|n| folder.join(format!("kvm-{n}")))
            .take_while(|file| file.exists());
        Ok(Self {
            traces: trace::read(&folder.join("2"))?,
            kvm: kvm.map(|file| Boot::read(&file)).collect::<Result<_>>()?,
            boots,
        })
    }

    /// The trace of a request.
    pub fn trace(&self, name: &Name) -> Result<&Trace> {
        let found = self.traces.iter().find(|trace| trace.0 == *name);
        Ok(&found
            .with_context(|| format!("not every kernel traced {name}"))?
            .1)
    }

    /// The least that a request cost under KVM, if that works.
    pub fn nanoseconds(&self, name: &Name) -> Result<Option<f64>> {
        let costs = self.kvm.iter().map(|boot| boot.cost(name));
        Ok(costs
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .min_by(f64::total_cmp))
    }
}
