//! The conformance suite: checks that a [`WifiDriver`](crate::WifiDriver) keeps its contract.
//!
//! The contract is on the page [For driver authors](crate::driver#for-driver-authors). This page
//! explains how to write a driver that keeps it, and ends with a complete driver and its test bed.
//!
//! # Writing a driver
//!
//! 1. **Keep no state** that you can query from the radio. A driver that queries the state of the
//!    radio at the start of each method has nothing that a dropped future could leave inconsistent.
//! 2. **`apply`** first ends any pairing that is still running, then sets the mode of the radio and
//!    returns, without waiting for a link. If the radio has these settings already, it changes
//!    nothing. If the driver cannot do it, it returns
//!    [`Unsupported`](crate::ErrorKind::Unsupported). Disable everything that the platform would
//!    save by itself.
//! 3. **`pair`** discards what is left of an earlier pairing *before* it begins, so that it never
//!    returns an old result and never handles an old event. It searches until a router hands over
//!    its network. It has no timeout; if the platform has one, start its search again when it
//!    expires. If the radio's own WPS leaves the network at once, scan for pressed routers first,
//!    where the radio can. Then use [`OverlapDetector`](crate::wsc::OverlapDetector) and
//!    [`ScanPlan`](crate::wsc::ScanPlan) to detect session overlap.
//! 4. **`join`** waits for the link *and the keys*. If the network is already joined, it may return
//!    at once only if the key is the same. Names are bytes. A key of 64 digits is a raw PSK.
//! 5. **`snapshot`** and **`link`** are needed only if there is something to report. They must not
//!    touch the radio.
//! 6. **`maintain`** is polled while the device is idle. It is needed if the radio's software can
//!    restart without ours, for example a daemon or a modem: then it checks whether the radio still
//!    has the configuration that was applied last, at once and then every few seconds. It is also
//!    needed if the radio gives up after some time without a link. Its future is dropped as soon as
//!    there is other work, so the instant of the next check or try is stored in the driver.
//! 7. **`keep`** is needed only if the platform
//!    [keeps networks](crate::driver#platforms-that-keep-networks). Then `snapshot` chooses the
//!    identifier, and `maintain` removes what was kept in vain. Any other driver returns
//!    [`KeptElsewhere`](crate::ErrorKind::KeptElsewhere) for a network that only the platform has:
//!    use [`Secret::key`](crate::Secret::key), and never take a missing key for an open network.
//! 8. **Errors** have the [kind](crate::ErrorKind) that says what happened. A
//!    [final](crate::ErrorKind::is_final) kind ends the whole pairing; a lost router is not final.
//!
//! # Running the suite
//!
//! A [`TestBed`] provides the environment: it creates drivers, starts routers, presses their
//! buttons, and observes the radio from outside. [`run_all`] runs every [`Check`], passes each
//! result on as soon as it has it, and returns a [`Report`]. What the test bed or the driver cannot
//! do is [skipped](Outcome::Skipped) or tested [in part](Outcome::Partial), with the reason. A
//! check that needs one that failed is skipped, too. [`Report::is_ok`] only means that no check
//! failed. So compare [`Report::not_passed`] with a list of the gaps that you know, as the example
//! does.
//!
//! If the platform keeps networks, the test bed says so with [`TestBed::keeps_networks`], and lists
//! them. On any other platform, the checks of `keep` are skipped.
//!
//! A method must return within [its time](crate::driver#time-limits) in the machine. The test bed's
//! clock limits every wait, so a driver that never responds fails instead of blocking the suite.
//! While it waits, the suite polls what the runner polls. With virtual time, the suite drops each
//! future at every possible poll, up to [a limit](Limits::max_drops). For real radios, choose
//! [`Limits`]. In firmware, where a report is too big for the stack, call [`run`] for one check
//! after the other.
//!
//! If the driver or the test bed needs a background task, for example to read the events of a
//! modem, run it beside the suite, as it runs beside the runner in the product:
//!
//! ```
//! use core::future::Future;
//!
//! use embassy_futures::select::{Either, select};
//! use wps_core::conformance::{Report, TestBed, run_all};
//!
//! async fn run_with_task(test_bed: &mut impl TestBed, task: impl Future<Output = ()>) -> Report {
//!     let suite = run_all(test_bed, |result| println!("{result}"));
//!     match select(suite, task).await {
//!         Either::First(report) => report,
//!         Either::Second(()) => panic!("the background task has ended"),
//!     }
//! }
//! ```
//!
//! # Complete example
//!
//! `cargo run -p wps-core --example driver`:
//!
//! ```
#![doc = include_str!("../examples/driver.rs")]
//! ```

#![allow(clippy::result_large_err, reason = "there is no heap to box it on")]

mod context;
mod credentials;
mod drops;
mod fixtures;
mod futures;
mod keeping;
mod methods;
mod modes;
mod pairing;
mod queries;
mod report;
mod test_bed;

use core::time::Duration;

use context::TestContext;
use report::Stop;

use crate::settings::Credentials;
use crate::time::Clock;

pub use report::{CheckResult, Drops, Failure, Finding, Outcome, Report, TestCase};
pub use test_bed::{Limits, ObservedState, PlatformNetwork, TestBed, Unavailable};

/// A part of the contract that can be checked. Every check resets the test bed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Check {
    /// `apply` of station mode joins the network, also when called twice, and does not wait for a
    /// link.
    Station,
    /// A second `apply` of the same settings keeps the link.
    KeepsLink,
    /// `apply` of a network out of range joins it once it is in range.
    JoinsLater,
    /// The driver keeps the link up by itself: when the router comes back, the link does, too.
    Reconnects,
    /// It does so also if `link` is called every second, for which the runner drops `maintain`.
    ReconnectsWhileQueried,
    /// `maintain` reports that the platform has restarted without its configuration, and never
    /// before. It does so also if `link` is called every second.
    ConfigLost,
    /// `maintain` reports once that the network no longer accepts its key, and once that it does
    /// again. It joins then. It does so also if `link` is called every second.
    KeyRefused,
    /// `apply` of access-point mode serves the device's own network.
    AccessPoint,
    /// `apply` of off stops the radio.
    Off,
    /// `snapshot` and `link` do not touch the radio, and `link` reports what it does.
    ReadOnly,
    /// `scan` does not leave the network.
    Scan,
    /// `pair` returns the pressed router's network, from every mode, and `join` has joined it when
    /// it returns.
    Pairing,
    /// `apply` restores the platform's own networks from the snapshot.
    Platform,
    /// Any method may be called twice in a row.
    Twice,
    /// Any method may be called after any other one.
    AnyOrder,
    /// Any future may be dropped at any await: the next method works.
    Dropped,
    /// What a dropped `pair` or `maintain` began does not take effect later.
    LateEvents,
    /// `pair` does not return the result of an earlier pairing.
    StaleOffer,
    /// `pair` never decides by itself that two minutes are over. While no button is pressed, it
    /// neither pairs with a router nor reports a pressed one.
    NoButtonPress,
    /// `pair` stays on the air until a button is pressed.
    StaysOnAir,
    /// `pair` leaves the network only after
    /// [`PairContext::before_disconnect`](crate::driver::PairContext::before_disconnect).
    WaitsBeforeDisconnect,
    /// Two pressed routers are a session overlap.
    Overlap,
    /// Two routers that are pressed one after the other within a window are an overlap, too.
    OverlapMemory,
    /// A pairing that is limited to one access point ignores all others. It waits for that one's
    /// button, and there is no overlap.
    OnlyOne,
    /// A router that vanishes during the exchange is not a final error.
    RouterVanishes,
    /// Names are bytes, and keys are what the standard allows.
    OddCredentials,
    /// `join` with a wrong key never succeeds, not even if the network is already joined.
    WrongKey,
    /// `join` of a network out of range never succeeds.
    NotInRange,
    /// The platform stores nothing of new credentials before `keep`, neither after a failure nor
    /// after a success.
    NothingStored,
    /// On a platform that keeps networks, `keep` stores exactly the network that was joined, also
    /// for the time after a power cut. `apply` and `join` use it then, and `join` proves it.
    Keeps,
    /// After a failure, `apply` returns to the previous network and removes nothing from the disk.
    /// `maintain` removes what was kept in vain, also if `link` is called every second. While the
    /// platform does not have the network of the settings, it removes nothing. Neither does it if
    /// the settings name none and there was no task yet.
    KeptInVain,
    /// `maintain` reports once that the user has removed the kept network, and never before. It
    /// does so also if `link` is called every second. `apply` succeeds without it.
    KeptRemoved,
    /// A network that is kept again replaces the earlier one at rest. A network of the user with
    /// that name is untouched.
    KeptSameName,
    /// After a restart, the platform decides which of its networks it joins: `apply` of a kept
    /// network leaves a connection to another one as it is.
    PlatformDecides,
    /// `apply` and `join` of a network that only another platform has fail as such, with every
    /// driver. The radio then leaves the network of a task that has failed, joins no open network
    /// of that name, and remains usable. While such a network is remembered, `maintain` neither
    /// reports it as removed nor removes anything.
    KeptElsewhere,
}

impl Check {
    /// All checks.
    pub const ALL: [Self; 35] = [
        Self::Station,
        Self::KeepsLink,
        Self::JoinsLater,
        Self::Reconnects,
        Self::ReconnectsWhileQueried,
        Self::ConfigLost,
        Self::KeyRefused,
        Self::AccessPoint,
        Self::Off,
        Self::ReadOnly,
        Self::Scan,
        Self::Pairing,
        Self::Platform,
        Self::Twice,
        Self::AnyOrder,
        Self::Dropped,
        Self::LateEvents,
        Self::StaleOffer,
        Self::NoButtonPress,
        Self::StaysOnAir,
        Self::WaitsBeforeDisconnect,
        Self::Overlap,
        Self::OverlapMemory,
        Self::OnlyOne,
        Self::RouterVanishes,
        Self::OddCredentials,
        Self::WrongKey,
        Self::NotInRange,
        Self::NothingStored,
        Self::Keeps,
        Self::KeptInVain,
        Self::KeptRemoved,
        Self::KeptSameName,
        Self::PlatformDecides,
        Self::KeptElsewhere,
    ];

    /// Returns the name of the variant in lower case, as words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Station => "station",
            Self::KeepsLink => "keeps link",
            Self::JoinsLater => "joins later",
            Self::Reconnects => "reconnects",
            Self::ReconnectsWhileQueried => "reconnects while queried",
            Self::ConfigLost => "config lost",
            Self::KeyRefused => "key refused",
            Self::AccessPoint => "access point",
            Self::Off => "off",
            Self::ReadOnly => "read only",
            Self::Scan => "scan",
            Self::Pairing => "pairing",
            Self::Platform => "platform",
            Self::Twice => "twice",
            Self::AnyOrder => "any order",
            Self::Dropped => "dropped",
            Self::LateEvents => "late events",
            Self::StaleOffer => "stale offer",
            Self::NoButtonPress => "no button press",
            Self::StaysOnAir => "stays on air",
            Self::WaitsBeforeDisconnect => "waits before disconnect",
            Self::Overlap => "overlap",
            Self::OverlapMemory => "overlap memory",
            Self::OnlyOne => "only one",
            Self::RouterVanishes => "router vanishes",
            Self::OddCredentials => "odd credentials",
            Self::WrongKey => "wrong key",
            Self::NotInRange => "not in range",
            Self::NothingStored => "nothing stored",
            Self::Keeps => "keeps",
            Self::KeptInVain => "kept in vain",
            Self::KeptRemoved => "kept removed",
            Self::KeptSameName => "kept same name",
            Self::PlatformDecides => "platform decides",
            Self::KeptElsewhere => "kept elsewhere",
        }
    }

    /// Returns the network in the platform's own configuration, if the check needs one.
    fn platform_network(self) -> Option<Credentials> {
        if self == Self::Platform || self == Self::PlatformDecides {
            Some(fixtures::old())
        } else if self == Self::KeptSameName {
            Some(fixtures::home_with_another_key())
        } else {
            None
        }
    }

    /// Returns the checks whose failure this one would only repeat, each with the reason to report
    /// for skipping it.
    fn needs(self) -> &'static [(Self, Unavailable)] {
        const STATION: (Check, Unavailable) =
            (Check::Station, Unavailable("it needs the check \"station\", which failed"));
        const PAIRING: (Check, Unavailable) =
            (Check::Pairing, Unavailable("it needs the check \"pairing\", which failed"));
        const KEEPS: (Check, Unavailable) =
            (Check::Keeps, Unavailable("it needs the check \"keeps\", which failed"));
        match self {
            Self::Station => &[],
            Self::KeepsLink
            | Self::JoinsLater
            | Self::Reconnects
            | Self::ReconnectsWhileQueried
            | Self::ConfigLost
            | Self::KeyRefused
            | Self::AccessPoint
            | Self::Off
            | Self::ReadOnly
            | Self::Scan
            | Self::Pairing
            | Self::WrongKey
            | Self::NotInRange => &[STATION],
            Self::Platform
            | Self::Twice
            | Self::AnyOrder
            | Self::Dropped
            | Self::LateEvents
            | Self::StaleOffer
            | Self::NoButtonPress
            | Self::StaysOnAir
            | Self::WaitsBeforeDisconnect
            | Self::Overlap
            | Self::OverlapMemory
            | Self::OnlyOne
            | Self::RouterVanishes
            | Self::OddCredentials
            | Self::NothingStored
            | Self::Keeps
            | Self::KeptElsewhere => &[STATION, PAIRING],
            Self::KeptInVain | Self::KeptRemoved | Self::KeptSameName | Self::PlatformDecides => {
                &[STATION, PAIRING, KEEPS]
            }
        }
    }
}

/// Runs one check. It resets the test bed first.
pub async fn run<S: TestBed>(check: Check, test_bed: &mut S) -> CheckResult {
    let platform = check.platform_network();
    let (clock, mut log) = (test_bed.clock(), context::Log::default());
    let start = clock.now();
    let result = match TestContext::new(test_bed, platform.as_ref(), &mut log).await {
        Ok(context) => run_check(check, context).await,
        Err(stop) => Err(stop),
    };
    let duration = clock.now().since(start);
    let outcome = match result {
        Ok(()) => log.gap.map_or(Outcome::Passed, Outcome::Partial),
        Err(Stop::Skipped(gap)) => Outcome::Skipped(gap),
        Err(Stop::Failed(failure)) => {
            Outcome::Failed(Failure { at: duration, last_call: log.last_call, ..failure })
        }
    };
    CheckResult { check, outcome, duration, drops: log.drops }
}

async fn run_check<S: TestBed>(check: Check, context: TestContext<'_, S>) -> Result<(), Stop> {
    match check {
        Check::Station => modes::station(context).await,
        Check::KeepsLink => modes::keeps_link(context).await,
        Check::JoinsLater => modes::joins_later(context).await,
        Check::Reconnects => modes::reconnects(context, false).await,
        Check::ReconnectsWhileQueried => modes::reconnects(context, true).await,
        Check::ConfigLost => modes::config_lost(context).await,
        Check::KeyRefused => modes::key_refused(context).await,
        Check::AccessPoint => modes::access_point(context).await,
        Check::Off => modes::off(context).await,
        Check::ReadOnly => queries::read_only(context).await,
        Check::Scan => queries::scan(context).await,
        Check::Pairing => modes::pairing(context).await,
        Check::Platform => modes::platform(context).await,
        Check::Twice => methods::twice(context).await,
        Check::AnyOrder => methods::any_order(context).await,
        Check::Dropped => drops::dropped(context).await,
        Check::LateEvents => drops::late_events(context).await,
        Check::StaleOffer => drops::stale_offer(context).await,
        Check::NoButtonPress => pairing::no_button_press(context).await,
        Check::StaysOnAir => pairing::stays_on_air(context).await,
        Check::WaitsBeforeDisconnect => pairing::waits_before_disconnect(context).await,
        Check::Overlap => pairing::overlap(context).await,
        Check::OverlapMemory => pairing::overlap_memory(context).await,
        Check::OnlyOne => pairing::only_one(context).await,
        Check::RouterVanishes => pairing::router_vanishes(context).await,
        Check::OddCredentials => credentials::odd(context).await,
        Check::WrongKey => credentials::wrong_key(context).await,
        Check::NotInRange => credentials::not_in_range(context).await,
        Check::NothingStored => credentials::nothing_stored(context).await,
        Check::Keeps => keeping::keeps(context).await,
        Check::KeptInVain => keeping::kept_in_vain(context).await,
        Check::KeptRemoved => keeping::kept_removed(context).await,
        Check::KeptSameName => keeping::kept_same_name(context).await,
        Check::PlatformDecides => keeping::platform_decides(context).await,
        Check::KeptElsewhere => keeping::kept_elsewhere(context).await,
    }
}

/// Runs all checks, one after the other, and calls `on_result` after each. A check that needs
/// another one, which failed, is skipped.
pub async fn run_all<S: TestBed>(
    test_bed: &mut S,
    mut on_result: impl FnMut(&CheckResult),
) -> Report {
    let mut report = Report::default();
    for check in Check::ALL {
        let is_failed = |check| report.outcome(check).is_some_and(Outcome::is_failure);
        let result = match check.needs().iter().find(|(needed, _)| is_failed(*needed)) {
            Some((_, reason)) => CheckResult {
                check,
                outcome: Outcome::Skipped(*reason),
                duration: Duration::ZERO,
                drops: Drops::default(),
            },
            None => run(check, test_bed).await,
        };
        on_result(&result);
        // Cannot fail: there is room for all checks.
        let _ = report.0.push(result);
    }
    report
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use super::*;

    #[test]
    fn a_check_is_named_like_its_variant() {
        for check in Check::ALL {
            let camel_case: String = check
                .name()
                .split(' ')
                .map(|word| {
                    let (first, rest) = word.split_at(1);
                    format!("{}{rest}", first.to_uppercase())
                })
                .collect();
            assert_eq!(camel_case, format!("{check:?}"));
        }
    }
}
