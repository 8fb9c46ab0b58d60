//! Translates wpa_supplicant's signals into the events of its control socket.
//!
//! D-Bus has no events for some things, but the state of the interface shows them.

use std::collections::{HashMap, VecDeque};
use std::mem;

use wps_core::wsc::{Bssid, CredentialError};
use zbus::{Message, OwnedObjectPath, OwnedVariant};
use zeroize::Zeroizing;

use super::objects::network_id;
use super::proxy::{INTERFACE, WPS};
use crate::supplicant::event::{Event, RefusedBy};
use crate::system_bus::{NO_OBJECT, Properties, value};

/// The standard D-Bus interface for properties.
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// Status codes with which an access point goes on with SAE: success, and "hash to element".
const SAE_CONTINUES: [i32; 2] = [0, 126];
/// The status code with which an access point asks for its token before SAE.
const SAE_TOKEN_REQUIRED: i32 = 76;
/// The number of SAE's messages.
const SAE_MESSAGES: u32 = 2;
/// The reason with which a router ends the association after a WPS exchange (IEEE 802.1X failed).
const REASON_802_1X_FAILED: i32 = 23;
/// The reason that the elements of the handshake differ, which does not concern the key.
const REASON_ELEMENTS_DIFFER: i32 = 17;
/// An error of the kernel that is not known: a signal does not report it.
const UNKNOWN_ERROR: i32 = 0;

// Attributes of WPS, and flags in two of them.
const CREDENTIAL: u16 = 0x100e;
const SSID: u16 = 0x1045;
const AUTHENTICATION_TYPE: u16 = 0x1003;
const ENCRYPTION_TYPE: u16 = 0x100f;
const NETWORK_KEY: u16 = 0x1027;
const AUTHENTICATION_TYPES: [(&str, u16); 5] =
    [("open", 0x01), ("wpa-psk", 0x02), ("wpa-eap", 0x08), ("wpa2-eap", 0x10), ("wpa2-psk", 0x20)];
const ENCRYPTION_TYPES: [(&str, u16); 3] = [("none", 0x01), ("tkip", 0x04), ("aes", 0x08)];

/// What signals do not say, so it must be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// The current network.
    Network,
    /// The address of the access point at this path.
    Bssid(OwnedObjectPath),
}

/// The state of the interface as far as its signals have shown it, and the events that follow from
/// them.
#[derive(Debug, Default)]
pub(super) struct Translator {
    /// The name of the state in lower case, such as `completed`.
    state: String,
    /// wpa_supplicant's id of the current network.
    network: Option<u32>,
    /// The current access point.
    bssid: Option<Bssid>,
    lookups: Vec<Lookup>,
    /// Whether the connection has never been complete.
    is_new: bool,
    /// The messages with which the access point has accepted this authentication.
    accepted: u32,
    events: VecDeque<Event>,
}

impl Translator {
    /// Handles the state at the beginning, in which nothing is an event.
    pub(super) fn begin(&mut self, properties: &Properties) {
        self.on_properties(properties);
        self.is_new = self.state != "completed";
        self.discard();
    }

    /// Returns the next event.
    pub(super) fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Discards the events.
    pub(super) fn discard(&mut self) {
        self.events.clear();
    }

    /// Returns what must be read before the next signal is handled.
    pub(super) fn lookup(&self) -> Option<&Lookup> {
        self.lookups.first()
    }

    /// Handles the id of the current network, or `None` if wpa_supplicant has left it.
    pub(super) fn on_network(&mut self, id: Option<u32>) {
        self.lookups.retain(|it| *it != Lookup::Network);
        self.network = id.or(self.network);
    }

    /// Handles the address of an access point. `None` if it is gone.
    pub(super) fn on_bssid(&mut self, path: &OwnedObjectPath, bssid: Option<Bssid>) {
        let length = self.lookups.len();
        self.lookups.retain(|it| !matches!(it, Lookup::Bssid(it) if it == path));
        // Otherwise another one is the current one by now.
        if self.lookups.len() < length {
            self.bssid = bssid;
        }
    }

    /// Handles a signal of the interface.
    pub(super) fn on_signal(&mut self, signal: &Message) {
        let header = signal.header();
        let (interface, member) = (header.interface(), header.member());
        let (Some(interface), Some(member)) = (interface, member) else { return };
        let body = signal.body();
        let event = match (interface.as_str(), member.as_str()) {
            (PROPERTIES, "PropertiesChanged") => {
                match body.deserialize::<(String, Properties, Vec<String>)>() {
                    Ok((interface, properties, _)) if interface == INTERFACE => {
                        self.on_properties(&properties);
                        None
                    }
                    Ok(_) => None,
                    Err(_) => Some(Event::Malformed),
                }
            }
            (INTERFACE, "ScanDone") => Some(match body.deserialize() {
                Ok(true) => Event::ScanResults,
                Ok(false) => Event::ScanFailed(UNKNOWN_ERROR),
                Err(_) => Event::Malformed,
            }),
            (INTERFACE, "NetworkSelected") => {
                let path = body.deserialize::<OwnedObjectPath>();
                self.network = path.ok().and_then(|it| network_id(&it));
                None
            }
            (INTERFACE, "NetworkRemoved") => {
                let path = body.deserialize::<OwnedObjectPath>();
                let id = path.ok().and_then(|it| network_id(&it));
                Some(id.map_or(Event::Malformed, |id| Event::NetworkRemoved { id }))
            }
            (INTERFACE, "EAP") => match body.deserialize::<(String, String)>() {
                Ok((status, _)) => (status == "started").then_some(Event::EapStarted),
                Err(_) => Some(Event::Malformed),
            },
            (WPS, "Credentials") => Some(match body.deserialize().map(credential) {
                Ok(Some(attributes)) => Event::Credentials(attributes),
                Ok(None) | Err(_) => Event::Malformed,
            }),
            (WPS, "Event") => match body.deserialize::<(String, Properties)>() {
                Ok((name, arguments)) => wps_event(&name, &arguments),
                Err(_) => Some(Event::Malformed),
            },
            _ => None,
        };
        self.events.extend(event);
    }

    /// Handles changed properties of the interface.
    fn on_properties(&mut self, properties: &Properties) {
        if let Some(path) = value::<OwnedObjectPath>(properties, "CurrentNetwork") {
            self.network = network_id(&path);
        }
        if let Some(path) = value::<OwnedObjectPath>(properties, "CurrentBSS") {
            self.bssid = None;
            self.lookups.retain(|it| *it == Lookup::Network);
            self.lookups.extend((path.as_str() != NO_OBJECT).then_some(Lookup::Bssid(path)));
        }
        if let Some(state) = value::<String>(properties, "State") {
            self.on_state(state);
        }
        if let Some(status) = value::<i32>(properties, "AuthStatusCode") {
            self.on_authentication(status);
        }
        if let Some(status) = value::<i32>(properties, "AssocStatusCode").filter(|it| *it != 0) {
            self.events.push_back(self.rejected(status));
        }
        if let Some(reason) = value::<i32>(properties, "DisconnectReason") {
            self.on_disconnected(reason);
        }
    }

    fn on_state(&mut self, state: String) {
        let previous = mem::replace(&mut self.state, state);
        if self.state == previous {
            return;
        }
        // Not every card authenticates separately.
        let is_beginning = |it: &str| matches!(it, "authenticating" | "associating" | "associated");
        if is_beginning(&self.state) && !is_beginning(&previous) {
            self.accepted = 0;
            // There is no signal for the current network.
            self.lookups.retain(|it| *it != Lookup::Network);
            self.lookups.insert(0, Lookup::Network);
        }
        match self.state.as_str() {
            "completed" => {
                self.is_new = false;
                self.events.extend(self.network.map(|id| Event::Connected { id }));
            }
            // Also when keys are renewed.
            "4way_handshake" | "group_handshake" => {}
            _ => self.is_new = true,
        }
    }

    /// Handles the status of a message of the access point that answers an authentication. SAE has
    /// two messages, and the second one says whether the key is right.
    fn on_authentication(&mut self, status: i32) {
        if SAE_CONTINUES.contains(&status) {
            self.accepted += 1;
        } else if status != SAE_TOKEN_REQUIRED {
            let is_confirm = self.accepted == SAE_MESSAGES - 1;
            self.events.push_back(match self.network {
                Some(id) if is_confirm => Event::KeyRefused(RefusedBy::Network(id)),
                _ => self.rejected(status),
            });
            self.accepted = 0;
        }
    }

    fn rejected(&self, status: i32) -> Event {
        Event::Rejected { bssid: self.bssid, status: status.try_into().unwrap_or(0) }
    }

    /// Handles the end of a link, or of an attempt to establish one. `reason` is negative if this
    /// side has ended it. The state is still that from before.
    fn on_disconnected(&mut self, reason: i32) {
        self.events.push_back(Event::Disconnected { bssid: self.bssid });
        let Some(id) = self.network else { return };
        if reason.saturating_abs() == REASON_802_1X_FAILED {
            self.events.push_back(Event::TempDisabled { id });
        }
        // SAE has checked the key before the handshake.
        let is_sae = mem::take(&mut self.accepted) >= SAE_MESSAGES;
        if self.state == "4way_handshake"
            && self.is_new
            && !is_sae
            && reason != -REASON_ELEMENTS_DIFFER
        {
            self.events.push_back(Event::KeyRefused(RefusedBy::Network(id)));
        }
    }
}

/// Translates an event of WPS.
fn wps_event(name: &str, arguments: &Properties) -> Option<Event> {
    let number = |name| {
        let signed = value::<i32>(arguments, name).and_then(|it| u16::try_from(it).ok());
        signed.or_else(|| value(arguments, name)).unwrap_or(0)
    };
    match name {
        "success" => Some(Event::WpsSuccess),
        "pbc-overlap" => Some(Event::WpsOverlap),
        "m2d" => Some(Event::WpsM2d(number("config_error"))),
        // `enum wps_error_indication` in hostap.
        "fail" => Some(match number("error_indication") {
            1 => Event::WpsUnusable(CredentialError::TkipOnly),
            2 => Event::WpsUnusable(CredentialError::Wep),
            _ => Event::WpsFail(number("config_error")),
        }),
        _ => None,
    }
}

/// Encodes credentials as the attribute in which the router has sent them. Returns `None` if there
/// is no name.
fn credential(mut values: HashMap<String, OwnedVariant>) -> Option<Zeroizing<Vec<u8>>> {
    // Moved, not copied. The copy in the bus's buffer cannot be wiped.
    let key = values.remove("Key").and_then(|it| Vec::<u8>::try_from(it).ok());
    let key = Zeroizing::new(key.unwrap_or_default());
    let ssid: Vec<u8> = value(&values, "SSID")?;
    let flags = |name, types: &[(&str, u16)]| {
        let names: Vec<String> = value(&values, name).unwrap_or_default();
        let set = types.iter().filter(|(name, _)| names.iter().any(|it| it == name));
        set.fold(0, |flags, (_, flag)| flags | flag).to_be_bytes()
    };
    let authentication = flags("AuthType", &AUTHENTICATION_TYPES);
    let encryption = flags("EncrType", &ENCRYPTION_TYPES);
    let attributes = [
        (SSID, ssid.as_slice()),
        (AUTHENTICATION_TYPE, &authentication),
        (ENCRYPTION_TYPE, &encryption),
        (NETWORK_KEY, &key),
    ];
    // As long as needed, so that no copy is left behind by a reallocation.
    let length: usize = attributes.iter().map(|(_, value)| 4 + value.len()).sum();
    let mut encoded = Zeroizing::new(Vec::with_capacity(4 + length));
    encoded.extend(CREDENTIAL.to_be_bytes());
    encoded.extend(u16::try_from(length).ok()?.to_be_bytes());
    for (kind, value) in attributes {
        encoded.extend(kind.to_be_bytes());
        encoded.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
        encoded.extend(value);
    }
    Some(encoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wps_core::wsc::credentials;
    use wps_core::{BssInfo, Security};
    use wps_testkit::{home, network};
    use zbus::{ObjectPath, Variant};

    use super::*;

    const PATH: &str = "/fi/w1/wpa_supplicant1/Interfaces/0";
    const BSSID: Bssid = Bssid([2, 0, 0, 0, 0, 1]);

    fn path(end: &str) -> OwnedObjectPath {
        OwnedObjectPath::try_from(format!("{PATH}/{end}")).unwrap()
    }

    fn object(end: &str) -> Variant<'static> {
        ObjectPath::from(path(end)).into()
    }

    fn changed(translator: &mut Translator, list: &[(&str, Variant<'_>)]) -> Vec<Event> {
        let properties: HashMap<_, _> = list.iter().map(|(name, it)| (*name, it)).collect();
        let body = (INTERFACE, properties, Vec::<&str>::new());
        let signal = Message::signal(PATH, PROPERTIES, "PropertiesChanged");
        events(translator, &signal.build(&body).unwrap())
    }

    fn events(translator: &mut Translator, signal: &Message) -> Vec<Event> {
        translator.on_signal(signal);
        std::iter::from_fn(|| translator.next()).collect()
    }

    fn signal<B>(interface: &str, member: &str, body: &B) -> Vec<Event>
    where
        B: zbus::export::serde::Serialize + zbus::wire::DynamicType,
    {
        let signal = Message::signal(PATH, interface, member).build(body).unwrap();
        events(&mut Translator::default(), &signal)
    }

    /// Returns the translator after an attempt to join network 3 has got as far as `state`, with
    /// these answers to the authentication.
    fn joining(statuses: &[i32], state: &'static str) -> Translator {
        let mut translator = Translator::default();
        let start = [("State", "authenticating".into()), ("CurrentBSS", object("BSSs/7"))];
        assert_eq!(changed(&mut translator, &start), []);
        let of = Lookup::Bssid(path("BSSs/7"));
        assert_eq!(translator.lookups, [Lookup::Network, of]);
        translator.on_network(Some(3));
        translator.on_bssid(&path("BSSs/7"), Some(BSSID));
        assert_eq!(translator.lookup(), None);
        for status in statuses {
            let events = changed(&mut translator, &[("AuthStatusCode", (*status).into())]);
            assert_eq!(events, []);
        }
        assert_eq!(changed(&mut translator, &[("State", state.into())]), []);
        translator
    }

    fn disconnected() -> Event {
        Event::Disconnected { bssid: Some(BSSID) }
    }

    fn rejected(status: u16) -> Event {
        Event::Rejected { bssid: Some(BSSID), status }
    }

    fn refused() -> Event {
        Event::KeyRefused(RefusedBy::Network(3))
    }

    #[test]
    fn a_connection_is_complete_once() {
        let mut translator = joining(&[0], "4way_handshake");
        let completed = [("State", "completed".into())];
        assert_eq!(changed(&mut translator, &completed), [Event::Connected { id: 3 }]);
        assert_eq!(changed(&mut translator, &completed), []);
        // A link that ends later does not concern the key.
        assert_eq!(changed(&mut translator, &[("State", "4way_handshake".into())]), []);
        let gone = [("DisconnectReason", 3_i32.into())];
        assert_eq!(changed(&mut translator, &gone), [disconnected()]);
    }

    #[test]
    fn a_link_that_breaks_in_the_handshake_refuses_the_key() {
        let ends = |statuses: &[i32], state, reason: i32| {
            changed(&mut joining(statuses, state), &[("DisconnectReason", reason.into())])
        };
        assert_eq!(ends(&[0], "4way_handshake", 15), [disconnected(), refused()]);
        assert_eq!(ends(&[0], "4way_handshake", -3), [disconnected(), refused()]);
        assert_eq!(ends(&[0], "4way_handshake", -17), [disconnected()], "elements differ");
        assert_eq!(ends(&[0, 0], "4way_handshake", 15), [disconnected()], "SAE has checked it");
        assert_eq!(ends(&[0], "associating", 3), [disconnected()]);
        let late = [disconnected(), Event::TempDisabled { id: 3 }];
        assert_eq!(ends(&[0], "associated", 23), late, "after a WPS exchange");
    }

    #[test]
    fn the_second_message_of_sae_refuses_the_key() {
        let ends = |statuses: &[i32], status: i32| {
            let mut translator = joining(statuses, "authenticating");
            changed(&mut translator, &[("AuthStatusCode", status.into())])
        };
        assert_eq!(ends(&[0], 1), [refused()]);
        assert_eq!(ends(&[126], 15), [refused()]);
        assert_eq!(ends(&[76, 126], 1), [refused()], "after a token");
        assert_eq!(ends(&[], 77), [rejected(77)], "the group is not supported");
        assert_eq!(ends(&[], 17), [rejected(17)]);
        let mut translator = joining(&[0], "associating");
        let refused = [("AssocStatusCode", 17_i32.into())];
        assert_eq!(changed(&mut translator, &refused), [rejected(17)]);
    }

    #[test]
    fn what_was_at_the_beginning_is_no_event() {
        let mut translator = Translator::default();
        let properties =
            [("State", Variant::from("completed")), ("CurrentNetwork", object("Networks/3"))];
        let owned =
            properties.map(|(name, it)| (name.to_owned(), OwnedVariant::try_from(it).unwrap()));
        translator.begin(&owned.into_iter().collect());
        assert_eq!(translator.next(), None);
        let gone = [("DisconnectReason", 3_i32.into())];
        assert_eq!(changed(&mut translator, &gone), [Event::Disconnected { bssid: None }]);
    }

    #[test]
    fn other_signals_have_their_events() {
        let started = ("started", "");
        assert_eq!(signal(INTERFACE, "EAP", &started), [Event::EapStarted]);
        assert_eq!(signal(INTERFACE, "EAP", &("completion", "success")), []);
        assert_eq!(signal(INTERFACE, "ScanDone", &true), [Event::ScanResults]);
        assert_eq!(signal(INTERFACE, "ScanDone", &false), [Event::ScanFailed(0)]);
        assert_eq!(signal(INTERFACE, "ScanDone", &"yes"), [Event::Malformed]);
        let removed = path("Networks/4");
        assert_eq!(
            signal(INTERFACE, "NetworkRemoved", &removed),
            [Event::NetworkRemoved { id: 4 }]
        );
        assert_eq!(signal("org.example", "ScanDone", &true), []);
        let none = HashMap::<&str, Variant<'_>>::new;
        assert_eq!(signal(WPS, "Event", &("success", none())), [Event::WpsSuccess]);
        assert_eq!(signal(WPS, "Event", &("pbc-overlap", none())), [Event::WpsOverlap]);
        let m2d = HashMap::from([("config_error", Variant::from(12_u16))]);
        assert_eq!(signal(WPS, "Event", &("m2d", m2d)), [Event::WpsM2d(12)]);
        let fail = |config_error: i32, indication: i32| {
            let arguments = HashMap::from([
                ("config_error", Variant::from(config_error)),
                ("error_indication", indication.into()),
            ]);
            signal(WPS, "Event", &("fail", arguments))
        };
        assert_eq!(fail(12, 0), [Event::WpsFail(12)]);
        assert_eq!(fail(0, 1), [Event::WpsUnusable(CredentialError::TkipOnly)]);
        assert_eq!(fail(0, 2), [Event::WpsUnusable(CredentialError::Wep)]);
    }

    #[test]
    fn credentials_are_those_that_the_router_has_sent() {
        let received = |authentication: &'static str, encryption: &'static str, key: &[u8]| {
            let body = HashMap::from([
                ("SSID", Variant::from(b"home".to_vec())),
                ("AuthType", authentication.split(' ').collect::<Vec<_>>().into()),
                ("EncrType", encryption.split(' ').collect::<Vec<_>>().into()),
                ("Key", key.to_vec().into()),
            ]);
            let events = signal(WPS, "Credentials", &body);
            let [Event::Credentials(attributes)] = events.as_slice() else { panic!("{events:?}") };
            let security = Some(Security::Open);
            let access_point = BssInfo { security, ..BssInfo::new(Bssid([2; 6])) };
            credentials(attributes, &access_point)
        };
        let key = wps_testkit::key(&home()).to_vec();
        assert_eq!(received("wpa2-psk", "aes", &key).unwrap(), [home()]);
        assert_eq!(received("wpa-psk wpa2-psk", "tkip aes", &key).unwrap(), [home()]);
        assert_eq!(received("open", "none", b"").unwrap(), [network(b"home", b"")]);
        assert_eq!(received("wpa-psk", "tkip", &key).unwrap(), [home()]);
        let nothing = HashMap::<&str, Variant<'_>>::new();
        assert_eq!(signal(WPS, "Credentials", &nothing), [Event::Malformed]);
    }

    proptest! {
        #[test]
        fn any_changes_translate_without_a_panic(
            state: String,
            path: String,
            codes: [i32; 3],
        ) {
            let mut translator = Translator::default();
            for end in ["Networks/3", &path] {
                let Ok(object) = ObjectPath::try_from(format!("{PATH}/{end}")) else { continue };
                let object = Variant::from(object);
                changed(&mut translator, &[
                    ("State", state.as_str().into()),
                    ("CurrentNetwork", object.try_clone().unwrap()),
                    ("CurrentBSS", object),
                    ("AuthStatusCode", codes[0].into()),
                    ("AssocStatusCode", codes[1].into()),
                    ("DisconnectReason", codes[2].into()),
                ]);
            }
        }
    }
}
