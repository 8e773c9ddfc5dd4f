//! Moments in the unit that holds them: dates, timestamps of the site, texts and `now()` meet in milliseconds.
//!
//! # Design
//! The engine (DataFusion 55) lets them meet in nanoseconds, which hold the years 1677 to 2262: one due date of 9999-12-31 would fail every
//! statement that compares it with `now()`, and an average of what timestamps differ by would overflow without a word, at 292 years
//! altogether. Milliseconds hold whatever a date or a column of the site says. So a cast to nanoseconds becomes one to the unit that its
//! input has, and the engine's own coercion, run once more, finds the finer of two units where they differ. Texts are completed on the way:
//! to arrow, a time has seconds.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::functions::datetime;
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Values, Volatility,
};
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::optimizer::analyzer::type_coercion::{TypeCoercion, TypeCoercionRewriter, coerce_union_schema};

use super::rewrite::expressions;

/// The analyzer rule; it must come after the engine's own coercion of types.
#[derive(Debug)]
pub(super) struct MomentsInTheirUnit;

impl AnalyzerRule for MomentsInTheirUnit {
    fn name(&self) -> &'static str {
        "moments_in_their_unit"
    }

    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let settled = plan.transform_up_with_subqueries(node)?;
        match settled.transformed {
            true => TypeCoercion::new().analyze(settled.data, config),
            false => Ok(settled.data),
        }
    }
}

fn node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::Values(values) = plan {
        return rows(values).map(|rows| rows.update_data(LogicalPlan::Values));
    }
    let settled = expressions(plan, |expression, schema| {
        expression.transform_up(|expression| match expression {
            Expr::Cast(Cast { expr, field }) => {
                let (expr, settled, changed) = cast(*expr, field, schema);
                let cast = Expr::Cast(Cast::new_from_field(Box::new(expr), settled));
                Ok(Transformed::new_transformed(cast, changed))
            }
            Expr::TryCast(TryCast { expr, field }) => {
                let (expr, settled, changed) = cast(*expr, field, schema);
                let cast = Expr::TryCast(TryCast::new_from_field(Box::new(expr), settled));
                Ok(Transformed::new_transformed(cast, changed))
            }
            other => Ok(Transformed::no(other)),
        })
    })?;
    settled.map_data(|plan| match plan {
        LogicalPlan::Union(mut union) => {
            let types = |schema: &DFSchema| {
                schema
                    .fields()
                    .iter()
                    .map(|field| field.data_type().clone())
                    .collect::<Vec<_>>()
            };
            if union.inputs.iter().all(|input| types(input.schema()) == types(&union.schema)) {
                return Ok(LogicalPlan::Union(union));
            }
            union.schema = Arc::new(coerce_union_schema(&union.inputs)?);
            TypeCoercionRewriter::coerce_union(union)
        }
        plan => plan.recompute_schema(),
    })
}

/// Whether a clock may show another time than that of UTC.
pub(super) fn is_elsewhere(zone: &str) -> bool {
    !matches!(zone, "UTC" | "Z" | "+00:00" | "GMT" | "Etc/UTC")
}

/// The input of a cast by the clock of its zone. A day begins at midnight there, and what the clock shows is what is left where the zone
/// goes; the engine's casts take the clock of UTC for both.
fn by_the_clock(input: Expr, from: &DataType, unit: TimeUnit, zone: Option<&str>) -> Transformed<Expr> {
    match (from, zone) {
        (DataType::Date32 | DataType::Date64, Some(zone)) if is_elsewhere(zone) => {
            let midnight = Expr::Cast(Cast::new(Box::new(input), DataType::Timestamp(unit, None)));
            Transformed::yes(midnight)
        }
        (DataType::Timestamp(_, Some(own)), None) if is_elsewhere(own) => {
            Transformed::yes(datetime::to_local_time().call(vec![input]))
        }
        _ => Transformed::no(input),
    }
}

/// Literal rows, whose types are settled when they are made: dates meet `now()` in nanoseconds.
fn rows(mut values: Values) -> Result<Transformed<Values>> {
    let none = DFSchema::empty();
    let mut changed = false;
    let mut fields: Vec<_> = values
        .schema
        .iter()
        .map(|(table, field)| (table.cloned(), field.clone()))
        .collect();
    for (place, (_, field)) in fields.iter_mut().enumerate() {
        let DataType::Timestamp(TimeUnit::Nanosecond, zone) = field.data_type() else {
            continue;
        };
        // The finest unit of what stands there; nothing where NULL does.
        let unit = |value: &Expr| match value {
            Expr::Cast(Cast { expr, field }) => match cast(expr.as_ref().clone(), field.clone(), &none).1.data_type() {
                DataType::Timestamp(unit, _) => Some(*unit),
                _ => None,
            },
            Expr::Literal(value, _) if value.is_null() => None,
            _ => Some(TimeUnit::Nanosecond),
        };
        let Some(finest) = values.values.iter().filter_map(|row| unit(&row[place])).max() else {
            continue;
        };
        if finest == TimeUnit::Nanosecond {
            continue;
        }
        let settled = DataType::Timestamp(finest, zone.clone());
        for row in &mut values.values {
            let value = std::mem::replace(&mut row[place], Expr::Literal(ScalarValue::Null, None));
            row[place] = match value {
                Expr::Cast(Cast { expr, field }) => {
                    let (input, _, _) = cast(*expr, field.clone(), &none);
                    let field = field.as_ref().clone().with_data_type(settled.clone());
                    Expr::Cast(Cast::new_from_field(Box::new(input), Arc::new(field)))
                }
                _ => Expr::Literal(ScalarValue::try_from(&settled)?, None),
            };
        }
        *field = Arc::new(field.as_ref().clone().with_data_type(settled));
        changed = true;
    }
    if changed {
        values.schema = Arc::new(DFSchema::new_with_metadata(fields, values.schema.metadata().clone())?);
    }
    Ok(Transformed::new_transformed(values, changed))
}

/// The input and the type of a cast to a timestamp, and whether they are others than before.
fn cast(input: Expr, to: FieldRef, schema: &DFSchema) -> (Expr, FieldRef, bool) {
    // The type of a parameter may be open.
    let (DataType::Timestamp(unit, zone), Ok(from)) = (to.data_type(), input.get_type(schema)) else {
        return (input, to, false);
    };
    let clock = by_the_clock(input, &from, TimeUnit::Millisecond, zone.as_deref());
    if clock.transformed {
        let (input, to, _) = cast(clock.data, to, schema);
        return (input, to, true);
    }
    let input = clock.data;
    let (input, digits) = match input {
        Expr::Literal(value, metadata) => match value.try_as_str() {
            Some(Some(text)) => {
                let (text, digits, completed) = complete(text.to_owned());
                (
                    Expr::Literal(ScalarValue::Utf8(Some(text)), metadata),
                    Some((digits, completed)),
                )
            }
            _ => (Expr::Literal(value, metadata), None),
        },
        input => (input, None),
    };
    let completed = digits.is_some_and(|(_, completed)| completed);
    let settled = match (unit, &from, digits) {
        (TimeUnit::Nanosecond, _, Some((0..=3, _))) | (TimeUnit::Nanosecond, DataType::Date32 | DataType::Date64, _) => {
            TimeUnit::Millisecond
        }
        (TimeUnit::Nanosecond, _, Some((4..=6, _))) => TimeUnit::Microsecond,
        (TimeUnit::Nanosecond, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, None) => TimeUnit::Microsecond,
        (TimeUnit::Nanosecond, DataType::Timestamp(own, _), _) => *own,
        (unit, ..) => *unit,
    };
    if settled == *unit {
        return (input, to, completed);
    }
    let settled = DataType::Timestamp(settled, zone.clone());
    (input, Arc::new(to.as_ref().clone().with_data_type(settled)), true)
}

/// A moment with seconds, the digits of their fraction, and whether they were missing: `2026-10-28 09:00+01` → `2026-10-28 09:00:00+01`.
fn complete(text: String) -> (String, usize, bool) {
    // `2026-10-28 09:00`
    const MINUTES: &[u8] = b"dddd-dd-dd dd:dd";
    let matches = |(byte, form): (&u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        b' ' => matches!(byte, b' ' | b'T' | b't'),
        form => byte == form,
    };
    let bytes = text.as_bytes();
    let has_minutes = bytes.len() >= MINUTES.len() && bytes.iter().zip(MINUTES).all(matches);
    if has_minutes && !matches!(bytes.get(MINUTES.len()), Some(b':')) {
        let (moment, zone) = text.split_at(MINUTES.len());
        return (format!("{moment}:00{zone}"), 0, true);
    }
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    (text, digits, false)
}

/// The moment at which a statement was planned, in milliseconds.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Now {
    signature: Signature,
    aliases: Vec<String>,
    zone: Option<Arc<str>>,
}

impl Now {
    fn new(zone: Option<Arc<str>>) -> Self {
        Self {
            signature: Signature::nullary(Volatility::Stable),
            aliases: vec!["current_timestamp".into()],
            zone,
        }
    }

    /// The function, in place of the engine's, with the zone of these settings.
    pub(super) fn function(config: &ConfigOptions) -> ScalarUDF {
        ScalarUDF::from(Self::new(config.execution.time_zone.as_deref().map(Into::into)))
    }
}

impl ScalarUDFImpl for Now {
    fn name(&self) -> &str {
        "now"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        Some(Self::function(config))
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        let moment = DataType::Timestamp(TimeUnit::Millisecond, self.zone.clone());
        Ok(Arc::new(Field::new(self.name(), moment, false)))
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Millisecond, self.zone.clone()))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("now() is a constant of the plan")
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match info.query_execution_start_time() {
            None => ExprSimplifyResult::Original(args),
            Some(now) => {
                let now = ScalarValue::TimestampMillisecond(Some(now.timestamp_millis()), self.zone.clone());
                ExprSimplifyResult::Simplified(Expr::Literal(now, None))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_completed_and_their_digits_counted() {
        for (text, completed, digits) in [
            ("2026-10-28", "2026-10-28", 0),
            ("2026-10-28 09:00", "2026-10-28 09:00:00", 0),
            ("2026-10-28T09:00", "2026-10-28T09:00:00", 0),
            ("2026-10-28T09:00Z", "2026-10-28T09:00:00Z", 0),
            ("2026-10-28 09:00+02:00", "2026-10-28 09:00:00+02:00", 0),
            ("2026-10-28 09:00 Europe/Berlin", "2026-10-28 09:00:00 Europe/Berlin", 0),
            ("2026-10-28 09:00:30", "2026-10-28 09:00:30", 0),
            ("2026-10-28 09:00:30.25Z", "2026-10-28 09:00:30.25Z", 2),
            ("2026-10-28 09:00:30.123456789", "2026-10-28 09:00:30.123456789", 9),
            ("next Ünday at 10:00", "next Ünday at 10:00", 0),
            ("", "", 0),
        ] {
            let (found, counted, changed) = complete(text.to_owned());
            assert_eq!((found.as_str(), counted, changed), (completed, digits, text != completed));
        }
    }
}
