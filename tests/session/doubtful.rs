//! Sites whose answers leave a doubt: where a list ends, whose rows it has, who is asking. No doubt makes a short answer pass for a whole
//! one, and none costs a statement what was read rightly.

use std::sync::Mutex;

use super::odd::{lines, status, talking};
use super::*;

fn page(rows: &[&str]) -> Vec<u8> {
    json(format!(
        r#"{{"start":0,"limit":100,"size":{},"isLastPage":true,"values":[{}]}}"#,
        rows.len(),
        rows.join(",")
    ))
}

fn asked_for(asked: &Mutex<Vec<String>>, what: &str) -> usize {
    asked.lock().unwrap().iter().filter(|line| line.contains(what)).count()
}

async fn warnings(session: &Session) -> Vec<String> {
    lines(session, "SELECT warning FROM sys.warnings ORDER BY 1").await
}

/// Answers of an age when searches counted: what a gateway may make of the present ones.
#[tokio::test]
async fn a_search_that_does_not_say_where_it_ends_is_whole_only_if_its_count_says_so() {
    let row = r#"{"id":"1","key":"A-1","fields":{"summary":"s","created":"2026-01-01T00:00:00.000+0000"}}"#;
    for (body, expected) in [
        (r#"{"startAt":0,"maxResults":1000,"total":24,"issues":[]}"#.to_owned(), None),
        (
            format!(r#"{{"startAt":0,"maxResults":50,"total":86,"issues":[{row}]}}"#),
            None,
        ),
        (
            format!(r#"{{"startAt":0,"maxResults":50,"total":1,"issues":[{row}]}}"#),
            Some(1),
        ),
        (format!(r#"{{"issues":[{row}]}}"#), Some(1)),
        (r#"{"issues":[],"total":0}"#.to_owned(), Some(0)),
    ] {
        for sql in ["SELECT issue_key FROM issues", "SELECT summary FROM issues LIMIT 300"] {
            let answer = body.clone();
            let (session, _) = talking("", move |line, _| match line {
                line if line.contains("/field") => json("[]"),
                line if line.contains("bulkfetch") => json(format!(r#"{{"issues":[{row}]}}"#)),
                line if line.contains("/myself") => json(r#"{"accountId":"x"}"#),
                _ => json(answer.clone()),
            })
            .await;
            match (rows(&session, sql).await, expected) {
                (Ok(batches), Some(count)) => {
                    assert_eq!(
                        batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
                        count,
                        "{sql}: {body}"
                    )
                }
                (Err(error), None) => assert!(error.message().contains("says neither"), "{error}"),
                (other, _) => panic!("{sql}: {body}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn who_asks_is_asked_once_whatever_the_site_answers() {
    for (code, body) in [
        ("200 OK", r#"{"accountId":"x"}"#),
        ("403 Forbidden", r#"{"errorMessages":["The scope is missing."]}"#),
        ("404 Not Found", r#"{"errorMessages":["No."]}"#),
    ] {
        let (session, asked) = talking("", move |line, _| match line {
            line if line.contains("/myself") => status(code, body),
            _ => json(r#"{"values":[],"isLast":true,"total":0}"#),
        })
        .await;
        for _ in 0..3 {
            assert_eq!(cell(&session, "SELECT count(*) FROM projects").await.unwrap(), "0");
        }
        assert_eq!(asked_for(&asked, "/myself"), 1, "{code}");
    }
    // An expired login stays an error.
    let (session, _) = talking("", move |line, _| match line {
        line if line.contains("/myself") => status("401 Unauthorized", ""),
        _ => json(r#"{"values":[],"isLast":true,"total":0}"#),
    })
    .await;
    for _ in 0..2 {
        let error = rows(&session, "SELECT count(*) FROM projects").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    }
}

/// What tells rows apart but is no key may be missing: the row comes all the same, and each of its like.
#[tokio::test]
async fn a_row_without_what_tells_it_apart_is_a_row() {
    let moment = r#"{"iso8601":"2026-01-01T00:00:00+0000","epochMillis":1767225600000}"#;
    let first = format!(r#"{{"status":"Open","statusDate":{moment}}}"#);
    let (session, _) = talking("", move |_, _| {
        page(&[
            &first,
            r#"{"status":"Done"}"#,
            r#"{"status":"Done","statusDate":null}"#,
            r#"{"status":"Open","statusDate":{"iso8601":"soon"}}"#,
        ])
    })
    .await;
    assert_eq!(
        lines(
            &session,
            "SELECT status, status_date IS NULL FROM request_status_history WHERE issue_key = 'A-1' ORDER BY 1, 2"
        )
        .await,
        ["Done|true", "Done|true", "Open|false", "Open|true"]
    );
}

/// Of one project, so that nothing but the address of the answer tells.
#[tokio::test]
async fn a_list_that_names_another_issue_is_left_out_and_the_others_come() {
    let (session, asked) = talking("", move |line, _| {
        let key = ["A-1", "A-2", "A-3"]
            .into_iter()
            .find(|key| line.contains(key))
            .unwrap_or_default();
        let now = if key == "A-2" { "B-7" } else { key };
        json(format!(
            r#"{{"self":"https://a.example/rest/api/3/issue/{now}/watchers","watchers":[{{"accountId":"{now}","active":true}}]}}"#
        ))
    })
    .await;
    let sql = "SELECT issue_key, account_id FROM issue_watchers WHERE issue_key IN ('A-1', 'A-2', 'A-3') ORDER BY 1";
    assert_eq!(lines(&session, sql).await, ["A-1|A-1", "A-3|A-3"]);
    assert_eq!(asked_for(&asked, "/watchers"), 3);
    assert_eq!(
        warnings(&session).await,
        ["issue_watchers: A-2 is B-7 now: ask for it by that key"]
    );
    // It takes no place under a LIMIT.
    let limited = "SELECT issue_key FROM issue_watchers WHERE issue_key IN ('A-1', 'A-2', 'A-3') LIMIT 2";
    assert_eq!(lines(&session, limited).await, ["A-1", "A-3"]);
}

/// What was read is given, whether or not the site can be asked more.
#[tokio::test]
async fn what_cannot_be_asked_fails_no_statement() {
    for (code, expected) in [
        ("403 Forbidden", "could not be asked"),
        ("500 Internal Server Error", "could not be asked"),
    ] {
        let (session, _) = talking("", move |line, _| match line {
            line if line.contains("/comment") => page(&[r#"{"id":"5","body":"b","public":true}"#]),
            _ => status(code, r#"{"errorMessage":"No."}"#),
        })
        .await;
        let sql = "SELECT issue_key, id FROM request_comments WHERE issue_key IN ('A-1', 'B-1') ORDER BY 1";
        assert_eq!(lines(&session, sql).await, ["A-1|5", "B-1|5"]);
        let said = warnings(&session).await;
        assert!(said.iter().any(|warning| warning.contains(expected)), "{said:?}");
    }
}

/// The old key may come first, in between or last, and the new one need not be the first that is alike.
#[tokio::test]
async fn of_keys_whose_lists_are_alike_the_old_one_is_left_out() {
    for keys in [["A-1", "A-2", "B-7"], ["C-1", "C-2", "B-7"]] {
        let old = keys[1];
        let (session, asked) = talking("", move |line, _| match line {
            line if line.contains("/comment?") => page(&[r#"{"id":"5","body":"b","public":true}"#]),
            line => {
                let key = line
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .split('?')
                    .next()
                    .unwrap_or_default();
                let now = if key == old { "B-7" } else { key };
                json(format!(r#"{{"issueId":"1","issueKey":"{now}"}}"#))
            }
        })
        .await;
        let list = keys.map(|key| format!("'{key}'")).join(", ");
        let select = format!("SELECT issue_key FROM request_comments WHERE issue_key IN ({list}) ORDER BY 1");
        let mut expected = vec![keys[0], "B-7"];
        expected.sort_unstable();
        assert_eq!(lines(&session, &select).await, expected, "{old}");
        assert_eq!(asked.lock().unwrap().len(), 6, "three lists, and three keys that are alike");
        assert_eq!(
            warnings(&session).await,
            [format!("requests: {old} is B-7 now: ask for it by that key")]
        );
        // As far as is read: a LIMIT may be reached before the new key is.
        let limited = format!("SELECT issue_key FROM request_comments WHERE issue_key IN ({list}) LIMIT 2");
        let came = lines(&session, &limited).await;
        let is_there = |key: &str| came.iter().any(|came| came == key);
        assert_eq!(came.len(), 2, "{came:?}");
        assert!(!(is_there(old) && is_there("B-7")), "{came:?}");
    }
}

#[tokio::test]
async fn a_second_page_that_is_the_first_is_no_page() {
    let (session, asked) = talking("", move |line, _| {
        let is_last = line.contains("cursor");
        let next = if is_last {
            ""
        } else {
            r#","next":"/rest/servicedeskapi/knowledgebase/article?cursor=1""#
        };
        json(format!(
            r#"{{"size":1,"isLastPage":{is_last},"values":[{{"title":"t","excerpt":"e"}}],"_links":{{"self":"x"{next}}}}}"#
        ))
    })
    .await;
    let error = rows(&session, "SELECT title FROM knowledge_base_articles WHERE query = 'vpn'").await;
    let error = error.unwrap_err();
    assert!(error.message().contains("same rows again"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 2);
}
