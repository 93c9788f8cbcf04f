// SPDX-License-Identifier: GPL-2.0

//! What syntax says about an expression, and what else could stand in its place.

use std::collections::HashMap;

use syn::spanned::Spanned;
use syn::{BinOp, Expr, Fields, Item, Member, Pat, Path, ReturnType, Stmt, Type, UnOp};

/// What a function returns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    Boolean,
    Integer,
    Option,
    /// A result without a value.
    Result,
    Other,
}

impl Returns {
    pub fn of(output: &ReturnType) -> Self {
        let ReturnType::Type(_, ty) = output else {
            return Self::Other;
        };
        let Type::Path(path) = &**ty else {
            return Self::Other;
        };
        let Some(last) = path.path.segments.last() else {
            return Self::Other;
        };
        match last.ident.to_string().as_str() {
            "bool" => Self::Boolean,
            "Option" => Self::Option,
            "Result" if last.arguments.is_none() => Self::Result,
            name if is_integer_name(name) => Self::Integer,
            _ => Self::Other,
        }
    }
}

/// Returns a part of a name: letters, digits, underscores, and single hyphens between them.
pub fn slug(text: &str) -> String {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// Names an expression by what it is about.
pub fn subject(expr: &Expr) -> String {
    match expr {
        Expr::Assign(expr) => subject(&expr.left),
        Expr::Binary(expr) => subject(&expr.left),
        Expr::Block(expr) => last(&expr.block.stmts),
        Expr::Break(_) => "break".to_owned(),
        Expr::Call(expr) => subject(&expr.func),
        Expr::Cast(expr) => subject(&expr.expr),
        Expr::Continue(_) => "continue".to_owned(),
        Expr::Field(expr) => match &expr.member {
            Member::Named(name) => name.to_string(),
            Member::Unnamed(_) => subject(&expr.base),
        },
        Expr::ForLoop(expr) => subject(&expr.expr),
        Expr::Index(expr) => subject(&expr.expr),
        Expr::Let(expr) => subject(&expr.expr),
        Expr::Lit(expr) => source(expr),
        Expr::Macro(expr) => path_name(&expr.mac.path),
        Expr::Match(expr) => subject(&expr.expr),
        Expr::MethodCall(expr) => match &*expr.receiver {
            Expr::Path(path) if path.path.is_ident("self") => expr.method.to_string(),
            Expr::Path(_) | Expr::Field(_) => {
                format!("{}-{}", subject(&expr.receiver), expr.method)
            }
            _ => expr.method.to_string(),
        },
        Expr::Paren(expr) => subject(&expr.expr),
        Expr::Path(expr) => path_name(&expr.path),
        Expr::Range(_) => "range".to_owned(),
        Expr::RawAddr(expr) => subject(&expr.expr),
        Expr::Reference(expr) => subject(&expr.expr),
        Expr::Return(_) => "return".to_owned(),
        Expr::Try(expr) => subject(&expr.expr),
        Expr::Unary(expr) => subject(&expr.expr),
        Expr::Unsafe(expr) => last(&expr.block.stmts),
        Expr::While(expr) => subject(&expr.cond),
        _ => "value".to_owned(),
    }
}

fn last(statements: &[Stmt]) -> String {
    match statements.last() {
        Some(Stmt::Expr(expr, _)) => subject(expr),
        _ => "block".to_owned(),
    }
}

/// Returns the text of a node that is a single token.
fn source(node: &impl Spanned) -> String {
    node.span().source_text().unwrap_or_default()
}

pub fn path_name(path: &Path) -> String {
    let last = path.segments.last();
    last.map(|last| last.ident.to_string()).unwrap_or_default()
}

/// Names a pattern by what it binds.
pub fn pattern_name(pattern: &Pat) -> String {
    match pattern {
        Pat::Ident(pattern) => pattern.ident.to_string(),
        Pat::Reference(pattern) => pattern_name(&pattern.pat),
        Pat::Tuple(pattern) => pattern.elems.first().map(pattern_name).unwrap_or_default(),
        Pat::TupleStruct(pattern) => pattern.elems.first().map(pattern_name).unwrap_or_default(),
        Pat::Type(pattern) => pattern_name(&pattern.pat),
        _ => String::new(),
    }
}

pub fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(ty) => path_name(&ty.path),
        _ => slug(&source(ty)),
    }
}

/// Whether a pattern matches every value.
pub fn is_catch_all(pattern: &Pat) -> bool {
    match pattern {
        Pat::Ident(pattern) => !pattern.ident.to_string().starts_with(char::is_uppercase),
        Pat::Wild(_) => true,
        _ => false,
    }
}

/// Whether `.method()` can follow without parentheses.
pub fn is_postfix(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Array(_)
            | Expr::Call(_)
            | Expr::Field(_)
            | Expr::Index(_)
            | Expr::Lit(_)
            | Expr::Macro(_)
            | Expr::MethodCall(_)
            | Expr::Paren(_)
            | Expr::Path(_)
            | Expr::Try(_)
            | Expr::Tuple(_)
    )
}

pub fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(expr) => has_let(&expr.left) || has_let(&expr.right),
        Expr::Paren(expr) => has_let(&expr.expr),
        _ => false,
    }
}

/// Whether another change of a condition negates it.
pub fn has_negation(expr: &Expr) -> bool {
    match expr {
        Expr::Binary(expr) => !matches!(expr.op, BinOp::And(_) | BinOp::Or(_)),
        Expr::Lit(_) => true,
        Expr::Paren(expr) => has_negation(&expr.expr),
        Expr::Unary(expr) => matches!(expr.op, UnOp::Not(_)),
        _ => false,
    }
}

/// Whether an expression is a path with one segment, which is one of `names`.
pub fn is_named(expr: &Expr, names: &[&str]) -> bool {
    matches!(expr, Expr::Path(expr) if names.iter().any(|name| expr.path.is_ident(name)))
}

pub fn calls(expr: &Expr, names: &[&str]) -> bool {
    matches!(expr, Expr::Call(expr) if is_named(&expr.func, names))
}

/// Whether an expression calls a function of a type, as in `Type::new()`.
pub fn is_constructor(expr: &Expr) -> bool {
    let Expr::Call(expr) = expr else {
        return false;
    };
    let Expr::Path(path) = &*expr.func else {
        return false;
    };
    let segments = &path.path.segments;
    segments.iter().rev().nth(1).is_some_and(|ty| {
        let name = ty.ident.to_string();
        name.starts_with(char::is_uppercase)
    })
}

/// Whether a path is an error code: `EINVAL`.
pub fn is_error(path: &Path) -> bool {
    path.get_ident().is_some_and(|name| {
        let name = name.to_string();
        name.len() > 2
            && name.starts_with('E')
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    })
}

/// Whether a name is that of a constant, which can be larger and smaller.
pub fn is_constant(name: &str) -> bool {
    name.len() > 1
        && name.contains(char::is_uppercase)
        && !name.contains(char::is_lowercase)
        && !["MAX", "MIN", "BITS"].contains(&name)
}

pub fn is_integer(ty: &Type) -> bool {
    matches!(ty, Type::Path(ty) if is_integer_name(&path_name(&ty.path)))
}

pub fn is_integer_name(name: &str) -> bool {
    const NAMES: [&str; 18] = [
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "usize",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "isize",
        "c_int",
        "c_uint",
        "c_long",
        "c_ulong",
        "c_longlong",
        "c_ulonglong",
    ];
    NAMES.contains(&name)
}

/// Whether an attribute is that of a module of tests.
pub fn is_test(attribute: &str) -> bool {
    attribute.contains("kunit_tests")
        || (attribute.contains("cfg") && attribute.to_lowercase().contains("test"))
}

/// Returns the fields of a structure, with the text of their types.
pub fn fields(item: &Item) -> Option<(String, HashMap<String, String>)> {
    let Item::Struct(item) = item else {
        return None;
    };
    let Fields::Named(fields) = &item.fields else {
        return None;
    };
    let fields = fields
        .named
        .iter()
        .filter_map(|field| Some((field.ident.as_ref()?.to_string(), type_name(&field.ty))));
    Some((item.ident.to_string(), fields.collect()))
}

/// Returns what can stand in the place of an operator, each with a name.
pub fn operators(operator: &BinOp) -> &'static [(&'static str, &'static str)] {
    match operator {
        BinOp::Add(_) => &[("-", "add-to-sub")],
        BinOp::Sub(_) => &[("+", "sub-to-add")],
        BinOp::Mul(_) => &[("/", "mul-to-div")],
        BinOp::Div(_) => &[("*", "div-to-mul")],
        BinOp::Rem(_) => &[("/", "rem-to-div")],
        BinOp::And(_) => &[("||", "and-to-or")],
        BinOp::Or(_) => &[("&&", "or-to-and")],
        BinOp::BitXor(_) => &[("|", "xor-to-or")],
        BinOp::BitAnd(_) => &[("|", "and-to-or")],
        BinOp::BitOr(_) => &[("&", "or-to-and")],
        BinOp::Shl(_) => &[(">>", "shl-to-shr")],
        BinOp::Shr(_) => &[("<<", "shr-to-shl")],
        BinOp::Eq(_) => &[("!=", "eq-to-ne")],
        BinOp::Ne(_) => &[("==", "ne-to-eq")],
        BinOp::Lt(_) => &[("<=", "lt-to-le"), (">=", "lt-to-ge")],
        BinOp::Le(_) => &[("<", "le-to-lt"), (">", "le-to-gt")],
        BinOp::Ge(_) => &[(">", "ge-to-gt"), ("<", "ge-to-lt")],
        BinOp::Gt(_) => &[(">=", "gt-to-ge"), ("<=", "gt-to-le")],
        BinOp::AddAssign(_) => &[("-=", "add-to-sub")],
        BinOp::SubAssign(_) => &[("+=", "sub-to-add")],
        BinOp::MulAssign(_) => &[("/=", "mul-to-div")],
        BinOp::DivAssign(_) => &[("*=", "div-to-mul")],
        BinOp::RemAssign(_) => &[("/=", "rem-to-div")],
        BinOp::BitXorAssign(_) => &[("|=", "xor-to-or")],
        BinOp::BitAndAssign(_) => &[("|=", "and-to-or")],
        BinOp::BitOrAssign(_) => &[("&=", "or-to-and")],
        BinOp::ShlAssign(_) => &[(">>=", "shl-to-shr")],
        BinOp::ShrAssign(_) => &[("<<=", "shr-to-shl")],
        _ => &[],
    }
}

/// Splits the name of a method that adds, subtracts, multiplies or divides into what it does on
/// overflow, and the operation.
pub fn arithmetic(method: &str) -> Option<(&str, &str)> {
    let (overflow, operation) = method.split_once('_')?;
    let known = ["checked", "saturating", "wrapping"].contains(&overflow)
        && ["add", "sub", "mul", "div", "rem", "byte_add", "byte_sub"].contains(&operation);
    known.then_some((overflow, operation))
}

/// Returns what can stand in the place of a method with one argument.
pub fn methods(method: &str) -> Vec<String> {
    let Some((overflow, operation)) = arithmetic(method) else {
        return match method {
            "min" => vec!["max".to_owned()],
            "max" => vec!["min".to_owned()],
            _ => Vec::new(),
        };
    };
    let mut methods = Vec::new();
    let other = match operation {
        "add" => Some("sub"),
        "sub" | "mul" => Some("add"),
        "div" | "rem" => Some("mul"),
        // Not every pointer has both.
        _ => None,
    };
    methods.extend(other.map(|other| format!("{overflow}_{other}")));
    if overflow == "saturating" {
        methods.push(format!("wrapping_{operation}"));
    }
    methods
}
