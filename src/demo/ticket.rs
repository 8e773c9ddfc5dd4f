//! One customer request of the demo site, with everything that hangs on it.

use serde_json::Value;

use super::answer::Asked;
use super::chance::Chance;
use super::date::{Clock, DAY, HOUR, MINUTE};
use super::desk::{Desk, FieldKind, RequestType};
use super::edits::Edits;
use super::json::Object;
use super::person::{AGENTS, CUSTOMERS, DANA};
use super::state::State;
use super::words;

/// A customer request.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) id: u64,
    /// Index of its desk and of its type there.
    pub(super) desk: usize,
    pub(super) kind: usize,
    pub(super) key: String,
    pub(super) summary: String,
    pub(super) description: String,
    /// Values of the other fields of the form: field id and JSON.
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) created: i64,
    /// When something last happened.
    pub(super) updated: i64,
    pub(super) reporter: usize,
    pub(super) assignee: Option<usize>,
    /// 0 is the most urgent.
    pub(super) priority: usize,
    pub(super) organization: Option<usize>,
    pub(super) participants: Vec<usize>,
    /// Statuses reached: index into those of the desk, and when; the current one last.
    pub(super) statuses: Vec<(usize, i64)>,
    pub(super) comments: Vec<Comment>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) approvals: Vec<Approval>,
    pub(super) slas: Vec<Sla>,
    pub(super) feedback: Option<(i64, Option<String>)>,
    /// Whether Dana is told of changes.
    pub(super) subscribed: bool,
    /// What was written to the issue beyond this.
    pub(super) edits: Edits,
}

/// A comment on a request.
#[derive(Debug, Clone)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) author: usize,
    pub(super) at: i64,
    pub(super) public: bool,
    pub(super) body: String,
    /// Index of the first attachment of the request that came with it, and how many did.
    pub(super) attachments: std::ops::Range<usize>,
    /// The document that it was written as, on the platform.
    pub(super) document: Option<Value>,
    /// When it was written there.
    pub(super) edited: Option<i64>,
    /// Who may see it, where not everybody may.
    pub(super) visibility: Option<Value>,
}

/// A file attached to a request.
#[derive(Debug, Clone)]
pub(super) struct Attachment {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) media_type: String,
    pub(super) size: u64,
    pub(super) author: usize,
    pub(super) at: i64,
}

/// A decision that is asked for.
#[derive(Debug, Clone)]
pub(super) struct Approval {
    pub(super) id: u64,
    /// Who is asked, and what they said: `None` while they have not.
    pub(super) approvers: Vec<(usize, Option<bool>)>,
    pub(super) created: i64,
    pub(super) completed: Option<(bool, i64)>,
}

/// A promise about time.
#[derive(Debug, Clone)]
pub(super) struct Sla {
    pub(super) id: u64,
    pub(super) name: &'static str,
    pub(super) goal: i64,
    /// Start and stop of the cycles that are over.
    pub(super) completed: Vec<(i64, i64)>,
    /// Start of the one that runs, and whether its clock stands still.
    pub(super) ongoing: Option<(i64, bool)>,
}

/// Desks of ten requests in a row: so the number of a request in its project is arithmetic.
const PATTERN: [usize; 10] = [0, 1, 0, 0, 2, 0, 1, 0, 1, 0];
/// Issue id of the first request.
pub(super) const FIRST_ID: u64 = 10_000;

/// Project and number of the `index`-th request.
fn place(index: usize) -> (usize, usize) {
    let (round, at) = (index / PATTERN.len(), index % PATTERN.len());
    let desk = PATTERN[at];
    let (each, before) = (count(&PATTERN, desk), count(&PATTERN[..at], desk));
    (desk, round * each + before + 1)
}

/// The request with this number in its project.
pub(super) fn index_of(desk: usize, number: usize) -> Option<usize> {
    let each = count(&PATTERN, desk);
    let (round, rank) = (number.checked_sub(1)? / each, (number - 1) % each);
    let at = (0..PATTERN.len()).filter(|&at| PATTERN[at] == desk).nth(rank)?;
    Some(round * PATTERN.len() + at)
}

fn count(pattern: &[usize], desk: usize) -> usize {
    pattern.iter().filter(|&&of| of == desk).count()
}

/// How many of the first `total` requests belong to a desk.
pub(super) fn count_of(desk: usize, total: usize) -> usize {
    let (rounds, rest) = (total / PATTERN.len(), total % PATTERN.len());
    rounds * count(&PATTERN, desk) + count(&PATTERN[..rest], desk)
}

/// The request with this issue id.
pub(super) fn index_of_id(id: u64) -> Option<usize> {
    usize::try_from(id.checked_sub(FIRST_ID)?).ok()
}

/// Makes the `index`-th of `total` requests.
pub(super) fn generate(chance: Chance, clock: Clock, desks: &[Desk], index: usize, total: usize) -> Ticket {
    let draw = index as u64;
    let below = |what: &str, end: usize| chance.below(what, draw, end);
    let happens = |what: &str, percent: usize| chance.happens(what, draw, percent);
    let (desk_index, number) = place(index);
    let desk = &desks[desk_index];
    let id = FIRST_ID + draw;

    // Requests arrive evenly; something happens to each for a while after.
    let (opening, now) = (clock.opening(), clock.now);
    let spacing = (now - opening - DAY) / total.max(1) as i64;
    let created = opening + spacing * index as i64 + below("minute", spacing.clamp(1, DAY) as usize) as i64;
    let skew = below("life", 480) as i64;
    let life = HOUR + skew * skew * HOUR / 480;
    let closed = created + life < now && happens("closed", 80);
    let updated = (created + life)
        .min(now - below("ago", 600) as i64 * MINUTE / 10)
        .max(created + 1);
    let during = |part: i64, of: i64| created + (updated - created) * part / of;

    let last = desk.statuses.len() - 1;
    let mut statuses = vec![(0, created)];
    let mut stage = |status: usize, at: i64| statuses.push((status, at));
    if happens("started", 80) || closed {
        stage(1, during(2, 10));
    }
    if happens("asked back", 30) {
        stage(2, during(4, 10));
        if happens("answered", 70) || closed {
            stage(1, during(5, 10));
        }
    }
    let reopened = closed && happens("reopened", 8);
    if reopened {
        stage(last, during(6, 10));
        stage(1, during(7, 10));
    }
    if closed {
        stage(last, updated);
    }
    let open = !closed;
    let waiting = statuses.last().is_some_and(|&(status, _)| status == 2);

    let kind_index = below("type", desk.types.len());
    let kind = &desk.types[kind_index];
    let reporter = match happens("Dana's own", 10) {
        true => DANA,
        false => CUSTOMERS.start + below("reporter", CUSTOMERS.len()),
    };
    let assignee = happens("assigned", 75).then(|| below("assignee", AGENTS.len()));
    let mut participants: Vec<usize> = match index % 113 {
        19 => (CUSTOMERS.start..CUSTOMERS.start + 60).collect(),
        _ => (0..[0, 0, 0, 1, 1, 2, 3][below("participants", 7)])
            .map(|nth| CUSTOMERS.start + (below("participant", CUSTOMERS.len()) + nth * 31) % CUSTOMERS.len())
            .collect(),
    };
    if happens("Dana takes part", 20) && reporter != DANA {
        participants.push(DANA);
    }
    participants.retain(|&person| person != reporter);
    // The list of requests is that of Dana: every request is hers, shared with her or with an organization of hers.
    let shared = happens("shared", 60) || reporter != DANA && !participants.contains(&DANA);
    let organization = shared.then(|| below("organization", 5));

    let mut ticket = Ticket {
        id,
        desk: desk_index,
        kind: kind_index,
        key: format!("{}-{number}", desk.key),
        summary: kind.summaries[below("summary", kind.summaries.len())].to_owned(),
        description: format!(
            "Since this morning, *{}*.\n\n* first seen: {}\n* urgent: {}",
            kind.name,
            super::date::Stamp::day(created),
            if happens("urgent", 30) { "yes" } else { "no" }
        ),
        fields: field_values(chance, clock, kind, draw),
        created,
        updated,
        reporter,
        assignee,
        priority: below("priority", 5),
        organization,
        participants,
        statuses,
        comments: Vec::new(),
        attachments: Vec::new(),
        approvals: Vec::new(),
        slas: Vec::new(),
        feedback: None,
        subscribed: reporter == DANA || happens("subscribed", 30),
        edits: Edits::default(),
    };
    let own = match index % 149 {
        20 => 55,
        _ if happens("attached", 15) => 1 + below("files", 2),
        _ => 0,
    };
    for _ in 0..own {
        attach(&mut ticket, chance, reporter, created);
    }
    comment(&mut ticket, chance, index, reporter, during);
    if kind.approval && happens("approval", 80) {
        ticket.approvals = approvals(chance, &ticket, closed, during);
    }
    if index % 29 != 5 {
        ticket.slas = slas(&ticket, open, waiting, last);
    }
    if closed && happens("feedback", 40) {
        let said = happens("verdict", 60).then(|| words::VERDICTS[below("words", words::VERDICTS.len())].to_owned());
        ticket.feedback = Some((1 + below("rating", 5) as i64, said));
    }
    ticket
}

/// Values of the fields of the form beyond summary and description, as JSON.
fn field_values(chance: Chance, clock: Clock, kind: &RequestType, draw: u64) -> Vec<(&'static str, String)> {
    let below = |what: &str, end: usize| chance.below(what, draw, end);
    let value = |kind: FieldKind| match kind {
        FieldKind::Select(values) => {
            let (id, label) = values[below("choice", values.len())];
            format!(r#"{{"id":"{id}","value":{}}}"#, serde_json::Value::from(label))
        }
        FieldKind::Cascade(values) => {
            let (label, children) = values[below("choice", values.len())];
            let child = children
                .first()
                .map(|child| format!(r#","child":{{"id":"103000","value":"{child}"}}"#))
                .unwrap_or_default();
            format!(r#"{{"id":"10300","value":"{label}"{child}}}"#)
        }
        FieldKind::Number => format!("{}.5", 100 + below("cost", 2_000)),
        FieldKind::Date => format!("\"{}\"", super::date::Stamp::day(clock.now + below("until", 90) as i64 * DAY)),
        FieldKind::Attachment => "[]".to_owned(),
        FieldKind::Labels => r#"["portal"]"#.to_owned(),
        FieldKind::Summary | FieldKind::Description | FieldKind::Person => "null".to_owned(),
    };
    // Hidden fields are left out of the values of a request.
    let shown = kind
        .fields
        .iter()
        .filter(|field| field.visible && !matches!(field.kind, FieldKind::Summary | FieldKind::Description));
    shown.map(|field| (field.id, value(field.kind))).collect()
}

fn attach(ticket: &mut Ticket, chance: Chance, author: usize, at: i64) {
    let nth = ticket.attachments.len() as u64;
    let draw = ticket.id * 100 + nth;
    let (name, media_type) = words::FILES[chance.below("file", draw, words::FILES.len())];
    ticket.attachments.push(Attachment {
        id: draw,
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        size: 200 + chance.below("size", draw, 3_000_000) as u64,
        author,
        at,
    });
}

fn comment(ticket: &mut Ticket, chance: Chance, index: usize, reporter: usize, during: impl Fn(i64, i64) -> i64) {
    let draw = index as u64;
    let many = match index % 97 {
        13 => 55 + chance.below("comments", draw, 60),
        _ => [0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 8][chance.below("comments", draw, 12)],
    };
    for nth in 0..many {
        let draw = ticket.id * 1_000 + nth as u64;
        let agent = chance.happens("agent answers", draw, 50);
        let author = if agent { ticket.assignee.unwrap_or(1) } else { reporter };
        let public = !agent || chance.happens("public", draw, 70);
        let at = during(nth as i64 + 1, many as i64 + 1);
        let texts = match (agent, public) {
            (true, true) => words::ANSWERS,
            (true, false) => words::NOTES,
            (false, _) => words::REPLIES[author % words::LANGUAGES],
        };
        let first = ticket.attachments.len();
        if ticket.attachments.len() < 90 && chance.happens("with a file", draw, 12) {
            for _ in 0..1 + chance.below("with files", draw, 2) {
                attach(ticket, chance, author, at);
            }
        }
        ticket.comments.push(Comment {
            id: draw,
            author,
            at,
            public,
            body: texts[chance.below("text", draw, texts.len())].to_owned(),
            attachments: first..ticket.attachments.len(),
            document: None,
            edited: None,
            visibility: None,
        });
    }
}

fn approvals(chance: Chance, ticket: &Ticket, closed: bool, during: impl Fn(i64, i64) -> i64) -> Vec<Approval> {
    let draw = ticket.id;
    let (created, answered) = (during(1, 10), during(3, 10));
    let mut people: Vec<usize> = (0..1 + chance.below("approvers", draw, 3))
        .map(|nth| (chance.below("approver", draw, 8) + nth * 3) % 8)
        .collect();
    people.dedup();
    let done = closed || chance.happens("approved in time", draw, 50);
    let yes = chance.happens("approved", draw, 80);
    let approvers: Vec<(usize, Option<bool>)> = people
        .into_iter()
        .enumerate()
        // One approver is enough; the others need not answer.
        .map(|(nth, person)| (person, (done && nth == 0).then_some(yes)))
        .collect();
    vec![Approval {
        id: draw * 10,
        approvers,
        created,
        completed: done.then_some((yes, answered)),
    }]
}

fn slas(ticket: &Ticket, open: bool, waiting: bool, last: usize) -> Vec<Sla> {
    let mut cycles = Vec::new();
    let mut start = Some(ticket.created);
    for &(status, at) in &ticket.statuses[1..] {
        match start {
            Some(began) if status == last => {
                cycles.push((began, at));
                start = None;
            }
            None => start = Some(at),
            Some(_) => {}
        }
    }
    let ongoing = start.filter(|_| open).map(|began| (began, waiting));
    let resolution = Sla {
        id: 11,
        name: "Time to resolution",
        goal: 16 * HOUR,
        completed: cycles.clone(),
        ongoing,
    };
    let response = ticket.statuses.get(1).map(|&(_, at)| (ticket.created, at));
    match ticket.desk {
        0 => vec![
            Sla {
                id: 10,
                name: "Time to first response",
                goal: 4 * HOUR,
                completed: response.into_iter().collect(),
                ongoing: response.is_none().then_some((ticket.created, false)),
            },
            resolution,
        ],
        1 => vec![resolution],
        _ => vec![Sla {
            id: 12,
            name: "Time to done",
            goal: 40 * HOUR,
            completed: cycles,
            ongoing,
        }],
    }
}

/// The value of a custom field.
pub(super) type Custom<'a> = &'a dyn Fn(&str) -> serde_json::Value;

impl Ticket {
    /// Whether it still waits for somebody.
    pub(super) fn is_open(&self) -> bool {
        // The last status of each workflow is its end.
        self.statuses.last().is_none_or(|&(status, _)| status != 3)
    }

    /// The fields of an issue of the platform API, as queues show them; `custom` tells the values of custom fields.
    pub(super) fn fill_issue(&self, o: &mut Object, state: &State, (fields, custom): (&[&str], Custom<'_>), asked: &Asked) {
        const PRIORITIES: [&str; 5] = ["Highest", "High", "Medium", "Low", "Lowest"];
        o.text("id", self.id);
        o.text(
            "self",
            format_args!("{}/rest/servicedeskapi/rest/api/2/issue/{}", asked.base, self.id),
        );
        o.text("key", &self.key);
        let desk = &state.desks[self.desk];
        let kind = &desk.types[self.kind];
        o.object("fields", |o| {
            for &field in fields {
                match field {
                    "summary" => o.text("summary", &self.summary),
                    "status" => {
                        let (name, category) = desk.statuses[self.statuses.last().map_or(0, |&(status, _)| status)];
                        o.object("status", |o| {
                            o.text("name", name);
                            o.object("statusCategory", |o| o.text("key", category.to_lowercase()));
                        });
                    }
                    "issuetype" => o.object("issuetype", |o| {
                        let id = self.edits.issue_type.map_or(kind.issue_type, |(id, _)| id);
                        o.text("id", id);
                        o.text("name", if id == "10012" { "Service request" } else { "IT help" });
                        o.flag("subtask", false);
                    }),
                    "priority" => o.object("priority", |o| {
                        o.text("id", self.priority + 1);
                        o.text("name", PRIORITIES[self.priority]);
                    }),
                    "assignee" => match self.assignee {
                        Some(person) => state.people[person].write(o, "assignee", asked),
                        None => o.null("assignee"),
                    },
                    "reporter" => state.people[self.reporter].write(o, "reporter", asked),
                    "created" => o.text("created", super::date::Stamp::jira(self.created)),
                    "updated" => o.text("updated", super::date::Stamp::jira(self.updated)),
                    field if field.starts_with("customfield_") => o.raw(field, custom(field)),
                    // The key is no field of the body, although queues list it.
                    _ => {}
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::date::Day;
    use crate::demo::desk::desks;

    #[test]
    fn a_key_leads_back_to_its_request() {
        let (chance, clock, desks) = (Chance::new(7), Clock::new(Day::FIXED), desks());
        for index in 0..200 {
            let ticket = generate(chance, clock, &desks, index, 200);
            let number = ticket.key.rsplit_once('-').unwrap().1.parse().unwrap();
            assert_eq!(index_of(ticket.desk, number), Some(index), "{}", ticket.key);
            assert_eq!(index_of_id(ticket.id), Some(index));
        }
    }

    #[test]
    fn what_happens_happens_in_order() {
        let (chance, clock, desks) = (Chance::new(7), Clock::new(Day::FIXED), desks());
        for index in 0..500 {
            let ticket = generate(chance, clock, &desks, index, 500);
            assert!(ticket.created < ticket.updated && ticket.updated <= clock.now, "{ticket:?}");
            assert!(ticket.statuses.is_sorted_by_key(|&(_, at)| at), "{ticket:?}");
            assert!(ticket.comments.is_sorted_by_key(|comment| comment.at));
            assert!(ticket.reporter == DANA || ticket.participants.contains(&DANA) || ticket.organization.is_some());
        }
    }
}
