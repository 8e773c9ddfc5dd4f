//! One table in DataFusion: a provider that turns predicates into a [`Read`](crate::rest::plan::Read), and the plan node that runs it.
//!
//! The only floor between the site and the SQL engine: below it nothing knows DataFusion, above it nothing knows requests.

mod analyze;
mod call;
mod filter;
mod input;
mod late;
mod order;
mod parent;
mod predicate;
mod provider;
mod scan;
mod write;

pub(crate) use analyze::{WritesAsNodes, insert_returning, is_kept};
pub(crate) use call::{CallNode, CallPlanner, Calls, ProcedureFunction, constant, usage};
pub(crate) use input::ComparedInputs;
pub(crate) use order::PushOrderedLimit;
pub(crate) use parent::CarryParentFilters;
pub(crate) use predicate::{Delivery, delivery};
pub(crate) use provider::SiteTable;
pub(crate) use write::{WriteNode, WritePlanner};

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, TableScan};

use crate::error::Error;
use crate::schema::Table;

/// The table of the site that a scan reads, if it reads one.
pub(crate) fn site_table(scan: &TableScan) -> Option<Arc<Table>> {
    provided(source_as_provider(&scan.source).ok()?.as_ref())
}

/// The table of the site that a provider reads, if it reads one.
pub(crate) fn provided(provider: &dyn TableProvider) -> Option<Arc<Table>> {
    let table = (provider as &dyn Any).downcast_ref::<SiteTable>()?;
    Some(table.table().clone())
}

/// Calls `act` for every node of one kind in a plan, those of its subqueries and expressions included.
fn for_each_node<N: 'static>(plan: &LogicalPlan, mut act: impl FnMut(&N)) {
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Extension(extension) = node
            && let Some(node) = extension.node.as_any().downcast_ref::<N>()
        {
            act(node);
        }
        Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
    });
    // The closure never fails.
    debug_assert!(walked.is_ok());
}

/// Into DataFusion's error; [`from_datafusion`] brings it back whole.
pub(crate) fn to_datafusion(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The way round for moments that nanoseconds do not hold.
const FAR: &str = "CAST(… AS TIMESTAMP), date_trunc and extract take every year; or leave such rows out by a condition";

/// Out of DataFusion's error: our own error if one is inside, else one made from the engine's message.
pub(crate) fn from_datafusion(error: DataFusionError) -> Error {
    use crate::error::ErrorKind;
    if let DataFusionError::ResourcesExhausted(message) = error.find_root() {
        return Error::new(ErrorKind::Limit, message.clone()).hint("read fewer rows or columns, or allow more memory");
    }
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(inner) => match inner.downcast::<DataFusionError>() {
                Ok(error) => from_datafusion(*error),
                Err(inner) => Error::new(ErrorKind::Internal, inner.to_string()),
            },
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => from_datafusion(*inner),
        DataFusionError::ArrowError(error, backtrace) => match *error {
            ArrowError::ExternalError(inner) => from_datafusion(DataFusionError::External(inner)),
            ArrowError::ArithmeticOverflow(what) => {
                let what = what.trim_start_matches("Overflow happened on: ").trim();
                let error = Error::new(ErrorKind::Statement, format!("{what} does not fit into its type"));
                error.hint("cast to a larger type, as in CAST(… AS DECIMAL(38, 0)), or leave such rows out by a condition")
            }
            ArrowError::DivideByZero => Error::new(ErrorKind::Statement, "something is divided by zero")
                .hint("nullif(…, 0) makes the quotient NULL: a / nullif(b, 0)"),
            other => Error::new(
                ErrorKind::Statement,
                DataFusionError::ArrowError(Box::new(other), backtrace).strip_backtrace(),
            ),
        },
        DataFusionError::Shared(shared) => match shared.as_ref() {
            DataFusionError::External(inner) if inner.downcast_ref::<Error>().is_some() => {
                let error = inner.downcast_ref::<Error>().map(Error::again);
                error.unwrap_or_else(|| Error::new(ErrorKind::Internal, shared.to_string()))
            }
            _ => Error::new(ErrorKind::Statement, shared.to_string()),
        },
        DataFusionError::Execution(message) | DataFusionError::Plan(message)
            if message.contains("converted value exceeds the representable") =>
        {
            let what = message.split(": converted").next().unwrap_or(&message);
            Error::new(
                ErrorKind::Statement,
                format!("{what}: nanoseconds hold the years 1677 to 2262 only"),
            )
            .hint(FAR)
        }
        DataFusionError::Execution(message) if message.contains("represented as nanoseconds have to be between") => Error::new(
            ErrorKind::Statement,
            "this function takes moments of the years 1677 to 2262 only",
        )
        .hint(FAR),
        // The engine's own words, without the names of its layers.
        DataFusionError::Plan(message) | DataFusionError::Execution(message) => Error::new(ErrorKind::Statement, message),
        DataFusionError::SQL(error, _) => {
            let text = error.to_string();
            Error::new(ErrorKind::Statement, text.strip_prefix("sql parser error: ").unwrap_or(&text))
        }
        DataFusionError::SchemaError(error, _) => Error::new(ErrorKind::Statement, error.to_string()),
        error @ DataFusionError::NotImplemented(_) => Error::new(ErrorKind::Unsupported, error.strip_backtrace()),
        error @ (DataFusionError::Internal(_) | DataFusionError::ExecutionJoin(_)) => {
            Error::new(ErrorKind::Internal, error.strip_backtrace())
        }
        error => Error::new(ErrorKind::Statement, error.strip_backtrace()),
    }
}
