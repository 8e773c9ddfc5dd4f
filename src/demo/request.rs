//! What the site says about customer requests.

use super::answer::{Answer, Asked};
use super::date::{HOUR, write_date, write_duration, write_sparse_date};
use super::desk::{self, FieldKind};
use super::json::{self, Array, Object};
use super::page::{embedded, page};
use super::person::DANA;
use super::state::State;
use super::ticket::{Approval, Attachment, Comment, Sla, Ticket};

/// Requests that a page of `/request` gives at most, and rows of the lists below a request.
const MOST_REQUESTS: usize = 100;
const MOST: usize = 50;

const EXPANDS: [&str; 8] = [
    "participant",
    "status",
    "sla",
    "requestType",
    "serviceDesk",
    "attachment",
    "action",
    "comment",
];

/// Answers `/request…`; `rest` are the segments after `request`.
pub(super) fn answer(state: &State, asked: &Asked, rest: &[&str]) -> Answer {
    let [key, rest @ ..] = rest else { return list(state, asked) };
    // Requests of a desk without a licence: even its refusal is empty.
    if key.to_ascii_uppercase().starts_with("SEC-") {
        return Answer::new(403, "", "");
    }
    let Some(index) = state.find(key).filter(|&index| !state.ticket(index).edits.issue_only) else {
        return match rest {
            // Comments of what may not be seen are an empty page, no error.
            ["comment"] => page(asked, 0, MOST, |_, _| ()),
            _ => Answer::no_request(),
        };
    };
    let ticket = state.ticket(index);
    let people = |list: &[usize]| page(asked, list.len(), MOST, |a, row| state.people[list[row]].push(a, asked));
    match rest {
        [] => Answer::json(json::document(|o| fill(o, state, &ticket, asked))),
        ["participant"] => people(&ticket.participants),
        ["status"] => {
            let last = ticket.statuses.len().saturating_sub(1);
            page(asked, ticket.statuses.len(), MOST, |a, row| {
                push_status(a, state, &ticket, last - row)
            })
        }
        ["transition"] => {
            let transitions = transitions(&ticket);
            page(asked, transitions.len(), MOST, |a, row| {
                let (id, name) = transitions[row];
                a.object(|o| {
                    o.text("id", id);
                    o.text("name", name);
                });
            })
        }
        ["notification"] => Answer::json(json::document(|o| o.flag("subscribed", ticket.subscribed))),
        ["feedback"] if !asked.experimental => desk::experimental(),
        ["feedback"] => match &ticket.feedback {
            Some((rating, said)) => Answer::json(json::document(|o| {
                o.text("type", "csat");
                o.int("rating", *rating);
                if let Some(said) = said {
                    o.object("comment", |o| o.text("body", said));
                }
            })),
            None => Answer::refuse(404, "There is no feedback on this request."),
        },
        ["attachment"] => page(asked, ticket.attachments.len(), MOST, |a, row| {
            push_attachment(a, state, &ticket.attachments[row], asked)
        }),
        ["attachment", id] | ["attachment", id, "thumbnail"] => {
            match ticket.attachments.iter().find(|file| file.id.to_string() == *id) {
                Some(file) => super::upload::way(file, asked, rest.len() > 2),
                None => Answer::refuse(404, "The attachment does not exist."),
            }
        }
        ["comment", rest @ ..] => comments(state, &ticket, asked, rest),
        ["approval"] => page(asked, ticket.approvals.len(), MOST, |a, row| {
            a.object(|o| fill_approval(o, state, &ticket, &ticket.approvals[row], asked));
        }),
        ["approval", id] => match ticket.approvals.iter().find(|approval| approval.id.to_string() == *id) {
            Some(approval) => Answer::json(json::document(|o| fill_approval(o, state, &ticket, approval, asked))),
            None => Answer::refuse(404, "The approval does not exist."),
        },
        ["sla"] => page(asked, ticket.slas.len(), MOST, |a, row| {
            a.object(|o| fill_sla(o, state, &ticket, &ticket.slas[row], asked))
        }),
        ["sla", id] => match ticket.slas.iter().find(|sla| sla.id.to_string() == *id) {
            Some(sla) => Answer::json(json::document(|o| fill_sla(o, state, &ticket, sla, asked))),
            None => Answer::refuse(404, "The SLA metric does not exist."),
        },
        _ => super::route::unknown(asked),
    }
}

/// `GET /request`: the requests of the caller, latest activity first.
fn list(state: &State, asked: &Asked) -> Answer {
    match Filter::read(state, asked) {
        Ok(filter) => {
            let indices = state.list(&format!("request {filter:?}"), |ticket| {
                !ticket.edits.issue_only && filter.takes(state, ticket)
            });
            page(asked, indices.len(), MOST_REQUESTS, |a, row| {
                let ticket = state.ticket(indices[row]);
                a.object(|o| fill(o, state, &ticket, asked));
            })
        }
        Err(refusal) => refusal,
    }
}

/// Which requests the list is asked for.
#[derive(Debug)]
struct Filter {
    who: usize,
    term: Option<String>,
    ownership: Vec<String>,
    open: Option<bool>,
    approval: Option<String>,
    organization: Option<String>,
    desk: Option<String>,
    kind: Option<String>,
}

impl Filter {
    fn read(state: &State, asked: &Asked) -> Result<Self, Answer> {
        const OWNERSHIPS: [&str; 6] = [
            "OWNED_REQUESTS",
            "PARTICIPATED_REQUESTS",
            "ORGANIZATION",
            "ALL_ORGANIZATIONS",
            "APPROVER",
            "ALL_REQUESTS",
        ];
        let unknown = |name: &str, value: &str| Err(Answer::refuse(400, format_args!("{value} is not a valid value of {name}.")));
        let text = |number: Option<i32>| number.map(|number| number.to_string());
        let ownership: Vec<String> = asked.all("requestOwnership").map(str::to_owned).collect();
        if let Some(value) = ownership.iter().find(|value| !OWNERSHIPS.contains(&value.as_str())) {
            return unknown("requestOwnership", value);
        }
        let open = match asked.one("requestStatus") {
            None | Some("ALL_REQUESTS") => None,
            Some("OPEN_REQUESTS") => Some(true),
            Some("CLOSED_REQUESTS") => Some(false),
            Some(value) => return unknown("requestStatus", value),
        };
        let approval = asked.one("approvalStatus").map(str::to_owned);
        if let Some(value) = &approval {
            if !["MY_PENDING_APPROVAL", "MY_HISTORY_APPROVAL"].contains(&value.as_str()) {
                return unknown("approvalStatus", value);
            }
            if ownership != ["APPROVER"] {
                return Err(Answer::refuse(
                    400,
                    "approvalStatus is only valid together with requestOwnership=APPROVER.",
                ));
            }
        }
        let filter = Self {
            who: asked.who,
            term: asked.one("searchTerm").map(str::to_lowercase).filter(|term| !term.is_empty()),
            ownership,
            open,
            approval,
            organization: text(asked.number("organizationId")?),
            desk: text(asked.number("serviceDeskId")?),
            kind: text(asked.number("requestTypeId")?),
        };
        if filter.organization.is_some() && !filter.ownership.iter().any(|value| value == "ORGANIZATION") {
            return Err(Answer::refuse(
                400,
                "organizationId is only valid together with requestOwnership=ORGANIZATION.",
            ));
        }
        if filter.kind.is_some() && filter.desk.is_none() {
            return Err(Answer::refuse(400, "requestTypeId needs serviceDeskId."));
        }
        if let Some(id) = &filter.desk
            && !state.desks.iter().any(|desk| desk.id == id)
        {
            return Err(Answer::refuse(404, "The service desk ID you entered doesn't exist."));
        }
        Ok(filter)
    }

    fn takes(&self, state: &State, ticket: &Ticket) -> bool {
        let desk = &state.desks[ticket.desk];
        self.desk.as_ref().is_none_or(|id| desk.id == id)
            && self.kind.as_ref().is_none_or(|id| desk.types[ticket.kind].id == *id)
            && self.open.is_none_or(|open| ticket.is_open() == open)
            && self.term.as_ref().is_none_or(|term| found(term, &ticket.summary))
            && self.is_mine(state, ticket)
    }

    fn is_mine(&self, state: &State, ticket: &Ticket) -> bool {
        let owned = ticket.reporter == self.who;
        let takes_part = ticket.participants.contains(&self.who);
        // Only Dana is a member of every organization.
        let shared = self.who == DANA && ticket.organization.is_some();
        let approver = ticket
            .approvals
            .iter()
            .flat_map(|approval| approval.approvers.iter().map(move |who| (approval, who)));
        let mut approver = approver.filter(|(_, (person, _))| *person == self.who);
        if self.ownership.is_empty() {
            return owned || takes_part || shared;
        }
        self.ownership.iter().any(|value| match value.as_str() {
            "OWNED_REQUESTS" => owned,
            "PARTICIPATED_REQUESTS" => takes_part,
            "ORGANIZATION" => ticket.organization.filter(|_| shared).is_some_and(|index| {
                self.organization
                    .as_ref()
                    .is_some_and(|id| state.organizations[index].id == *id)
            }),
            "ALL_ORGANIZATIONS" => shared,
            "APPROVER" => approver.any(|(approval, (_, answer))| match self.approval.as_deref() {
                Some("MY_PENDING_APPROVAL") => approval.completed.is_none() && answer.is_none(),
                Some(_) => approval.completed.is_some() || answer.is_some(),
                None => true,
            }),
            _ => owned || takes_part || shared,
        })
    }
}

/// A search in the summary: every word begins a word of it; `*` and `?` are wildcards.
fn found(term: &str, summary: &str) -> bool {
    let summary = summary.to_lowercase();
    let words = || {
        summary
            .split(|c: char| !c.is_alphanumeric() && c != '-')
            .filter(|word| !word.is_empty())
    };
    term.split_whitespace()
        .all(|wanted| words().any(|word| like(wanted.as_bytes(), word.as_bytes())))
}

fn like(pattern: &[u8], word: &[u8]) -> bool {
    match (pattern.first(), word.first()) {
        (None, None) => true,
        (Some(b'*'), _) => like(&pattern[1..], word) || !word.is_empty() && like(pattern, &word[1..]),
        (Some(b'?'), Some(_)) => like(&pattern[1..], &word[1..]),
        (Some(a), Some(b)) if a == b => like(&pattern[1..], &word[1..]),
        _ => false,
    }
}

/// What the workflow lets Dana do in the portal.
pub(super) fn transitions(ticket: &Ticket) -> Vec<(&'static str, &'static str)> {
    match ticket.statuses.last().map(|&(status, _)| status) {
        Some(0) => vec![("11", "Start"), ("91", "Cancel request")],
        Some(1) => vec![
            ("21", "Respond to customer"),
            ("31", "Resolve this issue"),
            ("91", "Cancel request"),
        ],
        Some(2) => vec![("11", "Respond to support"), ("31", "Resolve this issue")],
        _ => Vec::new(),
    }
}

/// The status that a transition leads to.
pub(super) fn target(transition: &str) -> usize {
    match transition {
        "11" => 1,
        "21" => 2,
        _ => 3,
    }
}

/// The fields of a `CustomerRequestDTO`.
pub(super) fn fill(o: &mut Object, state: &State, ticket: &Ticket, asked: &Asked) {
    let desk = &state.desks[ticket.desk];
    let kind = &desk.types[ticket.kind];
    o.texts("_expands", EXPANDS);
    o.text("issueId", ticket.id);
    o.text("issueKey", &ticket.key);
    o.text("summary", &ticket.summary);
    o.text("requestTypeId", &kind.id);
    if asked.expands("requestType") {
        o.object("requestType", |o| desk::fill_type(o, desk, kind, asked));
    }
    o.text("serviceDeskId", desk.id);
    if asked.expands("serviceDesk") {
        o.object("serviceDesk", |o| desk::fill_desk(o, desk, asked));
    }
    // A field of an old app has only two of the four spellings.
    if ticket.id % 37 == 3 {
        write_sparse_date(o, "createdDate", ticket.created);
    } else {
        write_date(o, "createdDate", ticket.created);
    }
    state.people[ticket.reporter].write(o, "reporter", asked);
    o.array("requestFieldValues", |a| {
        for field in kind.fields.iter().filter(|field| field.visible) {
            a.object(|o| {
                o.text("fieldId", field.id);
                o.text("label", field.name);
                match field.kind {
                    FieldKind::Summary => o.text("value", &ticket.summary),
                    FieldKind::Description => {
                        o.text("value", &ticket.description);
                        o.object("renderedValue", |o| {
                            o.text("html", format_args!("<p>{}</p>", html(&ticket.description)))
                        });
                    }
                    FieldKind::Person if ticket.fields.iter().all(|(id, value)| *id != field.id || value == "null") => {
                        state.people[ticket.reporter].write(o, "value", asked)
                    }
                    _ => match ticket.fields.iter().find(|(id, _)| *id == field.id) {
                        Some((_, value)) => o.raw("value", value),
                        None => o.null("value"),
                    },
                }
            });
        }
    });
    if let Some(&(status, at)) = ticket.statuses.last() {
        o.object("currentStatus", |o| fill_status(o, desk.statuses[status], at));
    }
    if asked.expands("status") {
        let many = ticket.statuses.len();
        embedded(o, "status", many, MOST, |a, row| push_status(a, state, ticket, row));
    }
    if asked.expands("participant") {
        embedded(o, "participants", ticket.participants.len(), MOST, |a, row| {
            state.people[ticket.participants[row]].push(a, asked)
        });
    }
    if asked.expands("sla") {
        embedded(o, "sla", ticket.slas.len(), MOST, |a, row| {
            a.object(|o| fill_sla(o, state, ticket, &ticket.slas[row], asked))
        });
    }
    if asked.expands("attachment") {
        embedded(o, "attachments", ticket.attachments.len(), MOST, |a, row| {
            push_attachment(a, state, &ticket.attachments[row], asked)
        });
    }
    if asked.expands("comment") || asked.all("expand").any(|value| value.starts_with("comment.")) {
        embedded(o, "comments", ticket.comments.len(), MOST, |a, row| {
            a.object(|o| fill_comment(o, state, ticket, &ticket.comments[row], "comment.", asked));
        });
    }
    if asked.expands("action") {
        let closed = !ticket.is_open();
        o.object("actions", |o| {
            for (name, allowed) in [
                ("addAttachment", true),
                ("addComment", true),
                ("addParticipant", !closed),
                ("removeParticipant", !closed),
            ] {
                o.object(name, |o| o.flag("allowed", allowed));
            }
        });
    }
    o.object("_links", |o| {
        o.text(
            "self",
            format_args!("{}/rest/servicedeskapi/request/{}", asked.base, ticket.id),
        );
        o.text("jiraRest", format_args!("{}/rest/api/2/issue/{}", asked.base, ticket.id));
        o.text(
            "web",
            format_args!("{}/servicedesk/customer/portal/{}/{}", asked.base, desk.id, ticket.key),
        );
        // Only agents have the other view; some answers lack it.
        if ticket.id % 50 != 7 {
            o.text("agent", format_args!("{}/browse/{}", asked.base, ticket.key));
        }
    });
}

fn fill_status(o: &mut Object, (name, category): (&str, &str), at: i64) {
    o.text("status", name);
    o.text("statusCategory", category);
    write_date(o, "statusDate", at);
}

fn push_status(a: &mut Array, state: &State, ticket: &Ticket, row: usize) {
    let (status, at) = ticket.statuses[row];
    a.object(|o| fill_status(o, state.desks[ticket.desk].statuses[status], at));
}

fn comments(state: &State, ticket: &Ticket, asked: &Asked, rest: &[&str]) -> Answer {
    let [id, rest @ ..] = rest else {
        let (public, internal) = (asked.flag("public", true), asked.flag("internal", true));
        let shown: Vec<&Comment> = ticket
            .comments
            .iter()
            .filter(|comment| if comment.public { public } else { internal })
            .collect();
        return page(asked, shown.len(), MOST, |a, row| {
            a.object(|o| fill_comment(o, state, ticket, shown[row], "", asked))
        });
    };
    let Some(comment) = ticket.comments.iter().find(|comment| comment.id.to_string() == *id) else {
        return Answer::refuse(404, "The comment does not exist.");
    };
    match rest {
        [] => Answer::json(json::document(|o| fill_comment(o, state, ticket, comment, "", asked))),
        ["attachment"] if !asked.experimental => desk::experimental(),
        ["attachment"] => {
            let files = &ticket.attachments[comment.attachments.clone()];
            page(asked, files.len(), MOST, |a, row| {
                push_attachment(a, state, &files[row], asked)
            })
        }
        _ => super::route::unknown(asked),
    }
}

/// The fields of a `CommentDTO`; `prefix` is what stands before the names of its own expansions.
pub(super) fn fill_comment(o: &mut Object, state: &State, ticket: &Ticket, comment: &Comment, prefix: &str, asked: &Asked) {
    o.texts("_expands", ["attachment", "renderedBody"]);
    o.text("id", comment.id);
    o.text("body", &comment.body);
    if asked.expands(&format!("{prefix}renderedBody")) {
        o.object("renderedBody", |o| {
            o.text("html", format_args!("<p>{}</p>", html(&comment.body)))
        });
    }
    o.flag("public", comment.public);
    state.people[comment.author].write(o, "author", asked);
    write_date(o, "created", comment.at);
    if asked.expands(&format!("{prefix}attachment")) {
        let files = &ticket.attachments[comment.attachments.clone()];
        embedded(o, "attachments", files.len(), MOST, |a, row| {
            push_attachment(a, state, &files[row], asked)
        });
    }
    o.object("_links", |o| {
        o.text(
            "self",
            format_args!(
                "{}/rest/servicedeskapi/request/{}/comment/{}",
                asked.base, ticket.id, comment.id
            ),
        );
    });
}

/// An `AttachmentDTO`: its id is only inside of links.
pub(super) fn push_attachment(a: &mut Array, state: &State, file: &Attachment, asked: &Asked) {
    let (base, id) = (&asked.base, file.id);
    a.object(|o| {
        o.text("filename", &file.name);
        state.people[file.author].write(o, "author", asked);
        write_date(o, "created", file.at);
        o.int("size", file.size as i64);
        o.text("mimeType", &file.media_type);
        o.object("_links", |o| {
            let name = percent_encoding::utf8_percent_encode(&file.name, percent_encoding::NON_ALPHANUMERIC);
            o.text("jiraRest", format_args!("{base}/rest/api/2/attachment/{id}"));
            o.text(
                "content",
                format_args!("{base}/servicedesk/customershim/secure/attachment/{id}/{name}"),
            );
            if file.media_type.starts_with("image/") {
                o.text(
                    "thumbnail",
                    format_args!("{base}/servicedesk/customershim/secure/thumbnail/{id}/_thumb_{id}.png"),
                );
            }
        });
    });
}

pub(super) fn fill_approval(o: &mut Object, state: &State, ticket: &Ticket, approval: &Approval, asked: &Asked) {
    let word = |answer: Option<bool>| match answer {
        Some(true) => "approved",
        Some(false) => "declined",
        None => "pending",
    };
    o.text("id", approval.id);
    o.text("name", "Waiting for approval");
    o.text("finalDecision", word(approval.completed.map(|(yes, _)| yes)));
    let open = approval.completed.is_none()
        && approval
            .approvers
            .iter()
            .any(|&(person, answer)| person == asked.who && answer.is_none());
    o.flag("canAnswerApproval", open);
    o.array("approvers", |a| {
        for &(person, answer) in &approval.approvers {
            a.object(|o| {
                state.people[person].write(o, "approver", asked);
                o.text("approverDecision", word(answer));
            });
        }
    });
    write_date(o, "createdDate", approval.created);
    if let Some((_, at)) = approval.completed {
        write_date(o, "completedDate", at);
    }
    o.object("_links", |o| {
        o.text(
            "self",
            format_args!(
                "{}/rest/servicedeskapi/request/{}/approval/{}",
                asked.base, ticket.id, approval.id
            ),
        );
    });
}

/// An `SlaInformationDTO`. A third of the calendar is working time; the facilities desk is an old one that says less.
pub(super) fn fill_sla(o: &mut Object, state: &State, ticket: &Ticket, sla: &Sla, asked: &Asked) {
    let old = ticket.desk == 2;
    if !old {
        o.text("id", sla.id);
    }
    o.text("name", sla.name);
    o.object("_links", |o| {
        o.text(
            "self",
            format_args!("{}/rest/servicedeskapi/request/{}/sla/{}", asked.base, ticket.id, sla.id),
        )
    });
    o.array("completedCycles", |a| {
        for &(start, stop) in &sla.completed {
            let elapsed = (stop - start) / 3;
            a.object(|o| {
                write_date(o, "startTime", start);
                write_date(o, "stopTime", stop);
                if !old {
                    write_date(o, "breachTime", start + sla.goal * 3);
                }
                o.flag("breached", elapsed > sla.goal);
                write_clock(o, sla.goal, elapsed);
            });
        }
    });
    if let Some((start, paused)) = sla.ongoing {
        let now = state.clock.now;
        let stopped = if paused { ticket.updated } else { now };
        let elapsed = (stopped - start) / 3;
        o.object("ongoingCycle", |o| {
            write_date(o, "startTime", start);
            if !paused {
                write_date(o, "breachTime", start + sla.goal * 3);
            }
            o.flag("breached", elapsed > sla.goal);
            o.flag("paused", paused);
            // The site's clock stands still in the afternoon.
            o.flag("withinCalendarHours", ticket.desk == 2 && now % (24 * HOUR) < 18 * HOUR);
            write_clock(o, sla.goal, elapsed);
        });
    }
    if !old {
        o.text("slaDisplayFormat", "NEW_SLA_FORMAT");
    }
}

fn write_clock(o: &mut Object, goal: i64, elapsed: i64) {
    write_duration(o, "goalDuration", goal);
    write_duration(o, "elapsedTime", elapsed);
    write_duration(o, "remainingTime", goal - elapsed);
}

/// Wiki text as the site would render it, as far as anybody looks.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\n', "<br/>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_by_word_with_wildcards() {
        for (term, summary, expected) in [
            ("vpn", "VPN drops", true),
            ("vp", "VPN drops", false),
            ("vp*", "VPN drops", true),
            ("v?n drops", "VPN drops", true),
            ("drop", "VPN drops", false),
            ("wi-fi", "Wi-Fi password", true),
            ("*", "x", true),
        ] {
            assert_eq!(found(term, summary), expected, "{term} in {summary}");
        }
    }
}
