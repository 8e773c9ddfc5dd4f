//! Subqueries that stand for one value.
//!
//! # Design
//! The engine (DataFusion 55) takes such a value to be as sure as the column it comes from. It is NULL all the same where the subquery has
//! no row: a key would never be, so `IS NULL` was folded away, and a write with it hit other rows. So what a subquery answers goes through
//! a function that says that it may be NULL.
//!
//! VALUES is computed while the statement is planned, before any subquery has run. So rows with a subquery in them become a projection
//! over the other values.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::logical_plan::Subquery;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, Projection, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Union, Values, Volatility, lit,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

/// The analyzer rule.
#[derive(Debug)]
pub(super) struct OneValue;

impl AnalyzerRule for OneValue {
    fn name(&self) -> &'static str {
        "one_value"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut has_some = false;
        plan.apply_with_subqueries(|plan| {
            plan.apply_expressions(|expression| {
                has_some |= has_subquery(expression)?;
                Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
            })
        })?;
        if !has_some {
            return Ok(plan);
        }
        plan.transform_up_with_subqueries(|plan| {
            let plan = plan.map_expressions(|expression| expression.transform_up(may_be_null))?.data;
            let plan = match plan {
                LogicalPlan::Values(values) => after_subqueries(values)?,
                LogicalPlan::Union(union) => LogicalPlan::Union(of_inputs(union)?),
                plan => plan.recompute_schema()?,
            };
            Ok(Transformed::yes(plan))
        })
        .data()
    }
}

fn has_subquery(expression: &Expr) -> Result<bool> {
    expression.exists(|expression| Ok(matches!(expression, Expr::ScalarSubquery(_))))
}

fn may_be_null(expression: Expr) -> Result<Transformed<Expr>> {
    Ok(match expression {
        Expr::ScalarSubquery(subquery) => Transformed::yes(Expr::ScalarSubquery(opened(subquery)?)),
        // A column of a query around this one may be such a value.
        Expr::OuterReferenceColumn(field, column) if !field.is_nullable() => {
            Transformed::yes(Expr::OuterReferenceColumn(open(&field), column))
        }
        expression => Transformed::no(expression),
    })
}

fn open(field: &Field) -> FieldRef {
    Arc::new(field.clone().with_nullable(true))
}

/// The subquery, of which the engine knows that it may have no row.
fn opened(subquery: Subquery) -> Result<Subquery> {
    let schema = subquery.subquery.schema();
    if schema.fields().len() != 1 || schema.field(0).is_nullable() {
        return Ok(subquery);
    }
    let (table, field) = schema.qualified_field(0);
    // Columns that tie a subquery to the query around it come to stand beside the value: none of them may have its name.
    let name = match table {
        Some(_) if !subquery.outer_ref_columns.is_empty() => "or_null",
        _ => field.name(),
    };
    let column = Expr::Column(Column::from((table, field)));
    let value = or_null(column).alias(name);
    let plan = Projection::try_new(vec![value], subquery.subquery.clone())?;
    Ok(subquery.with_plan(Arc::new(LogicalPlan::Projection(plan))))
}

/// An expression that the engine does not look into.
pub(super) fn or_null(expression: Expr) -> Expr {
    let function = ScalarUDF::from(OrNull {
        signature: Signature::any(1, Volatility::Volatile),
    });
    function.call(vec![expression])
}

/// What it is given, which may be NULL as far as a plan can know.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OrNull {
    /// Said to be volatile: of a constant, the engine would compute it and know better again.
    signature: Signature,
}

impl ScalarUDFImpl for OrNull {
    fn name(&self) -> &'static str {
        "or_null"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(args
            .arg_fields
            .first()
            .map_or_else(|| open(&Field::new("or_null", DataType::Null, true)), |field| open(field)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(args
            .args
            .into_iter()
            .next()
            .unwrap_or(ColumnarValue::Scalar(ScalarValue::Null)))
    }
}

/// A union whose columns may be NULL where they may be in one of its inputs.
pub(super) fn of_inputs(union: Union) -> Result<Union> {
    let may_be_null = |place: usize| union.inputs.iter().any(|input| input.schema().field(place).is_nullable());
    let fields = union.schema.iter().enumerate().map(|(place, (qualifier, field))| {
        let field = if may_be_null(place) { open(field) } else { field.clone() };
        (qualifier.cloned(), field)
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), union.schema.metadata().clone())?;
    Ok(Union {
        schema: Arc::new(schema),
        inputs: union.inputs,
    })
}

/// The name of the column that numbers the rows of VALUES.
const ROW: &str = "row of values";

/// The same rows, with their subqueries above what is computed while the statement is planned.
fn after_subqueries(values: Values) -> Result<LogicalPlan> {
    let mut late: Vec<Vec<(usize, Expr)>> = vec![Vec::new(); values.schema.fields().len()];
    let mut rows = values.values;
    for (number, row) in rows.iter_mut().enumerate() {
        for (place, value) in row.iter_mut().enumerate() {
            if has_subquery(value)? {
                let nothing = Expr::Literal(ScalarValue::try_from(values.schema.field(place).data_type())?, None);
                late[place].push((number, std::mem::replace(value, nothing)));
            }
        }
        row.push(lit(number as u64));
    }
    if late.iter().all(Vec::is_empty) {
        rows.iter_mut().for_each(|row| drop(row.pop()));
        return Ok(LogicalPlan::Values(Values { values: rows, ..values }));
    }
    let mut fields: Vec<_> = values
        .schema
        .iter()
        .map(|(name, field)| (name.cloned(), field.clone()))
        .collect();
    for ((_, field), late) in fields.iter_mut().zip(&late) {
        if !late.is_empty() {
            *field = open(field);
        }
    }
    let columns: Vec<Column> = values.schema.columns();
    fields.push((None, Arc::new(Field::new(ROW, DataType::UInt64, false))));
    let schema = Arc::new(DFSchema::new_with_metadata(fields, values.schema.metadata().clone())?);
    let row = Expr::Column(Column::from_name(ROW));
    let chosen = columns.into_iter().zip(late).map(|(column, late)| {
        if late.is_empty() {
            return Expr::Column(column);
        }
        let choices = late
            .into_iter()
            .map(|(number, value)| (Box::new(row.clone().eq(lit(number as u64))), Box::new(value)));
        let name = column.name.clone();
        Expr::Case(Case::new(None, choices.collect(), Some(Box::new(Expr::Column(column))))).alias(name)
    });
    let chosen = chosen.collect();
    let below = LogicalPlan::Values(Values { schema, values: rows });
    Projection::try_new(chosen, Arc::new(below)).map(LogicalPlan::Projection)
}
