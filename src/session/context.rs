//! The DataFusion context of a session: the one place that knows which settings the tables depend on.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, SchemaProvider, Session};
use datafusion::common::config::{ConfigNonZeroUsize, ConfigOptions};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{Analyzer, Optimizer};
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::rules;
use super::sys::SysSchema;
use super::temp::Scratch;
use crate::catalog::SiteSchema;
use crate::connection::{Connection, Listing};
use crate::error::{Error, ErrorKind, Result};
use crate::rest::site::Site;
use crate::schema::Catalog;
use crate::table::{CallPlanner, ProcedureFunction, WritePlanner, WritesAsNodes, from_datafusion};

/// How many keys a join may bind late; more are read by one pass over the parent's list, or not bound at all.
const LATE_KEYS: usize = 20_000;

/// How deeply parentheses and subqueries may nest: BI tools write a hundred of them.
const DEPTH: usize = 300;

/// The engine's own planner, with our nodes.
#[derive(Debug)]
struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let ours: Vec<Arc<dyn ExtensionPlanner + Send + Sync>> = vec![Arc::new(WritePlanner), Arc::new(CallPlanner)];
        DefaultPhysicalPlanner::with_extension_planners(ours)
            .create_physical_plan(plan, session)
            .await
    }
}

/// Sets what the tables of a site depend on, in any context that reads them.
pub(super) fn settle(options: &mut ConfigOptions) {
    options.optimizer.enable_round_robin_repartition = false;
    options.optimizer.hash_join_inlist_pushdown_max_distinct_values = LATE_KEYS;
    options.optimizer.hash_join_inlist_pushdown_max_size = 64 << 20;
    options.optimizer.hash_join_single_partition_threshold = usize::MAX;
    options.optimizer.hash_join_single_partition_threshold_rows = usize::MAX;
    // An engine's check of its own schemas, which takes `x IS TRUE` for a column that may be NULL on one side only, and refuses to group by it.
    options.execution.skip_physical_aggregate_schema_check = true;
    // These publish a filter that is complete only when all rows were read: a scan that waits for it would wait for itself.
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    // Without a zone of the session `now()` and TIMESTAMPTZ would be clocks without one: `now() AT TIME ZONE 'Asia/Tokyo'` would then call the
    // hour of UTC an hour of Tokyo.
    options.execution.time_zone.get_or_insert_with(|| "UTC".into());
}

/// The schemas of a session, of which some may not be listed.
#[derive(Debug)]
struct Schemas {
    all: MemoryCatalogProvider,
    listing: Listing,
}

impl CatalogProvider for Schemas {
    fn schema_names(&self) -> Vec<String> {
        let mut names = self.all.schema_names();
        names.retain(|name| self.listing.shows_schema(name));
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.all.schema(name)
    }

    fn register_schema(
        &self,
        name: &str,
        schema: Arc<dyn SchemaProvider>,
    ) -> datafusion::error::Result<Option<Arc<dyn SchemaProvider>>> {
        self.all.register_schema(name, schema)
    }
}

/// Builds the context of a session.
pub(super) fn context(connection: &Connection, catalog: &Catalog, site: &Arc<Site>, scratch: &Scratch) -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema("jsm", "public")
        .with_information_schema(true)
        // A site is bound by its API, not by our cores. One partition keeps LIMIT from being overtaken by a repartition that drains its
        // input, and keeps joins collecting their build side, which late binding needs.
        .with_target_partitions(1);
    let options = config.options_mut();
    settle(options);
    options.sql_parser.recursion_limit = ConfigNonZeroUsize::try_new(DEPTH).map_err(from_datafusion)?;
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(memory) = connection.memory() {
        // What does not fit is an error: a client must not fill the disk instead.
        runtime = runtime
            .with_memory_limit(memory, 1.0)
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled));
    }
    let mut analyzer = Analyzer::new();
    rules::analyze(&mut analyzer);
    let mut optimizer = Optimizer::new();
    rules::optimize(&mut optimizer);
    let physical = rules::physical(&PhysicalOptimizer::new().rules)
        .map_err(|rule| Error::new(ErrorKind::Internal, format!("the engine has no rule {rule}")).hint("please report this"))?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::new(runtime.build().map_err(from_datafusion)?))
        .with_default_features()
        .with_analyzer_rules(analyzer.rules)
        .with_analyzer_rule(Arc::new(WritesAsNodes))
        .with_optimizer_rules(optimizer.rules)
        .with_query_planner(Arc::new(Planner))
        .with_physical_optimizer_rules(physical)
        .build();
    let context = SessionContext::new_with_state(state);
    let jsm = Schemas {
        all: MemoryCatalogProvider::new(),
        listing: connection.listing().clone(),
    };
    let tables = SiteSchema::new(
        catalog,
        site,
        connection.pushdown(),
        connection.include_custom_fields(),
        connection.listing(),
        scratch.tables(),
    );
    let tables = Arc::new(tables);
    jsm.register_schema("public", tables.clone()).map_err(from_datafusion)?;
    jsm.register_schema(
        "sys",
        Arc::new(SysSchema::new(connection.clone(), catalog.clone(), site.clone(), tables)),
    )
    .map_err(from_datafusion)?;
    jsm.register_schema("temp", scratch.tables()).map_err(from_datafusion)?;
    context.register_catalog("jsm", Arc::new(jsm));
    rules::functions(&context);
    let shared = Arc::new(catalog.clone());
    for procedure in catalog.procedures() {
        let function = ProcedureFunction {
            site: site.clone(),
            catalog: shared.clone(),
            procedure: procedure.clone(),
        };
        context.register_udtf(&procedure.name, Arc::new(function));
    }
    Ok(context)
}
