//! The networks in wpa_supplicant's list: the platform's own ones, and ours, which the driver adds.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, LazyLock};

use wps_core::wsc::Bssid;
use wps_core::{AccessPoint, Credentials, Passphrase, Ssid};
use zeroize::Zeroizing;

use super::platform_snapshot::PlatformSnapshot;
use crate::error::LinuxError;
use crate::supplicant::control_socket::{ControlSocket, ControlSocketError};
use crate::supplicant::network_block::{list_networks, set_variable};
use crate::supplicant::reply::Network;
use crate::supplicant::requests::Requests;
use crate::supplicant::session::Session;

/// The start of the `id_str` of our network, by which we recognize it. wpa_supplicant keeps this
/// variable and does not use it.
const ID_STR_PREFIX: &str = "wps-hal-linux";
/// The name of WPA3 with a password in `key_mgmt`.
const SAE: &str = "SAE";
/// The values of `key_mgmt` for WPA2 in a station, the best one first.
const WPA2_STATION: &[&str] = &["WPA-PSK WPA-PSK-SHA256", "WPA-PSK"];
/// The same for an access point.
const WPA2_ACCESS_POINT: &[&str] = &["WPA-PSK"];
/// A random key of this process. With it, a hash in `id_str` distinguishes credentials and does not
/// reveal them.
static HASH_KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The networks in wpa_supplicant's list, by owner.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// From wpa_supplicant's own configuration, or added by other programs.
    pub(crate) platform: Vec<Network>,
    /// Added by this driver, as the `id_str` shows.
    pub(crate) ours: Vec<Network>,
    /// Networks for WPS (`key_mgmt=WPS`) of a running pairing, started by this driver or by another
    /// program.
    pub(crate) pairing: Vec<Network>,
}

impl Networks {
    /// Reads all networks in wpa_supplicant's list.
    pub(crate) async fn read(session: &Session) -> Result<Self, ControlSocketError> {
        let mut networks = Self::default();
        for network in list_networks(session.control()).await? {
            if session.is_wps_network(network.id).await? {
                networks.pairing.push(network);
            } else if is_ours(session, network.id).await? {
                networks.ours.push(network);
            } else {
                networks.platform.push(network);
            }
        }
        Ok(networks)
    }
}

/// Returns whether this driver has added the network with this id.
async fn is_ours(session: &Session, id: u32) -> Result<bool, ControlSocketError> {
    Ok(session.request(&format!("GET_NETWORK {id} id_str")).await?.contains(ID_STR_PREFIX))
}

/// Returns whether this network is ours and was added for these settings.
pub(crate) async fn is_added_for(
    session: &Session,
    id: u32,
    settings: &impl Hash,
) -> Result<bool, ControlSocketError> {
    let id_str = session.request(&format!("GET_NETWORK {id} id_str")).await?;
    Ok(id_str_matches(id_str.trim().trim_matches('"'), settings))
}

/// Removes our network, for a station or an access point. Returns whether there was one.
pub(crate) async fn remove_ours(session: &Session) -> Result<bool, ControlSocketError> {
    let ours = Networks::read(session).await?.ours;
    for network in &ours {
        session.remove_network(network.id).await?;
    }
    Ok(!ours.is_empty())
}

/// Sets the name of the network with this id, as hex digits: any byte may occur in it.
async fn set_ssid(session: &Session, id: u32, ssid: &Ssid) -> Result<(), ControlSocketError> {
    session.set_variable(id, "ssid", base16ct::lower::encode_string(ssid.as_bytes())).await
}

/// Adds `network` as our network, with a higher priority than all others. It is still disabled.
/// Returns its id.
pub(crate) async fn add_station(
    session: &Session,
    network: &Credentials,
) -> Result<u32, LinuxError> {
    let key = network.secret.key().map_err(LinuxError::Wifi)?;
    let mut priority = 0_i32;
    for other in Networks::read(session).await?.platform {
        let reply = session.request(&format!("GET_NETWORK {} priority", other.id)).await?;
        priority = priority.max(reply.trim().parse().unwrap_or(0));
    }
    let id = session.add_network().await?;
    session.set_variable(id, "id_str", format!("\"{}\"", id_str_for(network))).await?;
    set_ssid(session, id, &network.ssid).await?;
    set_optional(session, id, "priority", &priority.saturating_add(1).to_string()).await?;
    // A hidden network answers only if it is asked by its name.
    set_optional(session, id, "scan_ssid", "1").await?;
    set_security(session, id, key, WPA2_STATION).await?;
    Ok(id)
}

/// Adds `access_point` as our network. It is still disabled. Returns its id.
pub(crate) async fn add_access_point(
    session: &Session,
    access_point: &AccessPoint,
    frequency_mhz: u16,
) -> Result<u32, LinuxError> {
    let network = &access_point.network;
    let key = network.secret.key().map_err(LinuxError::Wifi)?;
    let id = session.add_network().await?;
    session.set_variable(id, "id_str", format!("\"{}\"", id_str_for(access_point))).await?;
    set_ssid(session, id, &network.ssid).await?;
    session.set_variable(id, "mode", "2").await?;
    session.set_variable(id, "frequency", frequency_mhz.to_string()).await?;
    // No registrar, so no device can join our access point by push button.
    // A wpa_supplicant without WPS has none, and may not know the variable.
    match session.set_variable(id, "wps_disabled", "1").await {
        Err(ControlSocketError::Refused(..))
            if session.requests().cred_processing().await?.is_none() => {}
        done => done?,
    }
    if key.is_some() {
        for (variable, value) in [("proto", "RSN"), ("pairwise", "CCMP"), ("group", "CCMP")] {
            session.set_variable(id, variable, value).await?;
        }
    }
    set_security(session, id, key, WPA2_ACCESS_POINT).await?;
    Ok(id)
}

/// Sets the security of a network. Without a key, the network is open. With a key, it uses WPA2
/// with the first of `wpa2` that wpa_supplicant knows, and also WPA3 if SAE is supported and the
/// key is not a raw PSK.
async fn set_security(
    session: &Session,
    id: u32,
    key: Option<&Passphrase>,
    wpa2: &[&str],
) -> Result<(), ControlSocketError> {
    let Some(key) = key else { return session.set_variable(id, "key_mgmt", "NONE").await };
    if key.is_raw_psk() {
        session.set_variable(id, "psk", key.reveal()).await?;
    } else {
        let quoted = Zeroizing::new([b"\"", key.reveal(), b"\""].concat());
        session.set_variable(id, "psk", &*quoted).await?;
    }
    // Use protected management frames if the other side supports them. SAE requires them.
    let has_pmf = set_optional(session, id, "ieee80211w", "1").await?;
    let mut choices: Vec<String> = wpa2.iter().map(|it| (*it).into()).collect();
    if has_pmf && !key.is_raw_psk() && supports_sae(session).await? {
        choices.splice(0..0, wpa2.iter().map(|it| format!("{it} {SAE}")));
    }
    set_key_mgmt(session.control(), id, &choices).await
}

/// Sets `key_mgmt` to the first of these values that wpa_supplicant knows.
async fn set_key_mgmt(
    control: &ControlSocket,
    id: u32,
    choices: &[impl AsRef<[u8]>],
) -> Result<(), ControlSocketError> {
    let mut done = Ok(());
    for choice in choices {
        done = set_variable(control, id, "key_mgmt", choice).await;
        if !matches!(done, Err(ControlSocketError::Refused(..))) {
            break;
        }
    }
    done
}

/// Sets a variable that not every wpa_supplicant has. Returns whether this one has it.
async fn set_optional(
    session: &Session,
    id: u32,
    variable: &str,
    value: &str,
) -> Result<bool, ControlSocketError> {
    match session.set_variable(id, variable, value).await {
        Err(ControlSocketError::Refused(..)) => Ok(false),
        done => done.map(|()| true),
    }
}

/// Lets our network `id` use only WPA2 from now on, after its access point has refused this device.
/// Not every card that offers SAE (WPA3) can do it. Returns `false` if the network did not offer
/// SAE, or if the access point takes nothing else.
pub(crate) async fn stop_offering_sae(
    control: &Arc<ControlSocket>,
    id: u32,
    ssid: &Ssid,
    bssid: Option<Bssid>,
) -> Result<bool, LinuxError> {
    let key_mgmt = control.request(get_key_mgmt(id)).await?;
    let requests = Requests::Socket(Arc::clone(control));
    if !has(&key_mgmt, SAE) || !requests.may_offer_psk(ssid, bssid).await? {
        return Ok(false);
    }
    set_key_mgmt(control, id, WPA2_STATION).await?;
    tracing::warn!("the network refuses this card with WPA3: trying WPA2");
    Ok(true)
}

/// Returns whether the network `id` has a key, and uses it with WPA2 only.
pub(crate) async fn uses_only_wpa2(
    control: &ControlSocket,
    id: u32,
) -> Result<bool, ControlSocketError> {
    let key_mgmt = control.request(get_key_mgmt(id)).await?;
    Ok(has(&key_mgmt, "WPA-PSK") && !has(&key_mgmt, SAE))
}

fn get_key_mgmt(id: u32) -> String {
    format!("GET_NETWORK {id} key_mgmt")
}

/// Returns whether this value of `key_mgmt` has this name.
fn has(key_mgmt: &str, name: &str) -> bool {
    key_mgmt.split_whitespace().any(|it| it == name)
}

/// Returns whether the card and wpa_supplicant support SAE (WPA3).
async fn supports_sae(session: &Session) -> Result<bool, ControlSocketError> {
    let reply = session.request("GET_CAPABILITY key_mgmt").await?;
    Ok(has(&reply, SAE))
}

/// Lets wpa_supplicant try our network again at once, which it ignores for some time after
/// failures. Leaves it alone if another program has disabled it.
pub(crate) async fn try_again(control: &ControlSocket, id: u32) -> Result<(), ControlSocketError> {
    if control.request(format!("GET_NETWORK {id} disabled")).await?.trim() == "0" {
        enable_network(control, id).await?;
    }
    Ok(())
}

/// Enables this network in addition to the others, and lets wpa_supplicant choose the best of them.
/// If the radio is off, it does so once the radio is on.
pub(crate) async fn enable_network(
    control: &ControlSocket,
    id: u32,
) -> Result<(), ControlSocketError> {
    control.command(&format!("ENABLE_NETWORK {id}")).await?;
    control.request("REASSOCIATE").await.map(drop)
}

/// Returns for each of the platform's networks whether it should be enabled: as in `snapshot`, or
/// as it is now. Removes newer networks that are disabled and have no name yet: dropped futures
/// have left them behind.
pub(crate) async fn enabled_flags(
    session: &Session,
    snapshot: Option<&PlatformSnapshot>,
) -> Result<Vec<(u32, bool)>, ControlSocketError> {
    let platform = Networks::read(session).await?.platform;
    let Some(snapshot) = snapshot.filter(|it| it.matches(&platform)) else {
        // The snapshot is of other networks. If all are disabled now, our `SELECT_NETWORK` did it.
        let all = snapshot.is_some() && !platform.iter().any(|network| network.enabled);
        let flags = platform.iter().map(|network| (network.id, all || network.enabled));
        return Ok(flags.collect());
    };
    let mut flags = Vec::new();
    for (index, network) in platform.iter().enumerate() {
        if snapshot.is_new(index) && network.name.is_empty() && !network.enabled {
            session.remove_network(network.id).await?;
        } else {
            flags.push((network.id, snapshot.enabled(index).unwrap_or(network.enabled)));
        }
    }
    Ok(flags)
}

/// Enables or disables the platform's networks as `flags` say, without disturbing the link.
pub(crate) async fn set_enabled_flags(
    session: &Session,
    flags: &[(u32, bool)],
) -> Result<(), ControlSocketError> {
    let platform = Networks::read(session).await?.platform;
    for &(id, enabled) in flags {
        match platform.iter().find(|network| network.id == id) {
            Some(network) if network.enabled != enabled => {
                let command = match enabled {
                    true => format!("ENABLE_NETWORK {id} no-connect"),
                    false => format!("DISABLE_NETWORK {id}"),
                };
                session.command(&command).await?;
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// Returns the `id_str` of our network: the prefix, a mark of this process, and a hash of the
/// settings for which this process added the network.
fn id_str_for(settings: &impl Hash) -> String {
    format!("{} {:016x}", process_id_str(), HASH_KEY.hash_one(settings))
}

/// Returns the part of `id_str` that is the same for all networks of this process.
fn process_id_str() -> String {
    format!("{ID_STR_PREFIX} {:016x}", HASH_KEY.hash_one(ID_STR_PREFIX))
}

/// Returns whether the network with this `id_str` was added for these settings. A network of an
/// earlier process always matches, since it was added from the same record.
fn id_str_matches(id_str: &str, settings: &impl Hash) -> bool {
    id_str == id_str_for(settings)
        || id_str.contains(ID_STR_PREFIX) && !id_str.contains(&process_id_str())
}
