//! Requests to wpa_supplicant, through its control socket or over D-Bus.

use std::path::Path;
use std::sync::Arc;

use wps_core::wsc::Bssid;
use wps_core::{BssInfo, ErrorKind, Link, Security, Ssid};

use super::bss::{Bss, BssSummary};
use super::bss_table::{self, Sighting};
use super::bus::BusRequests;
use super::control_socket::{ControlSocket, ControlSocketError, is_refusal};
use super::link::{self, Status};
use super::network_block::{self, FREQUENCY_RANGES};
use super::reply::{self, Network, Values};
use crate::error::LinuxError;

/// Access points seen at most this many seconds ago count as in range.
pub(crate) const MAX_BSS_AGE_SECONDS: u64 = 30;

/// What a scan listens for on each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanMode<'a> {
    /// Probe responses, where probe requests are allowed, and beacons that come by chance.
    Active,
    /// The beacon of each access point. Takes longer.
    Passive,
    /// Probe responses of the access points of this network, also if they hide its name.
    Directed(&'a Ssid),
}

/// The reply to the request for a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanReply {
    /// It has begun.
    Started,
    /// Another scan runs, or wpa_supplicant is joining a network.
    Busy,
    /// wpa_supplicant refuses it.
    Refused,
}

/// A connection for requests. With upstream's unit, wpa_supplicant has no control socket. Its D-Bus
/// interface offers the same, except where a method says so.
///
/// The futures over D-Bus are large, so they are boxed.
#[derive(Clone, Debug)]
pub(crate) enum Requests {
    /// Through the control socket.
    Socket(Arc<ControlSocket>),
    /// Over D-Bus.
    Bus(BusRequests),
}

impl Requests {
    /// Connects to the control socket of `interface` in `directory`, or over D-Bus if no process
    /// has such a socket open.
    pub(crate) async fn connect(directory: &Path, interface: &str) -> Result<Self, LinuxError> {
        let socket_error = match ControlSocket::connect(directory, interface) {
            Ok(control) => return Ok(Self::Socket(Arc::new(control))),
            Err(error) => error,
        };
        let bus_error = match Box::pin(BusRequests::connect(interface)).await {
            Ok(requests) => return Ok(Self::Bus(requests)),
            Err(error) => error,
        };
        Err(match (socket_error, bus_error.kind()) {
            (socket_error @ ControlSocketError::Permission { .. }, _) => socket_error.into(),
            (_, ErrorKind::NotPermitted) => bus_error.into(),
            (_, kind) => LinuxError::NetworkManager {
                kind,
                message: format!(
                    "its wpa_supplicant has no control socket for {interface} in {}, and does not \
                     answer over D-Bus ({bus_error}): look whether it runs with the option -u",
                    directory.display()
                ),
            },
        })
    }

    /// Checks that wpa_supplicant still answers for this interface.
    pub(crate) async fn ping(&self) -> Result<(), LinuxError> {
        match self {
            Self::Socket(control) => Ok(control.command("PING").await.map(drop)?),
            Self::Bus(bus) => Box::pin(bus.state()).await.map(drop),
        }
    }

    /// Returns what the interface does.
    pub(crate) async fn status(&self) -> Result<Status, LinuxError> {
        match self {
            Self::Socket(control) => {
                Ok(Status::parse(&Values::parse(&control.request("STATUS").await?)))
            }
            Self::Bus(bus) => Box::pin(bus.status()).await,
        }
    }

    /// Returns the state of the link. Over D-Bus, fields that wpa_supplicant does not report are
    /// `None`.
    pub(crate) async fn link(&self) -> Result<Link, LinuxError> {
        match self {
            Self::Socket(control) => Ok(link::read_link(control).await?),
            Self::Bus(bus) => Box::pin(bus.link()).await,
        }
    }

    // --- scans ---------------------------------------------------------------------------------

    /// Returns the frequencies that this card may use, in MHz.
    pub(crate) async fn frequencies(&self) -> Result<Vec<u16>, LinuxError> {
        match self {
            Self::Socket(control) => {
                let reply = control.request("GET_CAPABILITY freq").await?;
                Ok(reply::channels(&reply).map(|channel| channel.frequency_mhz).collect())
            }
            Self::Bus(bus) => bus.frequencies(),
        }
    }

    /// Begins a scan of these channels, or of all channels if there are none. wpa_supplicant does
    /// not leave its network, and joins none.
    pub(crate) async fn start_scan(
        &self,
        frequencies_mhz: &[u16],
        mode: ScanMode<'_>,
    ) -> Result<ScanReply, LinuxError> {
        match self {
            Self::Socket(control) => {
                let list: Vec<_> = frequencies_mhz.iter().map(u16::to_string).collect();
                let mut request = match list.as_slice() {
                    [] => "SCAN TYPE=ONLY".into(),
                    list => format!("SCAN TYPE=ONLY freq={}", list.join(",")),
                };
                match mode {
                    ScanMode::Active => {}
                    ScanMode::Passive => request += " passive=1",
                    ScanMode::Directed(ssid) => {
                        let hex = base16ct::lower::encode_string(ssid.as_bytes());
                        request += &format!(" ssid {hex}");
                    }
                }
                Ok(match control.request(request).await?.trim() {
                    "OK" => ScanReply::Started,
                    "FAIL-BUSY" => ScanReply::Busy,
                    _ => ScanReply::Refused,
                })
            }
            Self::Bus(bus) => Box::pin(bus.start_scan(frequencies_mhz, mode)).await,
        }
    }

    /// Aborts the scan that runs. Does nothing if it has ended.
    pub(crate) async fn abort_scan(&self) -> Result<(), LinuxError> {
        match self {
            Self::Socket(control) => Ok(control.request("ABORT_SCAN").await.map(drop)?),
            Self::Bus(bus) => Box::pin(bus.abort_scan()).await,
        }
    }

    /// Returns the access points that were seen at most `max_age_seconds` ago, in whole seconds,
    /// and whose short fields satisfy `is_wanted`.
    pub(crate) async fn bss_list(
        &self,
        max_age_seconds: u64,
        is_wanted: impl Fn(&BssSummary) -> bool,
    ) -> Result<Vec<Bss>, LinuxError> {
        match self {
            Self::Socket(control) => {
                Ok(bss_table::bss_list(control, max_age_seconds, is_wanted).await?)
            }
            Self::Bus(bus) => Box::pin(bus.bss_list(max_age_seconds, is_wanted)).await,
        }
    }

    /// Returns where and when each access point was last seen.
    pub(crate) async fn sightings(&self) -> Result<Vec<Sighting>, LinuxError> {
        match self {
            Self::Socket(control) => Ok(bss_table::sightings(control).await?),
            Self::Bus(bus) => Box::pin(bus.sightings()).await,
        }
    }

    /// Returns whether an access point of this network is in the BSS table.
    pub(crate) async fn is_in_range(&self, ssid: &Ssid) -> Result<bool, LinuxError> {
        match self {
            Self::Socket(control) => Ok(bss_table::contains(control, ssid, None).await?),
            Self::Bus(_) => {
                let mut seen = self.sightings().await?.into_iter();
                Ok(seen.any(|it| it.ssid.as_ref() == Some(ssid)))
            }
        }
    }

    /// Returns whether an access point of this network may take a key with WPA2: the one with the
    /// address `bssid`, if given, or any. Returns `true` if none was seen lately.
    pub(crate) async fn may_offer_psk(
        &self,
        ssid: &Ssid,
        bssid: Option<Bssid>,
    ) -> Result<bool, LinuxError> {
        let is_wanted = |it: &BssSummary| bssid.is_none_or(|bssid| it.bssid == bssid);
        let found = self.bss_list(MAX_BSS_AGE_SECONDS, is_wanted).await?.into_iter();
        let mut found = found.map(|it| it.info).filter(|it| it.ssid.as_ref() == Some(ssid));
        let offers_psk = |it: BssInfo| match it.security {
            Some(Security::Wpa3 | Security::Owe | Security::Open | Security::Enterprise) => false,
            Some(_) | None => true,
        };
        Ok(found.next().is_none_or(|first| offers_psk(first) || found.any(offers_psk)))
    }

    // --- networks ------------------------------------------------------------------------------

    /// Reads wpa_supplicant's list of networks. Over D-Bus, no network is temporarily disabled.
    pub(crate) async fn networks(&self) -> Result<Vec<Network>, LinuxError> {
        match self {
            Self::Socket(control) => Ok(network_block::list_networks(control).await?),
            Self::Bus(bus) => Box::pin(bus.networks()).await,
        }
    }

    /// Returns a variable of a network, which must not be a secret one. A text has quotes. Returns
    /// `None` if the network is gone.
    pub(crate) async fn network_variable(
        &self,
        id: u32,
        variable: &str,
    ) -> Result<Option<String>, LinuxError> {
        match self {
            Self::Socket(control) => {
                let reply = control.request(format!("GET_NETWORK {id} {variable}")).await?;
                Ok(Some(reply.trim().to_owned()).filter(|it| it != "FAIL"))
            }
            Self::Bus(bus) => Box::pin(bus.network_variable(id, variable)).await,
        }
    }

    /// Adds a network with these variables, which is disabled. A text has quotes. Returns its id.
    pub(crate) async fn add_network_with(
        &self,
        variables: &[(&str, &str)],
    ) -> Result<u32, LinuxError> {
        match self {
            Self::Socket(control) => {
                let id = network_block::add_network(control).await?;
                for (variable, value) in variables {
                    network_block::set_variable(control, id, variable, value).await?;
                }
                Ok(id)
            }
            Self::Bus(bus) => Box::pin(bus.add_network(variables)).await,
        }
    }

    /// Lets wpa_supplicant join this network and no other. This disables all other networks.
    pub(crate) async fn select_network(&self, id: u32) -> Result<(), LinuxError> {
        match self {
            Self::Socket(control) => {
                let command = format!("SELECT_NETWORK {id} freq={FREQUENCY_RANGES}");
                Ok(control.command(command).await.map(drop)?)
            }
            Self::Bus(bus) => Box::pin(bus.select_network(id)).await,
        }
    }

    /// Lets wpa_supplicant join this network of another program, which may have removed it.
    pub(crate) async fn return_to_network(&self, id: u32) -> Result<(), LinuxError> {
        match self {
            Self::Socket(control) => {
                Ok(control.request(format!("SELECT_NETWORK {id}")).await.map(drop)?)
            }
            Self::Bus(bus) => Box::pin(bus.return_to_network(id)).await,
        }
    }

    /// Ends the connection, and lets wpa_supplicant join none.
    pub(crate) async fn disconnect(&self) -> Result<(), LinuxError> {
        match self {
            Self::Socket(control) => Ok(control.command("DISCONNECT").await.map(drop)?),
            Self::Bus(bus) => Box::pin(bus.disconnect()).await,
        }
    }

    /// Removes a network. Succeeds if it is gone already.
    pub(crate) async fn discard_network(&self, id: u32) -> Result<(), LinuxError> {
        match self {
            Self::Socket(control) => {
                Ok(control.request(format!("REMOVE_NETWORK {id}")).await.map(drop)?)
            }
            Self::Bus(bus) => Box::pin(bus.discard_network(id)).await,
        }
    }

    // --- variables -----------------------------------------------------------------------------

    /// Sets `wps_cred_processing`. Over D-Bus there are only the values 1 and 2, and 0 becomes 2.
    pub(crate) async fn set_cred_processing(&self, value: u8) -> Result<(), LinuxError> {
        match self {
            Self::Socket(control) => {
                Ok(control.command(format!("SET wps_cred_processing {value}")).await.map(drop)?)
            }
            Self::Bus(bus) => Box::pin(bus.set_cred_processing(value)).await,
        }
    }

    /// Returns `wps_cred_processing`, or `None` if wpa_supplicant was built without WPS. Over
    /// D-Bus, 0 is 2.
    pub(crate) async fn cred_processing(&self) -> Result<Option<u8>, LinuxError> {
        match self {
            Self::Socket(control) => {
                Ok(control.request("GET wps_cred_processing").await?.trim().parse().ok())
            }
            Self::Bus(bus) => Box::pin(bus.cred_processing()).await,
        }
    }

    /// Returns `config_methods`: an empty text if it is not set, or `None` if it cannot be read.
    pub(crate) async fn config_methods(&self) -> Result<Option<String>, LinuxError> {
        match self {
            Self::Socket(control) => {
                let reply = control.request("GET config_methods").await?;
                Ok(match reply.trim() {
                    "null" => Some(String::new()),
                    refused if is_refusal(refused) => None,
                    value => Some(value.to_owned()),
                })
            }
            Self::Bus(bus) => Box::pin(bus.config_methods()).await,
        }
    }

    /// Sets `config_methods`. An empty text unsets it.
    pub(crate) async fn set_config_methods(&self, value: &str) -> Result<(), LinuxError> {
        match self {
            Self::Socket(control) => {
                Ok(control.command(format!("SET config_methods {value}")).await.map(drop)?)
            }
            Self::Bus(bus) => Box::pin(bus.set_config_methods(value)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_wpa_supplicant_one_sentence_says_what_to_do() {
        let error = Requests::connect(Path::new("/nowhere"), "nowhere0").await.unwrap_err();
        let text = error.to_string();
        for part in ["no control socket for nowhere0 in /nowhere", "over D-Bus", "option -u"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
