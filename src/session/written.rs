//! Rows that are written out below the query of an INSERT: `INSERT INTO t SELECT x * 2 FROM (VALUES (1.5)) v(x)`.
//!
//! The engine (DataFusion 55) reads every VALUES of an INSERT with the types of the table's columns, by their places, and makes 1 of 1.5. That
//! is right for the rows that are inserted, and for no others. So those become a UNION ALL, which has types of its own.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, SelectItem, SetExpr, SetOperator, SetQuantifier, Statement, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{Error, ErrorKind, Result};

/// Most rows that are planned one by one.
const MOST_ROWS: usize = 500;

/// Rewrites the rows below the query of an INSERT.
///
/// # Errors
/// There are too many of them.
pub(super) fn below_insert(statement: &mut Statement) -> Result<()> {
    let source = match statement {
        Statement::Prepare { statement, .. } => return below_insert(statement),
        Statement::Insert(insert) => insert.source.as_mut(),
        _ => None,
    };
    match source.map(|source| source.visit(&mut Below { depth: 0 })) {
        Some(ControlFlow::Break(error)) => Err(error),
        _ => Ok(()),
    }
}

/// Goes through the queries, of which the first is that of the INSERT itself.
struct Below {
    depth: usize,
}

impl VisitorMut for Below {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        match self.depth {
            1 => ControlFlow::Continue(()),
            _ => rewrite(&mut query.body),
        }
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

fn rewrite(body: &mut SetExpr) -> ControlFlow<Error> {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            rewrite(left)?;
            rewrite(right)
        }
        SetExpr::Values(values) if values.rows.len() > MOST_ROWS => {
            let message = format!(
                "{} rows are written out below the query of an INSERT; at most {MOST_ROWS} are planned",
                values.rows.len()
            );
            let hint = "put them into a table first: CREATE TABLE temp.rows AS VALUES …";
            ControlFlow::Break(Error::new(ErrorKind::Limit, message).hint(hint))
        }
        SetExpr::Values(values) => {
            let rows = std::mem::take(&mut values.rows).into_iter();
            if let Some(union) = rows
                .map(|row| selected(row.content))
                .collect::<Option<Vec<_>>>()
                .and_then(united)
            {
                *body = union;
            }
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Continue(()),
    }
}

/// One row as a SELECT, with the names that VALUES gives.
fn selected(row: Vec<Expr>) -> Option<SetExpr> {
    let parsed = Parser::parse_sql(&GenericDialect {}, "SELECT 1").ok()?;
    let Statement::Query(query) = parsed.into_iter().next()? else {
        return None;
    };
    let mut body = *query.body;
    if let SetExpr::Select(select) = &mut body {
        let columns = row.into_iter().enumerate().map(|(place, expr)| SelectItem::ExprWithAlias {
            expr,
            alias: Ident::new(format!("column{}", place + 1)),
        });
        select.projection = columns.collect();
    }
    Some(body)
}

/// All of them, in order: a balanced tree, since the engine recurses into it.
fn united(mut rows: Vec<SetExpr>) -> Option<SetExpr> {
    if rows.len() < 2 {
        return rows.pop();
    }
    let right = united(rows.split_off(rows.len() / 2))?;
    Some(SetExpr::SetOperation {
        op: SetOperator::Union,
        set_quantifier: SetQuantifier::All,
        left: Box::new(united(rows)?),
        right: Box::new(right),
    })
}
