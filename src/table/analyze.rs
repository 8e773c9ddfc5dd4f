//! From INSERT, UPDATE and DELETE as the engine plans them to a [`WriteNode`]: a query for exactly the rows that are meant, feeding an
//! endpoint of the site.
//!
//! # Design
//! The engine's own way hands a table the filters that it could push down, and none where it could not: a DELETE with a subquery would mean
//! every row. Here the rows of an UPDATE or DELETE are those that a SELECT with the same WHERE and LIMIT returns, because they come from that
//! SELECT.

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{
    Cast, DmlStatement, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Projection, Values, WriteOp,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::provider::SiteTable;
use super::to_datafusion;
use super::write::WriteNode;
use crate::error::{Error, ErrorKind};
use crate::rest::arrow_field;
use crate::rest::site::Site;
use crate::rest::write::{Change, Output, Write};
use crate::schema::Table;

/// The analyzer rule.
#[derive(Debug, Default)]
pub(crate) struct WritesAsNodes;

impl AnalyzerRule for WritesAsNodes {
    fn name(&self) -> &'static str {
        "writes_as_nodes"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up(|plan| match &plan {
            LogicalPlan::Dml(dml) => match node(dml, Output::Count)? {
                Some(node) => Ok(Transformed::yes(node)),
                None => Ok(Transformed::no(plan)),
            },
            _ => Ok(Transformed::no(plan)),
        })
        .map(|transformed| transformed.data)
    }
}

/// The INSERT that answers the rows of its table; `None` where the plan is no INSERT into a table of the site.
pub(crate) fn insert_returning(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Dml(dml) if matches!(dml.op, WriteOp::Insert(_)) => node(dml, Output::Rows),
        _ => Ok(None),
    }
}

fn node(dml: &DmlStatement, output: Output) -> Result<Option<LogicalPlan>> {
    let provider = source_as_provider(&dml.target)?;
    let Some(target) = (provider.as_ref() as &dyn Any).downcast_ref::<SiteTable>() else {
        return Ok(None);
    };
    let (table, site) = (target.table(), target.site());
    let chosen = choose(dml, table, site).map_err(|error| to_datafusion(error.table(&table.name)))?;
    let input = as_given(dml)?;
    let schema = input.schema().clone();
    let column = |index: &usize| {
        let index = schema.index_of_column_by_name(None, &table.columns[*index].name);
        index.map(|index| Expr::Column(Column::from(schema.qualified_field(index))))
    };
    let expressions: Vec<Expr> = chosen.columns.iter().filter_map(column).collect();
    let input = LogicalPlanBuilder::from(input).project(expressions)?.build()?;
    let write = Write {
        table: table.clone(),
        change: chosen.change,
        columns: chosen.columns,
        set: chosen.set,
        output: if site.writing.dry_run { Output::Requests } else { output },
        alone: chosen.change != Change::Insert && tables(&dml.input) == 1,
    };
    let name = TableReference::bare(dml.table_name.table());
    WriteNode::plan(site.clone(), write, input, &name).map(Some)
}

/// How many tables a plan reads, those of its subqueries included.
fn tables(plan: &LogicalPlan) -> usize {
    let mut tables = 0;
    let walked = plan.apply_with_subqueries(|node| {
        tables += usize::from(matches!(node, LogicalPlan::TableScan(_)));
        Ok(TreeNodeRecursion::Continue)
    });
    // The closure never fails.
    debug_assert!(walked.is_ok());
    tables
}

/// The rows of a write as they were given: any value may be missing, and those to insert have not been made to fit their columns. Both are
/// looked at row by row, when it is known which row and column is wrong.
fn as_given(dml: &DmlStatement) -> Result<LogicalPlan> {
    let LogicalPlan::Projection(projection) = dml.input.as_ref() else {
        return Ok(dml.input.as_ref().clone());
    };
    let is_insert = matches!(dml.op, WriteOp::Insert(_));
    let below = projection.input.schema();
    let expressions = projection.expr.iter().map(|expression| match expression {
        Expr::Alias(alias) => match alias.expr.as_ref() {
            // The engine's own cast cuts fractions off, and makes a list with one element of any text.
            Expr::Cast(cast)
                if is_insert && matches!(*cast.expr, Expr::Column(_))
                    || has_fractions(&cast.expr, below)
                    || is_text_for_list(cast, below) =>
            {
                cast.expr.as_ref().clone().alias(&alias.name)
            }
            _ => expression.clone(),
        },
        _ => expression.clone(),
    });
    let input = match projection.input.as_ref() {
        LogicalPlan::Values(values) => {
            let open = |field: &FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
            let fields = values.schema.iter().map(|(name, field)| (name.cloned(), open(field)));
            let schema = DFSchema::new_with_metadata(fields.collect(), values.schema.metadata().clone())?;
            Arc::new(LogicalPlan::Values(Values {
                schema: Arc::new(schema),
                values: values.values.clone(),
            }))
        }
        _ => projection.input.clone(),
    };
    Projection::try_new(expressions.collect(), input).map(LogicalPlan::Projection)
}

/// Whether a text is given where a list is due.
fn is_text_for_list(cast: &Cast, schema: &DFSchema) -> bool {
    matches!(cast.field.data_type(), DataType::List(_)) && cast.expr.get_type(schema).is_ok_and(|kind| kind.is_string())
}

fn has_fractions(expression: &Expr, schema: &DFSchema) -> bool {
    let kind = expression.get_type(schema);
    kind.is_ok_and(|kind| kind.is_floating() || kind.is_decimal())
}

/// What a statement writes.
struct Chosen {
    change: Change,
    columns: Vec<usize>,
    set: Vec<usize>,
}

fn choose(dml: &DmlStatement, table: &Arc<Table>, site: &Site) -> Result<Chosen, Error> {
    let (change, verb) = match &dml.op {
        WriteOp::Insert(InsertOp::Append) => (Change::Insert, "INSERT"),
        WriteOp::Update => (Change::Update, "UPDATE"),
        WriteOp::Delete => (Change::Delete, "DELETE"),
        _ => {
            return Err(Error::new(ErrorKind::Unsupported, "the site has no such operation")
                .hint("use INSERT INTO, UPDATE and DELETE, with a WHERE that names the rows"));
        }
    };
    if site.writing.readonly {
        return Err(Error::new(
            ErrorKind::Permission,
            format!("{verb} is refused: the connection is read-only"),
        )
        .hint("connect with Readonly=false to write"));
    }
    let (takes, list) = match change {
        Change::Insert => (table.insert.is_some(), "insertable"),
        Change::Update => (!table.updates.is_empty(), "updatable"),
        Change::Delete => (table.delete.is_some(), "deletable"),
    };
    if !takes {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("the site has no operation for {verb} on this table"),
        )
        .hint(format!(
            "SELECT table_name FROM sys.tables WHERE {list} lists the tables that take it"
        )));
    }
    if change != Change::Insert && site.writing.require_where && !has_where(&dml.input) {
        return Err(
            Error::new(ErrorKind::Statement, format!("{verb} without WHERE would mean every row"))
                .hint("add WHERE, or connect with RequireWhere=false to mean every row"),
        );
    }
    match change {
        Change::Insert => inserted(dml, table),
        Change::Update => updated(dml, table),
        Change::Delete => {
            let mut columns: Vec<usize> = table.key().collect();
            add(&mut columns, table.delete.iter().flat_map(|delete| delete.sends()));
            Ok(Chosen {
                change,
                columns,
                set: Vec::new(),
            })
        }
    }
}

fn add(columns: &mut Vec<usize>, more: impl IntoIterator<Item = usize>) {
    for column in more {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
}

/// Whether the statement itself says which rows; a WHERE inside of a subquery or a view says nothing about that.
fn has_where(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(_) => true,
        LogicalPlan::Projection(node) => has_where(&node.input),
        LogicalPlan::Limit(node) => has_where(&node.input),
        LogicalPlan::Sort(node) => has_where(&node.input),
        _ => false,
    }
}

/// The expression of each column of the table, as INSERT and UPDATE plan them.
fn expressions<'a>(dml: &'a DmlStatement, table: &Table) -> Result<Vec<(usize, &'a Expr)>, Error> {
    let LogicalPlan::Projection(projection) = dml.input.as_ref() else {
        return Err(Error::new(ErrorKind::Internal, "a write was planned in an unknown way").hint("please report the statement"));
    };
    projection
        .expr
        .iter()
        .zip(projection.schema.fields())
        .map(|(expression, field)| {
            let expression = match expression {
                Expr::Alias(alias) => alias.expr.as_ref(),
                other => other,
            };
            table
                .column(field.name())
                .map(|column| (column, expression))
                .ok_or_else(|| Error::new(ErrorKind::Internal, format!("the table has no column {}", field.name())))
        })
        .collect()
}

fn is_null(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(cast) => is_null(&cast.expr),
        _ => false,
    }
}

fn inserted(dml: &DmlStatement, table: &Table) -> Result<Chosen, Error> {
    // A column that is not in the column list is planned as a constant NULL; one that is comes from the rows.
    let given: Vec<usize> = expressions(dml, table)?
        .into_iter()
        .filter(|(_, expression)| !is_null(expression))
        .map(|(column, _)| column)
        .collect();
    let takes = || takes(table, "INSERT", "insertable", |column| table.is_insertable(column));
    if let Some(&column) = given.iter().find(|&&column| !table.is_insertable(column)) {
        return Err(Error::new(
            ErrorKind::Statement,
            format!("INSERT cannot set {}: the site decides its value", table.columns[column].name),
        )
        .hint(takes()));
    }
    let needed = |column: &usize| table.insert.as_ref().is_some_and(|insert| insert.needs(*column));
    let missing: Vec<&str> = (0..table.columns.len())
        .filter(needed)
        .filter(|column| !given.contains(column))
        .map(|column| table.columns[column].name.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(Error::new(
            ErrorKind::Statement,
            format!("INSERT needs a value for {}", missing.join(", ")),
        )
        .hint(takes()));
    }
    fits(dml, table)?;
    Ok(Chosen {
        change: Change::Insert,
        columns: given,
        set: Vec::new(),
    })
}

/// Columns that a hint names.
const NAMED: usize = 24;

/// What a statement can set: the columns, or where they are listed when they are many.
fn takes(table: &Table, verb: &str, list: &str, is_taken: impl Fn(usize) -> bool) -> String {
    let names = (0..table.columns.len()).filter(|&column| is_taken(column));
    let names: Vec<&str> = names.map(|column| table.columns[column].name.as_str()).collect();
    if names.len() <= NAMED {
        return format!("{verb} takes {}", names.join(", "));
    }
    format!(
        "{verb} takes {} and more: SELECT column_name FROM sys.columns WHERE table_name = '{}' AND {list}",
        names[..NAMED].join(", "),
        table.name
    )
}

/// Constants that do not fit their columns: the engine would refuse them without saying where they stand, or cut them.
fn fits(dml: &DmlStatement, table: &Table) -> Result<(), Error> {
    let LogicalPlan::Projection(projection) = dml.input.as_ref() else {
        return Ok(());
    };
    let unfit = |place: String, column: usize, value: &ScalarValue| {
        let definition = &table.columns[column];
        let (name, kind) = (&definition.name, definition.kind.sql_name());
        let message = format!("{place}{name}: {value} is no {kind}; nothing was sent");
        Error::new(ErrorKind::Statement, message).hint("correct the value and run the statement again")
    };
    for (column, expression) in expressions(dml, table)? {
        let kind = arrow_field(&table.columns[column]).data_type().clone();
        match (without_cast(expression), projection.input.as_ref()) {
            (Expr::Literal(value, _), _) if !is_kept(value, &kind) => return Err(unfit(String::new(), column, value)),
            (Expr::Column(source), LogicalPlan::Values(values)) => {
                let Ok(position) = values.schema.index_of_column(source) else {
                    continue;
                };
                for (row, expressions) in values.values.iter().enumerate() {
                    if let Some(Expr::Literal(value, _)) = expressions.get(position).map(without_cast)
                        && !is_kept(value, &kind)
                    {
                        let place = format!("row {} of {}: ", row + 1, values.values.len());
                        return Err(unfit(place, column, value));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a value is the same in another type.
pub(crate) fn is_kept(value: &ScalarValue, kind: &DataType) -> bool {
    let Ok(other) = value.cast_to(kind) else { return false };
    let fraction = value.data_type().is_floating() || value.data_type().is_decimal();
    !(fraction && kind.is_integer()) || other.cast_to(&value.data_type()).is_ok_and(|back| back == *value)
}

fn without_cast(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast(cast) => without_cast(&cast.expr),
        other => other,
    }
}

fn updated(dml: &DmlStatement, table: &Table) -> Result<Chosen, Error> {
    let expressions = expressions(dml, table)?;
    // What is not assigned is the column itself, of the table itself: `SET name = other.name` is an assignment.
    let plain = |column: usize, expression: &Expr| match expression {
        Expr::Column(name) if name.name == table.columns[column].name => Some(name.relation.clone()),
        _ => None,
    };
    let own = expressions
        .iter()
        .find(|(column, _)| table.columns[*column].key)
        .and_then(|(column, expression)| plain(*column, expression));
    let set: Vec<usize> = expressions
        .iter()
        .filter(|(column, expression)| own.is_none() || plain(*column, expression) != own)
        .map(|(column, _)| *column)
        .filter(|&column| own.is_some() || table.columns[column].key)
        .collect();
    if let Some(&column) = set.iter().find(|&&column| table.columns[column].key) {
        return Err(Error::new(
            ErrorKind::Statement,
            format!("UPDATE cannot set {}: it is part of the key", table.columns[column].name),
        )
        .hint("the key says which row is changed; delete the row and insert another where the table allows it"));
    }
    let hint = takes(table, "UPDATE", "updatable", |column| table.is_updatable(column));
    if let Some(&column) = set.iter().find(|&&column| !table.is_updatable(column)) {
        let message = format!(
            "UPDATE cannot set {}: the site has no operation for it",
            table.columns[column].name
        );
        return Err(Error::new(ErrorKind::Statement, message).hint(hint));
    }
    if set.is_empty() {
        return Err(Error::new(ErrorKind::Statement, "UPDATE sets nothing: each column is set to itself").hint(hint));
    }
    fits(dml, table)?;
    let mut columns: Vec<usize> = table.key().collect();
    for update in table
        .updates
        .iter()
        .filter(|update| set.iter().any(|&column| update.sets(column)))
    {
        // Only what says which row it is: a column that is not set must not be sent.
        add(&mut columns, update.endpoint.placeholders());
    }
    add(&mut columns, set.iter().copied());
    Ok(Chosen {
        change: Change::Update,
        columns,
        set,
    })
}
