//! `SELECT unnest(labels) … ORDER BY created`: sorting by what is not shown.
//!
//! The engine (DataFusion 55) forgets every other column when it unnests. So what is sorted by is selected as well, by a query of its own, and
//! left out of the rows above it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, ObjectName, OrderByKind, Query, SelectItem, SetExpr, Statement, TableFactor, Visit, Visitor,
    VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Rewrites such queries.
pub(super) struct Unnested;

impl VisitorMut for Unnested {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        let SetExpr::Select(select) = query.body.as_mut() else {
            return ControlFlow::Continue(());
        };
        let Some(OrderByKind::Expressions(order)) = query.order_by.as_mut().map(|order| &mut order.kind) else {
            return ControlFlow::Continue(());
        };
        if select.distinct.is_some() || !select.projection.iter().any(unnests) || order.iter().any(|key| unnests(&key.expr)) {
            return ControlFlow::Continue(());
        }
        let mut hidden = Vec::new();
        let shown: Vec<bool> = order.iter().map(|key| is_shown(&key.expr, &select.projection)).collect();
        for (key, _) in order.iter_mut().zip(shown).filter(|(_, shown)| !shown) {
            let name = Ident::with_quote('"', format!("sorted by {}", hidden.len() + 1));
            let expr = std::mem::replace(&mut key.expr, Expr::Identifier(name.clone()));
            select.projection.push(SelectItem::ExprWithAlias {
                expr,
                alias: name.clone(),
            });
            hidden.push(ObjectName::from(vec![name]));
        }
        if let (false, Some(mut above)) = (hidden.is_empty(), above())
            && let SetExpr::Select(outer) = above.body.as_mut()
            && let [SelectItem::Wildcard(options)] = outer.projection.as_mut_slice()
            && let Some(TableFactor::Derived { subquery, .. }) = outer.from.first_mut().map(|from| &mut from.relation)
        {
            options.opt_exclude = Some(ExcludeSelectItem::Multiple(hidden));
            std::mem::swap(&mut subquery.body, &mut query.body);
            query.body = above.body;
        }
        ControlFlow::Continue(())
    }
}

/// The query above, with a place for the one below.
fn above() -> Option<Box<Query>> {
    let parsed = Parser::parse_sql(&GenericDialect {}, "SELECT * FROM (SELECT 1) AS unnested").ok()?;
    match parsed.into_iter().next()? {
        Statement::Query(query) => Some(query),
        _ => None,
    }
}

/// Whether a key is a place in the list, or a name that is given in it.
fn is_shown(key: &Expr, items: &[SelectItem]) -> bool {
    match key {
        Expr::Value(_) => true,
        Expr::Identifier(name) => items.iter().any(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => alias == name,
            SelectItem::UnnamedExpr(Expr::Identifier(own)) => own == name,
            _ => false,
        }),
        _ => false,
    }
}

fn unnests(node: &impl Visit) -> bool {
    node.visit(&mut Finds).is_break()
}

struct Finds;

impl Visitor for Finds {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("unnest") => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}
