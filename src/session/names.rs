//! Which columns a statement can mean, before it is planned: so that a table whose columns depend on the site need not ask the site
//! about columns that nobody names.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as SqlStatement;
use datafusion::sql::sqlparser::ast::{
    AssignmentTarget, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, Visit, Visitor,
};

/// Names that stand where a column may stand; `None` where columns are meant that are not named, as by `*`.
pub(super) fn names(statement: &SqlStatement) -> Option<HashSet<String>> {
    let statement = match statement {
        SqlStatement::Statement(statement) => statement.as_ref(),
        SqlStatement::Explain(explain) => return names(&explain.statement),
        _ => return None,
    };
    let mut found = Names::default();
    let statement = match statement {
        Statement::Explain { statement, .. } => statement,
        statement => statement,
    };
    match statement {
        Statement::Query(_) => {}
        Statement::Insert(insert) => {
            // Without a list of columns, all of them are meant.
            if insert.columns.is_empty() || insert.on.is_some() || !insert.assignments.is_empty() {
                return None;
            }
            insert.columns.iter().for_each(|column| found.add_last(column));
            if insert.returning.iter().flatten().any(is_wildcard) {
                return None;
            }
        }
        Statement::Update(update) => {
            for assignment in &update.assignments {
                match &assignment.target {
                    AssignmentTarget::ColumnName(column) => found.add_last(column),
                    AssignmentTarget::Tuple(columns) => columns.iter().for_each(|column| found.add_last(column)),
                }
            }
        }
        Statement::Delete(_) => {}
        // DESCRIBE, SHOW and whatever else looks at a table as a whole.
        _ => return None,
    }
    match statement.visit(&mut found) {
        ControlFlow::Continue(()) => Some(found.0),
        ControlFlow::Break(()) => None,
    }
}

#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    /// Adds the column that a name with or without its table means.
    fn add_last(&mut self, name: &ObjectName) {
        if let Some(ident) = name.0.last().and_then(ObjectNamePart::as_ident) {
            self.add(ident);
        }
    }

    fn add(&mut self, ident: &Ident) {
        self.0.insert(match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => ident.value.to_lowercase(),
        });
    }
}

fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        match query.body.as_ref() {
            // `TABLE t` is `SELECT * FROM t`.
            SetExpr::Table(_) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        // These take columns by what both sides happen to have.
        let merges = |operator: &JoinOperator| {
            use JoinOperator::*;
            match operator {
                Join(constraint)
                | Inner(constraint)
                | Left(constraint)
                | LeftOuter(constraint)
                | Right(constraint)
                | RightOuter(constraint)
                | FullOuter(constraint) => !matches!(constraint, JoinConstraint::On(_) | JoinConstraint::None),
                CrossJoin(_) => false,
                _ => true,
            }
        };
        let joins = select.from.iter().flat_map(|from| &from.joins);
        if select.projection.iter().any(is_wildcard) || joins.into_iter().any(|join| merges(&join.join_operator)) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            // An alias with columns names them by their position.
            TableFactor::Table { alias, args: None, .. } | TableFactor::Derived { alias, .. }
                if alias.as_ref().is_none_or(|alias| alias.columns.is_empty()) =>
            {
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(()),
        }
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Identifier(ident) => self.add(ident),
            // Before the last stands a table.
            Expr::CompoundIdentifier(idents) => idents.iter().last().into_iter().for_each(|ident| self.add(ident)),
            Expr::QualifiedWildcard(..) => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
