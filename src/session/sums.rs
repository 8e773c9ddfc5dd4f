//! Sums and averages that are exact, whatever the type of what is added up.
//!
//! # Design
//! The engine (DataFusion 55) adds up in the type of the result, where what is too large begins again at the other end. So whole numbers,
//! durations and decimals are added up in a type that holds any number of them, and the result is that of the engine or an error that
//! names the way round. What comes before the result may be larger than it: 2^63 − 1, 1 and −1 have a sum.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type, UInt64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
};

use super::overflow::{WIDE, check_digits, strict};
use crate::error::{Error, ErrorKind};
use crate::table::to_datafusion;

/// The functions, in place of the engine's.
pub(super) fn functions() -> [AggregateUDF; 2] {
    [AggregateUDF::from(Sum(sum_udaf())), AggregateUDF::from(Average(avg_udaf()))]
}

/// The type in which values of this one are added up, if it is another.
fn wide(result: &DataType) -> Option<DataType> {
    match result {
        DataType::Int64 | DataType::UInt64 | DataType::Duration(_) => Some(WIDE),
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => Some(DataType::Decimal128(38, *scale)),
        DataType::Decimal128(38, scale) | DataType::Decimal256(_, scale) => Some(DataType::Decimal256(76, *scale)),
        _ => None,
    }
}

fn widened(array: &ArrayRef, wide: &DataType) -> Result<ArrayRef> {
    let array = match array.data_type() {
        DataType::Duration(_) => &strict(array, &DataType::Int64)?,
        _ => array,
    };
    Ok(strict(array, wide)?)
}

/// A sum in the type of the result.
fn narrowed(array: &ArrayRef, result: &DataType) -> Result<ArrayRef> {
    let narrow = match result {
        DataType::Duration(_) => strict(array, &DataType::Int64).and_then(|ticks| strict(&ticks, result)),
        result => strict(array, result).and_then(|array| check_digits(&array, result).map(|()| array)),
    };
    narrow.map_err(|error| {
        let (message, hint) = match result {
            DataType::Int64 | DataType::UInt64 => (
                "a sum does not fit into 64 bits",
                "add up decimals: sum(CAST(… AS DECIMAL(38, 0)))",
            ),
            DataType::Duration(_) => (
                "a sum of durations does not fit into 64 bits",
                "add up seconds: sum(extract(epoch FROM …))",
            ),
            _ => (
                "a sum has more digits than a decimal may have",
                "add up fewer digits behind the point, or sum(CAST(… AS DOUBLE))",
            ),
        };
        let what = match error {
            ArrowError::CastError(what) | ArrowError::InvalidArgumentError(what) => what,
            other => other.to_string(),
        };
        to_datafusion(Error::new(ErrorKind::Statement, format!("{message}: {what}")).hint(hint))
    })
}

/// `sum`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum(Arc<AggregateUDF>);

impl Sum {
    /// What adds up; `None` where the engine's own does it well.
    fn own(args: &AccumulatorArgs<'_>) -> Option<Box<dyn Accumulator>> {
        let result = args.return_type();
        // Nothing is wider than the widest decimal: each sum is checked.
        let is_checked = matches!(result, DataType::Interval(_) | DataType::Decimal256(..));
        let wide = wide(result);
        let kind = wide.clone().unwrap_or_else(|| result.clone());
        let total: Box<dyn Accumulator> = match args.is_distinct {
            true if wide.is_some() || is_checked => Box::new(Distinct::new(kind)),
            false if is_checked => Box::new(Total::new(kind)),
            _ => return None,
        };
        Some(within(total, wide, result))
    }
}

fn within(inner: Box<dyn Accumulator>, wide: Option<DataType>, result: &DataType) -> Box<dyn Accumulator> {
    match wide {
        Some(wide) => Box::new(Wide {
            inner,
            wide,
            result: result.clone(),
        }),
        None => inner,
    }
}

/// What the engine's function is asked for: a sum in the wide type.
fn asked(field: &FieldRef) -> FieldRef {
    match wide(field.data_type()) {
        Some(wide) => Arc::new(field.as_ref().clone().with_data_type(wide)),
        None => field.clone(),
    }
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if let Some(own) = Self::own(&args) {
            return Ok(own);
        }
        let (result, return_field) = (args.return_type().clone(), asked(&args.return_field));
        let inner = self.0.accumulator(AccumulatorArgs { return_field, ..args })?;
        Ok(within(inner, wide(&result), &result))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let return_field = asked(&args.return_field);
        self.0.state_fields(StateFieldsArgs { return_field, ..args })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        Self::own(&args).is_none() && self.0.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let (result, return_field) = (args.return_type().clone(), asked(&args.return_field));
        let inner = self.0.create_groups_accumulator(AccumulatorArgs { return_field, ..args })?;
        Ok(match wide(&result) {
            Some(wide) => Box::new(Wide { inner, wide, result }),
            None => inner,
        })
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if let Some(own) = Self::own(&args) {
            return Ok(own);
        }
        let (result, return_field) = (args.return_type().clone(), asked(&args.return_field));
        let inner = self.0.create_sliding_accumulator(AccumulatorArgs { return_field, ..args })?;
        Ok(within(inner, wide(&result), &result))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.0.order_sensitivity()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.0.inner().set_monotonicity(data_type)
    }
}

/// Adds up in a wider type than that of the values and the result.
#[derive(Debug)]
struct Wide<A: ?Sized> {
    wide: DataType,
    result: DataType,
    inner: Box<A>,
}

impl<A: ?Sized> Wide<A> {
    fn values(&self, values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        values.iter().map(|array| widened(array, &self.wide)).collect()
    }
}

impl Accumulator for Wide<dyn Accumulator> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = self.values(values)?;
        self.inner.update_batch(&values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&narrowed(&sum, &self.result)?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = self.values(values)?;
        self.inner.retract_batch(&values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

impl GroupsAccumulator for Wide<dyn GroupsAccumulator> {
    fn update_batch(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>, total: usize) -> Result<()> {
        let values = self.values(values)?;
        self.inner.update_batch(&values, groups, filter, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        narrowed(&self.inner.evaluate(emit)?, &self.result)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.inner.merge_batch(states, groups, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&self.values(values)?, filter)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }
}

/// A sum of values that are added one by one.
#[derive(Debug)]
struct Total {
    sum: ScalarValue,
    nothing: ScalarValue,
    count: u64,
}

impl Total {
    fn new(kind: DataType) -> Self {
        let nothing = ScalarValue::try_from(&kind).unwrap_or(ScalarValue::Null);
        Self {
            sum: nothing.clone(),
            nothing,
            count: 0,
        }
    }

    fn add(&mut self, value: &ScalarValue) -> Result<()> {
        self.sum = match self.count {
            0 => value.clone(),
            _ => self.sum.add_checked(value)?,
        };
        self.count += 1;
        Ok(())
    }

    fn take(&mut self, value: &ScalarValue) -> Result<()> {
        self.count -= 1;
        self.sum = match self.count {
            0 => self.nothing.clone(),
            _ => self.sum.sub_checked(value)?,
        };
        Ok(())
    }
}

/// Calls `act` for each value that is not NULL.
fn for_each(array: &ArrayRef, mut act: impl FnMut(ScalarValue) -> Result<()>) -> Result<()> {
    let some = (0..array.len()).filter(|row| array.is_valid(*row));
    some.map(|row| ScalarValue::try_from_array(array, row))
        .try_for_each(|value| act(value?))
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each(&values[0], |value| self.add(&value))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.sum.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.sum.clone()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each(&values[0], |value| self.take(&value))
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// A sum of different values.
#[derive(Debug)]
struct Distinct {
    kind: DataType,
    total: Total,
    counts: HashMap<ScalarValue, u64>,
}

impl Distinct {
    fn new(kind: DataType) -> Self {
        Self {
            total: Total::new(kind.clone()),
            kind,
            counts: HashMap::new(),
        }
    }

    fn add(&mut self, value: ScalarValue) -> Result<()> {
        let count = self.counts.entry(value.clone()).or_default();
        *count += 1;
        match *count {
            1 => self.total.add(&value),
            _ => Ok(()),
        }
    }

    fn take(&mut self, value: ScalarValue) -> Result<()> {
        let Some(count) = self.counts.get_mut(&value) else {
            return internal_err!("a value leaves a window that it was not in");
        };
        *count -= 1;
        if *count > 0 {
            return Ok(());
        }
        self.counts.remove(&value);
        self.total.take(&value)
    }
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each(&values[0], |value| self.add(value))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.total.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.capacity() * size_of::<(ScalarValue, u64)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Vec<ScalarValue> = self.counts.keys().cloned().collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &self.kind))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        lists.iter().flatten().try_for_each(|list| self.update_batch(&[list]))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each(&values[0], |value| self.take(value))
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// `avg`, of which the engine adds up durations alone in a type that may be too small.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Average(Arc<AggregateUDF>);

impl Average {
    fn is_own(result: &DataType, is_distinct: bool) -> bool {
        matches!(result, DataType::Duration(_)) && !is_distinct
    }

    fn own(args: &AccumulatorArgs<'_>) -> Option<Box<dyn Accumulator>> {
        Self::is_own(args.return_type(), args.is_distinct).then(|| {
            Box::new(Mean {
                sum: 0,
                count: 0,
                result: args.return_type().clone(),
            }) as Box<dyn Accumulator>
        })
    }
}

impl AggregateUDFImpl for Average {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Self::own(&args).map_or_else(|| self.0.accumulator(args), Ok)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = args.name.to_owned();
        match Self::is_own(args.return_type(), args.is_distinct) {
            true => Ok(vec![
                Arc::new(Field::new(format!("{name}[count]"), DataType::UInt64, true)),
                Arc::new(Field::new(format!("{name}[sum]"), WIDE, true)),
            ]),
            false => self.0.state_fields(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        Self::own(&args).is_none() && self.0.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.0.create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Self::own(&args).map_or_else(|| self.0.create_sliding_accumulator(args), Ok)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.0.order_sensitivity()
    }
}

/// The average of durations.
#[derive(Debug)]
struct Mean {
    sum: i128,
    count: u64,
    result: DataType,
}

impl Mean {
    /// The sum of durations and how many there are.
    fn of(values: &[ArrayRef]) -> Result<(i128, u64)> {
        let ticks = strict(&values[0], &DataType::Int64)?;
        let ticks = ticks.as_primitive::<Int64Type>();
        Ok((
            ticks.iter().flatten().map(i128::from).sum(),
            (ticks.len() - ticks.null_count()) as u64,
        ))
    }
}

impl Accumulator for Mean {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = Self::of(values)?;
        (self.sum, self.count) = (self.sum + sum, self.count + count);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // Between the least and the greatest of them.
        let mean = (self.count > 0).then(|| i64::try_from(self.sum / i128::from(self.count)));
        let mean = mean
            .transpose()
            .map_err(|error| DataFusionError::Execution(error.to_string()))?;
        ScalarValue::Int64(mean).cast_to(&self.result)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::UInt64(Some(self.count)),
            ScalarValue::Decimal128(Some(self.sum), 38, 0),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (counts, sums) = (
            states[0].as_primitive::<UInt64Type>(),
            states[1].as_primitive::<Decimal128Type>(),
        );
        self.count += counts.iter().flatten().sum::<u64>();
        self.sum += sums.iter().flatten().sum::<i128>();
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = Self::of(values)?;
        (self.sum, self.count) = (self.sum - sum, self.count - count);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}
