//! What an author brings to the suite: the driver, and hands to play the world around it.

use core::fmt;
use core::time::Duration;

use crate::driver::WifiDriver;
use crate::settings::{Credentials, Ssid};
use crate::time::Clock;

/// The world around a driver, played by its author: routers, the platform, and an eye on the radio.
///
/// What a stage cannot do it answers with [`Unavailable`] and the reason; the checks that need it are
/// reported as skipped or as partly done, never as passed.
#[allow(async_fn_in_trait, reason = "embedded executors are single-threaded: no Send bound wanted")]
pub trait TestBed {
    /// The driver under test.
    type Driver: WifiDriver;
    /// The time that bounds every check.
    type Clock: Clock + Clone;

    /// The clock.
    fn clock(&self) -> Self::Clock;

    /// How long and how often things are tried. The defaults are for virtual time.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// A new world: no router is on the air, and the platform has just started with `platform` as the
    /// only network of its own; without one, it has none.
    ///
    /// # Errors
    /// The platform cannot have a network of its own.
    async fn reset(&mut self, platform: Option<&Credentials>) -> Result<(), Unavailable>;

    /// A new driver for the radio, as after a restart of our software. The earlier one is gone.
    async fn driver(&mut self) -> Self::Driver;

    /// Puts a router with WPS and this network on the air, up to three at a time.
    ///
    /// # Errors
    /// No router here can have this network.
    async fn switch_on(&mut self, network: &Credentials) -> Result<(), Unavailable>;

    /// Takes the router called `ssid` off the air, without a word.
    async fn switch_off(&mut self, ssid: &Ssid);

    /// Presses the WPS button of the router called `ssid`.
    async fn press(&mut self, ssid: &Ssid);

    /// What the device is doing, seen with the eyes of others: does a router serve it, does another
    /// station hear its access point? Called often, also while a verb is under way: it must not take long.
    ///
    /// # Errors
    /// Nobody looks. The driver's own [`link`](WifiDriver::link) is believed then, where it can tell.
    async fn seen(&mut self) -> Result<ObservedState, Unavailable> {
        Err(Unavailable("the stage cannot see the radio from outside"))
    }

    /// Restarts what the driver works on (firmware of the radio, a daemon), as a power cut would.
    ///
    /// # Errors
    /// It cannot be restarted.
    async fn restart_platform(&mut self) -> Result<(), Unavailable> {
        Err(Unavailable("the stage cannot restart the platform"))
    }

    /// Whether what the driver works on can be restarted while the driver goes on.
    ///
    /// # Errors
    /// They only start together.
    fn restarts_alone(&self) -> Result<(), Unavailable> {
        Err(Unavailable("the platform never restarts without the driver"))
    }

    /// Whether the platform keeps anything of `network` where it survives a restart.
    ///
    /// # Errors
    /// Nobody can look there.
    async fn keeps(&mut self, network: &Credentials) -> Result<bool, Unavailable> {
        let _ = network;
        Err(Unavailable("the stage cannot look at what the platform keeps"))
    }

    /// Whether this radio can look around without leaving its network.
    ///
    /// # Errors
    /// It cannot: it leaves as soon as a pairing begins.
    fn looks_around(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}

/// Why something could not be tried, in words for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unavailable(pub &'static str);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a device is seen doing from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ObservedState {
    /// It is on no network and serves none.
    Nothing,
    /// It has joined this network, and is keyed.
    Joined(Ssid),
    /// It serves this network.
    Serving(Ssid),
}

impl fmt::Display for ObservedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "the radio on no network"),
            Self::Joined(ssid) => write!(f, "the radio on the network {ssid:?}"),
            Self::Serving(ssid) => write!(f, "the radio serving the network {ssid:?}"),
        }
    }
}

/// How long and how often a suite tries. The defaults are thorough and meant for virtual time; on
/// real radios choose what you have time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// How long a verb may take that can succeed, and the radio to be where it was told to be (30 s).
    pub answer: Duration,
    /// How long nobody presses a button (130 s). Below the walk time of 120 s the check counts as
    /// partly done.
    pub silence: Duration,
    /// How long to watch for what must not happen, and to walk from one router to another (5 s).
    pub watch: Duration,
    /// At how many moments each verb is dropped, at most; spread evenly (all there are).
    pub drops: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            silence: Duration::from_secs(130),
            watch: Duration::from_secs(5),
            drops: usize::MAX,
        }
    }
}
