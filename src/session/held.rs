//! What the tables of the scratch schema hold of the memory that a session may use.
//!
//! The engine counts what it sorts, joins and groups, and not what it keeps in a table. Without a limit of the session nothing is refused.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

/// Reservations by the table that they are for.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<HashMap<String, Vec<MemoryReservation>>>);

/// Counts batches on their way into a table.
#[derive(Debug)]
pub(super) struct Load(MemoryReservation);

impl Load {
    pub(super) fn new(table: &str, pool: &Arc<dyn MemoryPool>) -> Self {
        Self(MemoryConsumer::new(format!("temp.{table}")).register(pool))
    }

    /// Counts a batch.
    ///
    /// # Errors
    /// It does not fit into the memory of the session.
    pub(super) fn add(&self, batch: &RecordBatch) -> Result<()> {
        self.0.try_grow(batch.get_array_memory_size())
    }
}

impl Held {
    /// Keeps what was counted for as long as the table is there.
    pub(super) fn keep(&self, table: &str, load: Load) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.entry(table.to_owned()).or_default().push(load.0);
    }

    /// Gives back what a table held.
    pub(super) fn free(&self, table: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(table);
    }
}

/// Counts the rows that an INSERT puts into a table.
#[derive(Debug)]
pub(super) struct HeldExec {
    input: Arc<dyn ExecutionPlan>,
    table: String,
    held: Arc<Held>,
}

impl HeldExec {
    /// The same plan of an INSERT, with its input counted.
    pub(super) fn below(insert: Arc<dyn ExecutionPlan>, table: &str, held: &Arc<Held>) -> Result<Arc<dyn ExecutionPlan>> {
        let inputs = insert.children().into_iter().map(|input| -> Arc<dyn ExecutionPlan> {
            Arc::new(Self {
                input: input.clone(),
                table: table.to_owned(),
                held: held.clone(),
            })
        });
        let inputs = inputs.collect();
        insert.replace_children(inputs, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }
}

impl DisplayAs for HeldExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held: temp.{}", self.table)
    }
}

impl ExecutionPlan for HeldExec {
    fn name(&self) -> &'static str {
        "Held"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return Ok(self) };
        Ok(Arc::new(Self {
            input,
            table: self.table.clone(),
            held: self.held.clone(),
        }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let load = Load::new(&self.table, context.memory_pool());
        let rows = self.input.execute(partition, context)?;
        let schema = rows.schema();
        let (table, held) = (self.table.clone(), self.held.clone());
        // The table takes the rows when it has seen the last; until then they may be given up again.
        let counted = futures::stream::unfold((rows, Some(load)), move |(mut rows, mut load)| {
            let (table, held) = (table.clone(), held.clone());
            async move {
                match rows.next().await {
                    Some(Ok(batch)) => {
                        let fits = load.as_ref().map_or(Ok(()), |load| load.add(&batch));
                        Some((fits.map(|()| batch), (rows, load)))
                    }
                    Some(Err(error)) => Some((Err(error), (rows, load))),
                    None => {
                        if let Some(load) = load.take() {
                            held.keep(&table, load);
                        }
                        None
                    }
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, counted)))
    }
}
