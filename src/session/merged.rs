//! Columns that USING and NATURAL merge.
//!
//! # Design
//! The engine (DataFusion 55) takes the left one of the two for the merged column. Of a row that only the right side has, that is NULL, so such
//! joins are refused. And it does not find the merged column in WHERE, nor anywhere where a second join merges columns, where it is written out
//! as one of the two; not so where a table that comes later may have a column of that name too: then it is for the statement to say which.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, Query, Select, SelectItem, TableFactor, TableWithJoins, VisitMut, VisitorMut,
};

use super::named::plain;
use crate::error::{Error, ErrorKind};

/// Refuses or rewrites the joins of a statement.
pub(super) struct Merged;

impl VisitorMut for Merged {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let mut names = Names::default();
        let mut in_select = false;
        for table in &select.from {
            if let Some(word) = outer_in(table) {
                let what = format!("{word} JOIN does not merge columns: where only the right side has a row, they would be NULL");
                let hint = "write ON a.k = b.k in place of USING or NATURAL, and coalesce(a.k, b.k) for the merged column";
                return ControlFlow::Break(Error::new(ErrorKind::Unsupported, what).hint(hint));
            }
            if select.from.len() == 1 {
                (names.of, in_select) = merged(table);
            }
        }
        if let Some(selection) = &mut select.selection
            && !names.of.is_empty()
        {
            let ControlFlow::Continue(()) = selection.visit(&mut names);
        }
        if in_select {
            let ControlFlow::Continue(()) = select.projection.visit(&mut names);
            let given = |name: &str| {
                let is_so = |item: &SelectItem| matches!(item, SelectItem::ExprWithAlias { alias, .. } if plain(alias) == name);
                select.projection.iter().any(is_so)
            };
            names.of.retain(|(name, _)| !given(name));
            let ControlFlow::Continue(()) = select.group_by.visit(&mut names);
        }
        ControlFlow::Continue(())
    }
}

/// How such a join is called, in brackets too.
fn outer_in(table: &TableWithJoins) -> Option<&'static str> {
    let in_brackets = |relation: &TableFactor| match relation {
        TableFactor::NestedJoin { table_with_joins, .. } => outer_in(table_with_joins),
        _ => None,
    };
    let of_join = |join: &Join| outer(&join.join_operator).or_else(|| in_brackets(&join.relation));
    in_brackets(&table.relation).or_else(|| table.joins.iter().find_map(of_join))
}

/// How a join is called that merges columns and may lack the left side.
fn outer(operator: &JoinOperator) -> Option<&'static str> {
    let (word, constraint) = match operator {
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => ("RIGHT", constraint),
        JoinOperator::FullOuter(constraint) => ("FULL", constraint),
        _ => return None,
    };
    matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural).then_some(word)
}

/// Columns that joins merge, with the name of the table that has each, as far as it is known; and whether a later join merges some, which
/// the engine does not find in a SELECT either.
fn merged(table: &TableWithJoins) -> (Vec<(String, Ident)>, bool) {
    let (mut found, mut is_late): (Vec<(String, Ident)>, bool) = (Vec::new(), false);
    for (place, join) in table.joins.iter().enumerate() {
        let keeps_right = matches!(join.join_operator, JoinOperator::Join(_) | JoinOperator::Inner(_));
        if using(join).next().is_none() {
            continue;
        }
        is_late |= place > 0;
        // Which of several tables to the left has the column is not known; of an inner join, the right one has the same value.
        let of = match (place, keeps_right) {
            (0, _) => name(&table.relation),
            (_, true) => name(&join.relation),
            (_, false) => None,
        };
        let Some(of) = of else { continue };
        for column in using(join) {
            if found.iter().all(|(known, _)| *known != column) {
                found.push((column, of.clone()));
            }
        }
    }
    found.retain(|(column, _)| !may_come_again(table, column));
    (found, is_late)
}

/// Whether a join behind the one that merges the column may bring another of its name.
fn may_come_again(table: &TableWithJoins, column: &str) -> bool {
    let merges = |join: &Join| using(join).any(|merged| merged == column);
    let mut behind = table.joins.iter().skip_while(|join| !merges(join));
    behind.any(|join| !merges(join))
}

/// Columns that a join merges by USING.
fn using(join: &Join) -> impl Iterator<Item = String> {
    let columns = match &join.join_operator {
        JoinOperator::Join(JoinConstraint::Using(columns))
        | JoinOperator::Inner(JoinConstraint::Using(columns))
        | JoinOperator::Left(JoinConstraint::Using(columns))
        | JoinOperator::LeftOuter(JoinConstraint::Using(columns)) => columns.as_slice(),
        _ => &[],
    };
    columns.iter().filter_map(|column| column.0.last()?.as_ident()).map(plain)
}

fn name(relation: &TableFactor) -> Option<Ident> {
    match relation {
        TableFactor::Table { name, alias, .. } => match alias {
            Some(alias) => Some(alias.name.clone()),
            None => name.0.last()?.as_ident().cloned(),
        },
        TableFactor::Derived { alias, .. } => alias.as_ref().map(|alias| alias.name.clone()),
        _ => None,
    }
}

/// Writes merged columns out, but not in subqueries, whose own tables may have such a column.
#[derive(Default)]
struct Names {
    of: Vec<(String, Ident)>,
    depth: usize,
}

impl VisitorMut for Names {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Identifier(column) = &*expression
            && self.depth == 0
            && let Some((_, left)) = self.of.iter().find(|(name, _)| *name == plain(column))
        {
            *expression = Expr::CompoundIdentifier(vec![left.clone(), column.clone()]);
        }
        ControlFlow::Continue(())
    }
}
