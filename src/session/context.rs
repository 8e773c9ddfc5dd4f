//! The DataFusion context of a session: the one place that knows which settings the tables depend on.

use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider};
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::sys::SysSchema;
use crate::catalog::SiteSchema;
use crate::connection::Connection;
use crate::error::Result;
use crate::rest::site::Site;
use crate::schema::Catalog;
use crate::table::{CarryParentFilters, PushOrderedLimit, from_datafusion};

/// How many keys a join may bind late; more are read by one pass over the parent's list, or not bound at all.
const LATE_KEYS: usize = 20_000;

/// How deeply parentheses and subqueries may nest: BI tools write a hundred of them.
const DEPTH: usize = 300;

/// Builds the context of a session.
pub(super) fn context(connection: &Connection, catalog: &Catalog, site: &Arc<Site>) -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema("jsm", "public")
        .with_information_schema(true)
        // A site is bound by its API, not by our cores. One partition keeps LIMIT from being overtaken by a repartition that drains its
        // input, and keeps joins collecting their build side, which late binding needs.
        .with_target_partitions(1);
    let options = config.options_mut();
    options.optimizer.enable_round_robin_repartition = false;
    options.optimizer.hash_join_inlist_pushdown_max_distinct_values = LATE_KEYS;
    options.optimizer.hash_join_inlist_pushdown_max_size = 64 << 20;
    options.optimizer.hash_join_single_partition_threshold = usize::MAX;
    options.optimizer.hash_join_single_partition_threshold_rows = usize::MAX;
    // These publish a filter that is complete only when all rows were read: a scan that waits for it would wait for itself.
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    options.sql_parser.recursion_limit = ConfigNonZeroUsize::try_new(DEPTH).map_err(from_datafusion)?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(CarryParentFilters))
        .with_physical_optimizer_rule(Arc::new(PushOrderedLimit))
        .build();
    let context = SessionContext::new_with_state(state);
    let jsm = MemoryCatalogProvider::new();
    let tables = SiteSchema::new(catalog, site, connection.pushdown(), connection.include_custom_fields());
    let tables = Arc::new(tables);
    jsm.register_schema("public", tables.clone()).map_err(from_datafusion)?;
    jsm.register_schema(
        "sys",
        Arc::new(SysSchema::new(connection.clone(), catalog.clone(), site.clone(), tables)),
    )
    .map_err(from_datafusion)?;
    context.register_catalog("jsm", Arc::new(jsm));
    Ok(context)
}
