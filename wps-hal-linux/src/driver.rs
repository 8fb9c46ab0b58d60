//! The [`WifiDriver`] on wpa_supplicant's control socket.

use std::future::pending;
use std::path::{Path, PathBuf};

use wps_core::driver::{Link, Offer, PairContext, SearchProgress};
use wps_core::{Credentials, Mode, ScanResults, Settings, Snapshot, WifiDriver};

use crate::control_socket::{ControlSocket, ControlSocketError};
use crate::error::LinuxError;
use crate::exchange::{self, exchange};
use crate::link::link;
use crate::manager::manager_of;
use crate::note::Note;
use crate::scan::scan;
use crate::search::find_pressed;
use crate::session::{Networks, Session};
use crate::switch::{Power, Switch};
use crate::told::{Elsewhere, GLANCE, Told};
use crate::{access_point, station};

/// A Wi-Fi interface under wpa_supplicant: a station, an access point, or off.
///
/// It keeps nothing between two verbs but a mark of what it told last: each one opens the control socket
/// anew and asks wpa_supplicant where it stands, so a restart of either side needs no care. While
/// nothing else is to be done it looks every three seconds whether wpa_supplicant still knows.
/// wpa_supplicant's configuration file is never written, and its own networks are put back as they
/// were.
///
/// | mode | what it takes beside the control socket |
/// |---|---|
/// | station | nothing |
/// | access point | a card that can be one; a channel that is allowed in the country |
/// | off, and back | write access to `/dev/rfkill`; without it, or where the radio has no rfkill, `CAP_NET_ADMIN` |
#[derive(Clone, Debug)]
pub struct WpaSupplicant {
    directory: PathBuf,
    interface: String,
    freq_list: Vec<u16>,
    /// If the radio is off without having been told so, that is flight mode: a failed pairing goes
    /// back to it.
    told: Told,
    elsewhere: Elsewhere,
}

impl WpaSupplicant {
    /// The interface whose control socket is in `directory` (`/run/wpa_supplicant` on most systems).
    pub fn new(directory: impl Into<PathBuf>, interface: impl Into<String>) -> Self {
        Self {
            directory: directory.into(),
            interface: interface.into(),
            freq_list: Vec::new(),
            told: Told::Nothing,
            elsewhere: Elsewhere::default(),
        }
    }

    /// The frequencies in MHz of the setting `freq_list` in wpa_supplicant's configuration, which cannot be
    /// read back: a pairing looks nowhere else then, neither for its router nor for a second one, as
    /// wpa_supplicant joins nowhere else. None: wherever the card may.
    #[must_use]
    pub fn freq_list(mut self, frequencies_mhz: impl IntoIterator<Item = u16>) -> Self {
        self.freq_list = frequencies_mhz.into_iter().collect();
        self
    }

    /// Whether a pairing could begin: the interface is there, nobody else manages it, its
    /// wpa_supplicant answers, and no switch on the machine holds the radio off. Touches nothing.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub async fn check(&self) -> Result<(), LinuxError> {
        self.ready().await.map(drop)
    }

    async fn ready(&self) -> Result<Session, LinuxError> {
        if !is_name(&self.interface) || !Path::new("/sys/class/net").join(&self.interface).exists()
        {
            return Err(LinuxError::NoInterface(self.interface.clone()));
        }
        if let Some(advice) = manager_of(&self.interface).await {
            return Err(LinuxError::Managed(advice));
        }
        if self.switch().power() == Power::Locked {
            return Err(LinuxError::Locked(self.interface.clone()));
        }
        Ok(self.session().await?)
    }

    async fn session(&self) -> Result<Session, ControlSocketError> {
        Session::open(&self.directory, &self.interface).await
    }

    fn switch(&self) -> Switch<'_> {
        Switch::of(&self.interface)
    }

    /// Returns whether wpa_supplicant runs and what it was told last has to be applied again.
    async fn has_lost(&mut self) -> bool {
        match ControlSocket::connect(&self.directory, &self.interface) {
            Ok(control) => self.told.is_lost(&control, &mut self.elsewhere).await.unwrap_or(false),
            Err(_) => false,
        }
    }

    /// Switches the radio on, and lets it join nothing by itself meanwhile. Tells whether it was off.
    async fn switch_on(&self, session: &Session) -> Result<bool, LinuxError> {
        if self.switch().power() == Power::On && session.is_on().await? {
            return Ok(false);
        }
        session.order("DISCONNECT").await?;
        self.switch().on().await?;
        if session.is_seen(Power::On).await? {
            Ok(true)
        } else {
            Err(LinuxError::Blocked(self.interface.clone()))
        }
    }
}

/// Whether a network interface may be called so: it becomes part of a path.
fn is_name(interface: &str) -> bool {
    !matches!(interface, "" | "." | "..") && !interface.contains('/')
}

impl WifiDriver for WpaSupplicant {
    type Error = LinuxError;

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), LinuxError> {
        let session = self.session().await?;
        let note = Note::from_snapshot(snapshot);
        let note = note.as_ref();
        session.end_wps().await?;
        exchange::reset(&session, note).await?;
        let off = settings.mode() == Mode::Off;
        let flight_mode = match note {
            Some(note) => note.power,
            // At start: whoever switched the radio off did not want it on.
            None if self.told != Told::Off => self.switch().power(),
            None => Power::On,
        };
        // Not forgotten before it is on again: this future may be dropped.
        if off {
            self.told = Told::Off;
        }
        let mut was_off = false;
        if !off && flight_mode == Power::On {
            match self.switch_on(&session).await {
                // Somebody wants it off now. It is put back, and acts when it is on.
                Err(error @ (LinuxError::Blocked(_) | LinuxError::Locked(_)))
                    if settings.mode() == Mode::Station =>
                {
                    tracing::warn!("{error}");
                }
                done => was_off = done?,
            }
        }
        let told = match settings {
            Settings::Platform => {
                station::apply_platform(&session, note).await?;
                if was_off && note.is_none() {
                    session.ask("REASSOCIATE").await?;
                }
                Told::Nothing
            }
            Settings::Station { network } => {
                let id = station::apply_station(&session, network, note).await?;
                Told::network(&session, id, &network.ssid).await?
            }
            Settings::AccessPoint { access_point, .. } if flight_mode == Power::On => {
                let id = access_point::apply(&session, access_point, note).await?;
                Told::network(&session, id, &access_point.network.ssid).await?
            }
            Settings::AccessPoint { .. } | Settings::Off { .. } => {
                let flags = session.flags(note).await?;
                session.remove_ours().await?;
                session.set_flags(&flags).await?;
                if off { Told::Off } else { Told::Nothing }
            }
        };
        if off {
            // Whoever switches the radio on is not to find it joining something.
            session.order("DISCONNECT").await?;
            self.switch().off().await?;
            session.is_seen(Power::Blocked).await?;
        } else if flight_mode != Power::On {
            self.switch().off_as(flight_mode).await?;
            tracing::warn!("{}", LinuxError::Blocked(self.interface.clone()));
        }
        self.told = told;
        Ok(())
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, LinuxError> {
        let session = self.session().await?;
        session.end_wps().await?;
        context.report_progress(SearchProgress::Looking);
        self.switch_on(&session).await?;
        let router = find_pressed(&session, &self.freq_list, context).await?;
        context.before_disconnect().await;
        context.report_progress(SearchProgress::Exchanging { ssid: router.ssid.clone() });
        exchange(&session, &router).await
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), LinuxError> {
        let session = self.session().await?;
        let note = Note::from_snapshot(snapshot);
        session.end_wps().await?;
        self.switch_on(&session).await?;
        let id = station::join(&session, network, note.as_ref()).await?;
        self.told = Told::network(&session, id, &network.ssid).await?;
        Ok(exchange::reset(&session, note.as_ref()).await?)
    }

    async fn snapshot(&mut self) -> Result<Snapshot, LinuxError> {
        let session = self.ready().await?;
        let Networks { platform, wps, .. } = session.networks().await?;
        // It has disabled all others: nothing that could be noted now is worth putting back.
        if wps.iter().any(|network| network.enabled) {
            return Err(LinuxError::Managed(format!(
                "another program is pairing {} through wpa_supplicant: wait two minutes",
                self.interface
            )));
        }
        let mut note = Note::of(&platform);
        note.cred_processing = exchange::credential_processing(&session).await?;
        note.methods_unset = exchange::methods_are_unset(&session).await?;
        note.power = if self.told == Told::Off { Power::On } else { self.switch().power() };
        Ok(note.to_snapshot())
    }

    async fn link(&mut self) -> Result<Link, LinuxError> {
        Ok(link(&ControlSocket::connect(&self.directory, &self.interface)?).await?)
    }

    async fn scan(&mut self) -> Result<ScanResults, LinuxError> {
        scan(&self.session().await?, &self.interface).await
    }

    async fn config_lost(&mut self) {
        if self.told == Told::Nothing {
            return pending().await;
        }
        while !self.has_lost().await {
            tokio::time::sleep(GLANCE).await;
        }
    }
}
