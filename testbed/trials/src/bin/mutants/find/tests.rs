// SPDX-License-Identifier: GPL-2.0

//! Small sources, and the changes that are found in them.

use super::*;

/// Returns the item, the name and the result of each change.
fn all(source: &str) -> Vec<(String, String, String)> {
    let sites = find(source).unwrap();
    let all = sites.into_iter().map(|site| {
        let Range { start, end } = site.scope;
        let after = [
            &source[start..site.range.start],
            &site.replacement,
            &source[site.range.end..end],
        ];
        (site.path, site.label, after.concat())
    });
    all.collect()
}

/// Returns the name and the result of each change of a function, for a body of it.
fn in_function(signature: &str, body: &str) -> Vec<String> {
    all(&format!("{signature} {{ {body} }}"))
        .into_iter()
        .map(|(_, label, after)| format!("{label}: {after}"))
        .collect()
}

/// As above, for a function that returns nothing.
fn changes(body: &str) -> Vec<String> {
    in_function("fn f()", body)
}

#[test]
fn comparison() {
    assert_eq!(
        changes("let x = s.a < b;"),
        ["a-lt-to-le: s.a <= b", "a-lt-to-ge: s.a >= b"]
    );
    assert_eq!(changes("let x = a == b;"), ["a-eq-to-ne: a != b"]);
}

#[test]
fn arithmetic() {
    assert_eq!(changes("let x = a + b;"), ["a-add-to-sub: a - b"]);
    assert_eq!(
        changes("x += a % b;"),
        [
            "x-removed: ",
            "x-add-to-sub: x -= a % b",
            "a-rem-to-div: a / b"
        ]
    );
}

#[test]
fn literals() {
    assert_eq!(changes("let x = 0;"), ["x-0-to-1: 1"]);
    assert_eq!(
        changes("let x = 0x10_u8;"),
        ["x-16-to-17: 17u8", "x-16-to-15: 15u8"]
    );
    assert_eq!(changes("let x = false;"), ["x-false-to-true: true"]);
    assert_eq!(changes("let x = a.0;"), [""; 0]);
    assert_eq!(changes("let x: [u32; 4] = a::<[u8; 3]>();"), [""; 0]);
}

#[test]
fn constants() {
    assert_eq!(
        changes("let x = T::SIZE;"),
        [
            "x-SIZE-plus-1: (T::SIZE + 1)",
            "x-SIZE-minus-1: (T::SIZE - 1)"
        ]
    );
    // No number is larger.
    assert_eq!(changes("let x = N::new(u32::MAX);"), [""; 0]);
    assert_eq!(
        all("const _: () = assert!(1 < 2); const A: u32 = f() as u32; const B: &str = C;"),
        [("plus-1", "f() as u32 + 1"), ("minus-1", "f() as u32 - 1")].map(|(label, after)| (
            "A".into(),
            label.into(),
            after.into()
        ))
    );
}

#[test]
fn errors() {
    assert_eq!(
        changes("let x = y.ok_or(EINVAL);"),
        ["ok_or-EINVAL-to-EFAULT: EFAULT"]
    );
    assert_eq!(
        changes("let x = Err(EPERM);"),
        ["x-EPERM-to-EINVAL: EINVAL"]
    );
    assert_eq!(changes("let x = Ok(());"), ["x-Ok-to-EINVAL: Err(EINVAL)"]);
}

#[test]
fn error_of_a_statement() {
    assert_eq!(
        changes("x.check()?;"),
        [
            "x-check-removed: ",
            "x-check-error-ignored: let _ = x.check();"
        ]
    );
}

#[test]
fn error_of_a_value() {
    assert_eq!(
        changes("let x = f(y.get()?)?;"),
        [
            "f-error-ignored: f(y.get()?).unwrap_or_default()",
            "y-get-error-ignored: y.get().unwrap_or_default()",
        ]
    );
    // Such a type may have no default.
    assert_eq!(changes("let x = T::read()?;"), [""; 0]);
    assert_eq!(
        in_function("fn f() -> Result", "let x = T::read()?; Ok(())"),
        [
            "read-error-hidden: match T::read() { Ok(value) => value, Err(_) => return Ok(()) }",
            "Ok-to-EINVAL: Err(EINVAL)",
        ]
    );
}

#[test]
fn min_and_max() {
    assert_eq!(
        changes("let x = s.a.min(b as u32);"),
        [
            "a-min-to-max: s.a.max(b as u32)",
            "a-min-left: s.a",
            "a-min-right: (b as u32)",
        ]
    );
}

#[test]
fn arithmetic_with_defined_overflow() {
    assert_eq!(
        changes("let x = a.checked_sub(b);"),
        [
            "a-checked_sub-to-checked_add: a.checked_add(b)",
            "a-checked_sub-to-wrapping: Some(a.wrapping_sub(b))",
            "a-checked_sub-dropped: Some(a)",
        ]
    );
    assert_eq!(
        changes("let x = a.saturating_mul(b);"),
        [
            "a-saturating_mul-to-saturating_add: a.saturating_add(b)",
            "a-saturating_mul-to-wrapping_mul: a.wrapping_mul(b)",
            "a-saturating_mul-dropped: a",
        ]
    );
    assert_eq!(
        changes("let x = a.wrapping_add(1);"),
        [
            "a-wrapping_add-to-wrapping_sub: a.wrapping_sub(1)",
            "wrapping_add-1-to-2: 2",
            "wrapping_add-1-to-0: 0",
        ]
    );
    assert_eq!(
        changes("let x = a.wrapping_byte_add(b);"),
        ["a-wrapping_byte_add-dropped: a"]
    );
}

#[test]
fn conditions() {
    assert_eq!(
        changes("if a < b { return; }"),
        [
            "if-a-false: false",
            "if-a-true: true",
            "a-lt-to-le: a <= b",
            "a-lt-to-ge: a >= b",
        ]
    );
    assert_eq!(
        changes("if a.is_empty() { b } else { c }"),
        [
            "if-a-is_empty-false: false",
            "if-a-is_empty-true: true",
            "if-a-is_empty-negated: !(a.is_empty())",
        ]
    );
    assert_eq!(
        changes("while !a {}"),
        ["a-removed: ", "if-a-false: false", "a-not-removed: a"]
    );
    assert_eq!(
        changes("if let Some(x) = a && b {}"),
        ["b-true: let Some(x) = a && true"]
    );
}

#[test]
fn operands_of_a_condition() {
    assert_eq!(
        changes("let x = a || b || c && d;"),
        [
            "c-or-to-and: a || b && c && d",
            "c-false: a || b || false",
            "b-or-to-and: a && b",
            "a-false: false || b",
            "b-false: a || false",
            "d-and-to-or: c || d",
            "c-true: true && d",
            "d-true: c && true",
        ]
    );
}

#[test]
fn ranges() {
    assert_eq!(
        changes("let x = a..=b;"),
        [
            "range-exclusive: a..b",
            "range-without-end: a..",
            "range-without-start: ..=b",
        ]
    );
}

#[test]
fn statements() {
    assert_eq!(changes("self.a = b;"), ["a-removed: "]);
    assert_eq!(changes("unsafe { c::f(x) };"), ["f-removed: "]);
    assert_eq!(
        changes("if let A = b { f(); return; }"),
        ["f-removed: ", "return-removed: "]
    );
    assert_eq!(changes("let Some(x) = y else { return; };"), [""; 0]);
    assert_eq!(changes("pr_info!(1 < 2);"), [""; 0]);
}

#[test]
fn loops() {
    assert_eq!(
        changes("for x in y.iter() { f(x); }"),
        [
            "y-iter-removed: ",
            "y-iter-first-skipped: y.iter().skip(1)",
            "y-iter-first-only: y.iter().take(1)",
            "f-removed: ",
        ]
    );
}

#[test]
fn arms() {
    assert_eq!(
        changes("match a { 0 => b, A::B => c, _ => d }"),
        ["0-arm-removed: ", "a-0-to-1: 1", "A-B-arm-removed: "]
    );
    assert_eq!(
        changes("match a { A::B => Err(a), _ => b }"),
        [
            "A-B-arm-removed: ",
            "A-B-error-ignored: Ok(Default::default())",
        ]
    );
    // The others are needed.
    assert_eq!(
        changes("match a { A::B => b, A::C => c, None => d }"),
        [""; 0]
    );
}

#[test]
fn results() {
    assert_eq!(
        in_function("fn f() -> Result", "g()"),
        ["returns-ok: Ok(())", "g-error-ignored: g().or(Ok(()))"]
    );
    assert_eq!(in_function("fn f() -> Result<u8>", "g()"), [""; 0]);
    assert_eq!(
        in_function("fn f() -> u32", "unsafe { a }"),
        ["returns-0: 0"]
    );
    assert_eq!(
        in_function("fn f() -> Option<T>", "Some(a)"),
        ["returns-none: None"]
    );
    assert_eq!(
        in_function("fn f() -> bool", "g()"),
        ["returns-false: false", "returns-true: true"]
    );
}

#[test]
fn fields() {
    let source = "
        use zerocopy::FromZeros;
        struct S<E> { a: u32, b: UserPtr, c: Header, d: PhantomData<E>, e: u32 }
        impl<E> S<E> { fn new() -> Self { Self { a: x, b, c, d: PhantomData, e: 0 } } }";
    assert_eq!(
        all(source),
        [
            ("a-zero", "a: 0"),
            ("b-zero", "b: UserPtr::from_addr(0)"),
            ("c-zero", "c: FromZeros::new_zeroed()"),
            ("e-0-to-1", "1"),
        ]
        .map(|(label, after)| ("S/new".into(), label.into(), after.into()))
    );
}

#[test]
fn paths() {
    let source = "
        impl T { fn f() { x = y; } }
        impl A for T { fn f() { x = y; } }
        trait A { const B: u32 = 0; fn f() { x = y; } }
        struct S([u8; a() - b()]);
        mod m { fn f() { x = y; } }
        #[cfg(CONFIG_X_KUNIT_TEST)] mod tests { fn f() { x = y; } }";
    let paths: Vec<String> = all(source).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(paths, ["T/f", "A-for-T/f", "A/B", "A/f", "S", "m/f"]);
}
