//! The results of the checks.

use core::fmt;
use core::time::Duration;

use super::{Check, ObservedState, Unavailable};
use crate::driver::{ErrorKind, SearchProgress};
use crate::settings::Ssid;

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

/// The outcomes of all checks. `Display` prints them as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Report(pub(super) [(Check, Outcome); Check::ALL.len()]);

impl Report {
    /// Returns whether no check failed. The table shows which checks were skipped.
    pub fn is_ok(&self) -> bool {
        !self.0.iter().any(|(_, outcome)| outcome.is_failure())
    }

    /// Returns the outcome of `check`.
    pub fn outcome(&self, check: Check) -> Option<&Outcome> {
        self.0.iter().find(|(of, _)| *of == check).map(|(_, outcome)| outcome)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (check, outcome) in &self.0 {
            writeln!(f, "{:22} {outcome}", check.name())?;
        }
        Ok(())
    }
}

/// How a driver broke the contract. `Display` prints what was wanted and what was found.
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
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, case, wanted, found } = self;
        write!(f, "{step}")?;
        if let Some(case) = case {
            write!(f, " ({case})")?;
        }
        write!(f, ": wanted {wanted}, found {found}")
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
    /// [`link`](crate::WifiDriver::link) reports that the link is up, or that it is down.
    LinkUp(bool),
    /// The driver reported this progress of its search.
    SearchProgress(SearchProgress),
    /// The driver reported the progress that matches the routers in range.
    CorrectProgress,
    /// The platform has stored something of this network.
    Stored(Ssid),
    /// The platform has stored nothing of this network.
    NotStored(Ssid),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => write!(f, "success"),
            Self::Error(kind) => write!(f, "the error \"{kind}\""),
            Self::NoSuccess => write!(f, "no success and no error that rules out another try"),
            Self::Pending(time) => write!(f, "no answer within {} s", time.as_secs_f32()),
            Self::Offer(ssid) => write!(f, "an offer of the network {ssid:?}"),
            Self::OfferWithWrongKey(ssid) => {
                write!(f, "an offer of the network {ssid:?} with another key")
            }
            Self::Observed(state) => write!(f, "{state}"),
            Self::NotJoined(ssid) => write!(f, "the radio not on the network {ssid:?}"),
            Self::LinkUp(true) => write!(f, "link() saying that the link is up"),
            Self::LinkUp(false) => write!(f, "link() saying that there is no link"),
            Self::SearchProgress(progress) => write!(f, "the report {progress:?}"),
            Self::CorrectProgress => write!(f, "a report that matches the routers in range"),
            Self::Stored(ssid) => {
                write!(f, "something of the network {ssid:?} stored by the platform")
            }
            Self::NotStored(ssid) => {
                write!(f, "nothing of the network {ssid:?} stored by the platform")
            }
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
        let (wanted, found) = (Finding::Success, Finding::NoSuccess);
        Failure { step: "join", case: None, wanted, found }
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
            Finding::Pending(_) => Finding::Pending(Duration::from_secs(30)),
            Finding::Offer(_) => Finding::Offer(ssid()),
            Finding::OfferWithWrongKey(_) => Finding::OfferWithWrongKey(ssid()),
            Finding::Observed(_) => Finding::Observed(ObservedState::Nothing),
            Finding::NotJoined(_) => Finding::NotJoined(ssid()),
            Finding::LinkUp(_) => Finding::LinkUp(true),
            Finding::SearchProgress(_) => Finding::SearchProgress(SearchProgress::NoRouter),
            Finding::CorrectProgress => Finding::CorrectProgress,
            Finding::Stored(_) => Finding::Stored(ssid()),
            Finding::NotStored(_) => Finding::NotStored(ssid()),
        });
    }
}
