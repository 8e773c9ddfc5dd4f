//! What columns are called: as they were written, `count(*)` and `to_char(created, '%Y-%m')`.
//!
//! # Design
//! The engine (DataFusion 55) calls a column by its own structures, `Int64(1)`, leaves casts and the names of tables out, and takes no two
//! columns of one name. So what is computed gets a name before it is planned: its text, shortened where it is long; of a cast the name of
//! the column in it. That is a word, which ORDER BY, GROUP BY and HAVING would take for the column, and a name may be there already. Such
//! a name gets a mark and a number that no statement can write by chance, and loses them where the rows leave the session. What only
//! stands for a value or a condition, as the columns of `IN (SELECT …)`, is called as the engine likes.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::logical_expr::{Expr as LogicalExpr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectNamePart, OrderByKind, Query, Select, SelectItem, SetExpr, Visit, VisitMut, Visitor, VisitorMut,
};

use super::named::plain;
use crate::error::{Error, ErrorKind, Result};
use crate::table::from_datafusion;

/// Between a name and its number: a word joiner, which nobody sees.
const MARK: char = '\u{2060}';

/// Most characters of a name that is a text.
const LONGEST: usize = 60;

/// Names the columns of a statement.
#[derive(Default)]
pub(super) struct Headings {
    explained: bool,
    /// Queries around the place, innermost last.
    around: Vec<Place>,
    /// The next query is part of an expression.
    in_expression: bool,
}

/// Where a query stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Its rows leave the session, or are written.
    Top,
    /// Another query names its columns.
    Below,
    /// In an expression, where nobody names them.
    Expression,
}

impl VisitorMut for Headings {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
        // The left side of IN comes before its query.
        self.in_expression |= matches!(expression, Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. });
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        let place = match (std::mem::take(&mut self.in_expression), self.around.is_empty()) {
            (true, _) => Place::Expression,
            (false, true) if matches!(query.body.as_ref(), SetExpr::Select(_)) => Place::Top,
            _ => Place::Below,
        };
        self.around.push(place);
        let SetExpr::Select(select) = query.body.as_mut() else {
            return ControlFlow::Continue(());
        };
        let before = select.projection.clone();
        let mut sorted = Found::default();
        let ControlFlow::Continue(()) = query.order_by.visit(&mut sorted);
        self.name(select, &sorted.0);
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

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        self.name(select, &[]);
        ControlFlow::Continue(())
    }
}

impl Headings {
    /// What names the columns; of a statement that is `explained`, whose rows are not shown, EXPLAIN has the names of the engine.
    pub(super) fn new(explained: bool) -> Self {
        Self {
            explained,
            ..Self::default()
        }
    }

    /// Names the columns of one SELECT, which is sorted by these columns.
    fn name(&self, select: &mut Select, sorted: &[Vec<String>]) {
        let place = self.around.last().copied().unwrap_or(Place::Top);
        let is_named = match place {
            Place::Top => !self.explained,
            Place::Below => true,
            Place::Expression => false,
        };
        let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        let has_wildcard = select.projection.iter().any(is_wildcard);
        let keys: Vec<Option<String>> = select.projection.iter().map(key).collect();
        let count = |key: &str| keys.iter().flatten().filter(|other| *other == key).count();
        let looked_up = looked_up(select);
        let mut columns: Vec<Vec<String>> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut given: HashSet<String> = HashSet::new();
        for (number, (item, key)) in select.projection.iter_mut().zip(&keys).enumerate() {
            let Some(key) = key else { continue };
            let again = !seen.insert(key);
            match item {
                SelectItem::UnnamedExpr(expression) => {
                    let is_word = path_below(expression).is_some() || matches!(expression, Expr::Subquery(_));
                    let mut marks = again;
                    if let Some(path) = path(expression) {
                        // `a.id` and `b.id` are two names, but not to those who name the columns of this query.
                        let taken = again && (columns.is_empty() || columns.iter().any(|known| may_be(known, &path)));
                        columns.push(path);
                        let is_double = place == Place::Below && count(key) > 1;
                        if !taken && !has_wildcard && !is_double {
                            continue;
                        }
                        marks = true;
                    } else if !is_named && count(key) == 1 && !(is_word && has_wildcard) {
                        continue;
                    }
                    let heading = heading(expression);
                    // Of two columns that another query may name, neither is meant.
                    marks |= place == Place::Below && count(key) > 1 && is_word;
                    marks |= has_wildcard || given.contains(&heading) || columns.iter().any(|path| path.last() == Some(&heading));
                    if is_word && !marks {
                        let is_meant = |path: &Vec<String>| path.last() == Some(&heading);
                        marks = place != Place::Below || looked_up.iter().chain(sorted).any(is_meant);
                    }
                    let name = if marks { marked(&heading, number) } else { heading };
                    given.insert(name.clone());
                    let expr = std::mem::replace(expression, Expr::Identifier(Ident::new("")));
                    *item = SelectItem::ExprWithAlias {
                        expr,
                        alias: Ident::with_quote('"', name),
                    };
                }
                SelectItem::ExprWithAlias { alias, .. }
                    if (again || place == Place::Below && count(key) > 1) && !alias.value.contains(MARK) =>
                {
                    *alias = Ident::with_quote('"', marked(&plain(alias), number));
                }
                _ => {}
            }
        }
    }
}

/// Columns that a SELECT groups by and asks for, which a name of the same word would be taken for.
fn looked_up(select: &Select) -> Vec<Vec<String>> {
    let mut found = Found::default();
    let ControlFlow::Continue(()) = select.group_by.visit(&mut found);
    let ControlFlow::Continue(()) = select.having.visit(&mut found);
    let ControlFlow::Continue(()) = select.qualify.visit(&mut found);
    let ControlFlow::Continue(()) = select.distinct.visit(&mut found);
    found.0
}

#[derive(Default)]
struct Found(Vec<Vec<String>>);

impl Visitor for Found {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Self::Break> {
        self.0.extend(path(expression));
        ControlFlow::Continue(())
    }
}

/// What two columns have in common that the engine gives one name; a name that was given is one like others.
fn key(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(plain(alias)),
        SelectItem::UnnamedExpr(expression) => {
            let mut bare = expression.clone();
            let ControlFlow::Continue(()) = VisitMut::visit(&mut bare, &mut Bare);
            let ControlFlow::Continue(()) = VisitMut::visit(&mut bare, &mut Fold);
            Some(match &bare {
                Expr::Subquery(_) => heading(&bare),
                bare => bare.to_string(),
            })
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
        Expr::Identifier(name) => Some(vec![plain(name)]),
        Expr::CompoundIdentifier(names) => Some(names.iter().map(plain).collect()),
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
            let ControlFlow::Continue(()) = VisitMut::visit(&mut folded, &mut Fold);
            short(&folded)
        }
    }
}

/// The text of an expression, with what comes first where it is long.
fn short(expression: &Expr) -> String {
    let whole = expression.to_string().replace(['\n', '\r'], " ");
    if whole.chars().count() <= LONGEST {
        return whole;
    }
    match expression {
        Expr::Case { .. } => "CASE … END".to_owned(),
        Expr::Function(function) => {
            let args = Some(function.args.to_string()).filter(|args| args.len() < LONGEST / 3);
            let over = if function.over.is_some() { " OVER (…)" } else { "" };
            format!("{}{}{over}", function.name, args.as_deref().unwrap_or("(…)"))
        }
        _ => whole.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

/// What a subquery for one value is called: as its column is.
fn of_query(body: &SetExpr) -> Option<String> {
    match body {
        SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(expression) => Some(heading(expression)),
            SelectItem::ExprWithAlias { alias, .. } => Some(plain(alias)),
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
                    if let ObjectNamePart::Identifier(name) = part {
                        fold(name);
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
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
        let ControlFlow::Continue(()) = VisitMut::visit(&mut statement, &mut Headings::default());
        statement.to_string().replace(MARK, "#")
    }

    #[test]
    fn a_name_that_is_there_already_is_marked() {
        for (sql, reads) in [
            (
                "SELECT a, t.b, F(a), 1, 'x' FROM t",
                r##"SELECT a, t.b, F(a) AS "f(a)", 1 AS "1", 'x' AS "'x'" FROM t"##,
            ),
            ("SELECT a.id, b.id FROM a, b", "SELECT a.id, b.id FROM a, b"),
            (
                "SELECT COUNT(*), count(*) FROM t",
                r##"SELECT COUNT(*) AS "count(*)", count(*) AS "count(*)#1" FROM t"##,
            ),
            (
                "SELECT a::date, a::time FROM t",
                r##"SELECT a::DATE AS "a#0", a::TIME AS "a#1" FROM t"##,
            ),
            ("SELECT a, a::time FROM t", r##"SELECT a, a::TIME AS "a#1" FROM t"##),
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
                r##"SELECT *, id::TEXT AS "id#1", f(id) AS "f(id)#2" FROM a"##,
            ),
            ("SELECT 1 AS a, 2 AS a", r##"SELECT 1 AS a, 2 AS "a#1""##),
            (
                "SELECT DISTINCT f(a), f(a) FROM t ORDER BY f(a)",
                r##"SELECT DISTINCT f(a) AS "f(a)", f(a) AS "f(a)#1" FROM t ORDER BY "f(a)""##,
            ),
            // Of a struct, it is several columns, to which the engine gives names of their own.
            (
                "SELECT UNNEST(a) FROM t ORDER BY unnest(a)",
                r##"SELECT UNNEST(a) AS "unnest(a)" FROM t ORDER BY unnest(a)"##,
            ),
            (
                "SELECT unnest(a), unnest(a) FROM t ORDER BY unnest(a)",
                r##"SELECT unnest(a) AS "unnest(a)", unnest(a) AS "unnest(a)#1" FROM t ORDER BY "unnest(a)""##,
            ),
            // What another query may name has the name as it is, where this one does not mean something else by it.
            (
                "SELECT a FROM (SELECT a::date, a + 1 FROM t) q",
                r##"SELECT a FROM (SELECT a::DATE AS "a", a + 1 AS "a + 1" FROM t) q"##,
            ),
            (
                "SELECT 1 AS x FROM (SELECT a::date FROM t ORDER BY a LIMIT 1) q",
                r##"SELECT 1 AS x FROM (SELECT a::DATE AS "a#0" FROM t ORDER BY a LIMIT 1) q"##,
            ),
            (
                "SELECT 1 AS x FROM (SELECT a::date FROM t ORDER BY f(a) LIMIT 1) q",
                r##"SELECT 1 AS x FROM (SELECT a::DATE AS "a#0" FROM t ORDER BY f(a) LIMIT 1) q"##,
            ),
            (
                "SELECT 1 AS x FROM (SELECT t.a::date, b AS a FROM t) q",
                r##"SELECT 1 AS x FROM (SELECT t.a::DATE AS "a#0", b AS "a#1" FROM t) q"##,
            ),
            (
                "SELECT 1 AS x FROM (SELECT a::date FROM t GROUP BY a) q",
                r##"SELECT 1 AS x FROM (SELECT a::DATE AS "a#0" FROM t GROUP BY a) q"##,
            ),
            (
                "SELECT 1 AS x FROM (SELECT a.k, b.k FROM a, b) q",
                r##"SELECT 1 AS x FROM (SELECT a.k AS "k#0", b.k AS "k#1" FROM a, b) q"##,
            ),
            (
                "SELECT a::date, 1 FROM t UNION ALL SELECT b, 2 FROM t ORDER BY a",
                r##"SELECT a::DATE AS "a", 1 AS "1" FROM t UNION ALL SELECT b, 2 AS "2" FROM t ORDER BY a"##,
            ),
            (
                "SELECT 1 AS x FROM t WHERE a IN (SELECT b + 1 FROM u) AND EXISTS (SELECT 1 FROM u)",
                "SELECT 1 AS x FROM t WHERE a IN (SELECT b + 1 FROM u) AND EXISTS (SELECT 1 FROM u)",
            ),
            (
                "SELECT (SELECT max(b) FROM u)",
                r##"SELECT (SELECT max(b) FROM u) AS "max(b)#0""##,
            ),
            (
                "SELECT CASE WHEN a > 1000000000 THEN 'a long text' WHEN a > 1000 THEN 'another' END FROM t",
                r##"SELECT CASE WHEN a > 1000000000 THEN 'a long text' WHEN a > 1000 THEN 'another' END AS "CASE … END" FROM t"##,
            ),
        ] {
            assert_eq!(named(sql), reads, "{sql}");
        }
    }
}
