//! The few operations of `/rest/api` that tell who and where we are.

use super::answer::{Answer, Asked};
use super::date::{DAY, Stamp};
use super::json;
use super::state::State;

/// Answers `/rest/api/{version}/…`; `rest` are the segments after the version.
pub(super) fn answer(state: &State, asked: &Asked, rest: &[&str]) -> Answer {
    match rest {
        ["serverInfo"] => Answer::json(json::document(|o| {
            o.text("baseUrl", &asked.base);
            o.text("version", "1001.0.0-SNAPSHOT");
            o.raw("versionNumbers", "[1001,0,0]");
            o.text("deploymentType", if asked.paging.data_center { "Server" } else { "Cloud" });
            o.int("buildNumber", 100_297);
            o.text("buildDate", Stamp::jira(state.clock.opening() - DAY));
            o.text("serverTime", Stamp::jira(state.clock.now));
            o.text("scmInfo", "948b370c557f4bbf768b92203f3aca5d86ee9758");
            o.text("serverTitle", "Jira");
            o.object("defaultLocale", |o| o.text("locale", "en_US"));
        })),
        ["myself"] => Answer::json(json::document(|o| {
            let person = &state.people[asked.who];
            o.text(
                "self",
                format_args!("{}/rest/api/3/user?accountId={}", asked.base, person.account_id),
            );
            o.text("accountId", &person.account_id);
            o.text("accountType", "atlassian");
            o.maybe("emailAddress", person.email.as_ref());
            o.text("displayName", &person.name);
            o.flag("active", true);
            o.text("timeZone", state.zone().name);
            o.text("locale", "en_GB");
        })),
        ["mypermissions"] => {
            if asked.one("permissions").is_none() {
                return Answer::refuse_platform(400, "The 'permissions' query parameter is required.");
            }
            Answer::json(json::document(|o| {
                o.object("permissions", |o| {
                    for key in asked.all("permissions") {
                        o.object(key, |o| {
                            o.text("key", key);
                            o.text("type", "PROJECT");
                            // Dana is an agent, not an administrator of the site.
                            o.flag("havePermission", key != "ADMINISTER");
                        });
                    }
                });
            }))
        }
        _ => super::directory::answer(state, asked, rest),
    }
}
