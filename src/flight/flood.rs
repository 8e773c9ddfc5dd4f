//! How many wrong logins an address may try.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The time in which wrong logins are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered; beyond them the server takes everybody for one.
const ADDRESSES: usize = 10_000;

/// Counts wrong logins by address. It sends and waits for nothing.
#[derive(Debug)]
pub(super) struct Flood {
    most: usize,
    wrong: HashMap<IpAddr, Vec<Instant>>,
}

impl Flood {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            wrong: HashMap::new(),
        }
    }

    /// Whether a login may be tried; else how long to wait.
    pub(super) fn admit(&mut self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(times) = self.wrong.get_mut(&network(from)) else {
            // A table that is full of addresses is an attack from all of them.
            return match self.wrong.len() < ADDRESSES {
                true => Ok(()),
                false => {
                    self.wrong
                        .retain(|_, times| times.last().is_some_and(|last| now.duration_since(*last) < WINDOW));
                    if self.wrong.len() < ADDRESSES { Ok(()) } else { Err(WINDOW) }
                }
            };
        };
        times.retain(|time| now.duration_since(*time) < WINDOW);
        match times.first() {
            Some(first) if times.len() >= self.most => Err(WINDOW.saturating_sub(now.duration_since(*first))),
            _ => Ok(()),
        }
    }

    /// Notes a wrong login.
    pub(super) fn wrong(&mut self, from: IpAddr, now: Instant) {
        self.wrong.entry(network(from)).or_default().push(now);
    }
}

/// Whoever has one address of an IPv6 network has all of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.into(),
            None => std::net::Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_waits_after_too_many_and_the_others_do_not() {
        let (mut flood, now) = (Flood::new(3), Instant::now());
        let [one, other]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        for second in 0..3 {
            assert_eq!(flood.admit(one, now), Ok(()));
            flood.wrong(one, now + Duration::from_secs(second));
        }
        assert_eq!(flood.admit(one, now + Duration::from_secs(2)), Err(Duration::from_secs(58)));
        assert_eq!(flood.admit(other, now), Ok(()));
        assert_eq!(flood.admit(one, now + WINDOW), Ok(()));
    }

    #[test]
    fn a_network_is_one_address() {
        let [one, other, third, mapped]: [IpAddr; 4] =
            ["2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1", "::ffff:10.0.0.1"].map(|text| text.parse().unwrap());
        assert_eq!(network(one), network(other));
        assert_ne!(network(one), network(third));
        assert_eq!(network(mapped), "10.0.0.1".parse::<IpAddr>().unwrap());
    }
}
