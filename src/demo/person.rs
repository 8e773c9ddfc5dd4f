//! The people of the demo site.

use super::answer::Asked;
use super::chance::Chance;
use super::json::{Array, Object};

/// Somebody with an account, or a customer of the portal only.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) account_id: String,
    pub(super) name: String,
    /// Hidden by the privacy settings of some.
    pub(super) email: Option<String>,
    pub(super) active: bool,
    pub(super) time_zone: Option<&'static str>,
}

/// The account that everything is seen through: an agent of every desk, an approver, a member of every organization.
pub(super) const DANA: usize = 0;
/// The agents, Dana among them.
pub(super) const AGENTS: std::ops::Range<usize> = 0..8;
/// Everybody else, as far as the site begins with them.
pub(super) const CUSTOMERS: std::ops::Range<usize> = 8..168;

const FIRST: &[&str] = &[
    "Amélie", "Björn", "Chiara", "Daichi", "Elif", "Fatima", "Grace", "Hiroshi", "Ines", "Jörg", "Kofi", "Lena", "Mateo", "Noor",
    "Olga", "Priya", "Quentin", "Rosa", "Søren", "Tariq",
];
const LAST: &[&str] = &[
    "Álvarez",
    "Brandt",
    "Costa",
    "Dubois",
    "Eriksson",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "O'Neill",
];
const ZONES: &[&str] = &[
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Europe/Madrid",
    "Asia/Kolkata",
];

/// Everybody, Dana first.
pub(super) fn people(chance: Chance) -> Vec<Person> {
    (0..CUSTOMERS.end).map(|index| person(chance, index)).collect()
}

fn person(chance: Chance, index: usize) -> Person {
    let draw = index as u64;
    let first = FIRST[index * 7 % FIRST.len()];
    let last = LAST[index * 5 % LAST.len()];
    let name = match index {
        DANA => "Dana Demo".to_owned(),
        _ if index % 41 == 40 => "山田 花子".to_owned(),
        _ => format!("{first} {last}"),
    };
    let portal_only = index >= AGENTS.end && chance.happens("portal only", draw, 40);
    let id = chance.bits("account", draw);
    Person {
        account_id: match portal_only {
            // Customers of the portal have such ids; the colons must be encoded in a path.
            true => format!("qm:a713c8ea-1075-4e30-9d96-{:012x}:{id:016x}", index),
            false => format!("5b10{:04x}{id:016x}", index),
        },
        email: match index {
            DANA => Some(super::USER.to_owned()),
            _ if chance.happens("private e-mail", draw, 25) => None,
            _ => Some(format!("person{index}@customer.example")),
        },
        name,
        active: index == DANA || !chance.happens("inactive", draw, 6),
        time_zone: if index != DANA && chance.happens("private zone", draw, 20) {
            None
        } else {
            Some(ZONES[index % ZONES.len()])
        },
    }
}

impl Person {
    /// Address of a picture. Those of real sites lie elsewhere, and are most of what they say of a person.
    fn avatar(&self, size: &str) -> String {
        let id = self.account_id.trim_start_matches("qm:").replace([':', '-'], "");
        let initials: String = self
            .name
            .split(' ')
            .filter_map(|word| word.chars().next())
            .filter(char::is_ascii)
            .collect();
        format!(
            "https://secure.gravatar.com/avatar/{id:0>32}?d=https%3A%2F%2Favatar-management--avatars.us-west-2.prod.public.atl-paas.net\
             %2Finitials%2F{initials}-{}.png&size={size}&s={size}",
            id.len() % 7
        )
    }

    /// The fields of a `UserDTO`.
    pub(super) fn fill(&self, o: &mut Object, asked: &Asked) {
        let base = &asked.base;
        o.text("accountId", &self.account_id);
        o.maybe("emailAddress", self.email.as_ref());
        o.text("displayName", &self.name);
        o.flag("active", self.active);
        o.maybe("timeZone", self.time_zone);
        o.object("_links", |o| {
            let address = format!("{base}/rest/api/2/user?accountId={}", self.account_id.replace(':', "%3A"));
            o.text("jiraRest", &address);
            o.object("avatarUrls", |o| {
                for size in ["48x48", "24x24", "16x16", "32x32"] {
                    o.text(size, self.avatar(size));
                }
            });
            o.text("self", &address);
        });
    }

    /// The `UserDTO` as a value.
    pub(super) fn write(&self, o: &mut Object, key: &str, asked: &Asked) {
        o.object(key, |o| self.fill(o, asked));
    }

    /// The `UserDTO` as an element.
    pub(super) fn push(&self, a: &mut Array, asked: &Asked) {
        a.object(|o| self.fill(o, asked));
    }

    /// Whether a search for people finds this one: names and addresses by the beginning of a word.
    pub(super) fn matches(&self, query: &str) -> bool {
        let query = query.to_lowercase();
        let words = |text: &str| text.to_lowercase().split_whitespace().any(|word| word.starts_with(&query));
        query.is_empty()
            || words(&self.name)
            || self
                .email
                .as_ref()
                .is_some_and(|email| email.to_lowercase().starts_with(&query))
    }
}
