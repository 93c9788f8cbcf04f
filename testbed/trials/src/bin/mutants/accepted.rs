// SPDX-License-Identifier: GPL-2.0

//! The list of the mutants that no test can catch, each with the reason.

use std::collections::HashSet;

/// Returns what is wrong with a list.
pub fn check(list: &str, names: &[&str]) -> Vec<String> {
    let mut listed = HashSet::new();
    let mut wrong = Vec::new();
    for (n, line) in (1..).zip(list.lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, reason) = line.split_once(": ").unwrap_or((line, ""));
        if reason.trim().is_empty() {
            wrong.push(format!("line {n}: not \"NAME: REASON\""));
        } else if !names.contains(&name) {
            wrong.push(format!("line {n}: there is no mutant {name}"));
        } else if !listed.insert(name) {
            wrong.push(format!("line {n}: {name} is listed twice"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["a/f/0-to-1", "a/T::g/x-removed@2"];

    #[test]
    fn correct() {
        let list = "# Why\n\na/f/0-to-1: C: the same\na/T::g/x-removed@2: never used\n";
        assert_eq!(check(list, &NAMES), [""; 0]);
    }

    #[test]
    fn wrong() {
        let list = "a/f/0-to-1\na/f/0-to-1: \na/f/0-to-2: x\na/f/0-to-1: x\na/f/0-to-1: y\n";
        assert_eq!(
            check(list, &NAMES),
            [
                "line 1: not \"NAME: REASON\"",
                "line 2: not \"NAME: REASON\"",
                "line 3: there is no mutant a/f/0-to-2",
                "line 5: a/f/0-to-1 is listed twice",
            ]
        );
    }
}
