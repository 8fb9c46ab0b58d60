//! The [`WifiDriver`] on wpa_supplicant's control socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wps_core::driver::{Attempt, Cipher, Link, Offer, Security, Sight};
use wps_core::wsc::{Router, Sweep, Verdict, credentials};
use wps_core::{Credentials, ErrorKind, Mode, Neighbours, Settings, Snapshot, WifiDriver};

use zeroize::Zeroizing;

use crate::control::{Control, ControlError};
use crate::error::LinuxError;
use crate::event::{Event, bssid};
use crate::manager::manager_of;
use crate::note::Note;
use crate::reply::Values;
use crate::scan::scan;
use crate::session::{Networks, Scan, Session, is_marked_for};

/// Handed over in the clear to this process only, and not saved by wpa_supplicant itself.
const CREDENTIALS_TO_US: u8 = 1;
/// With a display among the methods a router hands out the passphrase rather than the raw PSK, which
/// is of no use to WPA3. Both are virtual: there is a page with a button.
const METHODS: &str = "virtual_display virtual_push_button";
/// How long a router may take to end the association of an exchange that succeeded. One that begins
/// before is hit by that end.
const GOODBYE: Duration = Duration::from_millis(300);
/// How often wpa_supplicant may look for the router that we have just heard.
const SCANS: u32 = 3;
/// Between two looks when one failed.
const BREATH: Duration = Duration::from_millis(200);
/// How often joining is begun anew when the router ends it for no reason of ours.
const REJECTIONS: u32 = 3;
/// Configuration error "multiple PBC sessions": the router hears more than one device pairing.
const MULTIPLE_PBC: u16 = 12;
/// Routers heard this many seconds ago still count as in range, though not as pressed.
const IN_RANGE: u64 = 30;

/// A Wi-Fi interface under wpa_supplicant, as a station.
///
/// It keeps nothing between two verbs: each one opens the control socket anew and asks wpa_supplicant
/// where it stands, so a restart of either side needs no care. wpa_supplicant's configuration file is
/// never written, and its own networks are put back as they were.
#[derive(Clone, Debug)]
pub struct WpaSupplicant {
    directory: PathBuf,
    interface: String,
}

impl WpaSupplicant {
    /// The interface whose control socket is in `directory` (`/run/wpa_supplicant` on most systems).
    pub fn new(directory: impl Into<PathBuf>, interface: impl Into<String>) -> Self {
        Self { directory: directory.into(), interface: interface.into() }
    }

    /// Whether a pairing could begin: the interface is there, nobody else manages it, its
    /// wpa_supplicant answers, and the radio is on. Touches nothing.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub async fn check(&self) -> Result<(), LinuxError> {
        self.ready().await.map(drop)
    }

    async fn ready(&self) -> Result<Session, LinuxError> {
        if !Path::new("/sys/class/net").join(&self.interface).exists() {
            return Err(LinuxError::NoInterface(self.interface.clone()));
        }
        if let Some(advice) = manager_of(&self.interface).await {
            return Err(LinuxError::Managed(advice));
        }
        let session = self.session().await?;
        session.is_on(&self.interface).await?;
        Ok(session)
    }

    async fn session(&self) -> Result<Session, ControlError> {
        Session::open(&self.directory, &self.interface).await
    }

    /// Looks, without leaving the present network, until exactly one router was pressed.
    async fn find_pressed(
        &self,
        session: &Session,
        attempt: &mut Attempt<'_>,
    ) -> Result<Router, LinuxError> {
        let mut sweep = Sweep::new(session.frequencies().await?);
        attempt.report(Sight::Looking);
        loop {
            let look = sweep.next_look();
            if look.is_empty() {
                return Err(LinuxError::Unsupported("this card has no channel that WPS can use"));
            }
            let began = match session.scan(&look).await? {
                Scan::Done(began) => {
                    sweep.looked(&look);
                    began
                }
                // Alone and refused: the card cannot do this channel. Else the sweep asks one by one.
                Scan::Refused => {
                    if let [frequency_mhz] = look.as_slice() {
                        sweep.remove(*frequency_mhz);
                    }
                    continue;
                }
                Scan::Failed => {
                    session.is_on(&self.interface).await?;
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            };
            let heard = session.heard(IN_RANGE).await?;
            let look_took = began.elapsed().as_secs() + 1;
            let mut pressed = Vec::new();
            for router in &heard {
                if router.age <= look_took {
                    sweep.wps_at(router.router.frequency_mhz);
                    pressed.extend(router.pressed.then(|| router.router.clone()));
                }
            }
            match attempt.sightings.verdict(&pressed, &sweep) {
                Verdict::Go(router) => return Ok(router),
                Verdict::Overlap => return Err(LinuxError::Air(ErrorKind::Overlap)),
                Verdict::LookOn => {
                    let ssid = pressed.first().and_then(|router| router.ssid.clone());
                    attempt.report(Sight::Pressed { ssid });
                }
                Verdict::Nobody if !heard.is_empty() => attempt.report(Sight::NotPressed),
                Verdict::Nobody if sweep.covered() => attempt.report(Sight::NoRouter),
                Verdict::Nobody => {}
            }
        }
    }

    /// Leaves the present network and lets `router` hand over its credentials.
    async fn exchange(&self, session: &Session, router: &Router) -> Result<Offer, LinuxError> {
        session.order(&format!("SET wps_cred_processing {CREDENTIALS_TO_US}")).await?;
        if is_unset(&session.ask("GET config_methods").await?) {
            session.order(&format!("SET config_methods {METHODS}")).await?;
        }
        let id = session.add_wps(&router.bssid.to_string(), router.frequency_mhz).await?;
        session.forget_events();
        session.select(id).await?;
        let mut received = Zeroizing::new(Vec::new());
        let mut scans = 0;
        // The present link may be to this very router: its end is no loss.
        let mut begun = false;
        let ended = |bssid| bssid == Some(router.bssid);
        loop {
            match session.event().await? {
                Event::EapStarted => begun = true,
                // One event for each network.
                Event::Credentials(attributes) => received.extend_from_slice(&attributes),
                // Nothing else tells that the router no longer waits for us, and we are off-line.
                Event::ScanResults if !begun => {
                    scans += 1;
                    if scans > SCANS {
                        return Err(LinuxError::Air(ErrorKind::RouterLost));
                    }
                }
                Event::WpsSuccess => break,
                Event::WpsRefused(MULTIPLE_PBC) | Event::WpsFail(MULTIPLE_PBC) => {
                    return Err(LinuxError::Air(ErrorKind::RouterBusy));
                }
                // Without an error: not ready yet, the exchange goes on.
                Event::WpsRefused(0) => {}
                Event::WpsRefused(_) | Event::WpsFail(_) => {
                    return Err(LinuxError::Air(ErrorKind::Refused));
                }
                Event::WpsOverlap => return Err(LinuxError::Air(ErrorKind::Overlap)),
                Event::WpsInsecure => return Err(LinuxError::Air(ErrorKind::Insecure)),
                Event::NetworkNotFound => return Err(LinuxError::Air(ErrorKind::RouterLost)),
                Event::TempDisabled { id: of, .. } if of == id => {
                    return Err(LinuxError::Air(ErrorKind::RouterLost));
                }
                Event::Disconnected { bssid } if begun && ended(bssid) => {
                    return Err(LinuxError::Air(ErrorKind::RouterLost));
                }
                _ => {}
            }
        }
        let goodbye = async {
            loop {
                match session.event().await? {
                    Event::Disconnected { bssid } if ended(bssid) => return Ok(()),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(GOODBYE, goodbye).await.unwrap_or(Ok::<_, ControlError>(()))?;
        let offer = Offer::new(credentials(&received)?);
        offer.ok_or(LinuxError::Nonsense("a pairing: no network"))
    }

    /// Begins to join `id` and waits until it is joined and keyed.
    async fn connect(&self, session: &Session, id: u32) -> Result<(), LinuxError> {
        session.forget_events();
        session.select(id).await?;
        let mut rejections = 0;
        loop {
            match session.event().await? {
                Event::Connected { id: of } if of == id && session.joined().await? == Some(id) => {
                    return Ok(());
                }
                Event::TempDisabled { id: of, wrong_key: true } if of == id => {
                    return Err(LinuxError::Air(ErrorKind::WrongKey));
                }
                // A router's late goodbye to the exchange hits the new association: at once again.
                Event::TempDisabled { id: of, wrong_key: false } if of == id => {
                    rejections += 1;
                    if rejections > REJECTIONS {
                        return Err(LinuxError::Air(ErrorKind::Refused));
                    }
                    session.select(id).await?;
                }
                Event::NetworkNotFound => return Err(LinuxError::Air(ErrorKind::NotFound)),
                _ => {}
            }
        }
    }

    /// The platform's own networks, as noted.
    async fn apply_platform(
        &self,
        session: &Session,
        note: Option<&Note>,
    ) -> Result<(), LinuxError> {
        let flags = session.flags(note).await?;
        for network in session.networks().await?.ours {
            session.remove(network.id).await?;
        }
        if let Some(note) = note {
            let joined = session.joined().await?;
            let there = |id: &u32| flags.iter().any(|(other, _)| other == id);
            let mut enabled = flags.iter().filter(|(_, enabled)| *enabled).map(|(id, _)| *id);
            // Without a network that was current any one will do: what matters is that
            // wpa_supplicant looks for networks again, and its flags follow.
            match note.current().filter(there) {
                Some(current) if joined == Some(current) => {}
                Some(current) => session.select(current).await?,
                None if joined.is_none() => {
                    if let Some(any) = enabled.next() {
                        session.select(any).await?;
                    }
                }
                None => {}
            }
        }
        Ok(session.set_flags(&flags).await?)
    }

    /// Our network, beside the platform's own.
    async fn apply_station(
        &self,
        session: &Session,
        network: &Credentials,
        note: Option<&Note>,
    ) -> Result<(), LinuxError> {
        let flags = session.flags(note).await?;
        if !self.is_on(session, network).await? {
            for network in session.networks().await?.ours {
                session.remove(network.id).await?;
            }
            let id = session.add_ours(network).await?;
            match note {
                Some(_) => session.select(id).await?,
                // Nothing is noted: leave the flags alone, ours comes first by its priority.
                None => session.enable(id).await?,
            }
        }
        Ok(session.set_flags(&flags).await?)
    }

    /// Whether our network is joined and is this one.
    async fn is_on(&self, session: &Session, network: &Credentials) -> Result<bool, LinuxError> {
        let Some(id) = session.joined().await? else { return Ok(false) };
        let status = session.ask("STATUS").await?;
        let same_name = Values::parse(&status).ssid().is_some_and(|ssid| ssid == network.ssid);
        let id_str = session.ask(&format!("GET_NETWORK {id} id_str")).await?;
        Ok(same_name && is_marked_for(id_str.trim().trim_matches('"'), network))
    }

    /// What was set for the exchange, as it was before.
    async fn reset(&self, session: &Session, note: Option<&Note>) -> Result<(), ControlError> {
        if let Some(note) = note {
            session.order(&format!("SET wps_cred_processing {}", note.cred_processing)).await?;
            if note.methods_unset {
                session.order("SET config_methods ").await?;
            }
        }
        Ok(())
    }
}

/// Whether wpa_supplicant's reply to `GET` means that a text is not set.
fn is_unset(reply: &str) -> bool {
    matches!(reply.trim(), "" | "null" | "FAIL")
}

impl WifiDriver for WpaSupplicant {
    type Error = LinuxError;

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), LinuxError> {
        let session = self.session().await?;
        let note = Note::from_snapshot(snapshot);
        session.end_wps().await?;
        self.reset(&session, note.as_ref()).await?;
        match settings {
            Settings::Platform => self.apply_platform(&session, note.as_ref()).await,
            Settings::Station { network } => {
                self.apply_station(&session, network, note.as_ref()).await
            }
            Settings::AccessPoint { .. } | Settings::Off { .. } => {
                Err(LinuxError::Unsupported("this driver is a station only"))
            }
        }
    }

    async fn pair(&mut self, attempt: &mut Attempt<'_>) -> Result<Offer, LinuxError> {
        let session = self.session().await?;
        session.end_wps().await?;
        let router = self.find_pressed(&session, attempt).await?;
        attempt.report(Sight::Exchanging { ssid: router.ssid.clone() });
        self.exchange(&session, &router).await
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), LinuxError> {
        let session = self.session().await?;
        let note = Note::from_snapshot(snapshot);
        session.end_wps().await?;
        let flags = session.flags(note.as_ref()).await?;
        for network in session.networks().await?.ours {
            session.remove(network.id).await?;
        }
        let id = session.add_ours(network).await?;
        self.connect(&session, id).await?;
        session.set_flags(&flags).await?;
        Ok(self.reset(&session, note.as_ref()).await?)
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
        let processing = session.ask("GET wps_cred_processing").await?.trim().parse().unwrap_or(0);
        let methods_unset = is_unset(&session.ask("GET config_methods").await?);
        Ok(Note::of(&platform, processing, methods_unset).to_snapshot())
    }

    async fn link(&mut self) -> Result<Link, LinuxError> {
        let control = Control::connect(&self.directory, &self.interface)?;
        let (status, signal) = (control.ask("STATUS").await?, control.ask("SIGNAL_POLL").await?);
        let (status, signal) = (Values::parse(&status), Values::parse(&signal));
        Ok(Link {
            up: status.text("wpa_state") == Some("COMPLETED")
                && status.text("key_mgmt") != Some("WPS"),
            mode: match (status.text("wpa_state"), status.text("mode")) {
                (Some("INTERFACE_DISABLED"), _) => Some(Mode::Off),
                (_, Some("AP")) => Some(Mode::AccessPoint),
                _ => Some(Mode::Station),
            },
            ssid: status.ssid(),
            bssid: status.text("bssid").and_then(bssid),
            frequency_mhz: status.number("freq"),
            width_mhz: signal
                .text("WIDTH")
                .and_then(|width| width.split_whitespace().next()?.parse().ok()),
            signal_dbm: signal.number("RSSI").filter(|dbm| *dbm != -9999),
            security: status.text("key_mgmt").and_then(security),
            pairwise_cipher: status.text("pairwise_cipher").and_then(cipher),
            group_cipher: status.text("group_cipher").and_then(cipher),
            generation: status.number("wifi_generation"),
            address: status.text("address").and_then(bssid),
            country: None,
        })
    }

    async fn scan(&mut self) -> Result<Neighbours, LinuxError> {
        scan(&self.session().await?, &self.interface).await
    }
}

/// How wpa_supplicant names the way a station was authenticated.
fn security(key_mgmt: &str) -> Option<Security> {
    Some(match key_mgmt {
        "NONE" => Security::Open,
        "OWE" => Security::Owe,
        "WPA-PSK" => Security::Wpa,
        "WPA2-PSK" | "WPA2-PSK-SHA256" | "FT-PSK" => Security::Wpa2,
        "SAE" | "FT-SAE" => Security::Wpa3,
        other if other.contains("EAP") || other.contains("802.1X") => Security::Enterprise,
        _ => return None,
    })
}

fn cipher(name: &str) -> Option<Cipher> {
    Some(match name {
        "NONE" => Cipher::None,
        "WEP-40" | "WEP-104" => Cipher::Wep,
        "TKIP" => Cipher::Tkip,
        "CCMP" | "CCMP-256" => Cipher::Ccmp,
        "CCMP+TKIP" | "TKIP+CCMP" => Cipher::TkipCcmp,
        "GCMP" | "GCMP-256" => Cipher::Gcmp,
        _ => return None,
    })
}
