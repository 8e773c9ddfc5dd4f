//! What can go wrong on the way, on request.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use super::answer::Answer;

macro_rules! kinds {
    ($($kind:ident $name:literal $doc:literal;)*) => {
        /// The ways to fail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Kind { $(#[doc = $doc] $kind,)* }

        const KINDS: &[(&str, Kind)] = &[$(($name, Kind::$kind)),*];
    };
}

kinds! {
    TooFast "429" "429 with `Retry-After: 0` of the burst limit.";
    TooFastUnsaid "429-bare" "429 without a word about when to come back.";
    Quota "429-quota" "429 of the hourly quota: come back in half an hour.";
    Unavailable "503" "503 with `Retry-After: 0`.";
    Broken "500" "500 with a platform error body.";
    BadGateway "502-html" "502 with an HTML page of a proxy.";
    Unauthorized "401" "401 without a body.";
    Forbidden "403-empty" "403 without a body, as on a site without a licence.";
    LoginPage "login-page" "200 with an HTML login page.";
    Redirect "redirect" "302 to another host.";
    NoContent "204" "204 where a body is due.";
    Reset "reset" "The connection closes without an answer.";
    LostAnswer "lost-answer" "A write takes effect, and the connection closes without an answer.";
    Truncated "truncate" "The connection closes in the middle of the body.";
    TruncatedGzip "truncate-gzip" "The compressed body ends early, the connection does not.";
    Hang "hang" "No answer, ever.";
    BadJson "bad-json" "A body that is cut, with a content length that agrees.";
    ShortPages "short-pages" "Pages of half the rows asked for.";
    Linkless "no-links" "Pages without a link to the next.";
    Hidden "empty-page" "Rows that the caller may not see take places of the list: pages are short or empty.";
    Repeat "repeat-page" "Every page is the first again.";
    Endless "endless" "The last page does not say so.";
    Foreign "foreign-next" "The link to the next page leads to another host.";
    Reorder "reorder" "With every page of the request list, a request of a later page moves to the front.";
    Deleted "deleted-meanwhile" "With every further page of the request list, a request of an earlier page is deleted.";
    Swapped "swapped-meanwhile" "The same, and one of a later page moves to the front.";
    LastWithNext "last-with-next" "Every page says that it is the last, and names the next all the same.";
    Stranger "expired-login" "The login has expired: a search knows no values, and whoever asks who they are is refused.";
    BrokenIssue "broken-issue" "The site fails whenever one certain issue is among those that are fetched.";
    ForbiddenParent "forbidden-parent" "What belongs to ITSM-6, or to organization 2, is for others.";
    ForbiddenDesk "forbidden-desk" "What belongs to service desk 2 is for others.";
    StrangerUnsaid "expired-login-unsaid" "The login has expired: lists have no rows, and only whoever asks who they are is refused.";
    BrokenParent "broken-parent" "The site fails on what belongs to ITSM-6, or to organization 2.";
    BareIssue "bare-issue" "ITSM-1 comes without its fields: searches leave them out, batches have none in them.";
    OtherIssue "other-issue" "The last issue of a batch is another one than was asked for.";
    RowTwice "row-twice" "Of the rows that come together the last is the first again: in batches, bare lists and pages inside of rows.";
    EarlyLast "early-last" "Pages of the platform have two rows and say that they are the last, whatever their total.";
    EmbeddedNext "embedded-next" "A page inside of a row that is cut says that it is the last, and names the next.";
    EmbeddedLate "embedded-late" "Pages inside of rows begin with their second row.";
    OddNumbers "odd-numbers" "Numbers of custom fields are the text NaN.";
    Sorry "sorry" "Short lists and single objects are an object that says sorry, with 200.";
    SamePage "same-page" "Each page that links lead to is the one before, and names another next.";
    OtherSpelling "other-spelling" "Ids are numbers, numbers are texts, truth is 0 or 1.";
    NullRows "null-rows" "Of the rows that come together the last is null.";
    BrokenText "broken-text" "The first summary of an answer has half of a surrogate pair, the second a byte that is no UTF-8.";
    Unended "unended" "The last page of a search says neither that it is the last nor where the next is.";
    TokenExpired "token-expired" "The token of the next page of a search has expired.";
    NarrowRefused "narrow-refused" "Issues are given a hundred at a time, however few fields are asked for.";
    Vanish "vanish" "Every seventh issue of a search is deleted before it is fetched.";
    StaleSearch "stale-search" "A search does not see changes, except of issues that it is told to reconcile.";
    Nameless "nameless-refusal" "A search that is refused does not say because of what.";
    FieldGone "field-gone" "A custom field is deleted although the list of fields still names it.";
    OddFields "odd-fields" "The list of fields has an entry that is null, one without an id, one twice, and fields without a name or a type.";
    Moved "moved" "The issues of ITSM were those of OLD once, and those of HR of CORP, and are found by their old keys as well.";
    Tasks "agents-tasks" "Every third issue is a task of the agents and no request, and FAC is a business project without a service desk.";
    RefusedAsDone "refusal-as-success" "A write is not done, and answered 200 with the words of a refusal.";
    PublicComments "public-comments" "Comments can be seen by customers, whatever was asked.";
    Blocked "blocked" "The conditions of no transition are met.";
    ManyFields "many-fields" "The site has five thousand more custom fields.";
    DataCenter "data-center" "The site is a Data Center, which has no /rest/api/3.";
    Gone "gone" "The children of every third request answer 404, as if it had just been deleted.";
}

/// A fault of the demo site: its name, and how often it shows.
///
/// `429` always; `429:every=5` for one in five addresses, the first time each is asked for, and for one in five writes; `429:first=3` for
/// the first three requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub(super) kind: Kind,
    when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Every(u64),
    First(u64),
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, when) = text.split_once(':').map_or((text, None), |(name, when)| (name, Some(when)));
        let kind = KINDS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| *kind)
            .ok_or_else(|| {
                let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
                format!("there is no fault {name}; known are {}", names.join(", "))
            })?;
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
        let when = match when.map(|when| when.split_once('=').map(|(word, value)| (word, number(value)))) {
            None => When::Always,
            Some(Some(("every", Some(number)))) => When::Every(number),
            Some(Some(("first", Some(number)))) => When::First(number),
            Some(_) => return Err(format!("a fault is NAME, NAME:every=N or NAME:first=N, not {text}")),
        };
        Ok(Self { kind, when })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        match self.when {
            When::Always => f.write_str(name),
            When::Every(number) => write!(f, "{name}:every={number}"),
            When::First(number) => write!(f, "{name}:first={number}"),
        }
    }
}

/// The faults of a site, and what was asked so far.
#[derive(Debug)]
pub(super) struct Faults {
    faults: Vec<Fault>,
    /// Requests, writes among them, and how often each address was asked for.
    asked: Mutex<(u64, u64, HashMap<String, u64>)>,
}

impl Faults {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            asked: Mutex::default(),
        }
    }

    /// Whether a fault was asked for at all.
    pub(super) fn include(&self, kind: Kind) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind)
    }

    /// The faults that this request meets. An address that is read fails at most once under `every`, so that a retry succeeds; many
    /// writes go to one address, so they are counted.
    pub(super) fn meet(&self, address: &str, writes: bool) -> Vec<Kind> {
        if self.faults.is_empty() {
            return Vec::new();
        }
        let Ok(mut asked) = self.asked.lock() else { return Vec::new() };
        let (total, written, addresses) = &mut *asked;
        *total += 1;
        *written += u64::from(writes);
        let fresh = !addresses.contains_key(address);
        let known = addresses.len() as u64 + u64::from(fresh);
        *addresses.entry(address.to_owned()).or_default() += 1;
        let shows = |fault: &&Fault| match fault.when {
            When::Always => true,
            When::Every(number) if writes => written.is_multiple_of(number),
            When::Every(number) => fresh && known.is_multiple_of(number),
            When::First(number) => *total <= number,
        };
        self.faults.iter().filter(shows).map(|fault| fault.kind).collect()
    }
}

/// The answer that a fault gives in place of the right one; `None` where it breaks that one instead.
pub(super) fn instead(kind: Kind) -> Option<Answer> {
    const PROXY: &str = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>";
    const LOGIN: &str =
        "<!DOCTYPE html><html><head><title>Log in with Atlassian account</title></head><body>Log in</body></html>";
    let busy = || Answer::refuse_platform(429, "Rate limit exceeded.");
    Some(match kind {
        Kind::TooFast => busy()
            .header("retry-after", "0")
            .header("ratelimit-reason", "jira-burst-based"),
        Kind::TooFastUnsaid => busy(),
        Kind::Quota => busy()
            .header("retry-after", "1847")
            .header("ratelimit-reason", "jira-quota-global-based"),
        Kind::Unavailable => Answer::refuse_platform(503, "The site is being upgraded.").header("retry-after", "0"),
        Kind::Broken => Answer::refuse_platform(500, "Internal server error"),
        Kind::BadGateway => Answer::new(502, "text/html", PROXY),
        Kind::Unauthorized => Answer::new(401, "", ""),
        Kind::Forbidden => Answer::new(403, "", ""),
        Kind::LoginPage => Answer::new(200, "text/html;charset=UTF-8", LOGIN),
        Kind::Redirect => Answer::new(302, "", "").header("location", "https://evil.example/login"),
        Kind::NoContent => Answer::new(204, "", ""),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_and_printed() {
        for text in ["429", "reset:every=5", "hang:first=2"] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for (text, fragment) in [
            ("430", "there is no fault 430"),
            ("429:every=0", "NAME:every=N"),
            ("429:often", "NAME:every=N"),
        ] {
            assert!(text.parse::<Fault>().unwrap_err().contains(fragment), "{text}");
        }
    }

    #[test]
    fn an_address_fails_once() {
        let faults = Faults::new(vec!["503:every=2".parse().unwrap()]);
        let met: Vec<usize> = ["a", "b", "b", "c", "d", "d", "a"]
            .iter()
            .map(|address| faults.meet(address, false).len())
            .collect();
        assert_eq!(met, [0, 1, 0, 0, 1, 0, 0]);
        let met: Vec<usize> = (0..5).map(|_| faults.meet("a", true).len()).collect();
        assert_eq!(met, [0, 1, 0, 1, 0]);
    }
}
