//! Limits how often the password can be guessed, whatever an attacker does with his connections.
//!
//! A guess costs its address one second, and its IPv6 network (/64) a tenth. It is refused,
//! without a look at the password, if more than a second would be owed then. Only a wrong password
//! costs anything. Each entry is paid off within a second, so the tables need no eviction: if they
//! are full, strangers must wait.

use core::net::IpAddr;
use core::time::Duration;

use heapless::Vec;
use wps_core::Instant;

/// How much an address or a network may owe.
const GUESS_WINDOW: Duration = Duration::from_secs(1);
/// What a guess costs its address: one guess a second.
const ADDRESS_INTERVAL: Duration = GUESS_WINDOW;
/// What a guess costs its IPv6 network: ten guesses a second. Not less, because a home has one
/// network, and its owner is in it.
const NETWORK_INTERVAL: Duration = Duration::from_millis(100);
/// How many addresses and networks are counted at a time. It also limits the guesses per second of
/// all addresses together.
const MAX_SOURCES: usize = 64;
/// How many addresses of users are remembered.
const MAX_USERS: usize = 8;
/// The log gets one line in this time.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The wrong passwords since the last report, for one line in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrongPasswords {
    /// The number of wrong passwords.
    pub wrong: u32,
    /// The number of passwords that were not checked, because there were too many guesses.
    pub unchecked: u32,
    /// The address that sent the last of them, if the server knows it.
    pub address: Option<IpAddr>,
}

/// Counts the guesses of each address.
#[derive(Debug, Default)]
pub(crate) struct GuessLimiter {
    sources: Vec<Debt<Source>, MAX_SOURCES>,
    /// The addresses that have sent the right password, the latest last. Each has its own place, so
    /// no number of strangers keeps a user out. They do not count against their network.
    users: Vec<Debt<IpAddr>, MAX_USERS>,
    unreported: WrongPasswords,
    reported_at: Option<Instant>,
}

/// Who has guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// All clients whose address the server does not know count as one.
    Address(Option<IpAddr>),
    /// An IPv6 network, by the first half of its addresses.
    Network([u16; 4]),
}

/// What somebody owes for guesses.
#[derive(Clone, Copy, Debug)]
struct Debt<T> {
    of: T,
    paid_at: Instant,
}

impl GuessLimiter {
    /// Returns whether a password from `address` may be checked at `now`.
    pub(crate) fn allows(&mut self, address: Option<IpAddr>, now: Instant) -> bool {
        let address = address.map(|address| address.to_canonical());
        if let Some(user) = self.users.iter().find(|user| Some(user.of) == address) {
            return user.allows(ADDRESS_INTERVAL, now);
        }
        self.sources.retain(|source| source.paid_at > now);
        let mut free = MAX_SOURCES - self.sources.len();
        for (source, interval) in sources(address).into_iter().flatten() {
            match self.sources.iter().find(|debt| debt.of == source) {
                Some(debt) if debt.allows(interval, now) => {}
                None if free > 0 => free -= 1,
                Some(_) | None => return false,
            }
        }
        true
    }

    /// Records a wrong password.
    pub(crate) fn record_wrong(&mut self, address: Option<IpAddr>, now: Instant) {
        let address = address.map(|address| address.to_canonical());
        self.unreported.wrong = self.unreported.wrong.saturating_add(1);
        self.unreported.address = address;
        if let Some(user) = self.users.iter_mut().find(|user| Some(user.of) == address) {
            return user.add(ADDRESS_INTERVAL, now);
        }
        for (source, interval) in sources(address).into_iter().flatten() {
            match self.sources.iter_mut().find(|debt| debt.of == source) {
                Some(debt) => debt.add(interval, now),
                None => {
                    let mut debt = Debt { of: source, paid_at: now };
                    debt.add(interval, now);
                    // Full only if a known nonce was spoiled, which is not limited.
                    let _ = self.sources.push(debt);
                }
            }
        }
    }

    /// Records a password that was not checked.
    pub(crate) fn record_unchecked(&mut self, address: Option<IpAddr>) {
        self.unreported.unchecked = self.unreported.unchecked.saturating_add(1);
        self.unreported.address = address.map(|address| address.to_canonical());
    }

    /// Records the right password: the address is that of a user.
    pub(crate) fn record_right(&mut self, address: Option<IpAddr>, now: Instant) {
        let Some(address) = address.map(|address| address.to_canonical()) else { return };
        let known = self.users.iter().position(|user| user.of == address);
        // A user may have been wrong a moment ago, on another connection.
        let user = match known {
            Some(place) => self.users.remove(place),
            None => Debt { of: address, paid_at: now },
        };
        if self.users.is_full() {
            self.users.remove(0);
        }
        // Cannot fail: there is room for it now.
        let _ = self.users.push(user);
    }

    /// Returns what is to be logged at `now`, at most once a second.
    pub(crate) fn take_report(&mut self, now: Instant) -> Option<WrongPasswords> {
        let WrongPasswords { wrong, unchecked, .. } = self.unreported;
        let is_early = self.reported_at.is_some_and(|last| now < last.after(REPORT_INTERVAL));
        if is_early || (wrong, unchecked) == (0, 0) {
            return None;
        }
        self.reported_at = Some(now);
        Some(core::mem::take(&mut self.unreported))
    }
}

impl<T> Debt<T> {
    fn allows(&self, interval: Duration, now: Instant) -> bool {
        self.paid_at.max(now).after(interval) <= now.after(GUESS_WINDOW)
    }

    fn add(&mut self, interval: Duration, now: Instant) {
        self.paid_at = self.paid_at.max(now).after(interval);
    }
}

/// Returns who pays for a guess from `address`, and how much.
fn sources(address: Option<IpAddr>) -> [Option<(Source, Duration)>; 2] {
    let network = match address {
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            Some((Source::Network([a, b, c, d]), NETWORK_INTERVAL))
        }
        Some(IpAddr::V4(_)) | None => None,
    };
    [Some((Source::Address(address), ADDRESS_INTERVAL)), network]
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn v4(n: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, n).into()
    }

    /// Returns an IPv6 address in one of a few networks.
    fn v6(network: u16, n: u16) -> IpAddr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, n).into()
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![(0..40_u8).prop_map(v4), (0..30_u16, 0..40_u16).prop_map(|(a, b)| v6(a % 9, b))]
    }

    fn network(address: IpAddr) -> Option<[u16; 4]> {
        let IpAddr::V6(address) = address else { return None };
        address.segments()[..4].try_into().ok()
    }

    proptest! {
        /// The limits hold, and nobody is refused without one of them as the reason.
        #[test]
        fn guesses_are_limited_and_only_by_the_limits(
            tries in proptest::collection::vec((any_address(), 0..25_u64), 1..400),
        ) {
            let mut limiter = GuessLimiter::default();
            let mut guesses: Vec<(Instant, IpAddr)> = Vec::new();
            let mut now = Instant::from_millis(0);
            for (address, pause) in tries {
                now = now.after(Duration::from_millis(pause));
                let is_allowed = limiter.allows(Some(address), now);
                if is_allowed {
                    limiter.record_wrong(Some(address), now);
                }
                let recent = guesses.iter().filter(|(at, _)| now.since(*at) < GUESS_WINDOW);
                let recent: Vec<_> = recent.map(|(_, address)| *address).collect();
                let has_guessed = recent.contains(&address);
                let network_of = network(address);
                let in_network = recent.iter().filter(|it| network_of.is_some() && network(**it) == network_of);
                let in_network = in_network.count();
                let mut networks: Vec<_> = recent.iter().filter_map(|it| network(*it)).collect();
                networks.sort_unstable();
                networks.dedup();
                let counted = recent.len() + networks.len();
                if is_allowed {
                    prop_assert!(!has_guessed && in_network < 20 && recent.len() < MAX_SOURCES);
                    guesses.push((now, address));
                } else {
                    let is_almost_full = counted + 2 > MAX_SOURCES;
                    prop_assert!(has_guessed || in_network >= 10 || is_almost_full, "{recent:?}");
                }
            }
            // On average: ten at once, and then ten a second.
            for (place, (from, address)) in guesses.iter().enumerate() {
                let Some(network_of) = network(*address) else { continue };
                let later = guesses[place..].iter().filter(|(_, it)| network(*it) == Some(network_of));
                for (count, (to, _)) in later.enumerate() {
                    let limit = 10 + to.since(*from).as_millis() / 100;
                    prop_assert!(count as u128 <= limit, "{count} in {:?}", to.since(*from));
                }
            }
        }
    }

    #[test]
    fn the_last_eight_users_are_remembered_and_each_has_one_guess_a_second() {
        let (mut limiter, now) = (GuessLimiter::default(), Instant::from_millis(0));
        for n in [1, 2, 3, 4, 5, 6, 7, 8, 1, 9] {
            limiter.record_right(Some(v4(n)), now);
        }
        for n in 100..=255 {
            limiter.record_wrong(Some(v4(n)), now);
        }
        let known = (1..=9).filter(|n| limiter.allows(Some(v4(*n)), now));
        assert_eq!(known.collect::<Vec<_>>(), [1, 3, 4, 5, 6, 7, 8, 9]);
        limiter.record_wrong(Some(v4(1)), now);
        limiter.record_right(Some(v4(1)), now);
        assert!(!limiter.allows(Some(v4(1)), now.after(Duration::from_millis(999))));
        assert!(limiter.allows(Some(v4(1)), now.after(Duration::from_secs(1))));
    }
}
