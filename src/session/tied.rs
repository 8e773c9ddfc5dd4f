//! What may stand in a subquery between its rows and the conditions that tie them to the rows around it.
//!
//! # Design
//! The engine (DataFusion 55) carries such a condition upwards through all that it knows nothing against. It is carried rightly through few
//! nodes, and these are listed: whatever else stands in its way is refused, with what to write instead. What does not look at the rows
//! around it is read as it is, unless the engine mistakes that for a part of the way (a LIMIT, apache/datafusion#25284, a total).

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Distinct, Expr, Filter, GroupingSet, Join, LogicalPlan, Operator, Projection, SkipType, Window,
};

use crate::error::{Error, ErrorKind};
use crate::table::to_datafusion;

/// Where a subquery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Exists,
    In,
    Value,
    Lateral,
}

/// What can always be written instead.
const JOIN: &str = "join the rows instead: … LEFT JOIN (SELECT k, count(*) AS n FROM … GROUP BY k) t ON t.k = …";

/// What can be written instead of LIMIT.
const NUMBER: &str = "number the rows in the subquery, row_number() OVER (ORDER BY …) AS n, and compare n around it";

pub(super) fn refused(what: &str, hint: &str) -> DataFusionError {
    to_datafusion(Error::new(ErrorKind::Unsupported, what).hint(hint))
}

fn refused_here(what: &str, hint: &str) -> DataFusionError {
    refused(
        &format!("{what}, in a subquery that looks at the rows around it, is not supported"),
        hint,
    )
}

/// Columns of the rows around a subquery that it looks at itself; a LATERAL inside of it has rows of its own around it.
fn outer(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut found = Vec::new();
    plan.apply(|plan| {
        if matches!(plan, LogicalPlan::Subquery(_)) {
            return Ok(TreeNodeRecursion::Jump);
        }
        plan.apply_expressions(|expression| {
            expression.apply(|expression| {
                if let Expr::OuterReferenceColumn(_, column) = expression {
                    found.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// Whether a subquery looks at the rows around it, or around these.
pub(super) fn is_tied(plan: &LogicalPlan) -> bool {
    !matches!(outer(plan).as_deref(), Ok([])) || !matches!(farther(plan).as_deref(), Ok([]))
}

/// Columns that subqueries of a subquery look at and that it does not have.
fn farther(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut found = Vec::new();
    plan.apply(|plan| {
        let inputs = plan.inputs();
        plan.apply_expressions(|expression| {
            expression.apply(|expression| {
                let inner = match expression {
                    Expr::Exists(exists) => &exists.subquery,
                    Expr::InSubquery(member) => &member.subquery,
                    Expr::ScalarSubquery(subquery) => subquery,
                    _ => return Ok(TreeNodeRecursion::Continue),
                };
                let columns = outer(&inner.subquery)?.into_iter().chain(farther(&inner.subquery)?);
                found.extend(columns.filter(|column| !inputs.iter().any(|input| input.schema().has_column(column))));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// Checks that a subquery looks no farther than at the rows around it.
///
/// # Errors
/// It does.
pub(super) fn check_scope(plan: &LogicalPlan, around: &DFSchema) -> Result<()> {
    let columns = outer(plan)?.into_iter().chain(farther(plan)?);
    let mut far = columns.filter(|column| !around.has_column(column));
    match far.next() {
        None if farther(plan)?.is_empty() => Ok(()),
        far => {
            let column = match far {
                Some(column) => column,
                None => farther(plan)?.remove(0),
            };
            Err(refused(
                &format!(
                    "a subquery inside of a subquery that looks at {column} is not supported: it sees the rows next around it"
                ),
                "join the tables of the two subqueries in one",
            ))
        }
    }
}

/// The plan, with what ties its rows as columns of their own, so that rows are grouped by these.
pub(super) fn computed(plan: LogicalPlan) -> Result<LogicalPlan> {
    let groups = |plan: &LogicalPlan| {
        matches!(
            plan,
            LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) | LogicalPlan::Window(_)
        )
    };
    if !plan.exists(|plan| Ok(groups(plan)))? || !ties(&plan)?.iter().any(is_computed) {
        return Ok(plan);
    }
    plan.transform_up(|plan| match plan {
        LogicalPlan::Subquery(_) => Ok(Transformed::no(plan)),
        LogicalPlan::Filter(filter) if split_conjunction(&filter.predicate).into_iter().any(is_computed) => {
            let mut columns: Vec<Expr> = filter.input.schema().columns().into_iter().map(Expr::Column).collect();
            let terms = split_conjunction_owned(filter.predicate).into_iter().map(|term| {
                let Expr::BinaryExpr(BinaryExpr { left, op, right }) = term else {
                    return term;
                };
                let is_tie = is_computed(&Expr::BinaryExpr(BinaryExpr::new(left.clone(), op, right.clone())));
                let mut side = |side: Box<Expr>| {
                    if !is_tie || side.contains_outer() {
                        return side;
                    }
                    let name = format!("tied by {side}");
                    let column = side.alias(&name);
                    if !columns.contains(&column) {
                        columns.push(column);
                    }
                    Box::new(Expr::Column(Column::new_unqualified(name)))
                };
                let (left, right) = (side(left), side(right));
                Expr::BinaryExpr(BinaryExpr::new(left, op, right))
            });
            let terms = conjunction(terms.collect::<Vec<_>>());
            let input = Arc::new(LogicalPlan::Projection(Projection::try_new(columns, filter.input)?));
            match terms {
                Some(terms) => Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(terms, input)?))),
                None => Ok(Transformed::yes(input.as_ref().clone())),
            }
        }
        plan => Ok(Transformed::yes(plan.recompute_schema()?)),
    })
    .data()
}

/// Whether a term compares with something that is computed of the subquery's own columns.
fn is_computed(term: &Expr) -> bool {
    let Some(inner) = compared(term) else { return false };
    !matches!(inner, Expr::Column(_)) && !inner.column_refs().is_empty() && !inner.is_volatile() && !has_subquery(inner)
}

/// What of the subquery's own is equal to something of the rows around it.
fn compared(term: &Expr) -> Option<&Expr> {
    let Expr::BinaryExpr(BinaryExpr {
        left,
        op: Operator::Eq,
        right,
    }) = term
    else {
        return None;
    };
    let is_outer = |side: &Expr| side.contains_outer() && side.column_refs().is_empty();
    match (is_outer(left), is_outer(right)) {
        (true, false) if !right.contains_outer() => Some(right),
        (false, true) if !left.contains_outer() => Some(left),
        _ => None,
    }
}

fn has_subquery(expression: &Expr) -> bool {
    let is_one = |expression: &Expr| matches!(expression, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_));
    !matches!(expression.exists(|expression| Ok(is_one(expression))), Ok(false))
}

/// What ties rows: conditions on the rows around them.
fn ties(plan: &LogicalPlan) -> Result<Vec<Expr>> {
    let mut found = Vec::new();
    plan.apply(|plan| {
        match plan {
            LogicalPlan::Subquery(_) => return Ok(TreeNodeRecursion::Jump),
            LogicalPlan::Filter(filter) => {
                let terms = split_conjunction(&filter.predicate).into_iter();
                found.extend(terms.filter(|term| term.contains_outer()).cloned());
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The columns by which rows are tied, if all ties are such.
fn keys(plan: &LogicalPlan) -> Result<Option<BTreeSet<Column>>> {
    let ties = ties(plan)?;
    let keys = ties.iter().map(|tie| match compared(tie) {
        Some(Expr::Column(column)) => Some(column.clone()),
        _ => None,
    });
    Ok(keys.collect())
}

/// The plan, with every window over the rows of one row around them.
pub(super) fn partitioned(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up(|plan| match plan {
        LogicalPlan::Window(window) if !outer(&window.input)?.is_empty() => {
            let keys = keys(&window.input)?.filter(|keys| keys.iter().all(|key| window.input.schema().has_column(key)));
            let Some(keys) = keys else {
                return Err(refused_here(
                    "a window over rows that are not tied by columns of its own FROM, compared by =",
                    "compute the window in a query of its own, PARTITION BY what ties the rows, and join it",
                ));
            };
            let windows = window.window_expr.into_iter().map(|expression| {
                let name = expression.schema_name().to_string();
                let by_keys = expression.transform_up(|expression| match expression {
                    Expr::WindowFunction(window) => {
                        let WindowFunction { fun, mut params } = *window;
                        let missing = keys.iter().cloned().map(Expr::Column);
                        let missing: Vec<Expr> = missing.filter(|key| !params.partition_by.contains(key)).collect();
                        params.partition_by.extend(missing);
                        Ok(Transformed::yes(Expr::WindowFunction(Box::new(WindowFunction {
                            fun,
                            params,
                        }))))
                    }
                    other => Ok(Transformed::no(other)),
                });
                let by_keys = by_keys.data()?;
                Ok(if by_keys.schema_name().to_string() == name {
                    by_keys
                } else {
                    by_keys.alias(name)
                })
            });
            let windows = windows.collect::<Result<Vec<_>>>()?;
            Ok(Transformed::yes(LogicalPlan::Window(Window::try_new(windows, window.input)?)))
        }
        plan => Ok(Transformed::no(plan)),
    })
    .data()
}

/// Checks that all ties of a subquery can be carried to its rows.
///
/// # Errors
/// The engine would read it otherwise than it says.
pub(super) fn check(plan: &LogicalPlan, place: Place) -> Result<()> {
    Way { place, found: false }.go(plan, true)
}

/// The way through a subquery, in the order in which the engine goes.
struct Way {
    place: Place,
    /// Whether a tie was found.
    found: bool,
}

impl Way {
    /// `above` says whether only the rows of the subquery itself are above.
    fn go(&mut self, plan: &LogicalPlan, above: bool) -> Result<()> {
        if outer(plan)?.is_empty() {
            return self.beside(plan);
        }
        let own = |plan: &LogicalPlan| plan.contains_outer_reference();
        match plan {
            LogicalPlan::Projection(_) if own(plan) => Err(refused_here(
                "a column of the rows around, in SELECT",
                "compare with it in WHERE, and compute with it outside of the subquery",
            )),
            LogicalPlan::Projection(projection) => self.go(&projection.input, above),
            LogicalPlan::SubqueryAlias(alias) => self.go(&alias.input, above),
            LogicalPlan::Filter(filter) => {
                self.go(&filter.input, above)?;
                self.found |= own(plan);
                Ok(())
            }
            LogicalPlan::Sort(_) => Err(refused_here("ORDER BY", NUMBER)),
            LogicalPlan::Limit(limit) => match limit.get_skip_type()? {
                SkipType::Literal(0) => Err(refused_here("LIMIT", NUMBER)),
                _ => Err(refused_here("OFFSET", NUMBER)),
            },
            LogicalPlan::Distinct(Distinct::All(input)) => {
                self.go(input, false)?;
                self.check_groups(input)
            }
            LogicalPlan::Aggregate(_) if own(plan) => {
                Err(refused_here("a column of the rows around, in a total or a group", JOIN))
            }
            LogicalPlan::Aggregate(aggregate) => {
                if aggregate.group_expr.iter().any(has_total) {
                    return Err(refused_here("ROLLUP, CUBE or GROUPING SETS with ()", JOIN));
                }
                if aggregate.group_expr.is_empty() && !above {
                    return Err(refused_here("a total that more is made of", JOIN));
                }
                self.go(&aggregate.input, false)?;
                match aggregate.aggr_expr.is_empty() {
                    true => self.check_groups(&aggregate.input),
                    false => Self::check_keys(&aggregate.input),
                }
            }
            // Its partitions are those of the ties.
            LogicalPlan::Window(window) if !own(plan) => self.go(&window.input, false),
            LogicalPlan::Join(join) => self.join(join, own(plan)),
            LogicalPlan::Union(_) => Err(refused_here("UNION", JOIN)),
            LogicalPlan::Unnest(_) => Err(refused_here(
                "unnest",
                "unnest in a query of its own: FROM (SELECT id, unnest(xs) AS x FROM t) u",
            )),
            _ => Err(refused_here("this", JOIN)),
        }
    }

    /// Groups without a total: more of them are the same for EXISTS and IN.
    fn check_groups(&self, input: &LogicalPlan) -> Result<()> {
        match self.place {
            Place::Exists | Place::In => Ok(()),
            Place::Value | Place::Lateral => Self::check_keys(input),
        }
    }

    fn check_keys(input: &LogicalPlan) -> Result<()> {
        match keys(input)? {
            Some(_) => Ok(()),
            None => Err(refused_here(
                "a group or total of rows that are tied otherwise than by =",
                JOIN,
            )),
        }
    }

    fn join(&mut self, join: &Join, own: bool) -> Result<()> {
        if own {
            return Err(refused_here(
                "a column of the rows around, in ON",
                "write that condition into WHERE",
            ));
        }
        let (left, right) = match join.join_type {
            JoinType::Inner => (true, true),
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (true, false),
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (false, true),
            JoinType::Full => (false, false),
        };
        for (side, may) in [(&join.left, left), (&join.right, right)] {
            if !may && !outer(side)?.is_empty() {
                // apache/datafusion#25507
                return Err(match join.join_type {
                    JoinType::Left | JoinType::Right | JoinType::Full => refused_here(
                        "a condition on the rows around, below an outer join that completes with NULL",
                        "write the condition above the join, in WHERE, or count in a query of its own and join that",
                    ),
                    _ => refused_here("EXCEPT or INTERSECT", "write EXISTS and NOT EXISTS for them"),
                });
            }
        }
        self.go(&join.left, false)?;
        self.go(&join.right, false)
    }

    /// What does not look at the rows around: the engine takes a LIMIT in it away once it has found a tie, and takes a total for one of those
    /// that need a row where there is none.
    fn beside(&self, plan: &LogicalPlan) -> Result<()> {
        if !self.found {
            return Ok(());
        }
        let is_mistaken = |plan: &LogicalPlan| match plan {
            LogicalPlan::Limit(_) => self.place == Place::Exists,
            LogicalPlan::Aggregate(aggregate) => self.place == Place::Lateral && aggregate.group_expr.is_empty(),
            _ => false,
        };
        match plan.exists(|plan| Ok(is_mistaken(plan)))? {
            false => Ok(()),
            true => Err(refused_here(
                "LIMIT or a total behind a part that looks at them",
                "write that part of FROM first",
            )),
        }
    }
}

/// Whether grouping makes a row of no rows.
fn has_total(group: &Expr) -> bool {
    match group {
        Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => sets.iter().any(Vec::is_empty),
        Expr::GroupingSet(_) => true,
        _ => false,
    }
}
