//! What is listed, and views that come with the connection.

use super::*;

/// The first column of an answer.
async fn names(session: &Session, sql: &str) -> Vec<String> {
    let batches = rows(session, sql).await.unwrap();
    let columns = batches.iter().map(|batch| batch.column(0));
    columns
        .flat_map(|column| {
            column
                .as_string::<i32>()
                .iter()
                .flatten()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

const LISTED: &str = "SELECT table_name FROM sys.tables ORDER BY 1";
const SHOWN: &str = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1";

#[tokio::test(flavor = "multi_thread")]
async fn tables_views_and_schemas_are_listed_as_wanted() {
    let (_site, all) = demo("").await;
    let (everything, read_only) = (
        names(&all, LISTED).await,
        names(
            &all,
            "SELECT table_name FROM sys.tables WHERE NOT insertable AND NOT updatable AND NOT deletable ORDER BY 1",
        )
        .await,
    );
    assert_eq!(names(&all, SHOWN).await, everything);
    let (_site, some) = demo("Tables='Request_Comments, organizations'").await;
    let mut expected = read_only.clone();
    expected.extend(["organizations".to_owned(), "request_comments".to_owned()]);
    expected.sort();
    assert_eq!(names(&some, LISTED).await, expected);
    assert_eq!(names(&some, SHOWN).await, expected);
    let about = names(&some, "SELECT DISTINCT table_name FROM sys.columns ORDER BY 1").await;
    assert_eq!(about, expected);
    // What is not listed can be named.
    assert!(rows(&some, "SELECT * FROM requests LIMIT 1").await.is_ok());
    let (_site, some) = demo("Views=queues").await;
    let listed = names(&some, LISTED).await;
    assert!(
        listed.contains(&"queues".to_owned()) && listed.contains(&"organizations".to_owned()),
        "{listed:?}"
    );
    assert_eq!(listed.len(), everything.len() - read_only.len() + 1);
    let (_site, some) = demo("BrowsableSchemas='public,temp'").await;
    let schemas =
        "SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY 1";
    assert_eq!(names(&all, schemas).await, ["public", "sys"]);
    assert_eq!(names(&some, schemas).await, ["public"]);
    assert!(rows(&some, "SELECT * FROM sys.options").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn views_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("views.json");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let options = format!("UserDefinedViews={}", file.display());
    write(
        r#"{"Desks": {"query": "SELECT id, project_name AS name FROM service_desks"}, "twice": {"query": "SELECT id FROM temp.desks"}}"#,
    );
    let (site, session) = demo(&options).await;
    assert!(site.served().is_empty(), "connecting asks nothing");
    assert_eq!(
        cell(&session, "SELECT name FROM desks WHERE id = '2'").await.unwrap(),
        "HR & People"
    );
    assert_eq!(cell(&session, "SELECT count(*) FROM temp.twice").await.unwrap(), "3");
    let prepared = session.prepare("SELECT name FROM Desks WHERE id = ?").await;
    assert!(prepared.is_ok());
    for (text, message) in [
        ("[", "UserDefinedViews: "),
        (r#"{"a b": {"query": "SELECT 1"}}"#, "is not made of letters"),
        (r#"{"a": {"sql": "SELECT 1"}}"#, "unknown field `sql`"),
    ] {
        write(text);
        let text = format!("URL={};User={USER};APIToken={TOKEN};{options}", site.url());
        let error = Session::open(Connection::parse(&text, std::iter::empty()).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Option);
        assert!(error.message().contains(message), "{error}\n  lacks {message}");
    }
    for (query, message) in [
        ("SELECT nothing FROM service_desks", "the view broken: "),
        (
            "SELECT 1; DELETE FROM organizations",
            "the view broken: the text has 2 statements",
        ),
        ("SELECT * FROM create_schema('queues')", "cannot call a procedure"),
    ] {
        write(&format!(r#"{{"broken": {{"query": "{query}"}}}}"#));
        let (site, session) = demo(&options).await;
        let error = rows(&session, "SELECT 1").await.unwrap_err();
        assert!(error.message().contains(message), "{error}\n  lacks {message}");
        assert!(site.served().iter().all(|served| served.method == "GET"));
    }
}
