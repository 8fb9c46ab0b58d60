//! The results of the checks.

use core::fmt;
use core::time::Duration;

use heapless::Vec;

use super::{Check, ObservedState, Unavailable};
use crate::driver::{ErrorKind, IdleEvent, KeptBy, SearchProgress};
use crate::settings::{Mode, Ssid};

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outcome {
    /// The driver keeps this part of the contract.
    Passed,
    /// The driver keeps this part of the contract as far as it could be tried. The reason says what
    /// could not.
    Partial(Unavailable),
    /// The check could not be tried, for this reason.
    Skipped(Unavailable),
    /// The driver breaks this part of the contract.
    Failed(Failure),
}

impl Outcome {
    /// Returns whether the driver broke the contract.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Failed(_) => true,
            Self::Passed | Self::Partial(_) | Self::Skipped(_) => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => write!(f, "passed"),
            Self::Partial(gap) => write!(f, "partly: {gap}"),
            Self::Skipped(gap) => write!(f, "skipped: {gap}"),
            Self::Failed(failure) => write!(f, "FAILED: {failure}"),
        }
    }
}

/// The result of one check. `Display` prints it as a line of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct CheckResult {
    /// The check.
    pub check: Check,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Duration,
    /// The drops that it tried.
    pub drops: Drops,
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, outcome, duration, drops } = self;
        write!(f, "{:6.1} s  {:24} {outcome}", duration.as_secs_f32(), check.name())?;
        match drops {
            Drops { possible: 0, .. } => Ok(()),
            Drops { tried, possible } => write!(f, " ({tried} of {possible} possible drops)"),
        }
    }
}

/// How often a check has dropped a future. A drop is a poll after which the future is dropped, and
/// the method that is called next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Drops {
    /// The number of drops that were tried. [`Limits::max_drops`](super::Limits::max_drops) limits
    /// it for each method.
    pub tried: usize,
    /// The number of drops that are possible.
    pub possible: usize,
}

/// The results of all checks. `Display` prints them as a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Report(pub(super) Vec<CheckResult, { Check::ALL.len() }, u8>);

impl Report {
    /// Returns whether no check failed. [`not_passed`](Self::not_passed) returns what was skipped.
    pub fn is_ok(&self) -> bool {
        !self.0.iter().any(|result| result.outcome.is_failure())
    }

    /// Returns the outcome of `check`.
    pub fn outcome(&self, check: Check) -> Option<&Outcome> {
        self.0.iter().find(|result| result.check == check).map(|result| &result.outcome)
    }

    /// Returns every check that did not pass completely, with its outcome. A test of a driver
    /// compares them with a list of those that are known, so that a new gap is noticed.
    pub fn not_passed(&self) -> impl Iterator<Item = (Check, Outcome)> {
        let not_passed = self.0.iter().filter(|result| result.outcome != Outcome::Passed);
        not_passed.map(|result| (result.check, result.outcome.clone()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|result| writeln!(f, "{result}"))
    }
}

/// How a driver broke the contract. `Display` prints what was wanted, what was found, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Failure {
    /// The step of the check.
    pub step: &'static str,
    /// The case in which it failed, or `None` if the step was tried only once.
    pub case: Option<TestCase>,
    /// What the contract demands.
    pub wanted: Finding,
    /// What the driver did instead.
    pub found: Finding,
    /// The time since the start of the check.
    pub at: Duration,
    /// The method that was called last, or `None` if there was none.
    pub last_call: Option<&'static str>,
}

impl Failure {
    /// Creates a failure without a case. The time and the last call are filled in later.
    pub(super) fn new(step: &'static str, wanted: Finding, found: Finding) -> Self {
        Self { step, case: None, wanted, found, at: Duration::ZERO, last_call: None }
    }

    /// Creates a failure of a radio that is observed in another state than `wanted`.
    pub(super) fn observed(
        step: &'static str,
        wanted: &ObservedState,
        found: ObservedState,
    ) -> Self {
        Self::new(step, Finding::Observed(wanted.clone()), Finding::Observed(found))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, case, wanted, found, at, last_call } = self;
        write!(f, "{step}")?;
        if let Some(case) = case {
            write!(f, " ({case})")?;
        }
        write!(f, ": wanted {wanted}, found {found} ({:.1} s after the start", at.as_secs_f32())?;
        match last_call {
            Some(call) => write!(f, ", last call: {call})"),
            None => write!(f, ")"),
        }
    }
}

impl core::error::Error for Failure {}

/// The case of a check that was tried in many ways.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TestCase {
    /// The case after a future was dropped.
    Dropped {
        /// The method whose future was dropped.
        method: &'static str,
        /// The number of polls before the drop. Checks of a dropped exchange count from its start.
        polls: usize,
    },
    /// The case after this method was called.
    After(&'static str),
    /// The case with this network.
    Network(Ssid),
}

impl fmt::Display for TestCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped { method, polls } => write!(f, "after {method}, dropped at poll {polls}"),
            Self::After(method) => write!(f, "after {method}"),
            Self::Network(ssid) => write!(f, "network {ssid:?}"),
        }
    }
}

/// What a check wants or finds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Finding {
    /// The method succeeded.
    Success,
    /// The method failed with an error of this kind.
    Error(ErrorKind),
    /// The method did not succeed, and did not fail with a [final](ErrorKind::is_final) error.
    NoSuccess,
    /// `join` failed with an error of the kinds that allow another try, or did not return.
    JoinError,
    /// The method had not returned after this time.
    Pending(Duration),
    /// `pair` returned this network.
    Offer(Ssid),
    /// `pair` returned the network of this name with a key that is not the router's.
    OfferWithWrongKey(Ssid),
    /// The radio was observed in this state.
    Observed(ObservedState),
    /// The radio was not observed on this network.
    NotJoined(Ssid),
    /// What [`link`](crate::WifiDriver::link) returns. What is `None` does not matter.
    Link {
        /// Whether the link is up.
        up: bool,
        /// The mode of the radio.
        mode: Option<Mode>,
        /// The network.
        ssid: Option<Ssid>,
    },
    /// [`maintain`](crate::WifiDriver::maintain) reports nothing.
    NoIdleEvent,
    /// [`maintain`](crate::WifiDriver::maintain) reports this.
    IdleEvent(IdleEvent),
    /// The driver reported this progress of its search.
    SearchProgress(SearchProgress),
    /// The driver reported the progress that matches the routers in range.
    CorrectProgress,
    /// The platform has stored something of this network.
    Stored(Ssid),
    /// The platform has stored nothing of this network.
    NotStored(Ssid),
    /// The platform has stored the network of this name with another key.
    StoredWithAnotherKey(Ssid),
    /// The driver has left this network in the platform's memory.
    InMemory(Ssid),
    /// Nothing of this network is in the platform's memory.
    NotInMemory(Ssid),
    /// [`keep`](crate::WifiDriver::keep) has stored the network on the platform.
    KeptByPlatform,
    /// [`keep`](crate::WifiDriver::keep) has used an identifier that no earlier network has.
    NewIdentifier,
    /// [`keep`](crate::WifiDriver::keep) returned this.
    KeptBy(KeptBy),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => write!(f, "success"),
            Self::Error(kind) => write!(f, "the error \"{kind}\""),
            Self::NoSuccess => write!(f, "no success and no error that rules out another try"),
            Self::JoinError => write!(f, "an error of join that allows another try"),
            Self::Pending(time) => write!(f, "no answer within {} s", time.as_secs_f32()),
            Self::Offer(ssid) => write!(f, "an offer of the network {ssid:?}"),
            Self::OfferWithWrongKey(ssid) => {
                write!(f, "an offer of the network {ssid:?} with another key")
            }
            Self::Observed(state) => write!(f, "{state}"),
            Self::NotJoined(ssid) => write!(f, "the radio not on the network {ssid:?}"),
            Self::Link { up, mode, ssid } => {
                write!(f, "{} link", if *up { "a" } else { "no" })?;
                if let Some(ssid) = ssid {
                    write!(f, " with the network {ssid:?}")?;
                }
                match mode {
                    Some(mode) => {
                        write!(f, ", in the mode {mode:?}, as the return value of link()")
                    }
                    None => write!(f, " as the return value of link()"),
                }
            }
            Self::NoIdleEvent => write!(f, "maintain() without a result"),
            Self::IdleEvent(event) => write!(f, "maintain() with the result {event:?}"),
            Self::SearchProgress(progress) => write!(f, "the report {progress:?}"),
            Self::CorrectProgress => write!(f, "a report that matches the routers in range"),
            Self::Stored(ssid) => {
                write!(f, "something of the network {ssid:?} stored by the platform")
            }
            Self::NotStored(ssid) => {
                write!(f, "nothing of the network {ssid:?} stored by the platform")
            }
            Self::StoredWithAnotherKey(ssid) => {
                write!(f, "the network {ssid:?} stored by the platform with another key")
            }
            Self::InMemory(ssid) => write!(f, "the network {ssid:?} in the platform's memory"),
            Self::NotInMemory(ssid) => {
                write!(f, "nothing of the network {ssid:?} in the platform's memory")
            }
            Self::KeptByPlatform => write!(f, "the network kept by the platform"),
            Self::NewIdentifier => write!(f, "keep() with an identifier that is new"),
            Self::KeptBy(kept_by) => write!(f, "keep() with the result {kept_by:?}"),
        }
    }
}

/// The reason why a check ends early.
pub(super) enum Stop {
    Failed(Failure),
    Skipped(Unavailable),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Unavailable> for Stop {
    fn from(gap: Unavailable) -> Self {
        Self::Skipped(gap)
    }
}

impl Stop {
    /// Adds the case to a failure.
    pub(super) fn in_case(self, case: TestCase) -> Self {
        match self {
            Self::Failed(failure) => Self::Failed(Failure { case: Some(case), ..failure }),
            Self::Skipped(gap) => Self::Skipped(gap),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::string::ToString;

    use super::*;
    use crate::one_of_each;

    fn ssid() -> Ssid {
        Ssid::new(b"home").expect("a network name")
    }

    fn failure() -> Failure {
        Failure::new("join", Finding::Success, Finding::NoSuccess)
    }

    /// Asserts that the values print different texts.
    #[track_caller]
    fn expect_different(values: &[impl ToString]) {
        let texts: HashSet<_> = values.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), values.len(), "{texts:?}");
    }

    #[test]
    fn each_part_of_a_report_prints_another_text() {
        expect_different(&one_of_each! { Outcome:
            Outcome::Passed => Outcome::Passed,
            Outcome::Partial(_) => Outcome::Partial(Unavailable("no button")),
            Outcome::Skipped(_) => Outcome::Skipped(Unavailable("no button")),
            Outcome::Failed(_) => Outcome::Failed(failure()),
        });
        expect_different(&one_of_each! { TestCase:
            TestCase::Dropped { .. } => TestCase::Dropped { method: "join", polls: 3 },
            TestCase::After(_) => TestCase::After("join"),
            TestCase::Network(_) => TestCase::Network(ssid()),
        });
        expect_different(&one_of_each! { Finding:
            Finding::Success => Finding::Success,
            Finding::Error(_) => Finding::Error(ErrorKind::WrongKey),
            Finding::NoSuccess => Finding::NoSuccess,
            Finding::JoinError => Finding::JoinError,
            Finding::Pending(_) => Finding::Pending(Duration::from_secs(30)),
            Finding::Offer(_) => Finding::Offer(ssid()),
            Finding::OfferWithWrongKey(_) => Finding::OfferWithWrongKey(ssid()),
            Finding::Observed(_) => Finding::Observed(ObservedState::Nothing),
            Finding::NotJoined(_) => Finding::NotJoined(ssid()),
            Finding::Link { .. } => Finding::Link { up: true, mode: None, ssid: None },
            Finding::NoIdleEvent => Finding::NoIdleEvent,
            Finding::IdleEvent(_) => Finding::IdleEvent(IdleEvent::ConfigLost),
            Finding::SearchProgress(_) => Finding::SearchProgress(SearchProgress::NoRouter),
            Finding::CorrectProgress => Finding::CorrectProgress,
            Finding::Stored(_) => Finding::Stored(ssid()),
            Finding::NotStored(_) => Finding::NotStored(ssid()),
            Finding::StoredWithAnotherKey(_) => Finding::StoredWithAnotherKey(ssid()),
            Finding::InMemory(_) => Finding::InMemory(ssid()),
            Finding::NotInMemory(_) => Finding::NotInMemory(ssid()),
            Finding::KeptByPlatform => Finding::KeptByPlatform,
            Finding::NewIdentifier => Finding::NewIdentifier,
            Finding::KeptBy(_) => Finding::KeptBy(KeptBy::Record),
        });
    }
}
