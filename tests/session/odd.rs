//! Sites that answer oddly: fields in other places, answers that contradict the request, values that fit no column. One odd value costs
//! itself, and what cannot be so is said.

use std::sync::{Arc, Mutex};

use super::*;

/// A site that answers with what `answer` makes of a request line (`GET /path?query`) and a body, and notes both.
pub(super) async fn talking(
    options: &str,
    answer: impl Fn(&str, &str) -> Vec<u8> + Send + Sync + 'static,
) -> (Session, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (answer, asked) = (Arc::new(answer), Arc::new(Mutex::new(Vec::new())));
    let noted = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, noted) = (answer.clone(), noted.clone());
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                let (line, body) = loop {
                    match stream.read(&mut chunk).await {
                        Ok(read) if read > 0 => request.extend_from_slice(&chunk[..read]),
                        _ => return,
                    }
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        continue;
                    };
                    let length = head
                        .lines()
                        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    if body.len() >= length.unwrap_or(0) {
                        let line = head.lines().next().unwrap_or_default();
                        break (line.trim_end_matches(" HTTP/1.1").to_owned(), body.to_owned());
                    }
                };
                noted.lock().unwrap().push(format!("{line} {body}").trim_end().to_owned());
                let _ = stream.write_all(&answer(&line, &body)).await;
            });
        }
    });
    (
        open(&format!("URL={url};User=a@b.example;APIToken=canary-token;{options}")),
        asked,
    )
}

pub(super) fn status(status: &str, body: &str) -> Vec<u8> {
    String::from_utf8(json(body))
        .unwrap()
        .replacen("200 OK", status, 1)
        .into_bytes()
}

/// Each row of an answer as text, its cells divided by `|`.
pub(super) async fn lines(session: &Session, sql: &str) -> Vec<String> {
    let batches = rows(session, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let format = arrow::util::display::FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in &batches {
        let columns = batch.columns().iter();
        let columns: Vec<_> = columns
            .map(|column| arrow::util::display::ArrayFormatter::try_new(column, &format).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            lines.push(cells.join("|"));
        }
    }
    lines
}

async fn warnings(session: &Session) -> Vec<String> {
    lines(
        session,
        "SELECT warning FROM sys.warnings WHERE statement < (SELECT max(statement) FROM sys.warnings) + 1 ORDER BY 1",
    )
    .await
}

/// Requests other than reads.
fn writes(asked: &Mutex<Vec<String>>) -> Vec<String> {
    let asked = asked.lock().unwrap();
    let reads = |line: &&String| !line.starts_with("GET ") && !line.contains("/search/jql") && !line.contains("bulkfetch");
    asked.iter().filter(reads).cloned().collect()
}

#[tokio::test]
async fn the_summary_is_found_among_the_values_of_the_form() {
    for (row, expected) in [
        (
            r#"{"issueKey":"A-1","requestFieldValues":[null,{"fieldId":"summary","value":"s"}]}"#,
            "s",
        ),
        (
            r#"{"issueKey":"A-1","summary":null,"requestFieldValues":[{"fieldId":"x","value":"y"},{"fieldId":"summary","value":"s"}]}"#,
            "s",
        ),
        (
            r#"{"issueKey":"A-1","requestFieldValues":[{"fieldId":"summary","value":"s"}],"summary":"own"}"#,
            "own",
        ),
        (r#"{"issueKey":"A-1","requestFieldValues":[]}"#, "NULL"),
        (r#"{"issueKey":"A-1","requestFieldValues":null}"#, "NULL"),
    ] {
        let session = site(move |_| page(row)).await;
        assert_eq!(lines(&session, "SELECT summary FROM requests").await, [expected], "{row}");
        let whole = lines(&session, "SELECT summary, field_values FROM requests").await;
        assert!(whole[0].starts_with(&format!("{expected}|")), "{whole:?}");
    }
    let (session, _) = talking("", |_, _| {
        status(
            "201 Created",
            r#"{"issueKey":"A-7","requestFieldValues":[{"fieldId":"summary","value":"as taken"}]}"#,
        )
    })
    .await;
    let sql =
        "INSERT INTO requests (service_desk_id, request_type_id, summary) VALUES ('1', '2', 's') RETURNING issue_key, summary";
    assert_eq!(lines(&session, sql).await, ["A-7|as taken"]);
}

#[tokio::test]
async fn what_the_answer_shows_is_what_is_told() {
    // The list after the change has somebody else.
    let people = r#"{"size":1,"start":0,"limit":50,"isLastPage":true,"values":[{"accountId":"acc-9"}]}"#;
    let (session, _) = talking("", move |_, _| json(people)).await;
    let insert = "INSERT INTO request_participants (issue_key, account_id) VALUES ('A-1', 'acc-1'), ('A-1', 'acc-9')";
    assert_eq!(lines(&session, insert).await, ["1"]);
    let outcomes = "SELECT key, outcome, error IS NOT NULL FROM sys.writes ORDER BY row";
    assert_eq!(
        lines(&session, outcomes).await,
        ["A-1, acc-1|contradicted|true", "A-1, acc-9|applied|false"]
    );
    let told = warnings(&session).await;
    assert!(told.len() == 1 && told[0].contains("does not show"), "{told:?}");
    let returning = format!("{insert} RETURNING account_id");
    assert_eq!(lines(&session, &returning).await, ["acc-9"]);

    // A list that is cut says nothing of what it lacks.
    let (session, _) = talking("", move |_, _| json(people.replace("true", "false"))).await;
    assert_eq!(lines(&session, insert).await, ["2"]);

    // What was taken off is still there.
    let (session, _) = talking("", move |_, _| json(people)).await;
    let delete = "DELETE FROM request_participants WHERE issue_key = 'A-1' AND account_id = 'acc-9'";
    assert_eq!(lines(&session, delete).await, ["0"]);
    assert_eq!(lines(&session, outcomes).await, ["A-1, acc-9|contradicted|true"]);

    // An organization of that name was there before.
    let (session, _) = talking("", |_, body| {
        let (code, id, name) = match body.contains("old") {
            true => ("200 OK", 7, "Old"),
            false => ("201 Created", 8, "fresh"),
        };
        status(
            code,
            &format!(r#"{{"id":"{id}","name":"{name}","created":{{"epochMillis":1546300800000}}}}"#),
        )
    })
    .await;
    let insert = "INSERT INTO organizations (name) VALUES ('old'), ('fresh')";
    assert_eq!(lines(&session, insert).await, ["1"]);
    let outcomes = "SELECT key, outcome FROM sys.writes ORDER BY row";
    assert_eq!(lines(&session, outcomes).await, ["7|existed", "8|applied"]);
    assert!(warnings(&session).await[0].contains("1 rows were there already"));
}

#[tokio::test]
async fn what_is_found_by_name_is_found_once_and_possible() {
    let transitions = |entries: &'static str| {
        move |line: &str, _: &str| match line {
            line if line.starts_with("POST") && line.contains("transitions") => status("204 No Content", ""),
            line if line.contains("transitions") => json(format!(r#"{{"transitions":[{entries}]}}"#)),
            _ => json(r#"{"issues":[{"id":"1","key":"A-1","fields":{"status":{"name":"Open"}}}],"isLast":true}"#),
        }
    };
    let entry = |available: bool| {
        if available {
            r#"{"id":"31","name":"Close","to":{"name":"Closed"},"isAvailable":true}"#
        } else {
            r#"{"id":"31","name":"Close","to":{"name":"Closed"},"isAvailable":false}"#
        }
    };
    let two = r#"{"id":"31","name":"Close","to":{"name":"Closed"}},{"id":"41","name":"Reject","to":{"name":"Closed"}}"#;
    let update = "UPDATE issues SET status = 'Closed' WHERE issue_key = 'A-1'";
    for (entries, sql, fragment) in [
        (entry(false), update, "31"),
        (two, update, "31, 41"),
        (
            two,
            "INSERT INTO issue_transitions (issue_key, name) VALUES ('A-1', 'Wait')",
            "Wait",
        ),
    ] {
        let (session, asked) = talking("", transitions(entries)).await;
        let error = rows(&session, sql).await.unwrap_err();
        assert!(error.message().contains(fragment) && error.hint_text().is_some(), "{error}");
        assert_eq!(writes(&asked), Vec::<String>::new(), "{error}");
    }
    let (session, asked) = talking("", transitions(entry(true))).await;
    assert_eq!(lines(&session, update).await, ["1"]);
    assert_eq!(
        writes(&asked),
        [r#"POST /rest/api/3/issue/A-1/transitions {"transition":{"id":"31"}}"#]
    );
    let (session, asked) = talking("", transitions(two)).await;
    let insert = "INSERT INTO issue_transitions (issue_key, name) VALUES ('A-1', 'Reject')";
    assert_eq!(lines(&session, insert).await, ["1"]);
    assert_eq!(
        writes(&asked),
        [r#"POST /rest/api/3/issue/A-1/transitions {"transition":{"id":"41"}}"#]
    );
}

const FIELDS: &str = r#"[{"id":"customfield_1","name":"Story points","schema":{"type":"number","customId":1}}]"#;

/// A site with two issues, the first of which has a text where a number should be.
fn issues(line: &str, body: &str) -> Vec<u8> {
    let issue =
        |id: u8, points: &str| format!(r#"{{"id":"{id}","key":"A-{id}","fields":{{"summary":"s","customfield_1":{points}}}}}"#);
    let both = format!("{},{}", issue(1, r#""4,5""#), issue(2, "2"));
    match line {
        line if line.contains("/field") => json(FIELDS),
        line if line.starts_with("PUT") || line.starts_with("DELETE") => status("204 No Content", ""),
        line if line.ends_with("/rest/api/3/issue") => status("201 Created", r#"{"id":"9","key":"A-9"}"#),
        line if line.contains("bulkfetch") => {
            let asked = |id: &u8| body.contains(&format!("\"A-{id}\"")) || body.contains(&format!("\"{id}\""));
            let points = |id: u8| if id == 1 { r#""4,5""# } else { "2" };
            let came: Vec<String> = [1, 2].into_iter().filter(asked).map(|id| issue(id, points(id))).collect();
            json(format!(r#"{{"issues":[{}],"issueErrors":[]}}"#, came.join(",")))
        }
        _ => json(format!(r#"{{"issues":[{both}],"isLast":true}}"#)),
    }
}

#[tokio::test]
async fn what_is_computed_from_a_value_that_did_not_fit_is_not_sent() {
    let update = "UPDATE issues SET story_points = coalesce(story_points, 0) + 1 WHERE issue_key IN ('A-1', 'A-2')";
    let (session, asked) = talking("", issues).await;
    let error = rows(&session, update).await.unwrap_err();
    assert!(
        error.message().contains("story_points") && error.message().contains("4,5"),
        "{error}"
    );
    assert_eq!(writes(&asked), Vec::<String>::new());
    // Where other rows go on, only that one is left out.
    let (session, asked) = talking("OnRowError=continue", issues).await;
    let error = rows(&session, update).await.unwrap_err();
    assert!(error.message().contains("1 applied, 1 failed"), "{error}");
    assert_eq!(
        writes(&asked),
        [r#"PUT /rest/api/3/issue/A-2 {"fields":{"customfield_1":3.0}}"#]
    );
    // WHERE reads it as well.
    for sql in [
        "UPDATE issues SET summary = 'x' WHERE issue_key = 'A-1' AND story_points IS NULL",
        "DELETE FROM issues WHERE issue_key = 'A-1' AND coalesce(story_points, 0) < 1",
        "INSERT INTO issues (project_key, issue_type, summary) SELECT 'A', 'Task', concat('of ', story_points) FROM issues",
        "UPDATE issues SET summary = (SELECT CAST(sum(story_points) AS VARCHAR) FROM issues) WHERE issue_key = 'A-2'",
    ] {
        let (session, asked) = talking("", issues).await;
        let Err(error) = rows(&session, sql).await else {
            panic!("{sql}: {asked:?}")
        };
        assert!(error.message().contains("story_points"), "{sql}: {error}");
        assert_eq!(writes(&asked), Vec::<String>::new(), "{sql}");
    }
    // What does not read it is written.
    let (session, asked) = talking("", issues).await;
    assert_eq!(
        lines(&session, "UPDATE issues SET summary = 'x' WHERE issue_key = 'A-1'").await,
        ["1"]
    );
    assert_eq!(writes(&asked), [r#"PUT /rest/api/3/issue/A-1 {"fields":{"summary":"x"}}"#]);
    assert!(
        !asked.lock().unwrap().iter().any(|line| line.contains("/field")),
        "no custom field is named"
    );
}

#[tokio::test]
async fn an_odd_element_costs_itself() {
    let session = site(|path| match path {
        path if path.contains("/queue") => page(r#"{"id":"1","name":"q","fields":["summary",null,{"a":1},7]}"#),
        _ => page(r#"{"id":"1"}"#),
    })
    .await;
    assert_eq!(
        lines(&session, "SELECT id, fields FROM queues WHERE service_desk_id = '1'").await,
        ["1|[summary, NULL, NULL, 7]"]
    );
    let told = warnings(&session).await;
    assert_eq!(
        told,
        ["queues: 1 values of fields have elements of another type than the column, which are NULL"]
    );

    let odd = r#"{"issues":[{"id":"1","key":"A-1","fields":{"project":{"key":"A"},"components":[{"name":"a"},null,{"name":{}},5],"labels":["x",null]}}],"isLast":"true"}"#;
    let session = site(move |_| json(odd)).await;
    assert_eq!(
        lines(&session, "SELECT components, labels FROM issues WHERE project_key = 'A'").await,
        ["[a, NULL, NULL, 5]|[x, NULL]"]
    );
}

#[tokio::test]
async fn an_odd_field_of_the_site_costs_itself() {
    let fields = r#"[null, {"name":"no id"}, {"id":"customfield_1","name":"Story points","schema":{"type":"number","customId":"1"}},
        {"id":"customfield_1","name":"Story points","schema":{"type":"number","customId":1}},
        {"id":"customfield_2","name":null,"schema":{"type":null,"custom":null,"customId":2}}]"#;
    let session = site(move |path| match path {
        path if path.contains("/field") => json(fields),
        _ => json(r#"{"issues":[{"id":"1","key":"A-1","fields":{"project":{"key":"A"},"customfield_1":"4.5","customfield_2":{"a":1}}}],"isLast":true}"#),
    })
    .await;
    assert_eq!(
        lines(
            &session,
            "SELECT story_points, customfield_2 FROM issues WHERE project_key = 'A'"
        )
        .await,
        [r#"4.5|{"a":1}"#]
    );
    let told = warnings(&session).await;
    assert_eq!(told, ["the list of fields: 2 entries have no id, and make no column"]);

    // A list that may not be read stands in nobody's way who needs it not.
    let (session, _) = talking("", |line, body| match line {
        line if line.contains("/field") => status("403 Forbidden", "{}"),
        line if line.starts_with("PUT") => status("204 No Content", ""),
        _ => issues(line, body),
    })
    .await;
    assert_eq!(
        lines(&session, "UPDATE issues SET summary = 'x' WHERE issue_key = 'A-2'").await,
        ["1"]
    );
    assert_eq!(lines(&session, "DELETE FROM issues WHERE issue_key = 'A-2'").await, ["1"]);
    let error = rows(&session, "SELECT * FROM issues").await.unwrap_err();
    assert!(
        error.hint_text().is_some_and(|hint| hint.contains("name the columns")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_value_in_another_spelling_is_that_value() {
    let sla = r#"{"completedCycles":null,"ongoingCycle":{"breached":"false","remainingTime":{"millis":"5"},"breachTime":{"epochMillis":1.7e12}}}"#;
    let fields = r#"[{"id":"customfield_9","name":"Fix","schema":{"type":"sd-servicelevelagreement","custom":"com.atlassian.servicedesk:sd-sla-field","customId":9}}]"#;
    let session = site(move |path| match path {
        path if path.contains("/field") => json(fields),
        _ => json(format!(r#"{{"issues":[{{"id":1.0,"key":"A-1","fields":{{"project":{{"key":"A"}},"customfield_9":{sla},"votes":{{"votes":"3"}}}}}}],"isLast":"TRUE"}}"#)),
    })
    .await;
    assert_eq!(
        lines(&session, "SELECT issue_id, votes, sla_fix_breached, sla_fix_remaining_ms, sla_fix_breach_time FROM issues WHERE project_key = 'A'").await,
        ["1|3|false|5|2023-11-14T22:13:20Z"]
    );

    // Tokens as numbers.
    let (session, _) = talking("", |line, body| {
        if line.contains("bulkfetch") || body.contains("nextPageToken") {
            json(r#"{"issues":[{"id":"2","key":"A-2","fields":{"project":{"key":"A"},"summary":"b"}}],"isLast":true}"#)
        } else {
            json(r#"{"issues":[{"id":"1","key":"A-1","fields":{"project":{"key":"A"},"summary":"a"}}],"nextPageToken":5,"isLast":"false"}"#)
        }
    })
    .await;
    assert_eq!(
        lines(&session, "SELECT summary FROM issues WHERE project_key = 'A' ORDER BY 1").await,
        ["a", "b"]
    );

    // Totals in any spelling.
    for total in ["1", "1.0", r#""1""#] {
        let session = site(move |_| {
            json(format!(
                r#"{{"comments":[{{"id":"1","body":"x"}}],"startAt":0,"maxResults":100,"total":{total}}}"#
            ))
        })
        .await;
        let found = lines(&session, "SELECT id FROM issue_comments WHERE issue_key = 'A-1'").await;
        assert_eq!(found, ["1"], "{total}");
    }

    // A moment beyond all numbers.
    let session = site(|_| page(r#"{"id":7,"name":"x","created":{"epochMillis":1E400}}"#)).await;
    assert_eq!(lines(&session, "SELECT id, created FROM organizations").await, ["7|NULL"]);
    assert!(warnings(&session).await[0].contains("created"));
}
