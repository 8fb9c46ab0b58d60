//! The configuration that wpa_supplicant was given last, and whether it is still in force: wpa_supplicant may
//! have restarted, read its configuration again, or joined another network.

use std::time::Duration;

use tokio::time::Instant;
use wps_core::Ssid;

use crate::control_socket::{ControlSocket, ControlSocketError};
use crate::link::link;
use crate::reply::{Values, bss_entries};
use crate::session::Session;

/// How often to look. Nothing tells of the loss: who is killed says no goodbye.
pub(crate) const GLANCE: Duration = Duration::from_secs(3);

/// How long another network may be joined while ours is enabled and in range. After a failure wpa_supplicant
/// ignores an access point for 10 s (`wpa_bssid_ignore_add`), joins the next best network and stays there.
const RETURN_DELAY: Duration = Duration::from_secs(10);
/// The delay doubles up to this, as each return interrupts a connection that works.
const MAX_RETURN_DELAY: Duration = Duration::from_secs(640);
/// The fields of a `BSS` reply: id and SSID.
const ID_AND_SSID: &str = "0x00001001";

/// What wpa_supplicant was told last, as far as that can be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing but what its own configuration says.
    #[default]
    Nothing,
    /// To join, or to serve, our network.
    Network { id: u32, mark: String, ssid: Ssid },
    /// That the radio is off.
    Off,
}

impl Told {
    /// Our network of this number, as it is marked.
    pub(crate) async fn network(
        session: &Session,
        id: u32,
        ssid: &Ssid,
    ) -> Result<Self, ControlSocketError> {
        let mark = session.order(mark_of(id)).await?.to_string();
        Ok(Self::Network { id, mark, ssid: ssid.clone() })
    }

    /// Returns whether it has to be applied again.
    pub(crate) async fn is_lost(
        &self,
        control: &ControlSocket,
        elsewhere: &mut Elsewhere,
    ) -> Result<bool, ControlSocketError> {
        match self {
            Self::Nothing => Ok(false),
            Self::Network { id, mark, ssid } => {
                let status = control.ask("STATUS").await?;
                let status = Values::parse(&status);
                let completed = status.text("wpa_state") == Some("COMPLETED");
                if completed && status.text("id_str") == Some(mark.trim().trim_matches('"')) {
                    *elsewhere = Elsewhere::default();
                    Ok(false)
                } else if *control.ask(mark_of(*id)).await? != *mark {
                    tracing::warn!("wpa_supplicant has lost our settings: applying them again");
                    Ok(true)
                } else if !completed || status.text("key_mgmt") == Some("WPS") {
                    elsewhere.since = None;
                    Ok(false)
                } else if elsewhere.is_long() && can_join(control, *id, ssid).await? {
                    elsewhere.delay = (elsewhere.delay * 2).min(MAX_RETURN_DELAY);
                    tracing::warn!("wpa_supplicant has joined another network: returning to ours");
                    Ok(true)
                } else {
                    Ok(false)
                }
            }
            // It takes the interface up when it begins, and joins what it finds. Whoever only switched the
            // radio on finds it joining nothing.
            Self::Off => {
                let up = link(control).await?.up;
                if up {
                    tracing::warn!("wpa_supplicant has switched the radio on: switching it off");
                }
                Ok(up)
            }
        }
    }
}

/// How long another network has been joined in place of ours, and how long it may be.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    since: Option<Instant>,
    delay: Duration,
}

impl Default for Elsewhere {
    fn default() -> Self {
        Self { since: None, delay: RETURN_DELAY }
    }
}

impl Elsewhere {
    /// Another network is joined now. Returns whether it has been for the whole delay, which then begins again.
    fn is_long(&mut self) -> bool {
        let now = Instant::now();
        let is_long = now - *self.since.get_or_insert(now) >= self.delay;
        if is_long {
            self.since = Some(now);
        }
        is_long
    }
}

/// Returns whether our network is enabled, which other programs may have changed, and in range.
async fn can_join(
    control: &ControlSocket,
    id: u32,
    ssid: &Ssid,
) -> Result<bool, ControlSocketError> {
    if control.ask(format!("GET_NETWORK {id} disabled")).await?.trim() != "0" {
        return Ok(false);
    }
    let mut next = 0_u32;
    loop {
        // A reply holds 4 kB, in whole entries: go on after the last one.
        let page = control.ask(format!("BSS RANGE={next}- MASK={ID_AND_SSID}")).await?;
        let before = next;
        for (id, entry) in bss_entries(&page) {
            if entry.ssid().as_ref() == Some(ssid) {
                return Ok(true);
            }
            next = next.max(id.saturating_add(1));
        }
        if next == before {
            return Ok(false);
        }
    }
}

fn mark_of(id: u32) -> String {
    format!("GET_NETWORK {id} id_str")
}
