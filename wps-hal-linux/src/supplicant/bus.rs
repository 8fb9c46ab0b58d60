//! wpa_supplicant's D-Bus interface, for a wpa_supplicant without a control socket.

mod channels;
mod objects;
pub(crate) mod proxy;
mod translator;

use std::collections::HashMap;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use wps_core::wsc::Bssid;
use wps_core::{Cipher, ErrorKind, Link, Mode, Security};
use zbus::export::futures_core::Stream;
use zbus::fdo::{DBusProxy, PropertiesProxy};
use zbus::message::Type;
use zbus::names::OwnedUniqueName;
use zbus::proxy::CacheProperties;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant, Variant};

use super::bss::{Bss, BssSummary};
use super::bss_table::Sighting;
use super::event::Event;
use super::exchange::{CRED_PROCESSING_EXTERNAL, CRED_PROCESSING_INTERNAL};
use super::link::{Status, security};
use super::reply::Network;
use super::requests::{ScanMode, ScanReply};
use crate::error::LinuxError;
use crate::system_bus::{self, NO_OBJECT, Properties, value};
use objects::{BssEntry, Variables, bssid, network_id};
use proxy::{
    BSS, BusError, InterfaceProxy, NetworkProxy, SupplicantProxy, WPA_SUPPLICANT, WpsProxy,
};
use translator::{Lookup, Translator};

/// The number of signals that may wait. A scan sends several for each access point.
const SIGNALS_MAX: NonZeroUsize = NonZeroUsize::new(2048).unwrap();

/// A connection for requests over D-Bus.
#[derive(Clone, Debug)]
pub(crate) struct BusRequests {
    bus: Connection,
    /// The name of this process of wpa_supplicant. Another process is not asked: it would be
    /// started if none runs.
    owner: OwnedUniqueName,
    /// The object of the interface.
    path: OwnedObjectPath,
    /// The name of the interface.
    interface: String,
}

impl BusRequests {
    /// Connects to wpa_supplicant, which must know `interface`.
    pub(super) async fn connect(interface: &str) -> Result<Self, BusError> {
        let bus = system_bus::connect().await?;
        let daemon = DBusProxy::builder(&bus).cache_properties(CacheProperties::No).build().await?;
        let name = WPA_SUPPLICANT.try_into()?;
        let owner = daemon.get_name_owner(name).await?;
        let supplicant = SupplicantProxy::builder(&bus).destination(&owner);
        let supplicant = supplicant.cache_properties(CacheProperties::No).build().await?;
        let path = supplicant.get_interface(interface).await?;
        Ok(Self { bus, owner, path, interface: interface.into() })
    }

    async fn proxy(&self) -> Result<InterfaceProxy<'_>, BusError> {
        let builder = InterfaceProxy::builder(&self.bus).destination(&self.owner).path(&self.path);
        Ok(builder.cache_properties(CacheProperties::No).build().await?)
    }

    async fn wps(&self) -> Result<WpsProxy<'_>, BusError> {
        let builder = WpsProxy::builder(&self.bus).destination(&self.owner).path(&self.path);
        Ok(builder.cache_properties(CacheProperties::No).build().await?)
    }

    /// Returns the properties of an object in one of its D-Bus interfaces.
    async fn properties(
        &self,
        path: &OwnedObjectPath,
        interface: &'static str,
    ) -> Result<Properties, BusError> {
        let builder = PropertiesProxy::builder(&self.bus).destination(&self.owner).path(path);
        let properties = builder.cache_properties(CacheProperties::No).build().await?;
        Ok(properties.get_all(interface.try_into()?).await?)
    }

    /// Returns the path of a network.
    fn network_path(&self, id: u32) -> Result<OwnedObjectPath, BusError> {
        Ok(OwnedObjectPath::try_from(format!("{}/Networks/{id}", self.path))?)
    }

    // --- the interface -------------------------------------------------------------------------

    /// Returns the name of the state as on the control socket.
    pub(super) async fn state(&self) -> Result<String, LinuxError> {
        let state = self.proxy().await?.state().await.map_err(BusError::from)?;
        Ok(state.to_uppercase())
    }

    pub(super) async fn status(&self) -> Result<Status, LinuxError> {
        let state = self.state().await?;
        let path = self.proxy().await?.current_network().await.map_err(BusError::from)?;
        let mut status =
            Status { state: Some(state), network_id: network_id(&path), ..Status::default() };
        // wpa_supplicant sends the variables with the keys, so they are read only if needed.
        if status.is_completed()
            && let Some(variables) = self.variables(&path).await?
        {
            status.ssid = variables.ssid();
            status.is_access_point = variables.is_access_point();
            status.is_wps = variables.get("key_mgmt") == "WPS";
        }
        Ok(status)
    }

    pub(super) async fn link(&self) -> Result<Link, LinuxError> {
        let interface = self.proxy().await?;
        let state = self.state().await?;
        let key_mgmt = interface.current_auth_mode().await.map_err(BusError::from)?;
        let signal = self.signal().await;
        let address = Path::new("/sys/class/net").join(&self.interface).join("address");
        let address = std::fs::read_to_string(address).unwrap_or_default();
        let link = Link {
            up: state == "COMPLETED" && key_mgmt != "WPS",
            width_mhz: value::<String>(&signal, "width")
                .and_then(|it| it.split_whitespace().next()?.parse().ok()),
            signal_dbm: value::<i32>(&signal, "rssi")
                .and_then(|it| i16::try_from(it).ok())
                .filter(|dbm| *dbm != -9999),
            security: security(&key_mgmt),
            address: address.trim().parse().ok(),
            ..Link::default()
        };
        let path = interface.current_bss().await.map_err(BusError::from)?;
        if let Some(bss) = self.bss(&path).await? {
            let has_rsn = bss.summary.has_rsn();
            let bss = bss.bss().info;
            return Ok(Link {
                mode: Some(Mode::Station),
                security: match &*key_mgmt {
                    // What the network allows. The better one is used.
                    "WPA2-PSK+WPA-PSK" if has_rsn => Some(Security::Wpa2),
                    "WPA2-PSK+WPA-PSK" => Some(Security::Wpa),
                    key_mgmt => security(key_mgmt),
                },
                ssid: bss.ssid,
                bssid: Some(bss.bssid),
                frequency_mhz: bss.frequency_mhz,
                // Which one of several ciphers the link uses is not known.
                pairwise_cipher: bss.pairwise_cipher.filter(|it| *it != Cipher::TkipCcmp),
                group_cipher: bss.group_cipher,
                ..link
            });
        }
        if state == "INTERFACE_DISABLED" {
            return Ok(Link { mode: Some(Mode::Off), ..link });
        }
        let path = interface.current_network().await.map_err(BusError::from)?;
        let network = self.variables(&path).await?.filter(Variables::is_access_point);
        Ok(match network {
            None => Link { mode: Some(Mode::Station), ..link },
            Some(network) => Link {
                mode: Some(Mode::AccessPoint),
                ssid: network.ssid(),
                bssid: link.address,
                frequency_mhz: network.get("frequency").parse().ok(),
                ..link
            },
        })
    }

    /// Returns the signal of the link. Returns no properties if the driver of the card does not
    /// report it.
    async fn signal(&self) -> Properties {
        let Ok(interface) = self.proxy().await else { return Properties::new() };
        let signal = interface.signal_poll().await.ok();
        signal.and_then(|it| Properties::try_from(it).ok()).unwrap_or_default()
    }

    // --- scans ---------------------------------------------------------------------------------

    pub(super) fn frequencies(&self) -> Result<Vec<u16>, LinuxError> {
        channels::frequencies(&self.interface).map_err(|error| LinuxError::NetworkManager {
            kind: ErrorKind::Other,
            message: format!("the channels of {} cannot be read: {error}", self.interface),
        })
    }

    pub(super) async fn start_scan(
        &self,
        frequencies_mhz: &[u16],
        mode: ScanMode<'_>,
    ) -> Result<ScanReply, LinuxError> {
        let interface = self.proxy().await?;
        // wpa_supplicant's control socket refuses these scans, but its D-Bus interface does not. A
        // scan would disturb a handshake. And a second request keeps the results of a scan that
        // runs from wpa_supplicant, so that it would not join a network.
        let is_scanning = interface.scanning().await.map_err(BusError::from)?;
        let state = self.state().await?;
        let is_joining = matches!(
            &*state,
            "AUTHENTICATING" | "ASSOCIATING" | "ASSOCIATED" | "4WAY_HANDSHAKE" | "GROUP_HANDSHAKE"
        );
        if is_scanning || is_joining {
            return Ok(ScanReply::Busy);
        }
        let kind = match mode {
            ScanMode::Active | ScanMode::Directed(_) => "active",
            ScanMode::Passive => "passive",
        };
        let mut arguments =
            HashMap::from([("Type", Variant::from(kind)), ("AllowRoam", false.into())]);
        if let ScanMode::Directed(ssid) = mode {
            arguments.insert("SSIDs", vec![ssid.as_bytes().to_vec()].into());
        }
        if !frequencies_mhz.is_empty() {
            let channels = frequencies_mhz.iter().map(|mhz| (u32::from(*mhz), 0_u32));
            arguments.insert("Channels", channels.collect::<Vec<_>>().into());
        }
        match interface.scan(&arguments).await.map_err(BusError::from) {
            Ok(()) => Ok(ScanReply::Started),
            Err(error) if error.is_scan_refused() => Ok(ScanReply::Busy),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn abort_scan(&self) -> Result<(), LinuxError> {
        match self.proxy().await?.abort_scan().await.map_err(BusError::from) {
            Err(error) if !error.is_scan_refused() => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Reads the BSS table.
    async fn entries(&self) -> Result<Vec<BssEntry>, BusError> {
        let mut entries = Vec::new();
        for path in self.proxy().await?.bsss().await? {
            entries.extend(self.bss(&path).await?);
        }
        Ok(entries)
    }

    /// Reads an entry of the BSS table. Returns `None` if it is gone.
    async fn bss(&self, path: &OwnedObjectPath) -> Result<Option<BssEntry>, BusError> {
        if path.as_str() == NO_OBJECT {
            return Ok(None);
        }
        match self.properties(path, BSS).await {
            Ok(properties) => Ok(BssEntry::new(&properties)),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn bss_list(
        &self,
        max_age_seconds: u64,
        is_wanted: impl Fn(&BssSummary) -> bool,
    ) -> Result<Vec<Bss>, LinuxError> {
        let is_recent = |it: &BssSummary| it.age_seconds.is_some_and(|age| age <= max_age_seconds);
        let entries = self.entries().await?.into_iter();
        let wanted = entries.filter(|it| is_recent(&it.summary) && is_wanted(&it.summary));
        Ok(wanted.map(|it| it.bss()).collect())
    }

    pub(super) async fn sightings(&self) -> Result<Vec<Sighting>, LinuxError> {
        Ok(self.entries().await?.into_iter().filter_map(BssEntry::sighting).collect())
    }

    // --- networks ------------------------------------------------------------------------------

    /// Reads the variables of a network. Returns `None` if it is gone.
    async fn variables(&self, path: &OwnedObjectPath) -> Result<Option<Variables>, BusError> {
        if path.as_str() == NO_OBJECT {
            return Ok(None);
        }
        let builder = NetworkProxy::builder(&self.bus).destination(&self.owner).path(path);
        let network = builder.cache_properties(CacheProperties::No).build().await?;
        match network.properties().await.map_err(BusError::from) {
            Ok(properties) => Ok(Some(Variables::new(properties))),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn networks(&self) -> Result<Vec<Network>, LinuxError> {
        let interface = self.proxy().await?;
        let current = interface.current_network().await.map_err(BusError::from)?;
        let mut networks = Vec::new();
        for path in interface.networks().await.map_err(BusError::from)? {
            let variables = self.variables(&path).await?;
            networks.extend(variables.and_then(|it| it.network(&path, &current)));
        }
        networks.sort_unstable_by_key(|network: &Network| network.id);
        Ok(networks)
    }

    pub(super) async fn network_variable(
        &self,
        id: u32,
        name: &str,
    ) -> Result<Option<String>, LinuxError> {
        let variables = self.variables(&self.network_path(id)?).await?;
        Ok(variables.map(|it| it.get(name).to_owned()))
    }

    pub(super) async fn add_network(&self, variables: &[(&str, &str)]) -> Result<u32, LinuxError> {
        // wpa_supplicant adds the quotes itself.
        let variables =
            variables.iter().map(|(name, value)| (*name, value.trim_matches('"').into()));
        let path = self.proxy().await?.add_network(&variables.collect()).await;
        let path = path.map_err(BusError::from)?;
        network_id(&path).ok_or(LinuxError::InvalidReply("AddNetwork"))
    }

    pub(super) async fn select_network(&self, id: u32) -> Result<(), LinuxError> {
        let path = self.network_path(id)?;
        Ok(self.proxy().await?.select_network(&path).await.map_err(BusError::from)?)
    }

    pub(super) async fn return_to_network(&self, id: u32) -> Result<(), LinuxError> {
        let path = self.network_path(id)?;
        ignore_gone(self.proxy().await?.select_network(&path).await)
    }

    pub(super) async fn discard_network(&self, id: u32) -> Result<(), LinuxError> {
        let path = self.network_path(id)?;
        ignore_gone(self.proxy().await?.remove_network(&path).await)
    }

    pub(super) async fn disconnect(&self) -> Result<(), LinuxError> {
        Ok(self.proxy().await?.disconnect().await.map_err(BusError::from)?)
    }

    // --- variables -----------------------------------------------------------------------------

    pub(super) async fn cred_processing(&self) -> Result<Option<u8>, LinuxError> {
        match self.wps().await?.process_credentials().await.map_err(BusError::from) {
            Ok(true) => Ok(Some(CRED_PROCESSING_INTERNAL)),
            Ok(false) => Ok(Some(CRED_PROCESSING_EXTERNAL)),
            // The object has no D-Bus interface for WPS.
            Err(error) if error.is_unknown() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn set_cred_processing(&self, value: u8) -> Result<(), LinuxError> {
        let process = value != CRED_PROCESSING_EXTERNAL;
        let set = self.wps().await?.set_process_credentials(process).await;
        set.map_err(|error| BusError::from(error).refusal())
    }

    pub(super) async fn config_methods(&self) -> Result<Option<String>, LinuxError> {
        match self.wps().await?.config_methods().await.map_err(BusError::from) {
            Ok(methods) => Ok(Some(methods)),
            Err(error) if error.is_unknown() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn set_config_methods(&self, methods: &str) -> Result<(), LinuxError> {
        let set = self.wps().await?.set_config_methods(methods).await;
        set.map_err(|error| BusError::from(error).refusal())
    }
}

/// Ignores that the object of a request is gone.
fn ignore_gone(done: zbus::Result<()>) -> Result<(), LinuxError> {
    match done.map_err(BusError::from) {
        Err(error) if !error.is_gone() => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A connection for events over D-Bus. It buffers all signals since [`Self::subscribe`].
#[derive(Debug)]
pub(crate) struct BusEvents {
    /// The same connection as for requests. So a signal from before a reply arrives before it.
    requests: BusRequests,
    signals: Mutex<Signals>,
}

#[derive(Debug)]
struct Signals {
    stream: MessageStream,
    translator: Translator,
}

impl Signals {
    /// Polls for the next signal, and handles it. Returns `false` if no signal is waiting.
    fn handle_next(&mut self, context: &mut Context<'_>) -> Result<bool, BusError> {
        match Pin::new(&mut self.stream).poll_next(context) {
            Poll::Ready(Some(signal)) => {
                self.translator.on_signal(&signal?);
                Ok(true)
            }
            Poll::Ready(None) => Err(BusError::closed()),
            Poll::Pending => Ok(false),
        }
    }

    /// Polls for the next event, or for what must be read before the next signal is handled.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Next, BusError>> {
        loop {
            if let Some(lookup) = self.translator.lookup() {
                return Poll::Ready(Ok(Next::Lookup(lookup.clone())));
            }
            if let Some(event) = self.translator.next() {
                return Poll::Ready(Ok(Next::Event(event)));
            }
            match self.handle_next(context) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// What is next.
enum Next {
    Lookup(Lookup),
    Event(Event),
}

impl BusEvents {
    /// Subscribes to the signals of the interface.
    pub(super) async fn subscribe(requests: BusRequests) -> Result<Self, BusError> {
        // Only this process of wpa_supplicant may send them: any program can send signals.
        let rule = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(&requests.owner)
            .path(&requests.path)
            .build()?;
        let stream = MessageStream::for_match_rule(rule, &requests.bus, Some(SIGNALS_MAX)).await?;
        let interface = requests.proxy().await?;
        let state = Variant::from(interface.state().await?);
        let network = Variant::from(interface.current_network().await?);
        let bss = Variant::from(interface.current_bss().await?);
        let mut translator = Translator::default();
        let properties = [("State", state), ("CurrentNetwork", network), ("CurrentBSS", bss)];
        let properties = properties
            .into_iter()
            .map(|(name, it)| Ok((name.to_owned(), OwnedVariant::try_from(it)?)))
            .collect::<zbus::Result<Properties>>()?;
        translator.begin(&properties);
        drop(interface);
        Ok(Self { requests, signals: Mutex::new(Signals { stream, translator }) })
    }

    fn signals(&self) -> MutexGuard<'_, Signals> {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next event. Dropping the future loses no event.
    pub(super) async fn next(&self) -> Result<Event, LinuxError> {
        loop {
            match poll_fn(|context| self.signals().poll(context)).await? {
                Next::Event(event) => return Ok(event),
                Next::Lookup(Lookup::Network) => {
                    let path = self.requests.proxy().await?.current_network().await;
                    let id = network_id(&path.map_err(BusError::from)?);
                    self.signals().translator.on_network(id);
                }
                Next::Lookup(Lookup::Bssid(path)) => {
                    let bssid = self.bssid(&path).await?;
                    self.signals().translator.on_bssid(&path, bssid);
                }
            }
        }
    }

    /// Reads the address of an access point. Returns `None` if it is gone.
    async fn bssid(&self, path: &OwnedObjectPath) -> Result<Option<Bssid>, BusError> {
        match self.requests.properties(path, BSS).await {
            Ok(properties) => Ok(bssid(&properties)),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns whether this process of wpa_supplicant still has the interface.
    pub(super) async fn is_connected(&self) -> bool {
        self.requests.state().await.is_ok()
    }

    /// Discards all events so far. Every signal from before the latest reply has already arrived.
    pub(super) fn discard_pending(&self) {
        let mut signals = self.signals();
        let mut context = Context::from_waker(Waker::noop());
        // The next wait for an event reports an error.
        while signals.handle_next(&mut context).unwrap_or(false) {}
        signals.translator.discard();
    }
}
