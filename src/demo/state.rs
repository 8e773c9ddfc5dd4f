//! The facts of the demo site, and the lists that are made of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::chance::Chance;
use super::desk::{Desk, desks};
use super::jql::Zone;
use super::organization::{Organization, organizations};
use super::person::{Person, people};
use super::ticket::{self, Ticket};

/// Everything there is.
#[derive(Debug)]
pub(super) struct State {
    chance: Chance,
    pub(super) people: Vec<Person>,
    pub(super) desks: Vec<Desk>,
    pub(super) organizations: Vec<Organization>,
    /// The zone of the caller's profile, in which JQL reads dates.
    zone: &'static Zone,
    /// A field that was deleted although the list of fields still names it.
    pub(super) gone: Option<&'static str>,
    /// Made-up fields beyond those of the site.
    pub(super) more_fields: usize,
    /// Requests there are.
    total: usize,
    /// Requests that are not as chance made them.
    changed: HashMap<usize, Arc<Ticket>>,
    /// Indices of requests by the name of the list, latest activity first; forgotten when a request changes.
    lists: Mutex<HashMap<String, Arc<Vec<usize>>>>,
}

impl State {
    pub(super) fn new(seed: u64, requests: usize, zone: &'static Zone) -> Self {
        let chance = Chance::new(seed);
        Self {
            chance,
            people: people(chance),
            desks: desks(),
            organizations: organizations(),
            zone,
            gone: None,
            more_fields: 0,
            total: requests,
            changed: HashMap::new(),
            lists: Mutex::default(),
        }
    }

    /// Where the facts that requests do not have come from.
    pub(super) fn chance(&self) -> Chance {
        self.chance
    }

    /// How many requests there are.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The zone of the caller's profile.
    pub(super) fn zone(&self) -> &'static Zone {
        self.zone
    }

    /// Whether the field was deleted.
    pub(super) fn lacks(&self, field: &str) -> bool {
        self.gone == Some(field)
    }

    /// The `index`-th request as the search index knows it: as it was before it changed.
    pub(super) fn indexed(&self, index: usize) -> Arc<Ticket> {
        Arc::new(ticket::generate(self.chance, &self.desks, index, self.total))
    }

    /// Something that is costly to find out, kept under a name until a request changes.
    pub(super) fn found(&self, name: &str, find: impl FnOnce() -> Vec<usize>) -> Arc<Vec<usize>> {
        if let Some(list) = self.lists.lock().ok().and_then(|lists| lists.get(name).cloned()) {
            return list;
        }
        let list = Arc::new(find());
        if let Ok(mut lists) = self.lists.lock() {
            lists.insert(name.to_owned(), list.clone());
        }
        list
    }

    /// The `index`-th request.
    pub(super) fn ticket(&self, index: usize) -> Arc<Ticket> {
        match self.changed.get(&index) {
            Some(ticket) => ticket.clone(),
            None => Arc::new(ticket::generate(self.chance, &self.desks, index, self.total)),
        }
    }

    /// The index of the request with this key or issue id.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        let index = match key.rsplit_once('-') {
            Some((project, number)) => {
                let desk = self.desks.iter().position(|desk| desk.key.eq_ignore_ascii_case(project))?;
                ticket::index_of(desk, number.parse().ok()?)?
            }
            None => ticket::index_of_id(key.parse().ok()?)?,
        };
        (index < self.total).then_some(index)
    }

    /// Indices of the requests that belong to a list, latest activity first. The name stands for what belongs.
    pub(super) fn list(&self, name: &str, belongs: impl Fn(&Ticket) -> bool) -> Arc<Vec<usize>> {
        if let Some(list) = self.lists.lock().ok().and_then(|lists| lists.get(name).cloned()) {
            return list;
        }
        let mut found: Vec<(i64, usize)> = (0..self.total)
            .filter_map(|index| {
                let ticket = self.ticket(index);
                belongs(&ticket).then_some((ticket.updated, index))
            })
            .collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        let list: Arc<Vec<usize>> = Arc::new(found.into_iter().map(|(_, index)| index).collect());
        if let Ok(mut lists) = self.lists.lock() {
            lists.insert(name.to_owned(), list.clone());
        }
        list
    }

    /// Changes a request.
    pub(super) fn change(&mut self, index: usize, change: impl FnOnce(&mut Ticket)) {
        let mut ticket = (*self.ticket(index)).clone();
        change(&mut ticket);
        self.changed.insert(index, Arc::new(ticket));
        if let Ok(lists) = self.lists.get_mut() {
            lists.clear();
        }
    }
}
