//! The tables of a session in somebody else's DataFusion context.

use std::sync::Arc;

use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionContext;

use super::Session;
use super::context::settle;
use super::rules;
use crate::error::{Error, ErrorKind, Result};

impl Session {
    /// Registers the tables as the catalog `jsm` of a context, for reading: `SELECT … FROM jsm.public.requests`.
    ///
    /// Optimizer settings of the context are changed: the size of key lists that joins push down, and no dynamic filters of TopK and
    /// aggregates, which a scan that starts by its filters would wait for. It gets every rule of planning that a session has for its reads:
    /// input columns are bound, and what the engine gets wrong is put right.
    ///
    /// Its parser is its own, and reads some SQL otherwise than SQL says, where a session reads it rightly or refuses it:
    /// `a IS DISTINCT FROM b AND c`, `= ANY (…)` of lists and subqueries with NULL, SIMILAR TO, RIGHT and FULL JOIN with USING or NATURAL,
    /// INTERSECT ALL and EXCEPT ALL, VALUES below the query of an INSERT, `FETCH … WITH TIES`, TABLESAMPLE; and `*` has the input columns
    /// too. [`Session::sql`](crate::Session::sql) is for those.
    ///
    /// Statements that the context has prepared are forgotten. Writes and procedures need a statement of the session itself.
    ///
    /// # Errors
    /// The context has a catalog of that name, or the connection limits statements by MaxRows or MaxRequests, which only the session's
    /// own statements can keep; or the context lacks rules of the engine's own that those of the tables need.
    pub fn install(&self, context: &SessionContext) -> Result<()> {
        self.install_as(context, "jsm")
    }

    /// As [`install`](Self::install), by another name: for several sites in one context.
    ///
    /// # Errors
    /// As for [`install`](Self::install).
    pub fn install_as(&self, context: &SessionContext, catalog: &str) -> Result<()> {
        let connection = self.connection();
        for (name, set) in [
            ("MaxRows", connection.max_rows().is_some()),
            ("MaxRequests", connection.max_requests().is_some()),
        ] {
            if set {
                return Err(Error::new(
                    ErrorKind::Option,
                    format!("{name} limits statements of the session, not those of another context"),
                )
                .hint(format!("leave {name} out, and use LIMIT in the statements")));
            }
        }
        if context.catalog(catalog).is_some() {
            return Err(
                Error::new(ErrorKind::Conflict, format!("the context has a catalog {catalog} already"))
                    .hint("install_as takes another name"),
            );
        }
        let own = (self.shared.context.catalog("jsm"))
            .ok_or_else(|| Error::new(ErrorKind::Internal, "the session has no catalog").hint("please report this"))?;
        let state = context.state();
        let physical = rules::physical(state.physical_optimizers()).map_err(|rule| {
            Error::new(
                ErrorKind::Option,
                format!("the context has no rule {rule}, without which statements over the tables may miss rows"),
            )
            .hint("build the context with the engine's own physical optimizer rules, and add others to them")
        })?;
        let id = state.session_id().to_owned();
        let mut builder = SessionStateBuilder::new_from_existing(state)
            .with_session_id(id)
            .with_physical_optimizer_rules(physical);
        builder.analyzer().iter_mut().for_each(rules::analyze);
        builder.optimizer().iter_mut().for_each(rules::optimize);
        let mut state = builder.build();
        settle(state.config_mut().options_mut());
        *context.state_ref().write() = state;
        rules::functions(context);
        context.register_catalog(catalog, Arc::clone(&own));
        Ok(())
    }
}
