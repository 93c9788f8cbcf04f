// SPDX-License-Identifier: GPL-2.0

//! Mutants, and their names.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::find::{Site, find};

/// A source that is changed in one place.
#[derive(Debug)]
pub struct Mutant {
    /// The file, the item, and the change, separated by slashes. It does not depend on other items.
    pub name: String,
    /// The line of the change.
    pub line: usize,
    /// What changes, in one line.
    pub change: String,
    /// The bytes that are replaced.
    pub range: Range<usize>,
    replacement: String,
}

impl Mutant {
    /// Returns the changed source.
    pub fn apply(&self, source: &str) -> String {
        replaced(source, &self.range, &self.replacement)
    }
}

fn replaced(source: &str, range: &Range<usize>, replacement: &str) -> String {
    [&source[..range.start], replacement, &source[range.end..]].concat()
}

/// Returns the mutants of a file, in the order of their lines. Code that its older version has too is
/// left out.
pub fn mutants(stem: &str, source: &str, base: Option<&str>) -> syn::Result<Vec<Mutant>> {
    let base_sites = base.map(find).transpose()?.unwrap_or_default();
    let old: HashSet<(&str, &str)> = base_sites
        .iter()
        .map(|site| (site.path.as_str(), &base.unwrap_or("")[site.item.clone()]))
        .collect();

    let mut sites = find(source)?;
    sites.sort_by_key(|site| site.range.start);
    let mut results = HashSet::from([source.to_owned()]);
    let mut times: HashMap<String, u32> = HashMap::new();
    let mut mutants = Vec::new();
    for site in sites {
        if !results.insert(replaced(source, &site.range, &site.replacement)) {
            continue;
        }
        let mut name = format!("{stem}/{}/{}", site.path, site.label);
        let times = times.entry(name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            name += &format!("@{times}");
        }
        if !old.contains(&(site.path.as_str(), &source[site.item.clone()])) {
            mutants.push(Mutant {
                name,
                line: source[..site.range.start].matches('\n').count() + 1,
                change: change(source, &site),
                range: site.range,
                replacement: site.replacement,
            });
        }
    }
    Ok(mutants)
}

/// Describes a change in one line.
fn change(source: &str, site: &Site) -> String {
    let Range { start, end } = site.range;
    // What is around the change, and the change, are cut.
    let before = one_line(&source[site.scope.start..start]);
    let before = match before.char_indices().rev().nth(29) {
        Some((cut, _)) if cut > 0 => format!("...{}", &before[cut..]),
        _ => before,
    };
    let after = cut(&one_line(&source[end..site.scope.end]), 30);
    let old = cut(&one_line(&source[start..end]), 70);
    match cut(&site.replacement, 70).as_str() {
        "" if before.is_empty() && after.is_empty() => format!("without {old}"),
        new => format!("{before}{old}{after} -> {before}{new}{after}"),
    }
}

/// Returns code in one line.
fn one_line(code: &str) -> String {
    let mut line = String::new();
    for part in code.split_inclusive(char::is_whitespace) {
        let word = part.trim_end();
        line += word;
        if word.len() < part.len() && !line.ends_with(' ') {
            line.push(' ');
        }
    }
    line
}

/// Returns the first characters of a text.
fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The files of the series, from the top of the repository.
    const FILES: [&str; 2] = ["net/mptcp/subflow_info.rs", "rust/kernel/net/mptcp.rs"];

    #[test]
    fn one_valid_change_each() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for file in FILES {
            let source = fs::read_to_string(top.join(file)).unwrap();
            let tests = source.find("kunit_tests").unwrap_or(source.len());
            let (mut names, mut results) = (HashSet::new(), HashSet::new());
            for mutant in mutants("file", &source, None).unwrap() {
                let result = mutant.apply(&source);
                let Range { start, end } = mutant.range;
                let end_in_result = result.len() - (source.len() - end);
                let name = &mutant.name;

                syn::parse_file(&result).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(result[..start], source[..start], "{name}");
                assert_eq!(result[end_in_result..], source[end..], "{name}");
                assert_ne!(result[start..end_in_result], source[start..end], "{name}");
                assert!(end < tests, "{name}: changes the tests");
                assert!(!name.contains(char::is_whitespace), "{name}");
                assert!(names.insert(name.clone()), "{name} twice");
                assert!(results.insert(result), "{name}: the same as another");
            }
            assert!(names.len() > 10, "{file}: {}", names.len());
        }
    }

    fn names(source: &str, base: Option<&str>) -> Vec<String> {
        let mutants = mutants("file", source, base).unwrap();
        mutants.into_iter().map(|mutant| mutant.name).collect()
    }

    #[test]
    fn same_change_twice_in_an_item() {
        assert_eq!(
            names("fn f() { a(true); a(true) }\nfn g() { a(true) }", None),
            [
                "file/f/a-removed",
                "file/f/a-true-to-false",
                "file/f/a-true-to-false@2",
                "file/g/a-true-to-false",
            ]
        );
    }

    #[test]
    fn code_of_the_base_is_left_out() {
        let base = "impl T { fn f() { a(true) } fn g() { a(true); b(true) } }";
        let source = "impl T { #[inline] pub fn f() { a(true) } fn g() { a(true); c(true) } }
            impl U { fn f() { a(true) } }";
        assert_eq!(
            names(source, Some(base)),
            [
                "file/T/g/a-removed",
                "file/T/g/a-true-to-false",
                "file/T/g/c-true-to-false",
                "file/U/f/a-true-to-false",
            ]
        );
    }

    #[test]
    fn line_and_change() {
        let source = "fn f() {\n    a(\n        x,\n    );\n}\n";
        let mutants = mutants("file", source, None).unwrap();
        assert_eq!(mutants.len(), 1);
        assert_eq!(mutants[0].line, 2);
        assert_eq!(mutants[0].change, "without a( x, );");
        assert_eq!(mutants[0].apply(source), "fn f() {\n    \n}\n");

        let names = "abcdefghijklmnopqrstuvwxyz_0123456789";
        let source = format!("fn f() {{ let x = {names} < {names}; }}");
        assert_eq!(
            super::mutants("file", &source, None).unwrap()[0].change,
            "...ijklmnopqrstuvwxyz_0123456789 < abcdefghijklmnopqrstuvwxyz_01... -> \
             ...ijklmnopqrstuvwxyz_0123456789 <= abcdefghijklmnopqrstuvwxyz_01..."
        );
    }
}
