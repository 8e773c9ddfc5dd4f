//! Rows that are written out below the query of an INSERT: `INSERT INTO t SELECT x * 2 FROM (VALUES (1.5)) v(x)`.
//!
//! The engine (DataFusion 55) reads every VALUES of an INSERT with the types of the table's columns, by their places, and makes 1 of 1.5. That
//! is right for the rows that are inserted, and for no others. So those become a SELECT that takes its columns from lists, which have types of
//! their own and keep their order.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query,
    SelectItem, SetExpr, Statement, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Rewrites the rows below the query of an INSERT.
pub(super) fn below_insert(statement: &mut Statement) {
    let source = match statement {
        Statement::Prepare { statement, .. } => return below_insert(statement),
        Statement::Insert(insert) => insert.source.as_mut(),
        _ => None,
    };
    if let Some(source) = source {
        let ControlFlow::Continue(()) = source.visit(&mut Below { depth: 0 });
    }
}

/// Goes through the queries, of which the first is that of the INSERT itself.
struct Below {
    depth: usize,
}

impl VisitorMut for Below {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        if self.depth > 1 {
            rewrite(&mut query.body);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

fn rewrite(body: &mut SetExpr) {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            rewrite(left);
            rewrite(right);
        }
        SetExpr::Values(values) => {
            let width = values.rows.first().map_or(0, |row| row.content.len());
            // Rows of several lengths are an error of the engine.
            if values.rows.iter().any(|row| row.content.len() != width) {
                return;
            }
            let mut columns = vec![Vec::with_capacity(values.rows.len()); width];
            for row in std::mem::take(&mut values.rows) {
                for (column, cell) in columns.iter_mut().zip(row.content) {
                    column.push(cell);
                }
            }
            if let Some(select) = selected(columns) {
                *body = select;
            }
        }
        _ => {}
    }
}

/// Columns as a SELECT, with the names that VALUES gives.
fn selected(columns: Vec<Vec<Expr>>) -> Option<SetExpr> {
    let parsed = Parser::parse_sql(&GenericDialect {}, "SELECT 1").ok()?;
    let Statement::Query(query) = parsed.into_iter().next()? else {
        return None;
    };
    let mut body = *query.body;
    if let SetExpr::Select(select) = &mut body {
        let columns = columns
            .into_iter()
            .enumerate()
            .map(|(place, cells)| SelectItem::ExprWithAlias {
                expr: unnested(cells),
                alias: Ident::new(format!("column{}", place + 1)),
            });
        select.projection = columns.collect();
    }
    Some(body)
}

/// `unnest([…])`: a row for each element.
fn unnested(elem: Vec<Expr>) -> Expr {
    let list = Expr::Array(Array { elem, named: false });
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("unnest")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(list))],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
