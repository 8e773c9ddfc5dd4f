//! Which scope a request to Atlassian Cloud needs, as the `[scopes]` of the `_api.toml` files say: by the beginning of its path.

use std::sync::Arc;

use indexmap::IndexMap;

use super::file::ScopeFile;
use super::{Action, Procedure, Table, Verb};

/// What a session asks a site by itself, to say who we are: answered to whoever has signed in.
pub(crate) const MYSELF: &str = "/rest/api/2/myself";

/// The scopes of all APIs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scopes {
    rules: Vec<Rule>,
    /// Every scope that a table or procedure needs, once.
    used: Vec<String>,
}

#[derive(Debug, Clone)]
struct Rule {
    /// Beginning of a path. `{}` is any segment; the last one may be the beginning of a segment.
    path: String,
    read: String,
    write: String,
}

/// A scope, and the tables that need it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Need<'c> {
    pub(crate) scope: &'c str,
    /// Whether it is needed to write.
    pub(crate) writes: bool,
    pub(crate) table: &'c str,
}

impl Scopes {
    pub(super) fn compile<'f>(
        files: impl Iterator<Item = &'f IndexMap<String, ScopeFile>>,
        tables: &[Arc<Table>],
        procedures: &[Arc<Procedure>],
    ) -> Self {
        let rules = files.flatten().map(|(path, file)| Rule {
            path: path.clone(),
            read: file.read.clone(),
            write: file.write.clone(),
        });
        let mut scopes = Self {
            rules: rules.collect(),
            used: Vec::new(),
        };
        let mut used: Vec<String> = Vec::new();
        let of_tables = tables.iter().flat_map(|table| scopes.needs(table)).map(|need| need.scope);
        let of_procedures = procedures.iter().flat_map(|procedure| match &procedure.action {
            Action::Steps(steps) => steps
                .iter()
                .map(|step| (procedure.changes, &step.operation.endpoint))
                .collect(),
            Action::Schema { .. } | Action::OAuth(_) => Vec::new(),
        });
        let of_procedures = of_procedures
            .filter_map(|(changes, endpoint)| scopes.needed(&endpoint.template, changes && endpoint.verb != Verb::Get));
        for scope in scopes.needed(MYSELF, false).into_iter().chain(of_tables).chain(of_procedures) {
            if !used.iter().any(|known| known == scope) {
                used.push(scope.to_owned());
            }
        }
        scopes.used = used;
        scopes
    }

    /// The scope for a request to this path below the root, or to this template of one. None: nobody knows it.
    pub(crate) fn needed(&self, path: &str, writes: bool) -> Option<&str> {
        let fitting = self.rules.iter().filter(|rule| rule.fits(path));
        let rule = fitting.max_by_key(|rule| rule.path.len())?;
        Some(if writes { &rule.write } else { &rule.read })
    }

    /// Every scope that jsmql uses, once: what is asked for where no option says otherwise.
    pub(crate) fn used(&self) -> &[String] {
        &self.used
    }

    /// What a table needs to be read and written.
    pub(crate) fn needs<'c>(&'c self, table: &'c Table) -> Vec<Need<'c>> {
        let search = table.search.as_ref();
        let found = search.into_iter().flat_map(|search| [&search.call, &search.bulk]);
        let read = table.lists.iter().chain(&table.gets).map(|endpoint| &endpoint.template);
        let write = table.insert.iter().chain(&table.updates).chain(&table.delete);
        let bulk = table.embed.iter().filter_map(|embed| embed.bulk.as_ref());
        let read = read.chain(found).chain(bulk.map(|bulk| &bulk.call)).map(|path| (path, false));
        let all = read.chain(write.map(|operation| (&operation.endpoint.template, true)));
        all.filter_map(|(path, writes)| {
            Some(Need {
                scope: self.needed(path, writes)?,
                writes,
                table: &table.name,
            })
        })
        .collect()
    }
}

impl Rule {
    fn fits(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        let mut wanted = self.path.split('/').peekable();
        while let Some(word) = wanted.next() {
            let Some(segment) = segments.next() else { return false };
            let fits = match wanted.peek() {
                _ if word == "{}" => !segment.is_empty(),
                None => segment.starts_with(word),
                Some(_) => segment == word,
            };
            if !fits {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalog;

    #[test]
    fn scopes_by_path() {
        let catalog = Catalog::load(None).unwrap();
        let scopes = catalog.scopes();
        for (path, writes, scope) in [
            ("/rest/servicedeskapi/request", false, Some("read:servicedesk-request")),
            ("/rest/servicedeskapi/request", true, Some("write:servicedesk-request")),
            (
                "/rest/servicedeskapi/servicedesk/1/customer",
                false,
                Some("manage:servicedesk-customer"),
            ),
            (
                "/rest/servicedeskapi/servicedesk/{service_desk_id}/organization",
                true,
                Some("manage:servicedesk-customer"),
            ),
            (
                "/rest/servicedeskapi/servicedesk/1/queue",
                false,
                Some("read:servicedesk-request"),
            ),
            (
                "/rest/servicedeskapi/organization/{id}/user",
                false,
                Some("manage:servicedesk-customer"),
            ),
            ("/rest/api/3/search/jql", false, Some("read:jira-work")),
            ("/rest/api/3/issue", true, Some("write:jira-work")),
            ("/rest/api/3/users/search", false, Some("read:jira-user")),
            (super::MYSELF, false, Some("read:jira-user")),
            ("/elsewhere", false, None),
        ] {
            assert_eq!(scopes.needed(path, writes), scope, "{path}");
        }
    }

    #[test]
    fn every_endpoint_has_a_scope_and_no_other_is_asked_for() {
        let catalog = Catalog::load(None).unwrap();
        let scopes = catalog.scopes();
        for table in catalog.tables() {
            for endpoint in table.lists.iter().chain(&table.gets) {
                assert!(scopes.needed(&endpoint.template, false).is_some(), "{}", endpoint.template);
            }
        }
        let used = scopes.used();
        for scope in [
            "read:servicedesk-request",
            "write:servicedesk-request",
            "manage:servicedesk-customer",
            "read:jira-work",
            "read:jira-user",
        ] {
            assert!(used.iter().any(|known| known == scope), "{scope} is used: {used:?}");
        }
        let mut once = used.to_vec();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), used.len());
    }
}
