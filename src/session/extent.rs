//! How large a statement may be. The planner's time grows with the square of what is joined, with the square of a long expression, and doubles
//! with each subquery in a subquery and each name of a WITH that is read twice; without these limits a short text keeps a processor busy for
//! as long as it likes.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, Select, VisitMut, VisitorMut};

use super::named::plain;
use crate::error::{Error, ErrorKind};

/// Relations that one FROM joins.
const MAX_JOINED: usize = 128;
/// Relations that a statement reads, those of a name of WITH as often as it is read.
const MAX_RELATIONS: u64 = 1_000;
/// SELECTs of a statement.
const MAX_SELECTS: u64 = 1_000;
/// Subqueries in expressions, one in another.
const MAX_SUBQUERIES: usize = 16;
/// Operators and functions, one in another.
const MAX_DEPTH: usize = 1_300;

/// Measures a statement, and stops at the first limit.
#[derive(Default)]
pub(super) struct Extent {
    /// What each name of a WITH reads.
    named: HashMap<String, u64>,
    relations: u64,
    selects: u64,
    subqueries: usize,
    depth: usize,
}

impl VisitorMut for Extent {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            let mut inner = Self {
                named: self.named.clone(),
                ..Self::default()
            };
            table.query.visit(&mut inner)?;
            self.named.insert(plain(&table.alias.name), inner.relations.max(1));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        self.selects += 1;
        if self.selects > MAX_SELECTS {
            let what = format!("the statement has more than {MAX_SELECTS} SELECTs");
            return exceeded(what, "use VALUES for rows of constants, or split the statement");
        }
        let joined: usize = select.from.iter().map(|table| 1 + table.joins.len()).sum();
        if joined > MAX_JOINED {
            let what = format!("a FROM joins {joined} tables; at most {MAX_JOINED} can be planned");
            return exceeded(what, "join some of them first: CREATE TABLE temp.name AS SELECT …");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<Error> {
        let known = match relation.0.as_slice() {
            [name] => name.as_ident().and_then(|name| self.named.get(&plain(name))),
            _ => None,
        };
        self.relations = self.relations.saturating_add(known.copied().unwrap_or(1));
        if self.relations > MAX_RELATIONS {
            let what =
                format!("the statement reads more than {MAX_RELATIONS} tables; a name of WITH counts as often as it is read");
            return exceeded(what, "keep an intermediate result: CREATE TABLE temp.name AS SELECT …");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        self.depth += 1;
        self.subqueries += usize::from(has_query(expression));
        if self.subqueries > MAX_SUBQUERIES {
            let what = format!("subqueries nest more than {MAX_SUBQUERIES} deep");
            return exceeded(what, "use joins, or WITH, in place of subqueries in conditions");
        }
        if self.depth > MAX_DEPTH {
            let what = format!("an expression nests more than {MAX_DEPTH} deep");
            return exceeded(what, "compute a part of it in a subquery in FROM, or split the statement");
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        self.depth -= 1;
        self.subqueries -= usize::from(has_query(expression));
        ControlFlow::Continue(())
    }
}

fn has_query(expression: &Expr) -> bool {
    matches!(expression, Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. })
}

fn exceeded(what: String, hint: &str) -> ControlFlow<Error> {
    ControlFlow::Break(Error::new(ErrorKind::Limit, what).hint(hint))
}
