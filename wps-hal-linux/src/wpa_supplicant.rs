//! The [`WifiDriver`] that controls wpa_supplicant through its control socket.

mod access_point;
mod applied_config;
mod idle_watch;
mod networks;
mod platform_snapshot;
mod station;

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use wps_core::driver::{IdleEvent, Offer, PairContext, SearchProgress};

use wps_core::Link;
use wps_core::{Credentials, Mode, ScanResults, Settings, Snapshot, WifiDriver};

use crate::error::LinuxError;
use crate::interface::require_interface;
use crate::manager::require_supplicant_alone;
use crate::radio_switch::{Power, RadioSwitch};
use crate::supplicant::control_socket::{ControlSocket, ControlSocketError};
use crate::supplicant::exchange::{self, ExchangeVariables, exchange};
use crate::supplicant::link::read_link;
use crate::supplicant::requests::Requests;
use crate::supplicant::scan::scan_all_channels;
use crate::supplicant::search::find_pressed_router;
use crate::supplicant::session::Session;
use applied_config::AppliedConfig;
use idle_watch::IdleWatch;
use networks::Networks;
use platform_snapshot::PlatformSnapshot;

/// A Wi-Fi interface that wpa_supplicant controls: a station, an access point, or off.
///
/// Between two method calls the driver keeps only what it last configured, and what it has seen of
/// that while idle. Each method opens a new connection to the control socket and asks
/// wpa_supplicant for its state, so either side may restart at any time. While the driver is idle,
/// it checks every three seconds whether wpa_supplicant still has this configuration, and whether
/// the network still accepts its key. It undoes a `DISCONNECT` by another program: to keep the
/// device offline, disable its network or turn Wi-Fi off.
///
/// The driver never writes wpa_supplicant's configuration file, and restores wpa_supplicant's own
/// networks to the state in which it found them.
///
/// | mode | needs, in addition to the control socket |
/// |---|---|
/// | station | nothing |
/// | access point | a card that supports it; a channel that is allowed in the country |
/// | off, and back | write access to `/dev/rfkill`; without it or without rfkill: `CAP_NET_ADMIN` |
#[derive(Clone, Debug)]
pub struct WpaSupplicant {
    directory: PathBuf,
    interface: String,
    freq_list: Vec<u16>,
    /// What this driver last configured. If the radio is off although this is not
    /// [`AppliedConfig::RadioOff`], the device is in flight mode. A failed pairing returns to that.
    applied_config: AppliedConfig,
    idle_watch: IdleWatch,
}

impl WpaSupplicant {
    /// Creates a driver for `interface`, whose control socket is in `directory`
    /// (`/run/wpa_supplicant` on most systems).
    pub fn new(directory: impl Into<PathBuf>, interface: impl Into<String>) -> Self {
        Self {
            directory: directory.into(),
            interface: interface.into(),
            freq_list: Vec::new(),
            applied_config: AppliedConfig::Nothing,
            idle_watch: IdleWatch::default(),
        }
    }

    /// Limits pairings to these frequencies in MHz. An empty list allows every frequency that the
    /// card may use.
    ///
    /// Set this to the `freq_list` of wpa_supplicant's configuration, which cannot be read through
    /// the control socket: wpa_supplicant joins networks on no other frequency. A pairing then
    /// scans only these frequencies, both for its router and for a second one.
    #[must_use]
    pub fn freq_list(mut self, frequencies_mhz: impl IntoIterator<Item = u16>) -> Self {
        self.freq_list = frequencies_mhz.into_iter().collect();
        self
    }

    /// Checks whether a pairing could start: the interface exists, no other program manages it, its
    /// wpa_supplicant answers and has WPS, and no hardware switch keeps the radio off. Changes
    /// nothing.
    ///
    /// # Errors
    /// Returns an error that says what is missing and what to do about it.
    pub async fn check(&self) -> Result<(), LinuxError> {
        exchange::require_wps(self.checked_session().await?.requests()).await
    }

    /// Opens a session after the checks of [`Self::check`].
    async fn checked_session(&self) -> Result<Session, LinuxError> {
        require_interface(&self.interface)?;
        require_supplicant_alone(&self.interface).await?;
        if self.radio_switch().power() == Power::HardBlocked {
            return Err(LinuxError::HardBlocked(self.interface.clone()));
        }
        Ok(self.session().await?)
    }

    /// Opens a session.
    async fn session(&self) -> Result<Session, ControlSocketError> {
        Session::open(&self.directory, &self.interface).await
    }

    fn radio_switch(&self) -> RadioSwitch<'_> {
        RadioSwitch::new(&self.interface)
    }

    /// Turns the radio on without letting it join a network. Returns whether it was off.
    async fn turn_radio_on(&self, session: &Session) -> Result<bool, LinuxError> {
        if self.radio_switch().power() == Power::On && session.is_radio_on().await? {
            return Ok(false);
        }
        session.command("DISCONNECT").await?;
        self.radio_switch().turn_on().await?;
        if session.wait_for_power(Power::On).await? {
            Ok(true)
        } else {
            Err(LinuxError::Blocked(self.interface.clone()))
        }
    }

    /// Makes the radio match `settings`, whose key is known.
    async fn apply_settings(
        &mut self,
        settings: &Settings,
        snapshot: &Snapshot,
    ) -> Result<(), LinuxError> {
        // The machine forgets what `maintain` has reported when other settings are tried.
        if self.applied_config.may_be(settings) {
            self.idle_watch.pause();
        } else {
            self.idle_watch = IdleWatch::default();
        }
        let session = self.session().await?;
        let snapshot = PlatformSnapshot::from_snapshot(snapshot);
        let snapshot = snapshot.as_ref();
        exchange::cancel(&session).await?;
        if let Some(snapshot) = snapshot {
            snapshot.variables.restore(&session).await?;
        }
        let off = settings.mode() == Mode::Off;
        // Anything but `On` is flight mode, to which the radio returns.
        let power_to_restore = match snapshot {
            Some(snapshot) => snapshot.power,
            // At program start: if the radio is off, a user has turned it off, and it stays off.
            None if self.applied_config != AppliedConfig::RadioOff => self.radio_switch().power(),
            None => Power::On,
        };
        // Set before the radio is turned off, and replaced only once it is on again: this future
        // may be dropped in between.
        if off {
            self.applied_config = AppliedConfig::RadioOff;
        }
        let mut was_off = false;
        if !off && power_to_restore == Power::On {
            match self.turn_radio_on(&session).await {
                // Something outside this program keeps the radio off. Configure wpa_supplicant
                // anyway: it connects once the radio is on.
                Err(error @ (LinuxError::Blocked(_) | LinuxError::HardBlocked(_)))
                    if settings.mode() == Mode::Station =>
                {
                    tracing::warn!("{error}");
                }
                done => was_off = done?,
            }
        }
        let applied_config = match settings {
            Settings::Platform => {
                station::apply_platform(&session, snapshot).await?;
                if was_off && snapshot.is_none() {
                    session.request("REASSOCIATE").await?;
                }
                AppliedConfig::Nothing
            }
            Settings::Station { network } => {
                let id = station::apply_station(&session, network, snapshot).await?;
                AppliedConfig::from_network(&session, id, &network.ssid).await?
            }
            Settings::AccessPoint { access_point, .. } if power_to_restore == Power::On => {
                let id = access_point::apply(&session, access_point, snapshot).await?;
                AppliedConfig::from_network(&session, id, &access_point.network.ssid).await?
            }
            Settings::AccessPoint { .. } | Settings::Off { .. } => {
                let flags = networks::enabled_flags(&session, snapshot).await?;
                networks::remove_ours(&session).await?;
                networks::set_enabled_flags(&session, &flags).await?;
                if off { AppliedConfig::RadioOff } else { AppliedConfig::Nothing }
            }
        };
        if off {
            // If a user turns the radio on later, it must not join a network by itself.
            session.command("DISCONNECT").await?;
            self.radio_switch().turn_off().await?;
            session.wait_for_power(Power::SoftBlocked).await?;
        } else if power_to_restore != Power::On {
            self.radio_switch().turn_off_as(power_to_restore).await?;
            tracing::warn!("{}", LinuxError::Blocked(self.interface.clone()));
        }
        if applied_config.is_same_network(&self.applied_config) {
            self.idle_watch.resume();
        } else {
            self.idle_watch = IdleWatch::default();
        }
        self.applied_config = applied_config;
        Ok(())
    }
}

impl WifiDriver for WpaSupplicant {
    type Error = LinuxError;

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), LinuxError> {
        let key = match settings {
            Settings::Station { network } => network.secret.key().map(drop),
            Settings::Platform | Settings::AccessPoint { .. } | Settings::Off { .. } => Ok(()),
        };
        match key {
            Ok(()) => self.apply_settings(settings, snapshot).await,
            // The platform's own networks are better than none.
            Err(kind) => {
                self.apply_settings(&Settings::Platform, snapshot).await?;
                Err(LinuxError::Wifi(kind))
            }
        }
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, LinuxError> {
        self.idle_watch.pause();
        let session = self.session().await?;
        exchange::cancel(&session).await?;
        context.report_progress(SearchProgress::Looking);
        self.turn_radio_on(&session).await?;
        exchange::require_wps(session.requests()).await?;
        let leave_network = async || access_point::stop(&session).await;
        let pressed =
            find_pressed_router(&session, &self.freq_list, context, leave_network).await?;
        context.before_disconnect().await;
        context.report_progress(SearchProgress::Exchanging { ssid: pressed.router.ssid.clone() });
        exchange(&session, &pressed).await
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), LinuxError> {
        self.idle_watch = IdleWatch::default();
        let session = self.session().await?;
        let snapshot = PlatformSnapshot::from_snapshot(snapshot);
        exchange::cancel(&session).await?;
        self.turn_radio_on(&session).await?;
        let id = station::join(&session, network, snapshot.as_ref()).await?;
        self.applied_config = AppliedConfig::from_network(&session, id, &network.ssid).await?;
        if let Some(snapshot) = snapshot {
            snapshot.variables.restore(&session).await?;
        }
        Ok(())
    }

    async fn check_pairing(&mut self) -> Result<(), LinuxError> {
        let require_wps = async {
            let control = ControlSocket::connect(&self.directory, &self.interface)?;
            exchange::require_wps(&Requests::Socket(Arc::new(control))).await
        };
        exchange::check_wps(require_wps).await
    }

    async fn snapshot(&mut self) -> Result<Snapshot, LinuxError> {
        self.idle_watch.pause();
        let session = self.checked_session().await?;
        let Networks { platform, pairing, .. } = Networks::read(&session).await?;
        // That pairing has disabled all other networks, so this state is not worth restoring.
        if pairing.iter().any(|network| network.enabled) {
            return Err(LinuxError::ManagedByOther(format!(
                "another program is pairing {} through wpa_supplicant: wait two minutes",
                self.interface
            )));
        }
        let mut snapshot = PlatformSnapshot::new(&platform);
        snapshot.variables = ExchangeVariables::read(session.requests()).await?;
        snapshot.power = if self.applied_config == AppliedConfig::RadioOff {
            Power::On
        } else {
            self.radio_switch().power()
        };
        Ok(snapshot.to_snapshot())
    }

    async fn link(&mut self) -> Result<Link, LinuxError> {
        Ok(read_link(&ControlSocket::connect(&self.directory, &self.interface)?).await?)
    }

    async fn scan(&mut self) -> Result<ScanResults, LinuxError> {
        self.idle_watch.pause();
        let session = self.session().await?;
        scan_all_channels(&session, &self.interface).await
    }

    fn can_pair_with_one(&self) -> bool {
        true
    }

    async fn maintain(&mut self, _: &Settings) -> IdleEvent {
        let Self { directory, interface, applied_config, idle_watch, .. } = self;
        match applied_config {
            AppliedConfig::Nothing => pending().await,
            config => idle_watch.next(config, directory, interface).await,
        }
    }
}
