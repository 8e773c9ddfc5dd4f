//! Which OAuth scope an operation of Atlassian Cloud needs: what to say when the gateway refuses one. Pure.
//!
//! The gateway says only that a scope is missing, never which.

use super::Method;

/// Path prefixes of the API with the classic scopes to read and to write there; the longest that fits decides.
const SCOPES: &[(&str, &str, &str)] = &[
    (
        "/rest/servicedeskapi/",
        "read:servicedesk-request",
        "write:servicedesk-request",
    ),
    // Reading customers and organizations, too, takes the right to manage them.
    (
        "/rest/servicedeskapi/customer",
        "manage:servicedesk-customer",
        "manage:servicedesk-customer",
    ),
    (
        "/rest/servicedeskapi/organization",
        "manage:servicedesk-customer",
        "manage:servicedesk-customer",
    ),
    ("/rest/api/", "read:jira-work", "write:jira-work"),
    ("/rest/api/3/user", "read:jira-user", "manage:jira-configuration"),
    ("/rest/api/3/users", "read:jira-user", "manage:jira-configuration"),
    ("/rest/api/3/group", "read:jira-user", "manage:jira-configuration"),
    ("/rest/api/3/myself", "read:jira-user", "read:jira-user"),
    ("/rest/api/2/myself", "read:jira-user", "read:jira-user"),
];

/// Every scope that jsmql uses, once: what is asked for where no option says otherwise.
pub(crate) fn all() -> Vec<&'static str> {
    let mut scopes = Vec::new();
    for scope in SCOPES.iter().flat_map(|(_, read, write)| [*read, *write]) {
        // Nothing that jsmql writes today takes the right to configure the site.
        if !scopes.contains(&scope) && scope != "manage:jira-configuration" {
            scopes.push(scope);
        }
    }
    scopes
}

/// The scope for a request with this method and path below the root. `reads` says whether it changes nothing.
pub(crate) fn needed(method: Method, path: &str, reads: bool) -> Option<&'static str> {
    let write = method != Method::Get && !reads;
    // A desk's customers and organizations are those of the site.
    let resource = match path
        .strip_prefix("/rest/servicedeskapi/servicedesk/")
        .and_then(|rest| rest.split_once('/'))
    {
        Some((_, rest)) if rest.starts_with("customer") || rest.starts_with("organization") => {
            format!("/rest/servicedeskapi/{rest}")
        }
        _ => path.to_owned(),
    };
    SCOPES
        .iter()
        .filter(|(prefix, ..)| resource.starts_with(prefix))
        .max_by_key(|(prefix, ..)| prefix.len())
        .map(|(_, read, change)| if write { *change } else { *read })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_by_path() {
        for (method, path, reads, scope) in [
            (
                Method::Get,
                "/rest/servicedeskapi/request",
                true,
                Some("read:servicedesk-request"),
            ),
            (
                Method::Post,
                "/rest/servicedeskapi/request",
                false,
                Some("write:servicedesk-request"),
            ),
            (
                Method::Get,
                "/rest/servicedeskapi/servicedesk/1/customer",
                true,
                Some("manage:servicedesk-customer"),
            ),
            (
                Method::Get,
                "/rest/servicedeskapi/organization/{id}/user",
                true,
                Some("manage:servicedesk-customer"),
            ),
            (Method::Post, "/rest/api/3/search/jql", true, Some("read:jira-work")),
            (Method::Post, "/rest/api/3/issue", false, Some("write:jira-work")),
            (Method::Get, "/rest/api/3/users/search", true, Some("read:jira-user")),
            (Method::Get, "/elsewhere", true, None),
        ] {
            assert_eq!(needed(method, path, reads), scope, "{path}");
        }
        assert!(all().contains(&"manage:servicedesk-customer") && !all().contains(&"manage:jira-configuration"));
    }
}
