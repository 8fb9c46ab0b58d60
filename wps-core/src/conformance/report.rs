//! What became of the checks.

use core::fmt;
use core::time::Duration;

use super::{Check, ObservedState, Unavailable};
use crate::driver::{ErrorKind, SearchProgress};
use crate::settings::Ssid;

/// What became of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// The driver keeps this part of the contract.
    Passed,
    /// It does as far as could be tried; this could not.
    Partial(Unavailable),
    /// It could not be tried.
    Skipped(Unavailable),
    /// It does not.
    Failed(Failure),
}

impl Outcome {
    /// Whether the driver broke the contract.
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

/// What became of all checks. Prints itself as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Report(pub(super) [(Check, Outcome); Check::ALL.len()]);

impl Report {
    /// Whether no check failed. What was skipped is in the table.
    pub fn is_ok(&self) -> bool {
        !self.0.iter().any(|(_, outcome)| outcome.is_failure())
    }

    /// What became of `check`.
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

/// How a driver broke the contract: a sentence that says what was wanted and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Failure {
    /// What was being done.
    pub during: &'static str,
    /// Under which circumstances.
    pub at: At,
    /// What should have been.
    pub wanted: Finding,
    /// What was.
    pub found: Finding,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: wanted {}, found {}", self.during, self.at, self.wanted, self.found)
    }
}

/// Which one of many tries failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum At {
    /// There was only one.
    #[default]
    Once,
    /// The one that dropped the future after so many polls, and went on so.
    Dropped {
        /// The verb whose future it was.
        method: &'static str,
        /// How often it had been polled, counted from the exchange where that is what was tried.
        polls: usize,
    },
    /// The one that came after this verb.
    After(&'static str),
    /// The one with this network.
    Network(Ssid),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => Ok(()),
            Self::Dropped { method, polls } => {
                write!(f, " (after {method}, dropped at poll {polls})")
            }
            Self::After(method) => write!(f, " (after {method})"),
            Self::Network(ssid) => write!(f, " (network {ssid:?})"),
        }
    }
}

/// What a check wants or finds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Finding {
    /// The verb succeeded.
    Done,
    /// The verb failed.
    Error(ErrorKind),
    /// Anything but success and a [final](ErrorKind::is_final) error.
    NoSuccess,
    /// The verb did not answer for so long.
    NoAnswer(Duration),
    /// A router handed over this network.
    Offer(Ssid),
    /// A network of this name was handed over, with another key than the router's.
    OtherKey(Ssid),
    /// The radio was seen like this.
    Radio(ObservedState),
    /// The radio was seen elsewhere than on this network.
    Elsewhere(Ssid),
    /// [`link`](crate::WifiDriver::link) says that the link is up, or not.
    LinkUp(bool),
    /// The driver reports that this is in sight.
    SearchProgress(SearchProgress),
    /// The driver reports what is in sight.
    RightSight,
    /// Something of this network is kept by the platform.
    Kept(Ssid),
    /// Nothing of this network is kept by the platform.
    NotKept(Ssid),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => write!(f, "success"),
            Self::Error(kind) => write!(f, "the error \"{kind}\""),
            Self::NoSuccess => write!(f, "no success, and no error that forbids to try again"),
            Self::NoAnswer(time) => write!(f, "no answer within {} s", time.as_secs_f32()),
            Self::Offer(ssid) => write!(f, "an offer of the network {ssid:?}"),
            Self::OtherKey(ssid) => write!(f, "an offer of the network {ssid:?} with another key"),
            Self::Radio(seen) => write!(f, "{seen}"),
            Self::Elsewhere(ssid) => write!(f, "the radio not on the network {ssid:?}"),
            Self::LinkUp(true) => write!(f, "link() saying that the link is up"),
            Self::LinkUp(false) => write!(f, "link() saying that there is no link"),
            Self::SearchProgress(sight) => write!(f, "the report {sight:?}"),
            Self::RightSight => write!(f, "a report of what is in sight"),
            Self::Kept(ssid) => write!(f, "something of the network {ssid:?} kept by the platform"),
            Self::NotKept(ssid) => {
                write!(f, "nothing of the network {ssid:?} kept by the platform")
            }
        }
    }
}

/// Why a check ends early.
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
    /// The same, with the circumstances of a failure.
    pub(super) fn at(self, at: At) -> Self {
        match self {
            Self::Failed(failure) => Self::Failed(Failure { at, ..failure }),
            Self::Skipped(gap) => Self::Skipped(gap),
        }
    }
}
