//! Texts that a column is compared with and never has: `status_category = 'Done'` is no error in SQL, it is no row. Whoever wrote it is told.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Case, Expr, LogicalPlan, Operator};

use crate::schema::Table;
use crate::table::site_table;

/// What is worth knowing about the texts that a statement compares columns with, each once.
pub(super) fn warnings(plan: &LogicalPlan) -> Result<Vec<String>> {
    let mut tables = HashMap::new();
    plan.apply_with_subqueries(|node| {
        let (name, scan) = match node {
            LogicalPlan::TableScan(scan) => (&scan.table_name, scan),
            LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
                LogicalPlan::TableScan(scan) => (&alias.alias, scan),
                _ => return Ok(TreeNodeRecursion::Continue),
            },
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        if let Some(table) = site_table(scan) {
            tables.insert(name.clone(), table);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut found = Vec::new();
    if tables
        .values()
        .all(|table| table.columns.iter().all(|column| column.one_of.is_empty()))
    {
        return Ok(found);
    }
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                for (column, value) in compared(expression) {
                    let warning = warning(&tables, column, value);
                    found.extend(warning.filter(|warning| !found.contains(warning)));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

fn warning(tables: &HashMap<TableReference, Arc<Table>>, column: &Column, value: &str) -> Option<String> {
    let table = tables.get(column.relation.as_ref()?)?;
    let column = &table.columns[table.column(&column.name)?];
    // What an input column may be is checked before the site is asked.
    if column.one_of.is_empty() || column.input || column.one_of.iter().any(|known| known == value) {
        return None;
    }
    let (table, column, known) = (&table.name, &column.name, column.one_of.join(", "));
    Some(format!("{table}: {column} is never '{value}'; it is one of {known}"))
}

/// The columns that an expression compares with texts.
fn compared(expression: &Expr) -> Vec<(&Column, &str)> {
    match expression {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq | Operator::NotEq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom,
            right,
        }) => pair(left, right).or_else(|| pair(right, left)).into_iter().collect(),
        Expr::InList(InList { expr, list, .. }) => list.iter().filter_map(|value| pair(expr, value)).collect(),
        Expr::Case(Case {
            expr: Some(base),
            when_then_expr,
            ..
        }) => when_then_expr.iter().filter_map(|(value, _)| pair(base, value)).collect(),
        _ => Vec::new(),
    }
}

fn pair<'a>(column: &'a Expr, value: &'a Expr) -> Option<(&'a Column, &'a str)> {
    match (column, value) {
        (Expr::Column(column), Expr::Literal(value, _)) => Some((column, value.try_as_str()??)),
        _ => None,
    }
}
