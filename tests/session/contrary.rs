//! Sites whose answer to a write says something else than its status: values that were not sent, refusals, strangers. No write is
//! believed beyond what its answer bears out, and none is sent twice.

use super::odd::{lines, status, talking};
use super::*;

/// What is told of one write: outcome and error of its rows, or the error of the statement; and the warnings.
async fn told(sql: &str, code: &'static str, body: &'static str) -> (Vec<String>, Vec<String>) {
    let (session, asked) = talking("", move |line, _| {
        if line.starts_with("GET") {
            return status("404 Not Found", r#"{"errorMessage":"No."}"#);
        }
        if body.starts_with(['{', '[', 'n']) || body.is_empty() {
            return status(code, body);
        }
        let length = body.len();
        format!("HTTP/1.1 {code}\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    })
    .await;
    let outcome = match rows(&session, sql).await {
        Ok(_) if sql.starts_with("CALL") => vec!["done".to_owned()],
        Ok(_) => lines(&session, "SELECT outcome, error FROM sys.writes ORDER BY row").await,
        Err(error) => vec![error.message().to_owned()],
    };
    let warnings = lines(&session, "SELECT warning FROM sys.warnings ORDER BY 1").await;
    let asked = asked.lock().unwrap();
    let writes = asked.iter().filter(|line| !line.starts_with("GET")).count();
    assert_eq!(writes, 1, "sent once: {asked:?}");
    (outcome, warnings)
}

#[tokio::test]
async fn what_the_answer_shows_otherwise_is_told() {
    let comment = "INSERT INTO request_comments (issue_key, body, public) VALUES ('A-1', 'for agents', false)";
    let issue_comment = "INSERT INTO issue_comments (issue_key, body, public) VALUES ('A-1', 'for agents', false)";
    let request = "INSERT INTO requests (service_desk_id, request_type_id, summary) VALUES ('1', '2', 's')";
    let worklog = "INSERT INTO issue_worklogs (issue_key, time_spent_seconds) VALUES ('A-1', 600)";
    let bulk = "INSERT INTO issues (project_key, issue_type, summary) VALUES ('A', 'Task', 'a'), ('A', 'Task', 'b')";
    for (sql, code, body, outcome, warning) in [
        // What is as it was sent, in whatever spelling, is no news.
        (
            comment,
            "201 Created",
            r#"{"id":7,"body":"For agents ","public":false}"#,
            "applied|NULL",
            "",
        ),
        (comment, "201 Created", r#"{"id":"7"}"#, "applied|NULL", ""),
        (
            comment,
            "201 Created",
            r#"{"id":"7","body":"for agents","public":true}"#,
            "applied|the site took it, and its answer shows that public is true and not false",
            "request_comments: 1 rows were taken by the site, whose answer shows another public",
        ),
        (
            issue_comment,
            "201 Created",
            r#"{"id":"7","jsdPublic":true}"#,
            "applied|the site took it, and its answer shows that public is true and not false",
            "whose answer shows another public",
        ),
        (
            comment,
            "201 Created",
            r#"{"id":"7","body":"something else","public":false}"#,
            r#"body is "something else" and not "for agents""#,
            "another body",
        ),
        (
            worklog,
            "201 Created",
            r#"{"id":"7","timeSpentSeconds":60}"#,
            "time_spent_seconds is 60 and not 600",
            "another time",
        ),
        (
            request,
            "201 Created",
            r#"{"issueKey":"A-7","issueId":"7","serviceDeskId":"9","requestTypeId":"2"}"#,
            r#"contradicted|the site took it, and its answer shows that service_desk_id is "9" and not "1""#,
            "another service_desk_id",
        ),
        (
            "INSERT INTO organizations (name) VALUES ('Neu AG')",
            "201 Created",
            r#"{"id":"7","name":"Andere AG"}"#,
            r#"applied|the site took it, and its answer shows that name is "Andere AG" and not "Neu AG""#,
            "another name",
        ),
        (
            "INSERT INTO organizations (name) VALUES ('Neu AG')",
            "200 OK",
            r#"{"id":"7","name":"Andere AG"}"#,
            "contradicted|",
            "another name",
        ),
        (
            bulk,
            "201 Created",
            r#"{"issues":[{"id":"1","key":"A-1"},{"id":"1","key":"A-1"}],"errors":null}"#,
            "the key A-1, which it gave to another row: whether it took this one is not known",
            "",
        ),
        (
            "CALL create_customer('Grace', 'grace@a.example')",
            "201 Created",
            r#"{"accountId":"acc-9","displayName":"Somebody","emailAddress":"Grace@a.example"}"#,
            "done",
            r#"display_name is "Somebody" and not "Grace""#,
        ),
        (
            "CALL answer_approval('A-1', '5', 'approve')",
            "200 OK",
            r#"{"id":"999","finalDecision":"declined"}"#,
            r#"id is "999" and not "5": whether it was done is not known"#,
            "",
        ),
        (
            "CALL add_attachment('A-1', temporary_attachment_ids => ['t1'], public => false)",
            "201 Created",
            r#"{"comment":{"public":true},"attachments":{"size":1,"isLastPage":true,"values":[{"filename":"a","_links":{"jiraRest":"https://a/7"}}]}}"#,
            "done",
            "public is true and not false",
        ),
        (
            "CALL add_attachment('A-1', temporary_attachment_ids => ['t1'])",
            "201 Created",
            r#"{"comment":{"public":true},"attachments":{"size":0,"isLastPage":true,"values":[]}}"#,
            "done",
            "the answer shows nothing of it",
        ),
    ] {
        let (found, warnings) = told(sql, code, body).await;
        assert!(
            found.last().is_some_and(|found| found.contains(outcome)),
            "{sql} {body}: {found:?}"
        );
        match warning {
            "" => assert_eq!(warnings, [""; 0], "{sql} {body}"),
            warning => assert!(
                warnings.len() == 1 && warnings[0].contains(warning),
                "{sql} {body}: {warnings:?}"
            ),
        }
    }
}

#[tokio::test]
async fn a_success_that_is_none_is_unknown() {
    let unknown = "is not known (0 applied, 0 failed, 1 unknown, 0 not attempted)";
    let due = [
        "INSERT INTO organizations (name) VALUES ('Neu AG')",
        "INSERT INTO request_comments (issue_key, body) VALUES ('A-1', 'x')",
        "INSERT INTO request_feedback (issue_key, rating) VALUES ('A-1', 4)",
        "INSERT INTO issues (project_key, issue_type, summary) VALUES ('A', 'Task', 's')",
        "INSERT INTO issue_worklogs (issue_key, time_spent_seconds) VALUES ('A-1', 600)",
        "INSERT INTO request_participants (issue_key, account_id) VALUES ('A-1', 'acc-1')",
    ];
    let none_due = [
        "INSERT INTO organization_users (organization_id, account_id) VALUES ('1', 'acc-1')",
        "INSERT INTO issue_watchers (issue_key, account_id) VALUES ('A-1', 'acc-1')",
        "INSERT INTO request_notifications (issue_key) VALUES ('A-1')",
        "INSERT INTO issue_links (issue_key, type_name, outward_issue_key) VALUES ('A-1', 'Blocks', 'A-2')",
    ];
    for (code, body, words) in [
        (
            "200 OK",
            r#"{"errorMessages":["Not on the screen."],"errors":{}}"#,
            "in it a refusal: Not on the screen: whether",
        ),
        (
            "200 OK",
            r#"{"errorMessage":"You cannot do this"}"#,
            "in it a refusal: You cannot do this: whether",
        ),
        (
            "200 OK",
            "Service is being upgraded",
            "not the one of a site that took the row",
        ),
        (
            "202 Accepted",
            r#"{"taskId":"77","status":"ENQUEUED"}"#,
            "will see to it later (202)",
        ),
    ] {
        for sql in due.iter().chain(&none_due) {
            let (found, _) = told(sql, code, body).await;
            assert!(
                found[0].contains(words) && found[0].contains(unknown),
                "{sql} {body}: {found:?}"
            );
        }
    }
    for body in ["{}", "null", "[]"] {
        for sql in due {
            let (found, _) = told(sql, "200 OK", body).await;
            assert!(found[0].contains(unknown), "{sql} {body}: {found:?}");
        }
        // Where nothing is due the status says it, and what comes with it is worth a look.
        for sql in none_due {
            let (found, warnings) = told(sql, "200 OK", body).await;
            assert_eq!(found, ["applied|NULL"], "{sql} {body}");
            assert!(
                warnings[0].contains("1 rows were taken with an answer, where the site gives none"),
                "{warnings:?}"
            );
        }
    }
    for sql in none_due {
        assert_eq!(
            told(sql, "204 No Content", "").await,
            (vec!["applied|NULL".to_owned()], Vec::new())
        );
    }
    for (sql, body, words) in [
        (
            "CALL create_customer('Grace', 'grace@a.example')",
            "{}",
            "does not show what was written",
        ),
        (
            "CALL create_customer('Grace', 'grace@a.example')",
            r#"{"errorMessage":"No."}"#,
            "in it a refusal: No",
        ),
        (
            "CALL revoke_portal_only_access('acc-1')",
            r#"{"errorMessage":"No."}"#,
            "in it a refusal: No",
        ),
        (
            "CALL add_attachment('A-1', temporary_attachment_ids => ['t1'])",
            r#"{"errorMessages":["No."]}"#,
            "in it a refusal: No",
        ),
    ] {
        let (found, _) = told(sql, "200 OK", body).await;
        assert!(
            found[0].contains(words) && found[0].contains("is not known"),
            "{sql}: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_text_that_looks_like_a_list_is_none() {
    let (session, asked) = talking("", |line, _| match line {
        line if line.starts_with("PUT") => status("204 No Content", ""),
        _ => json(r#"{"issues":[{"id":"1","key":"A-1","fields":{"labels":[]}}],"isLast":true}"#),
    })
    .await;
    for text in ["{a,b}", "[\"a\"]"] {
        let sql = format!("UPDATE issues SET labels = '{text}' WHERE issue_key = 'A-1'");
        let error = rows(&session, &sql).await.unwrap_err();
        assert!(error.message().contains("lists are written as ['a', 'b']"), "{error}");
    }
    let sent = |asked: &std::sync::Mutex<Vec<String>>| {
        let asked = asked.lock().unwrap();
        asked
            .iter()
            .filter(|line| line.starts_with("PUT"))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(sent(&asked), [""; 0]);
    for (value, expected) in [("'a'", r#"["a"]"#), ("['{a,b}', 'c']", r#"["{a,b}","c"]"#)] {
        let sql = format!("UPDATE issues SET labels = {value} WHERE issue_key = 'A-1'");
        assert_eq!(lines(&session, &sql).await, ["1"]);
        assert!(sent(&asked).last().unwrap().contains(expected), "{value}");
    }
}
