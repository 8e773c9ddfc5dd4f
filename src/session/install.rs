//! The tables of a session in somebody else's DataFusion context.

use std::sync::Arc;

use datafusion::optimizer::OptimizerRule;
use datafusion::prelude::SessionContext;

use super::Session;
use super::context::settle;
use super::exists::OneRowExists;
use crate::error::{Error, ErrorKind, Result};
use crate::table::ComparedInputs;

impl Session {
    /// Registers the tables as the catalog `jsm` of a context, for reading: `SELECT … FROM jsm.public.requests`.
    ///
    /// Optimizer settings of the context are changed: the size of key lists that joins push down, and no dynamic filters of TopK and
    /// aggregates, which a scan that starts by its filters would wait for. An optimizer rule sees to it that input columns are bound. Writes and procedures need a statement of the session itself.
    ///
    /// # Errors
    /// The context has a catalog of that name, or the connection limits statements by MaxRows or MaxRequests, which only the session's
    /// own statements can keep.
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
        settle(context.state_ref().write().config_mut().options_mut());
        // Once, however many sites the context has.
        context.remove_optimizer_rule(ComparedInputs.name());
        context.add_optimizer_rule(Arc::new(ComparedInputs));
        context.add_analyzer_rule(Arc::new(OneRowExists));
        context.register_catalog(catalog, Arc::clone(&own));
        Ok(())
    }
}
