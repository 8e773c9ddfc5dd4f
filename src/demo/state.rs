//! The facts of the demo site, and the lists that are made of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use super::chance::Chance;
use super::date::Clock;
use super::desk::{Desk, desks};
use super::edits::Link;
use super::jql::Zone;
use super::organization::{Organization, organizations};
use super::person::{Person, people};
use super::ticket::{self, Attachment, Ticket};
use super::upload::Temporary;

/// Where the issues of the first desks come from, on a site that has moved them: one sorts behind its desk, one before.
const OLD_PROJECTS: [&str; 2] = ["OLD", "CORP"];

/// The project without a service desk, on a site that has one.
const BUSINESS: &str = "FAC";

/// Everything there is.
#[derive(Debug)]
pub(super) struct State {
    chance: Chance,
    pub(super) clock: Clock,
    pub(super) people: Vec<Person>,
    pub(super) desks: Vec<Desk>,
    pub(super) organizations: Vec<Organization>,
    /// The zone of the caller's profile, in which JQL reads dates.
    zone: &'static Zone,
    /// A field that was deleted although the list of fields still names it.
    pub(super) gone: Option<&'static str>,
    /// Made-up fields beyond those of the site.
    pub(super) more_fields: usize,
    /// Whether the list of fields has entries as apps leave them.
    pub(super) odd_fields: bool,
    /// Whether comments are public whatever was asked.
    pub(super) public_comments: bool,
    /// Whether no transition can be taken.
    pub(super) blocked: bool,
    /// Whether the issues of the first desks were those of [`OLD_PROJECTS`] once.
    pub(super) moved: bool,
    /// Whether there are issues that are no requests: every third one, and those of [`BUSINESS`].
    pub(super) tasks: bool,
    /// The desks as they were when chance made the requests: what is added later must not change them.
    first_desks: Vec<Desk>,
    /// Who was made a customer of a desk, or no longer is one: desk and person.
    pub(super) customers: HashMap<(&'static str, usize), bool>,
    /// Files that belong to no request yet.
    pub(super) temporary: HashMap<String, Temporary>,
    /// Bytes of the attachments that were uploaded.
    pub(super) contents: HashMap<u64, Vec<u8>>,
    /// Links between issues that were made since, and the ids of those that were taken back.
    pub(super) links: Vec<Link>,
    pub(super) unlinked: HashSet<u64>,
    /// Indices of the issues that are no more.
    deleted: HashSet<usize>,
    /// Requests that chance made.
    total: usize,
    /// Keys of the requests that were raised since, in order.
    raised: Vec<String>,
    /// Moments that have passed since the site's clock was stopped, and numbers that were given out.
    ticks: i64,
    numbers: u64,
    /// Requests that are not as chance made them.
    changed: HashMap<usize, Arc<Ticket>>,
    /// Indices of requests by the name of the list, latest activity first; forgotten when a request changes.
    lists: Mutex<HashMap<String, Arc<Vec<usize>>>>,
}

impl State {
    pub(super) fn new(seed: u64, requests: usize, clock: Clock, zone: &'static Zone) -> Self {
        let chance = Chance::new(seed);
        Self {
            chance,
            clock,
            people: people(chance),
            desks: desks(),
            organizations: organizations(clock),
            zone,
            gone: None,
            more_fields: 0,
            odd_fields: false,
            public_comments: false,
            blocked: false,
            moved: false,
            tasks: false,
            first_desks: desks(),
            customers: HashMap::new(),
            temporary: HashMap::new(),
            contents: HashMap::new(),
            links: Vec::new(),
            unlinked: HashSet::new(),
            deleted: HashSet::new(),
            total: requests,
            raised: Vec::new(),
            ticks: 0,
            numbers: 0,
            changed: HashMap::new(),
            lists: Mutex::default(),
        }
    }

    /// Where the facts that requests do not have come from.
    pub(super) fn chance(&self) -> Chance {
        self.chance
    }

    /// How many requests chance made.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// Indices of all that there are.
    pub(super) fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.total + self.raised.len()).filter(|&index| self.is_there(index))
    }

    /// Whether the `index`-th request was not deleted.
    pub(super) fn is_there(&self, index: usize) -> bool {
        !self.deleted.contains(&index)
    }

    /// The zone of the caller's profile.
    pub(super) fn zone(&self) -> &'static Zone {
        self.zone
    }

    /// Whether the field was deleted.
    pub(super) fn lacks(&self, field: &str) -> bool {
        self.gone == Some(field)
    }

    /// The `index`-th request as the search index knows it: as it was before it changed; `None` where it was not yet.
    pub(super) fn indexed(&self, index: usize) -> Option<Arc<Ticket>> {
        (index < self.total).then(|| Arc::new(self.made(index)))
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
            None => Arc::new(self.made(index)),
        }
    }

    /// The `index`-th request as chance made it.
    fn made(&self, index: usize) -> Ticket {
        let mut ticket = ticket::generate(self.chance, self.clock, &self.first_desks, index, self.total);
        ticket.edits.issue_only = self.tasks && (index % 3 == 2 || self.is_business(&self.first_desks[ticket.desk]));
        ticket
    }

    /// Whether a project has no service desk.
    pub(super) fn is_business(&self, desk: &Desk) -> bool {
        self.tasks && desk.key == BUSINESS
    }

    /// What kind of project that of a desk is.
    pub(super) fn project_type(&self, desk: &Desk) -> &'static str {
        if self.is_business(desk) { "business" } else { "service_desk" }
    }

    /// The index of the request with this key or issue id.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.index_of(key).filter(|&index| self.is_there(index))
    }

    fn index_of(&self, key: &str) -> Option<usize> {
        if let Some(index) = self.raised.iter().position(|raised| raised.eq_ignore_ascii_case(key)) {
            return Some(self.total + index);
        }
        let index = match key.rsplit_once('-') {
            Some((project, number)) => {
                let desk = OLD_PROJECTS
                    .iter()
                    .position(|old| self.moved && project.eq_ignore_ascii_case(old));
                let project = desk.map_or(project, |desk| self.desks[desk].key);
                let desk = self.desks.iter().position(|desk| desk.key.eq_ignore_ascii_case(project))?;
                ticket::index_of(desk, number.parse().ok()?)?
            }
            None => {
                let index = ticket::index_of_id(key.parse().ok()?)?;
                return (index < self.total + self.raised.len()).then_some(index);
            }
        };
        (index < self.total).then_some(index)
    }

    /// Indices of the requests that belong to a list, latest activity first. The name stands for what belongs.
    pub(super) fn list(&self, name: &str, belongs: impl Fn(&Ticket) -> bool) -> Arc<Vec<usize>> {
        if let Some(list) = self.lists.lock().ok().and_then(|lists| lists.get(name).cloned()) {
            return list;
        }
        let mut found: Vec<(i64, usize)> = self
            .indices()
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

    /// A person by account id.
    pub(super) fn person(&self, account: &str) -> Option<usize> {
        self.people.iter().position(|person| person.account_id == account)
    }

    /// An attachment of any request.
    pub(super) fn attachment(&self, id: u64) -> Option<Attachment> {
        let mut all = self.indices().map(|index| self.ticket(index));
        all.find_map(|ticket| ticket.attachments.iter().find(|file| file.id == id).cloned())
    }

    /// A moment later than all before it.
    pub(super) fn tick(&mut self) -> i64 {
        self.ticks += 1;
        self.clock.now + self.ticks * 1_000
    }

    /// A number that was not given out before.
    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Adds a request to a desk, made of its id, key and moment; tells its index.
    pub(super) fn raise(&mut self, make: impl FnOnce(u64, String, i64) -> Ticket, desk: usize) -> usize {
        let index = self.total + self.raised.len();
        let project = self.desks[desk].key;
        let before = ticket::count_of(desk, self.total);
        let prefix = format!("{project}-");
        let since = self.raised.iter().filter(|key| key.starts_with(&prefix)).count();
        let key = format!("{prefix}{}", before + since + 1);
        let at = self.tick();
        let ticket = make(ticket::FIRST_ID + index as u64, key.clone(), at);
        self.raised.push(key);
        self.changed.insert(index, Arc::new(ticket));
        self.forget_lists();
        index
    }

    /// Removes an organization. Requests know theirs by position, so those that were shared with it are shared with nobody.
    pub(super) fn remove_organization(&mut self, index: usize) {
        for request in 0..self.total + self.raised.len() {
            let shared = self.ticket(request).organization;
            if shared.is_some_and(|shared| shared >= index) {
                self.change(request, |ticket| {
                    ticket.organization = shared.filter(|shared| *shared != index).map(|shared| shared - 1);
                });
            }
        }
        self.organizations.remove(index);
    }

    /// Deletes an issue. Its key is not given out again.
    pub(super) fn delete(&mut self, index: usize) {
        self.deleted.insert(index);
        self.forget_lists();
    }

    /// Links an issue to another.
    pub(super) fn link(&mut self, kind: usize, from: usize, to: usize) {
        let id = 800_000 + self.next_number();
        self.links.push(Link { id, kind, from, to });
        self.forget_lists();
    }

    /// Takes a link back.
    pub(super) fn unlink(&mut self, id: u64) {
        self.links.retain(|link| link.id != id);
        self.unlinked.insert(id);
        self.forget_lists();
    }

    fn forget_lists(&mut self) {
        if let Ok(lists) = self.lists.get_mut() {
            lists.clear();
        }
    }

    /// Changes a request.
    pub(super) fn change(&mut self, index: usize, change: impl FnOnce(&mut Ticket)) {
        let mut ticket = (*self.ticket(index)).clone();
        change(&mut ticket);
        self.changed.insert(index, Arc::new(ticket));
        self.forget_lists();
    }
}
