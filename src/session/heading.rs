//! Columns of one name: `SELECT count(*), count(*)`.
//!
//! # Design
//! The engine takes no two columns of one name, and leaves casts and the names of tables out when it makes one. So a name that is there
//! already gets a mark and a number that no statement can write by chance, and loses them where the rows leave the session. All other
//! columns keep the names that the engine gives them.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::logical_expr::{Expr as LogicalExpr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{Expr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, VisitMut, VisitorMut};

use crate::error::{Error, ErrorKind, Result};
use crate::table::from_datafusion;

/// Between a name and its number: a word joiner, which nobody sees.
const MARK: char = '\u{2060}';

/// Tells columns of one name apart.
pub(super) struct Headings;

impl VisitorMut for Headings {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        let SetExpr::Select(select) = query.body.as_mut() else {
            return ControlFlow::Continue(());
        };
        let before = select.projection.clone();
        name(select);
        let Some(OrderByKind::Expressions(order)) = query.order_by.as_mut().map(|order| &mut order.kind) else {
            return ControlFlow::Continue(());
        };
        // With DISTINCT, the engine finds what is sorted by among the columns by their names alone.
        for key in order.iter_mut().filter(|key| !is_plain(&key.expr)) {
            let written = key.expr.to_string();
            let same = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(expr) if expr.to_string() == written);
            let place = before.iter().position(same);
            // Two question marks are two parameters.
            if let Some(SelectItem::ExprWithAlias { alias, .. }) = place.and_then(|place| select.projection.get(place))
                && !written.contains('?')
            {
                key.expr = Expr::Identifier(alias.clone());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        name(select);
        ControlFlow::Continue(())
    }
}

/// Names the columns of one SELECT whose names are there already.
fn name(select: &mut Select) {
    let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    let has_wildcard = select.projection.iter().any(is_wildcard);
    let keys: Vec<Option<String>> = select.projection.iter().map(key).collect();
    let is_once = |key: &str| keys.iter().flatten().filter(|other| *other == key).count() == 1;
    let mut plain: Vec<Vec<String>> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for (number, (item, key)) in select.projection.iter_mut().zip(&keys).enumerate() {
        let Some(key) = key else { continue };
        let again = !seen.insert(key);
        match item {
            SelectItem::UnnamedExpr(expression) => {
                let of_column = path_below(expression).is_some();
                if let Some(path) = path(expression) {
                    // `a.id` and `b.id` are two names.
                    let taken = again && (plain.is_empty() || plain.iter().any(|known| may_be(known, &path)));
                    plain.push(path);
                    if !taken && !has_wildcard {
                        continue;
                    }
                } else if is_once(key) && !(of_column && has_wildcard) {
                    continue;
                }
                let heading = heading(expression);
                // HAVING would take the name of a column for the cast of it.
                let is_free = !(again || has_wildcard || of_column && select.having.is_some());
                let name = if is_free { heading } else { marked(&heading, number) };
                let expr = std::mem::replace(expression, Expr::Identifier(Ident::new("")));
                *item = SelectItem::ExprWithAlias {
                    expr,
                    alias: Ident::with_quote('"', name),
                };
            }
            SelectItem::ExprWithAlias { alias, .. } if again && !alias.value.contains(MARK) => {
                *alias = Ident::with_quote('"', marked(&text(alias), number));
            }
            _ => {}
        }
    }
}

/// What two columns have in common that the engine gives one name; a name that was given is one like others.
fn key(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(text(alias)),
        // Of a struct, it is several columns, which take no name.
        SelectItem::UnnamedExpr(Expr::Function(function)) if function.name.to_string().eq_ignore_ascii_case("unnest") => None,
        SelectItem::UnnamedExpr(expression) => {
            let mut bare = expression.clone();
            let ControlFlow::Continue(()) = bare.visit(&mut Bare);
            Some(heading(&bare))
        }
        _ => None,
    }
}

/// Without what the engine leaves out of a name.
struct Bare;

impl VisitorMut for Bare {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
        while let Expr::Cast { expr, .. } | Expr::Nested(expr) = expression {
            let inner = std::mem::replace(expr.as_mut(), Expr::Identifier(Ident::new("")));
            *expression = inner;
        }
        if let Expr::CompoundIdentifier(names) = expression
            && let Some(last) = names.pop()
        {
            *expression = Expr::Identifier(last);
        }
        ControlFlow::Continue(())
    }
}

fn marked(name: &str, number: usize) -> String {
    format!("{name}{MARK}{number}")
}

fn is_plain(expression: &Expr) -> bool {
    path(expression).is_some() || matches!(expression, Expr::Value(_))
}

/// The name of a column, part by part.
fn path(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Identifier(name) => Some(vec![text(name)]),
        Expr::CompoundIdentifier(names) => Some(names.iter().map(text).collect()),
        _ => None,
    }
}

/// The column that casts and brackets are around.
fn path_below(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => path(inner).or_else(|| path_below(inner)),
        _ => None,
    }
}

/// Whether two names may be those of one column: `id` and `a.id`.
fn may_be(one: &[String], other: &[String]) -> bool {
    one.ends_with(other) || other.ends_with(one)
}

fn heading(expression: &Expr) -> String {
    if let Some(last) = path(expression)
        .or_else(|| path_below(expression))
        .as_ref()
        .and_then(|path| path.last())
    {
        return last.clone();
    }
    match expression {
        Expr::Nested(inner) => heading(inner),
        Expr::Subquery(query) => of_query(&query.body).unwrap_or_else(|| expression.to_string()),
        _ => {
            let mut folded = expression.clone();
            let ControlFlow::Continue(()) = folded.visit(&mut Fold);
            folded.to_string()
        }
    }
}

/// What a subquery for one value is called: as its column is.
fn of_query(body: &SetExpr) -> Option<String> {
    match body {
        SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(expression) => Some(heading(expression)),
            SelectItem::ExprWithAlias { alias, .. } => Some(text(alias)),
            _ => None,
        },
        SetExpr::Query(query) => of_query(&query.body),
        SetExpr::SetOperation { left, .. } => of_query(left),
        _ => None,
    }
}

/// Names as they are looked up.
struct Fold;

impl VisitorMut for Fold {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
        let fold = |name: &mut Ident| {
            if name.quote_style.is_none() {
                name.value = name.value.to_lowercase();
            }
        };
        match expression {
            Expr::Identifier(name) => fold(name),
            Expr::CompoundIdentifier(names) => names.iter_mut().for_each(fold),
            Expr::Function(function) => {
                for part in &mut function.name.0 {
                    if let datafusion::sql::sqlparser::ast::ObjectNamePart::Identifier(name) = part {
                        fold(name);
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// A name as it is looked up: in lower case unless it is quoted.
fn text(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

/// A name as it was written.
pub(super) fn written(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// Columns as they are called outside of the session.
pub(super) fn shown(schema: &SchemaRef) -> SchemaRef {
    if !schema.fields().iter().any(|field| field.name().contains(MARK)) {
        return schema.clone();
    }
    let fields = schema.fields().iter().map(|field| {
        let name = written(field.name()).to_owned();
        Arc::new(field.as_ref().clone().with_name(name))
    });
    Arc::new(Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        schema.metadata().clone(),
    ))
}

/// Rows under the names of their columns outside of the session.
pub(super) fn renamed(batch: RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    let shown = shown(&schema);
    if Arc::ptr_eq(&shown, &schema) {
        return Ok(batch);
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(shown, batch.columns().to_vec(), &rows).map_err(|error| from_datafusion(error.into()))
}

/// The plan of what gets a name of its own: a table or a view, of which no two columns have one name.
///
/// # Errors
/// Two have.
pub(super) fn apart(plan: &Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
    let mut seen = HashSet::new();
    if let Some(field) = plan
        .schema()
        .fields()
        .iter()
        .find(|field| !seen.insert(written(field.name())))
    {
        let name = written(field.name());
        return Err(
            Error::new(ErrorKind::Statement, format!("two of its columns are called {name}"))
                .hint(format!("give one another name: SELECT … AS {name}_2")),
        );
    }
    if plan.schema().fields().iter().all(|field| !field.name().contains(MARK)) {
        return Ok(plan.clone());
    }
    let columns = plan.schema().iter();
    let columns = columns.map(|(table, field)| LogicalExpr::Column(Column::from((table, field))).alias(written(field.name())));
    LogicalPlanBuilder::from(plan.clone())
        .project(columns)
        .and_then(LogicalPlanBuilder::build)
        .map(Arc::new)
        .map_err(from_datafusion)
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::Statement;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn named(sql: &str) -> String {
        let mut statement: Statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        let ControlFlow::Continue(()) = statement.visit(&mut Headings);
        statement.to_string().replace(MARK, "#")
    }

    #[test]
    fn a_name_that_is_there_already_is_marked() {
        for (sql, reads) in [
            ("SELECT a, t.b, f(a), 1 FROM t", "SELECT a, t.b, f(a), 1 FROM t"),
            ("SELECT a.id, b.id FROM a, b", "SELECT a.id, b.id FROM a, b"),
            (
                "SELECT COUNT(*), count(*) FROM t",
                r##"SELECT COUNT(*) AS "count(*)", count(*) AS "count(*)#1" FROM t"##,
            ),
            (
                "SELECT a::date, a::time FROM t",
                r##"SELECT a::DATE AS "a", a::TIME AS "a#1" FROM t"##,
            ),
            ("SELECT a, a::time FROM t", r##"SELECT a, a::TIME AS "a#1" FROM t"##),
            (
                "SELECT a::date, a::time FROM t HAVING max(a) > 1",
                r##"SELECT a::DATE AS "a#0", a::TIME AS "a#1" FROM t HAVING max(a) > 1"##,
            ),
            (
                "SELECT f(id), f(a.id) FROM a",
                r##"SELECT f(id) AS "f(id)", f(a.id) AS "f(a.id)#1" FROM a"##,
            ),
            (
                "SELECT id, a.id, id FROM a",
                r##"SELECT id, a.id AS "id#1", id AS "id#2" FROM a"##,
            ),
            ("SELECT *, id FROM a", r##"SELECT *, id AS "id#1" FROM a"##),
            (
                "SELECT *, id::text, f(id) FROM a",
                r##"SELECT *, id::TEXT AS "id#1", f(id) FROM a"##,
            ),
            ("SELECT 1 AS a, 2 AS a", r##"SELECT 1 AS a, 2 AS "a#1""##),
            (
                "SELECT DISTINCT f(a), f(a) FROM t ORDER BY f(a)",
                r##"SELECT DISTINCT f(a) AS "f(a)", f(a) AS "f(a)#1" FROM t ORDER BY "f(a)""##,
            ),
            ("SELECT unnest(a) FROM t", "SELECT unnest(a) FROM t"),
        ] {
            assert_eq!(named(sql), reads, "{sql}");
        }
    }
}
