// SPDX-License-Identifier: GPL-2.0

//! Where Rust code is changed, and how.
//!
//! What is changed: operators, integers, booleans, constants used by name, error codes, `?`, `min()`,
//! `max()`, checked, saturating and wrapping arithmetic, conditions, ranges, loops, arms of a match,
//! fields of a structure literal, results, and statements, which are removed.
//!
//! What is not:
//! - attributes, documentation, tests, `use`, `const _`, and macros with their arguments;
//! - types, except for the length of an array in a structure;
//! - `let` and what else does not compile without;
//! - a `?` whose value is a type of its own and has no default, in a function that returns a value;
//! - a `return` that is all that an `if` does: the condition is changed already;
//! - wrapping arithmetic into saturating: it stands where overflow is intended, or cannot happen.

mod syntax;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::mem;
use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, BinOp, Block, Expr, ExprBinary, ExprCall, ExprClosure, ExprForLoop, ExprIf, ExprLit,
    ExprMatch, ExprMethodCall, ExprRange, ExprStruct, ExprTry, ExprUnary, ExprWhile, FieldValue,
    ImplItemConst, ImplItemFn, Item, ItemConst, ItemEnum, ItemFn, ItemImpl, ItemMod, ItemStruct,
    ItemTrait, Lit, Local, Macro, PatGuard, Path, RangeLimits, Signature, Stmt, TraitItemConst,
    TraitItemFn, Type, UnOp,
};
use syntax::Returns;

/// A change.
#[derive(Debug)]
pub struct Site {
    /// The item that has it, and what that is in.
    pub path: String,
    /// The item, without attributes.
    pub item: Range<usize>,
    /// The expression or statement that has the change.
    pub scope: Range<usize>,
    /// What is replaced.
    pub range: Range<usize>,
    pub replacement: String,
    /// A name for the change.
    pub label: String,
}

/// Finds all changes of a source.
pub fn find(source: &str) -> syn::Result<Vec<Site>> {
    let file = syn::parse_file(source)?;
    let mut finder = Finder {
        source,
        structures: file.items.iter().filter_map(syntax::fields).collect(),
        zeroable: file.items.iter().any(|item| {
            matches!(item, Item::Use(item) if source[item.span().byte_range()].contains("FromZeros"))
        }),
        path: Vec::new(),
        item: 0..0,
        self_type: String::new(),
        returns: Returns::Other,
        context: String::new(),
        sites: Vec::new(),
    };
    finder.visit_file(&file);
    Ok(finder.sites)
}

struct Finder<'s> {
    source: &'s str,
    /// The types of the fields of each structure of the file.
    structures: HashMap<String, HashMap<String, String>>,
    /// Whether the file can call `FromZeros::new_zeroed()`.
    zeroable: bool,
    path: Vec<String>,
    item: Range<usize>,
    self_type: String,
    returns: Returns,
    /// What a value is for, as a part of names.
    context: String,
    sites: Vec<Site>,
}

impl<'s> Finder<'s> {
    fn text(&self, node: &impl Spanned) -> &'s str {
        &self.source[node.span().byte_range()]
    }

    /// Returns the text of an expression, for use as an operand.
    fn operand(&self, expr: &Expr) -> String {
        let text = self.text(expr);
        if syntax::is_postfix(expr) {
            text.to_owned()
        } else {
            format!("({text})")
        }
    }

    /// Adds a change of a part of `scope`.
    fn part(
        &mut self,
        scope: &impl Spanned,
        range: Range<usize>,
        replacement: impl Into<String>,
        label: impl Into<String>,
    ) {
        self.sites.push(Site {
            path: self.path.join("/"),
            item: self.item.clone(),
            scope: scope.span().byte_range(),
            range,
            replacement: replacement.into(),
            label: syntax::slug(&label.into()),
        });
    }

    /// Adds a change of all of `node`.
    fn whole(
        &mut self,
        node: &impl Spanned,
        replacement: impl Into<String>,
        label: impl Into<String>,
    ) {
        self.part(node, node.span().byte_range(), replacement, label);
    }

    /// Visits a value, whose names tell what it is for.
    fn within(&mut self, context: String, visit: impl FnOnce(&mut Self)) {
        let outer = mem::replace(&mut self.context, context);
        visit(self);
        self.context = outer;
    }

    fn labelled(&self, label: &str) -> String {
        format!("{}-{label}", self.context)
    }

    /// Visits an item, or what contains items.
    fn inside(&mut self, name: String, item: Range<usize>, visit: impl FnOnce(&mut Self)) {
        let outer = mem::replace(&mut self.item, item);
        self.path.push(name);
        self.within(String::new(), visit);
        self.path.pop();
        self.item = outer;
    }

    fn function(&mut self, signature: &Signature, block: &Block) {
        let item = signature.span().byte_range().start..block.span().byte_range().end;
        self.inside(signature.ident.to_string(), item, |finder| {
            let outer = mem::replace(&mut finder.returns, Returns::of(&signature.output));
            finder.result(block);
            finder.visit_block(block);
            finder.returns = outer;
        });
    }

    /// Changes what a function returns at its end.
    fn result(&mut self, block: &Block) {
        let Some(Stmt::Expr(expr, None)) = block.stmts.last() else {
            return;
        };
        let call = matches!(expr, Expr::Call(_) | Expr::MethodCall(_));
        let results: &[&str] = match self.returns {
            Returns::Result if call && !syntax::calls(expr, &["Ok", "Err"]) => &["Ok(())"],
            Returns::Option if syntax::calls(expr, &["Some"]) => &["None"],
            Returns::Integer if !matches!(expr, Expr::Lit(_)) => &["0"],
            Returns::Boolean if !matches!(expr, Expr::Lit(_)) => &["false", "true"],
            _ => &[],
        };
        for result in results {
            self.whole(
                expr,
                *result,
                format!("returns-{}", syntax::slug(result).to_lowercase()),
            );
        }
        if results == ["Ok(())"] {
            let end = expr.span().byte_range().end;
            let label = format!("{}-error-ignored", syntax::subject(expr));
            self.part(expr, end..end, ".or(Ok(()))", label);
        }
    }

    fn constant(&mut self, name: &syn::Ident, ty: &Type, item: Range<usize>, value: &Expr) {
        if name == "_" {
            return;
        }
        self.inside(name.to_string(), item, |finder| {
            if !matches!(value, Expr::Lit(_)) && syntax::is_integer(ty) {
                finder.off_by_one(value, "");
            }
            // The rest of a value would only repeat this.
            if matches!(value, Expr::Lit(_) | Expr::Binary(_)) {
                finder.visit_expr(value);
            }
        });
    }

    fn off_by_one(&mut self, expr: &Expr, name: &str) {
        let operand = match expr {
            Expr::Cast(_) => self.text(expr).to_owned(),
            _ => self.operand(expr),
        };
        for (operator, label) in [("+", "plus-1"), ("-", "minus-1")] {
            // As an operand, a constant needs the parentheses.
            let changed = match expr {
                Expr::Path(_) => format!("({operand} {operator} 1)"),
                _ => format!("{operand} {operator} 1"),
            };
            self.whole(expr, changed, self.labelled(&format!("{name}-{label}")));
        }
    }

    fn statement(&mut self, statement: &Stmt, alone: bool) {
        let Stmt::Expr(expr, semi) = statement else {
            visit::visit_stmt(self, statement);
            return;
        };
        let is_removed = match expr {
            Expr::ForLoop(_) | Expr::While(_) | Expr::Loop(_) => true,
            Expr::Return(_) => semi.is_some() && !alone,
            Expr::Assign(_)
            | Expr::Binary(_)
            | Expr::Break(_)
            | Expr::Call(_)
            | Expr::Continue(_)
            | Expr::MethodCall(_)
            | Expr::Try(_)
            | Expr::Unsafe(_) => semi.is_some(),
            _ => false,
        };
        let subject = syntax::subject(expr);
        if is_removed {
            self.whole(statement, "", format!("{subject}-removed"));
        }
        match (expr, semi) {
            (Expr::Try(fallible), Some(_)) => {
                let ignored = format!("let _ = {};", self.text(&fallible.expr));
                self.whole(statement, ignored, format!("{subject}-error-ignored"));
                self.visit_expr(&fallible.expr);
            }
            _ => self.visit_expr(expr),
        }
    }

    fn condition(&mut self, condition: &Expr, is_loop: bool) {
        if !syntax::has_let(condition) {
            let subject = syntax::subject(condition);
            self.whole(condition, "false", format!("if-{subject}-false"));
            // A loop would not end.
            if !is_loop {
                self.whole(condition, "true", format!("if-{subject}-true"));
            }
            if !syntax::has_negation(condition) {
                let negated = format!("!({})", self.text(condition));
                self.whole(condition, negated, format!("if-{subject}-negated"));
            }
        }
        self.visit_expr(condition);
    }

    fn binary(&mut self, expr: &ExprBinary) {
        let operands = [&*expr.left, &*expr.right];
        let neutral = match expr.op {
            BinOp::And(_) => Some("true"),
            BinOp::Or(_) => Some("false"),
            _ => None,
        };
        // In a || b || c, the operand on the right is one, that on the left need not be.
        let subject = syntax::subject(operands[usize::from(neutral.is_some())]);
        if !operands.map(syntax::has_let).contains(&true) {
            for (operator, label) in syntax::operators(&expr.op) {
                let range = expr.op.span().byte_range();
                self.part(expr, range, *operator, format!("{subject}-{label}"));
            }
        }
        for operand in operands {
            // In a || b || c, the operands are a, b and c.
            let inner = matches!(operand, Expr::Binary(inner)
                if mem::discriminant(&inner.op) == mem::discriminant(&expr.op));
            if let (Some(neutral), false, false) = (neutral, inner, syntax::has_let(operand)) {
                let label = format!("{}-{neutral}", syntax::subject(operand));
                self.part(expr, operand.span().byte_range(), neutral, label);
            }
        }
        let context = match neutral {
            Some(_) => self.context.clone(),
            None => subject,
        };
        self.within(context, |finder| {
            for operand in operands {
                finder.visit_expr(operand);
            }
        });
    }

    fn unary(&mut self, expr: &ExprUnary) {
        let label = match expr.op {
            UnOp::Not(_) => Some("not-removed"),
            UnOp::Neg(_) => Some("sign-removed"),
            _ => None,
        };
        if let Some(label) = label {
            let label = format!("{}-{label}", syntax::subject(&expr.expr));
            self.part(expr, expr.op.span().byte_range(), "", label);
        }
        self.visit_expr(&expr.expr);
    }

    fn call(&mut self, expr: &ExprCall) {
        if let (true, Some(Expr::Tuple(unit))) =
            (syntax::is_named(&expr.func, &["Ok"]), expr.args.first())
            && unit.elems.is_empty()
        {
            self.whole(expr, "Err(EINVAL)", self.labelled("Ok-to-EINVAL"));
            return;
        }
        let context = if syntax::is_named(&expr.func, &["Ok", "Err", "Some"]) {
            self.context.clone()
        } else {
            syntax::subject(&expr.func)
        };
        self.within(context, |finder| {
            if !matches!(*expr.func, Expr::Path(_)) {
                finder.visit_expr(&expr.func);
            }
            expr.args.iter().for_each(|arg| finder.visit_expr(arg));
        });
    }

    fn method_call(&mut self, expr: &ExprMethodCall) {
        let method = expr.method.to_string();
        let receiver = self.text(&expr.receiver);
        let subject = format!("{}-{method}", syntax::subject(&expr.receiver));
        let name = expr.method.span().byte_range();
        if let Some(arg) = expr.args.first() {
            for other in syntax::methods(&method) {
                self.part(expr, name.clone(), &*other, format!("{subject}-to-{other}"));
            }
            if ["min", "max"].contains(&method.as_str()) {
                self.whole(expr, receiver, format!("{subject}-left"));
                self.whole(expr, self.operand(arg), format!("{subject}-right"));
            }
            if let Some((overflow, operation)) = syntax::arithmetic(&method) {
                let some = |value: String| match overflow {
                    "checked" => format!("Some({value})"),
                    _ => value,
                };
                if overflow == "checked" {
                    let args = self.text(&expr.args);
                    let wrapping = some(format!("{receiver}.wrapping_{operation}({args})"));
                    self.whole(expr, wrapping, format!("{subject}-to-wrapping"));
                }
                // A literal is changed to 0 already.
                if !matches!(arg, Expr::Lit(_)) {
                    let without = some(receiver.to_owned());
                    self.whole(expr, without, format!("{subject}-dropped"));
                }
            }
        }
        self.visit_expr(&expr.receiver);
        self.within(method, |finder| {
            expr.args.iter().for_each(|arg| finder.visit_expr(arg));
        });
    }

    fn path(&mut self, expr: &Expr, path: &Path) {
        let name = syntax::path_name(path);
        if syntax::is_error(path) {
            let other = if name == "EINVAL" { "EFAULT" } else { "EINVAL" };
            self.whole(expr, other, self.labelled(&format!("{name}-to-{other}")));
        } else if syntax::is_constant(&name) {
            self.off_by_one(expr, &name);
        }
    }

    fn fallible(&mut self, expr: &ExprTry) {
        let subject = syntax::subject(&expr.expr);
        if !syntax::is_constructor(&expr.expr) {
            let range = expr.question_token.span().byte_range();
            let label = format!("{subject}-error-ignored");
            self.part(expr, range, ".unwrap_or_default()", label);
        } else if self.returns == Returns::Result {
            let call = self.text(&expr.expr);
            let hidden = format!("match {call} {{ Ok(value) => value, Err(_) => return Ok(()) }}");
            self.whole(expr, hidden, format!("{subject}-error-hidden"));
        }
        self.visit_expr(&expr.expr);
    }

    fn range(&mut self, expr: &ExprRange) {
        let limits = expr.limits.span().byte_range();
        let (other, label) = match expr.limits {
            RangeLimits::HalfOpen(_) => ("..=", "inclusive"),
            RangeLimits::Closed(_) => ("..", "exclusive"),
        };
        if let Some(end) = &expr.end {
            self.part(expr, limits.clone(), other, format!("range-{label}"));
            let range = limits.start..end.span().byte_range().end;
            self.part(expr, range, "..", "range-without-end");
        }
        if let Some(start) = &expr.start {
            self.part(expr, start.span().byte_range(), "", "range-without-start");
        }
        self.within("range".to_owned(), |finder| {
            visit::visit_expr_range(finder, expr);
        });
    }

    fn structure(&mut self, expr: &ExprStruct) {
        let name = match expr.path.segments.last() {
            Some(last) if last.ident == "Self" => self.self_type.clone(),
            Some(last) => last.ident.to_string(),
            None => return,
        };
        for field in &expr.fields {
            let member = self.text(&field.member);
            if let Some(zero) = self.zero(&name, field) {
                let label = format!("{member}-zero");
                if field.colon_token.is_some() {
                    self.part(field, field.expr.span().byte_range(), zero, label);
                } else {
                    self.whole(field, format!("{member}: {zero}"), label);
                }
            }
            self.within(member.to_owned(), |finder| finder.visit_expr(&field.expr));
        }
        if let Some(rest) = &expr.rest {
            self.visit_expr(rest);
        }
    }

    /// Returns the zero of a field's type, if there is one that is not its value already.
    fn zero(&self, structure: &str, field: &FieldValue) -> Option<&'static str> {
        let fields = self.structures.get(structure);
        let ty = fields.and_then(|fields| fields.get(self.text(&field.member)));
        let zero = match ty.map(String::as_str) {
            Some("bool") => "false",
            Some("UserPtr") => "UserPtr::from_addr(0)",
            Some(ty) if syntax::is_integer_name(ty) => "0",
            Some(ty) if ty.starts_with("PhantomData") => return None,
            _ if self.zeroable => "FromZeros::new_zeroed()",
            _ => return None,
        };
        let value = self.text(&field.expr);
        (value != zero && !value.ends_with("new_zeroed()")).then_some(zero)
    }

    fn for_loop(&mut self, expr: &ExprForLoop) {
        let subject = syntax::subject(&expr.expr);
        if matches!(*expr.expr, Expr::MethodCall(_) | Expr::Range(_)) {
            let iterator = self.operand(&expr.expr);
            for (method, label) in [("skip", "first-skipped"), ("take", "first-only")] {
                let changed = format!("{iterator}.{method}(1)");
                self.whole(&expr.expr, changed, format!("{subject}-{label}"));
            }
        }
        self.visit_expr(&expr.expr);
        self.within(subject, |finder| finder.visit_block(&expr.body));
    }

    fn match_(&mut self, expr: &ExprMatch) {
        let has_last = expr
            .arms
            .last()
            .is_some_and(|arm| syntax::is_catch_all(&arm.pat));
        let subject = syntax::subject(&expr.expr);
        self.visit_expr(&expr.expr);
        for (n, arm) in (1..).zip(&expr.arms) {
            let pattern = syntax::slug(self.text(&arm.pat));
            if has_last && n < expr.arms.len() {
                self.whole(arm, "", format!("{pattern}-arm-removed"));
            }
            if syntax::calls(&arm.body, &["Err"]) {
                let label = format!("{pattern}-error-ignored");
                self.whole(&arm.body, "Ok(Default::default())", label);
            }
            self.within(subject.clone(), |finder| finder.visit_pat(&arm.pat));
            self.within(pattern, |finder| finder.visit_expr(&arm.body));
        }
    }

    fn if_(&mut self, expr: &ExprIf) {
        self.condition(&expr.cond, false);
        let subject = syntax::subject(&expr.cond);
        self.within(format!("if-{subject}"), |finder| {
            finder.visit_block(&expr.then_branch);
        });
        if let Some((_, branch)) = &expr.else_branch {
            self.within(format!("else-{subject}"), |finder| {
                finder.visit_expr(branch);
            });
        }
    }

    fn while_(&mut self, expr: &ExprWhile) {
        self.condition(&expr.cond, true);
        self.visit_block(&expr.body);
    }

    fn closure(&mut self, expr: &ExprClosure) {
        let outer = mem::replace(&mut self.returns, Returns::Other);
        self.visit_expr(&expr.body);
        self.returns = outer;
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_macro(&mut self, _: &'ast Macro) {}

    fn visit_type(&mut self, _: &'ast Type) {}

    fn visit_item_enum(&mut self, _: &'ast ItemEnum) {}

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !item
            .attrs
            .iter()
            .any(|attr| syntax::is_test(self.text(attr)))
        {
            let range = item.span().byte_range();
            self.inside(item.ident.to_string(), range, |finder| {
                visit::visit_item_mod(finder, item);
            });
        }
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        let range = item.struct_token.span.byte_range().start..item.span().byte_range().end;
        self.inside(item.ident.to_string(), range, |finder| {
            for field in &item.fields {
                if let Type::Array(array) = &field.ty {
                    finder.visit_expr(&array.len);
                }
            }
        });
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.inside(item.ident.to_string(), 0..0, |finder| {
            visit::visit_item_trait(finder, item);
        });
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let ty = syntax::type_name(&item.self_ty);
        let name = match &item.trait_ {
            Some((path, _)) => format!("{}-for-{ty}", syntax::slug(self.text(path))),
            None => ty.clone(),
        };
        let outer = mem::replace(&mut self.self_type, ty);
        self.inside(name, 0..0, |finder| visit::visit_item_impl(finder, item));
        self.self_type = outer;
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
    }

    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        let range = item.const_token.span.byte_range().start..item.span().byte_range().end;
        self.constant(&item.ident, &item.ty, range, &item.expr);
    }

    fn visit_impl_item_const(&mut self, item: &'ast ImplItemConst) {
        let range = item.const_token.span.byte_range().start..item.span().byte_range().end;
        self.constant(&item.ident, &item.ty, range, &item.expr);
    }

    fn visit_trait_item_const(&mut self, item: &'ast TraitItemConst) {
        let range = item.const_token.span.byte_range().start..item.span().byte_range().end;
        if let Some((_, value)) = &item.default {
            self.constant(&item.ident, &item.ty, range, value);
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        for statement in &block.stmts {
            self.statement(statement, block.stmts.len() == 1);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        self.within(syntax::pattern_name(&local.pat), |finder| {
            visit::visit_local(finder, local);
        });
    }

    fn visit_pat_guard(&mut self, guard: &'ast PatGuard) {
        self.visit_pat(&guard.pat);
        self.condition(&guard.guard, false);
    }

    fn visit_expr_lit(&mut self, literal: &'ast ExprLit) {
        match &literal.lit {
            Lit::Bool(boolean) => {
                let (old, new) = (boolean.value, !boolean.value);
                let label = self.labelled(&format!("{old}-to-{new}"));
                self.whole(literal, new.to_string(), label);
            }
            Lit::Int(integer) => {
                let Ok(value) = integer.base10_parse::<u128>() else {
                    return;
                };
                for other in [value.checked_add(1), value.checked_sub(1)]
                    .into_iter()
                    .flatten()
                {
                    let label = self.labelled(&format!("{value}-to-{other}"));
                    self.whole(literal, format!("{other}{}", integer.suffix()), label);
                }
            }
            _ => {}
        }
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Assign(expr) => {
                self.within(syntax::subject(&expr.left), |finder| {
                    finder.visit_expr(&expr.right);
                });
            }
            Expr::Binary(expr) => self.binary(expr),
            Expr::Call(expr) => self.call(expr),
            Expr::Closure(expr) => self.closure(expr),
            Expr::ForLoop(expr) => self.for_loop(expr),
            Expr::If(expr) => self.if_(expr),
            Expr::Match(expr) => self.match_(expr),
            Expr::MethodCall(expr) => self.method_call(expr),
            Expr::Path(path) => self.path(expr, &path.path),
            Expr::Range(expr) => self.range(expr),
            Expr::Struct(expr) => self.structure(expr),
            Expr::Try(expr) => self.fallible(expr),
            Expr::Unary(expr) => self.unary(expr),
            Expr::While(expr) => self.while_(expr),
            _ => visit::visit_expr(self, expr),
        }
    }
}
