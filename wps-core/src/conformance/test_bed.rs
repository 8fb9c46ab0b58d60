//! What the author of a driver provides to the suite: the driver, and control of its surroundings.

use core::fmt;
use core::time::Duration;

use crate::driver::WifiDriver;
use crate::settings::{Credentials, KeptId, Ssid};
use crate::time::Clock;
use crate::wsc::Bssid;

/// The environment in which the suite runs a driver: routers, the platform, and an observer of the
/// radio.
///
/// If a test bed cannot do something, it returns [`Unavailable`] with the reason. The report lists
/// the checks that need it as skipped or as partly done, never as passed.
#[allow(async_fn_in_trait, reason = "embedded executors are single-threaded: no Send bound wanted")]
pub trait TestBed {
    /// The driver under test.
    type Driver: WifiDriver;
    /// The clock that limits the duration of every check.
    type Clock: Clock + Clone;

    /// Returns the clock.
    fn clock(&self) -> Self::Clock;

    /// Returns how long and how often the checks try. The defaults are for virtual time.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Resets the environment: no router is on, and the platform has just started. The platform's
    /// own configuration has `platform` as its only network, or no network if `platform` is `None`.
    ///
    /// # Errors
    /// Fails if `platform` is given and the platform cannot have a network of its own.
    async fn reset(&mut self, platform: Option<&Credentials>) -> Result<(), Unavailable>;

    /// Creates a driver for the radio, as after a restart of our software. The previous one has
    /// been dropped.
    async fn driver(&mut self) -> Self::Driver;

    /// Starts a router with WPS and this network. The suite runs up to three at a time.
    ///
    /// # Errors
    /// Fails if no router of this test bed can have this network.
    async fn start_router(&mut self, network: &Credentials) -> Result<(), Unavailable>;

    /// Stops the router called `ssid` abruptly, without deauthenticating its stations.
    async fn stop_router(&mut self, ssid: &Ssid);

    /// Presses the WPS button of the router called `ssid`.
    async fn press_button(&mut self, ssid: &Ssid);

    /// Returns the address of the router called `ssid`, which is on.
    ///
    /// # Errors
    /// Fails if the test bed does not know it.
    async fn bssid(&mut self, ssid: &Ssid) -> Result<Bssid, Unavailable> {
        let _ = ssid;
        Err(Unavailable("the test bed does not know the addresses of its routers"))
    }

    /// Returns what the device is doing, as observed from outside: whether a router serves it, and
    /// whether another station receives its access point.
    ///
    /// This must be fast: the suite calls it often, also while a method of the driver is running.
    ///
    /// # Errors
    /// Fails if there is no observer. The suite then relies on the driver's own
    /// [`link`](WifiDriver::link), if the driver implements it.
    async fn observe(&mut self) -> Result<ObservedState, Unavailable> {
        Err(Unavailable("the test bed cannot observe the radio from outside"))
    }

    /// Restarts the platform below the driver (the radio's firmware, a daemon), as a power cut
    /// would.
    ///
    /// # Errors
    /// Fails if it cannot be restarted.
    async fn restart_platform(&mut self) -> Result<(), Unavailable> {
        Err(Unavailable("the test bed cannot restart the platform"))
    }

    /// Checks that the platform can restart while the driver keeps running.
    ///
    /// # Errors
    /// Fails if the platform and the driver always start together.
    fn supports_independent_restart(&self) -> Result<(), Unavailable> {
        Err(Unavailable("the platform never restarts without the driver"))
    }

    /// Returns whether the platform has stored anything of `network` where it survives a restart.
    ///
    /// # Errors
    /// Fails if the test bed cannot read that storage.
    async fn stores_credentials(&mut self, network: &Credentials) -> Result<bool, Unavailable> {
        let _ = network;
        Err(Unavailable("the test bed cannot read what the platform stores"))
    }

    /// Checks that the platform [keeps networks](crate::driver#platforms-that-keep-networks). Then
    /// [`keep`](WifiDriver::keep) must store them there.
    ///
    /// # Errors
    /// Fails if the platform keeps no networks. Then `keep` must leave the key to the record.
    fn keeps_networks(&self) -> Result<(), Unavailable> {
        Err(Unavailable("the platform keeps no networks"))
    }

    /// Passes each network that the platform has to `on_network`, in any order: those of the user,
    /// and those that the driver has added, in memory and on disk.
    ///
    /// # Errors
    /// Fails if the test bed cannot list them.
    async fn platform_networks(
        &mut self,
        on_network: impl FnMut(PlatformNetwork),
    ) -> Result<(), Unavailable> {
        let _ = on_network;
        Err(Unavailable("the test bed cannot list the platform's networks"))
    }

    /// Removes the network that the driver has kept under this identifier, as a user does with the
    /// platform's own tools.
    ///
    /// # Errors
    /// Fails if the test bed cannot do that.
    async fn remove_kept(&mut self, id: KeptId) -> Result<(), Unavailable> {
        let _ = id;
        Err(Unavailable("the test bed cannot remove a network from the platform"))
    }

    /// Cuts the power of the device. The platform loses what is not synced to its disk, and starts
    /// again. The routers keep running.
    ///
    /// # Errors
    /// Fails if the test bed cannot do that. The suite then
    /// [restarts](Self::restart_platform) the platform instead.
    async fn cut_power(&mut self) -> Result<(), Unavailable> {
        Err(Unavailable("the test bed cannot cut the power of the platform"))
    }

    /// Makes the platform stop answering the driver, or answer again, without a restart.
    ///
    /// # Errors
    /// Fails if the test bed cannot do that.
    async fn set_platform_responsive(&mut self, is_responsive: bool) -> Result<(), Unavailable> {
        let _ = is_responsive;
        Err(Unavailable("the test bed cannot make the platform unresponsive"))
    }

    /// Checks that this radio can scan without leaving its network.
    ///
    /// # Errors
    /// Fails if the radio leaves its network as soon as a pairing begins.
    fn supports_background_scan(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}

/// A network that a platform has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PlatformNetwork {
    /// The identifier under which the driver has added it, or `None` for a network of the user.
    pub id: Option<KeptId>,
    /// The network, with its key.
    pub network: Credentials,
    /// Whether the platform has it on disk, not only in memory.
    pub is_on_disk: bool,
}

/// The reason why something could not be tried, as a phrase for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unavailable(pub &'static str);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for Unavailable {}

/// What a device is doing, as observed from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ObservedState {
    /// It is on no network and serves none.
    Nothing,
    /// It has joined this network, and the keys are set.
    Joined(Ssid),
    /// It serves this network as an access point.
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

/// How long and how often a suite tries. The defaults are thorough and meant for virtual time. For
/// real radios, choose what you have time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// The time within which `pair` must return after a button was pressed, and within which the
    /// radio must be in the requested state after `apply` (30 s). The other methods have the
    /// [time](crate::driver#time-limits) that they have in the machine.
    pub response_timeout: Duration,
    /// The time during which no button is pressed (130 s). With 120 s, the WPS walk time, or less
    /// the check counts as partly done.
    pub no_press_window: Duration,
    /// The time during which the suite watches for what must not happen. It also waits this long
    /// between stopping one router and using another (5 s).
    pub watch_window: Duration,
    /// The maximum number of times that each method is dropped, evenly spread over its polls and
    /// over the methods that are called next (300). The report says how many were possible.
    pub max_drops: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            response_timeout: Duration::from_secs(30),
            no_press_window: Duration::from_secs(130),
            watch_window: Duration::from_secs(5),
            max_drops: 300,
        }
    }
}
