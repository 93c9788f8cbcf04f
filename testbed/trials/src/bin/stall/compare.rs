// SPDX-License-Identifier: GPL-2.0

//! Compares which calls wait on the C kernel and on the Rust kernel.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use mptcp_trials::ktap::Ktap;
use mptcp_trials::net::Family;
use mptcp_trials::records::Compare;
use mptcp_trials::request::SockOpt;

use crate::stalled::Access;

/// The name of the row of a connection whose request stalls.
pub fn stall(option: SockOpt, access: Access) -> String {
    format!("{}, {}", option.name(), access.name())
}

/// The name of the row of a connection that falls back during a request.
pub fn fallback(family: Family, option: SockOpt) -> String {
    format!("{family:?}, {}", option.name())
}

/// The accesses that Rust makes with the lock held and C without it, for each option. While one stalls,
/// the same calls wait as for [`Access::Array`], which both kernels make with the lock held. There is no
/// other difference.
const LOCKED_BY_RUST: [Access; 4] = [
    Access::OptlenRead,
    Access::HeaderRead,
    Access::OptlenWrite,
    Access::HeaderWrite,
];

/// The error of each call that waits while the connection falls back: part of the kernel's ABI.
fn error(family: Family) -> &'static str {
    match family {
        Family::V4 => "EOPNOTSUPP",
        Family::V6 | Family::Mapped => "ENOPROTOOPT",
    }
}

/// Compares files of the C and of the Rust kernel.
pub fn compare(compare: &Compare) -> ExitCode {
    let locked = || {
        let of = |option| LOCKED_BY_RUST.map(|access| (option, access));
        SockOpt::ALL.into_iter().flat_map(of)
    };
    let mut ktap = Ktap::new(compare.files.len() * (locked().count() + 2));
    for file in &compare.files {
        let [c, rust] = compare.paths(file).map(|path| rows(&path));
        let (c, rust) = match (c, rust) {
            (Ok(c), Ok(rust)) => (c, rust),
            (Err(error), _) | (_, Err(error)) => {
                ktap.result::<anyhow::Error>(&format!("stall: {file}"), Err(error));
                continue;
            }
        };
        for (option, access) in locked() {
            let name = stall(option, access);
            let result = holds_lock(&c, &rust, option, access);
            ktap.result(&format!("stall: {file}: {name} under the lock"), result);
        }
        let listed = locked().map(|(option, access)| stall(option, access));
        let result = same(&c, &rust, &listed.collect::<Vec<_>>());
        ktap.result(&format!("stall: {file}: anything else as in C"), result);
        ktap.result(
            &format!("stall: {file}: a call that waits sees the fallback"),
            [&c, &rust]
                .into_iter()
                .try_for_each(|rows| sees_fallback(rows)),
        );
    }
    ktap.end()
}

type Row = (String, String);

fn rows(path: &Path) -> Result<Vec<Row>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let rows = text.lines().map(|line| {
        let (name, cells) = line.split_once(": ").context("a line is no row")?;
        anyhow::Ok((name.into(), cells.into()))
    });
    rows.collect()
}

fn cells<'a>(rows: &'a [Row], row: &str) -> Result<&'a str> {
    rows.iter()
        .find_map(|(name, cells)| (name == row).then_some(cells.as_str()))
        .with_context(|| format!("there is no row {row:?}"))
}

fn holds_lock(c: &[Row], rust: &[Row], option: SockOpt, access: Access) -> Result<()> {
    let row = stall(option, access);
    let unlocked = cells(c, &row)?;
    let locked = cells(c, &stall(option, Access::Array))?;
    let found = cells(rust, &row)?;
    ensure!(
        unlocked != locked,
        "C holds the lock as well:\n{row}: {unlocked}"
    );
    ensure!(
        found == locked,
        "under the lock, it is\n{row}: {locked}\nand not\n{row}: {found}"
    );
    Ok(())
}

/// Whether all rows are the same, but for the cells of those that are `listed`.
fn same(c: &[Row], rust: &[Row], listed: &[String]) -> Result<()> {
    for (c, rust) in c.iter().zip(rust) {
        ensure!(
            c == rust || c.0 == rust.0 && listed.contains(&c.0),
            "in C\n{}: {}\nin Rust\n{}: {}",
            c.0,
            c.1,
            rust.0,
            rust.1
        );
    }
    ensure!(
        c.len() == rust.len(),
        "{} rows of C, {} of Rust",
        c.len(),
        rust.len()
    );
    Ok(())
}

fn sees_fallback(rows: &[Row]) -> Result<()> {
    for family in Family::ALL {
        for option in SockOpt::ALL {
            let row = fallback(family, option);
            let cells = cells(rows, &row)?;
            ensure!(
                cells.split(", ").all(|cell| cell.ends_with(error(family))),
                "instead of {}:\n{row}: {cells}",
                error(family)
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTION: SockOpt = SockOpt::TcpInfo;

    /// A table with the rows of one option and one that is no access, given their cells.
    fn table(header: &str, array: &str, other: &str) -> Vec<Row> {
        [
            (stall(OPTION, Access::HeaderRead), header),
            (stall(OPTION, Access::Array), array),
            ("other".into(), other),
        ]
        .map(|(name, cells)| (name, cells.into()))
        .to_vec()
    }

    #[test]
    fn an_access_under_the_lock_differs_as_listed() {
        let c = table("-", "waits", "-");
        let holds = |c: &[Row], rust: &[Row]| holds_lock(c, rust, OPTION, Access::HeaderRead);

        assert!(holds(&c, &table("waits", "waits", "-")).is_ok());
        // Not in Rust, in C too, in another way, or missing.
        assert!(holds(&c, &c).is_err());
        let both = table("waits", "waits", "-");
        assert!(holds(&both, &both).is_err());
        assert!(holds(&c, &table("some", "waits", "-")).is_err());
        assert!(holds(&c, &[]).is_err());
    }

    #[test]
    fn nothing_else_differs() {
        let c = table("-", "waits", "-");
        let listed = [stall(OPTION, Access::HeaderRead)];

        assert!(same(&c, &table("waits", "waits", "-"), &listed).is_ok());
        assert!(same(&c, &table("waits", "waits", "-"), &[]).is_err());
        assert!(same(&c, &table("-", "-", "-"), &listed).is_err());
        assert!(same(&c, &table("-", "waits", "waits"), &listed).is_err());
        assert!(same(&c, &c[..2], &listed).is_err());
    }

    #[test]
    fn a_fallback_fails_what_waits() {
        let rows = |mapped: &str| {
            let row = |family, option| {
                let cells = match family {
                    Family::V4 => "a EOPNOTSUPP, b EOPNOTSUPP",
                    Family::V6 => "a ENOPROTOOPT, b ENOPROTOOPT",
                    Family::Mapped => mapped,
                };
                (fallback(family, option), cells.into())
            };
            let of = |family| SockOpt::ALL.map(|option| row(family, option));
            Family::ALL.into_iter().flat_map(of).collect::<Vec<_>>()
        };

        assert!(sees_fallback(&rows("a ENOPROTOOPT, b ENOPROTOOPT")).is_ok());
        assert!(sees_fallback(&rows("a ENOPROTOOPT, b 0")).is_err());
        assert!(sees_fallback(&rows("a EOPNOTSUPP, b EOPNOTSUPP")).is_err());
        assert!(sees_fallback(&[]).is_err());
    }
}
