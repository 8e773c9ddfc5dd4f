//! A statement that was planned and can be run, with values for its parameters.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::exit::Exit;
use super::heading::shown;
use super::{Caps, ParsedStatement, Rows, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::table::from_datafusion;

/// Values for the parameters of a statement.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Parameters {
    /// The statement has none.
    #[default]
    None,
    /// For `?` and `$1`, `$2`, …, in this order.
    Positional(Vec<ScalarValue>),
    /// For `$name`, by name.
    Named(HashMap<String, ScalarValue>),
}

impl Parameters {
    /// The values of one row, by position. Dictionaries, views and the like are other ways to write a value: they become the plain value.
    ///
    /// # Errors
    /// There is no such row, or a value has a type that cannot be a parameter.
    pub fn from_row(batch: &RecordBatch, row: usize) -> Result<Self> {
        if row >= batch.num_rows() {
            return Err(Error::new(
                ErrorKind::Statement,
                format!("there is no row {row} among {} rows of parameters", batch.num_rows()),
            )
            .hint("bind one row for each execution"));
        }
        let row = Exit::plain(&batch.schema()).leave(batch.slice(row, 1))?;
        let values = row.columns().iter().map(|column| ScalarValue::try_from_array(column, 0));
        Ok(Self::Positional(values.collect::<Result<_, _>>().map_err(from_datafusion)?))
    }

    /// The values for these parameters.
    pub(super) fn values(self, names: &[String]) -> Result<Option<ParamValues>> {
        let numbered = names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        let wrong = |what: String| {
            let hint = match (names.is_empty(), numbered) {
                (true, _) => "run it without values".to_owned(),
                (_, true) => format!("give {} values by position", names.len()),
                (_, false) => format!("give values for {}", names.join(", ")),
            };
            Err(Error::new(ErrorKind::Statement, what).hint(hint))
        };
        match self {
            Self::None if names.is_empty() => Ok(None),
            Self::None => wrong(format!("the statement has {} parameters and no value was given", names.len())),
            Self::Positional(values) if values.len() != names.len() => {
                wrong(format!("the statement has {} parameters, not {}", names.len(), values.len()))
            }
            Self::Positional(values) if numbered => Ok(Some(ParamValues::from(values))),
            // Front ends that only know positions give named parameters in the order of the text.
            Self::Positional(values) => Ok(Some(ParamValues::from(names.iter().cloned().zip(values).collect::<Vec<_>>()))),
            Self::Named(_) if numbered && !names.is_empty() => {
                wrong("the parameters of the statement have numbers, not names".to_owned())
            }
            Self::Named(values) => {
                if let Some(missing) = names.iter().find(|name| !values.contains_key(*name)) {
                    return wrong(format!("no value was given for the parameter {missing}"));
                }
                if let Some(other) = values.keys().find(|name| !names.contains(name)) {
                    return wrong(format!("the statement has no parameter {other}"));
                }
                Ok(Some(ParamValues::from(values)))
            }
        }
    }
}

/// A statement that was planned, and can be run any number of times. Nothing of it has run yet. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Prepared {
    session: Session,
    statement: ParsedStatement,
    schema: SchemaRef,
    parameters: SchemaRef,
    has_effects: bool,
}

impl Prepared {
    pub(super) fn new(session: Session, statement: ParsedStatement, plan: &LogicalPlan, has_effects: bool) -> Result<Self> {
        let types = types(plan)?;
        let fields = statement.parameters.iter().map(|name| {
            let kind = types.get(name).cloned().flatten().unwrap_or(DataType::Null);
            Field::new(name, kind, true)
        });
        let schema = match plan {
            // The plan has the columns of what is defined; running it gives nothing.
            LogicalPlan::Ddl(_) => Arc::new(Schema::empty()),
            plan => Exit::plain(&shown(plan.schema().inner())).schema(),
        };
        Ok(Self {
            schema,
            parameters: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            session,
            statement,
            has_effects,
        })
    }

    /// Columns of the result, as its [rows](Rows::schema) have them. A write that does not return rows has one, `count`.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The parameters, named `1`, `2`, … or by their names. The type is [`DataType::Null`] where the statement takes any.
    pub fn parameters(&self) -> SchemaRef {
        self.parameters.clone()
    }

    /// Whether running it may change something: the site, or the session. Such a statement must run as often as it is meant, no more.
    pub fn has_effects(&self) -> bool {
        self.has_effects
    }

    /// Runs the statement with values for its parameters; requests are sent while the rows are read.
    ///
    /// # Errors
    /// Values are missing or of types that the statement cannot use, or what the statement names has changed since.
    pub async fn run(&self, parameters: Parameters) -> Result<Rows> {
        let values = parameters.values(&self.statement.parameters)?;
        // It is planned again: a table of the scratch schema may be another one by now.
        let rows = self
            .session
            .start(self.statement.clone(), values, Caps::of(self.session.connection()))
            .await?;
        let now = rows.schema();
        let same = now.fields().len() == self.schema.fields().len()
            && now.fields().iter().zip(self.schema.fields()).all(|(now, then)| {
                let open = then.data_type().is_null() || !self.parameters.fields().is_empty();
                now.name() == then.name() && (open || now.data_type() == then.data_type())
            });
        if !same {
            return Err(Error::new(
                ErrorKind::Statement,
                "the columns of the statement are others than when it was prepared",
            )
            .hint("prepare it again"));
        }
        Ok(rows.promised(&self.schema))
    }
}

/// The types that a plan gives its parameters; none where it takes any, or several.
fn types(plan: &LogicalPlan) -> Result<HashMap<String, Option<DataType>>> {
    let mut types: HashMap<String, Option<DataType>> = HashMap::new();
    let mut note = |expression: &Expr| {
        if let Expr::Placeholder(placeholder) = expression {
            let name = placeholder.id.trim_start_matches('$').to_owned();
            if let Some(field) = &placeholder.field {
                let kind = field.data_type();
                types
                    .entry(name)
                    .and_modify(|known| {
                        if known.as_ref().is_some_and(|known| known != kind) {
                            *known = None;
                        }
                    })
                    .or_insert_with(|| Some(kind.clone()));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    };
    plan.apply_with_subqueries(|node| node.apply_expressions(|expression| expression.apply(&mut note)))
        .map_err(from_datafusion)?;
    Ok(types)
}
