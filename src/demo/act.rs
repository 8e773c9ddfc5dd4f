//! What can be done to a customer request: commented on, shared, moved on, approved, rated, given files.

use super::answer::{Answer, Asked};
use super::body::Body;
use super::json;
use super::page::page;
use super::request::{self, target, transitions};
use super::state::State;
use super::ticket::{Attachment, Comment, Ticket};

/// Longest comment.
const LONGEST: usize = 32_767;

/// Does something to a request; `rest` are the segments after `request`.
pub(super) fn act(state: &mut State, asked: &Asked, rest: &[&str]) -> Answer {
    let (method, [key, rest @ ..]) = (asked.method.as_str(), rest) else {
        return if asked.method == "POST" {
            super::raise::raise(state, asked)
        } else {
            super::route::refuse_method(asked)
        };
    };
    if (method, *key, rest) == ("POST", "validate", &[]) {
        return super::raise::validate(state, asked);
    }
    if key.to_ascii_uppercase().starts_with("SEC-") {
        return Answer::new(403, "", "");
    }
    let Some(index) = state.find(key).filter(|&index| !state.ticket(index).edits.issue_only) else {
        return Answer::no_request();
    };
    let done = match (method, rest) {
        ("POST", ["comment"]) => comment(state, index, asked),
        ("POST" | "DELETE", ["participant"]) => participants(state, index, asked),
        ("POST", ["approval", id]) => approve(state, index, asked, id),
        ("POST", ["transition"]) => transition(state, index, asked),
        ("PUT", ["notification"]) => {
            state.change(index, |ticket| ticket.subscribed = true);
            Ok(Answer::none())
        }
        ("DELETE", ["notification"]) => {
            state.change(index, |ticket| ticket.subscribed = false);
            Ok(Answer::none())
        }
        ("POST" | "DELETE", ["feedback"]) if !asked.experimental => Ok(super::desk::experimental()),
        ("POST", ["feedback"]) => feedback(state, index, asked),
        ("DELETE", ["feedback"]) if state.ticket(index).feedback.is_none() => {
            Ok(Answer::refuse(404, "There is no feedback on this request."))
        }
        ("DELETE", ["feedback"]) => {
            state.change(index, |ticket| ticket.feedback = None);
            Ok(Answer::none())
        }
        ("POST", ["attachment"]) => attach(state, index, asked),
        _ => Ok(super::route::refuse_method(asked)),
    };
    done.unwrap_or_else(|refusal| refusal)
}

/// Adds a comment to a ticket; `files` is how many of its last attachments came with it.
fn add_comment(ticket: &mut Ticket, author: usize, at: i64, public: bool, body: &str, files: usize) -> Comment {
    let last = ticket.comments.iter().map(|comment| comment.id + 1).max();
    let end = ticket.attachments.len();
    let comment = Comment {
        id: last.unwrap_or(ticket.id * 1_000),
        author,
        at,
        public,
        body: body.to_owned(),
        attachments: end - files..end,
        document: None,
        edited: None,
        visibility: None,
    };
    ticket.comments.push(comment.clone());
    ticket.updated = at;
    comment
}

fn comment(state: &mut State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["body", "public"])?;
    let public = body.flag("public", true)? || state.public_comments;
    let text = body
        .text("body")?
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| Answer::refuse(400, "Comment body can not be empty!"))?;
    if text.chars().count() > LONGEST {
        return Err(Answer::refuse(
            400,
            format_args!("The entered text is too long. It exceeds the allowed limit of {LONGEST} characters."),
        ));
    }
    let at = state.tick();
    let mut added = None;
    state.change(index, |ticket| {
        added = Some(add_comment(ticket, asked.who, at, public, text, 0))
    });
    let ticket = state.ticket(index);
    let added = added.ok_or_else(Answer::no_request)?;
    Ok(Answer::json(json::document(|o| {
        request::fill_comment(o, state, &ticket, &added, "", asked)
    }))
    .with_status(201))
}

/// Indices of the people that a list of account ids names: all of them, or a refusal.
pub(super) fn people(state: &State, accounts: &[&str]) -> Result<Vec<usize>, Answer> {
    if accounts.is_empty() {
        return Err(Answer::refuse(400, "accountIds must not be empty."));
    }
    if accounts.len() > 50 {
        return Err(Answer::refuse(400, "accountIds must have 50 elements at most."));
    }
    let find = |account: &&str| {
        state
            .person(account)
            .ok_or_else(|| Answer::refuse(400, format_args!("The user with account ID '{account}' does not exist.")))
    };
    accounts.iter().map(find).collect()
}

fn participants(state: &mut State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["accountIds"])?;
    let people = people(state, &body.texts("accountIds")?)?;
    let adds = asked.method == "POST";
    state.change(index, |ticket| {
        for person in people {
            let there = ticket.participants.contains(&person);
            if adds && !there && ticket.reporter != person {
                ticket.participants.push(person);
            } else if !adds {
                ticket.participants.retain(|known| *known != person);
            }
        }
    });
    let ticket = state.ticket(index);
    Ok(page(asked, ticket.participants.len(), 50, |a, row| {
        state.people[ticket.participants[row]].push(a, asked)
    }))
}

fn approve(state: &mut State, index: usize, asked: &Asked, id: &str) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["decision"])?;
    let yes = match body.needed("decision")? {
        "approve" => true,
        "decline" => false,
        other => return Err(Answer::refuse(400, format_args!("{other} is not a decision."))),
    };
    let ticket = state.ticket(index);
    let Some(position) = ticket.approvals.iter().position(|approval| approval.id.to_string() == id) else {
        return Err(Answer::refuse(404, "The approval does not exist."));
    };
    let approval = &ticket.approvals[position];
    if approval.completed.is_some() {
        return Err(Answer::refuse(409, "The approval has already been completed."));
    }
    let Some(own) = approval.approvers.iter().position(|&(person, _)| person == asked.who) else {
        return Err(Answer::refuse(403, "You are not an approver of this request."));
    };
    let at = state.tick();
    state.change(index, |ticket| {
        let approval = &mut ticket.approvals[position];
        approval.approvers[own].1 = Some(yes);
        // One approver is enough.
        approval.completed = Some((yes, at));
        ticket.updated = at;
    });
    let ticket = state.ticket(index);
    Ok(Answer::json(json::document(|o| {
        request::fill_approval(o, state, &ticket, &ticket.approvals[position], asked)
    })))
}

fn transition(state: &mut State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["id", "additionalComment"])?;
    let id = body.needed("id")?;
    let comment = body.comment("additionalComment")?;
    let ticket = state.ticket(index);
    if !transitions(&ticket).iter().any(|(known, _)| *known == id) {
        return Err(Answer::refuse(
            400,
            format_args!("The transition {id} is not possible in the present status."),
        ));
    }
    let at = state.tick();
    state.change(index, |ticket| {
        moved(ticket, target(id), at);
        if let Some(text) = comment {
            add_comment(ticket, asked.who, at, true, text, 0);
        }
    });
    Ok(Answer::none())
}

/// Moves a ticket on to a status.
pub(super) fn moved(ticket: &mut Ticket, status: usize, at: i64) {
    ticket.statuses.push((status, at));
    ticket.updated = at;
    if !ticket.is_open() {
        for sla in &mut ticket.slas {
            sla.completed.extend(sla.ongoing.take().map(|(start, _)| (start, at)));
        }
    }
}

fn feedback(state: &mut State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["type", "rating", "comment"])?;
    let rating = body.number("rating")?;
    if body.text("type")? != Some("csat") || !(1..=5).contains(&rating) {
        return Err(Answer::refuse(
            400,
            "The rating must be a whole number from 1 to 5 of the type csat.",
        ));
    }
    let said = body.comment("comment")?.map(str::to_owned);
    if state.ticket(index).is_open() {
        return Err(Answer::refuse(400, "Feedback can only be given on resolved requests."));
    }
    state.change(index, |ticket| ticket.feedback = Some((rating, said.clone())));
    Ok(Answer::json(json::document(|o| {
        o.text("type", "csat");
        o.int("rating", rating);
        if let Some(said) = &said {
            o.object("comment", |o| o.text("body", said));
        }
    }))
    .with_status(201))
}

fn attach(state: &mut State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["temporaryAttachmentIds", "public", "additionalComment"])?;
    let public = body.flag("public", true)?;
    let said = body.comment("additionalComment")?.unwrap_or_default().to_owned();
    let ids = body.texts("temporaryAttachmentIds")?;
    if ids.is_empty() {
        return Err(Answer::refuse(400, "temporaryAttachmentIds is required."));
    }
    if let Some(id) = ids.iter().find(|id| !state.temporary.contains_key(**id)) {
        return Err(Answer::refuse(
            400,
            format_args!("The temporary attachment {id} does not exist."),
        ));
    }
    let public = public || state.public_comments;
    let at = state.tick();
    let files: Vec<_> = ids.iter().filter_map(|id| state.temporary.remove(*id)).collect();
    let ticket = state.ticket(index);
    let first = ticket
        .attachments
        .iter()
        .map(|file| file.id + 1)
        .max()
        .unwrap_or(ticket.id * 100);
    let mut added = Vec::new();
    for (number, file) in (first..).zip(files) {
        added.push(Attachment {
            id: number,
            name: file.name,
            media_type: file.media_type,
            size: file.content.len() as u64,
            author: asked.who,
            at,
        });
        state.contents.insert(number, file.content);
    }
    let mut comment = None;
    state.change(index, |ticket| {
        ticket.attachments.extend(added.iter().cloned());
        comment = Some(add_comment(ticket, asked.who, at, public, &said, added.len()));
    });
    let ticket = state.ticket(index);
    Ok(Answer::json(json::document(|o| {
        if let Some(comment) = &comment {
            o.object("comment", |o| request::fill_comment(o, state, &ticket, comment, "", asked));
        }
        super::page::embedded(o, "attachments", added.len(), 50, |a, row| {
            request::push_attachment(a, state, &added[row], asked)
        });
    }))
    .with_status(201))
}
