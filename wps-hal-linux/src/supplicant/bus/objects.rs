//! Decodes the properties of wpa_supplicant's objects: access points and networks.

use std::collections::HashMap;

use wps_core::Ssid;
use wps_core::wsc::Bssid;
use zbus::OwnedObjectPath;
use zeroize::Zeroizing;

use crate::supplicant::bss::{Bss, BssSummary, UNKNOWN_SECURITY};
use crate::supplicant::bss_table::Sighting;
use crate::supplicant::reply::Network;
use crate::system_bus::{Properties, value};

/// Returns the number at the end of a path, if the path is that of a network.
pub(super) fn network_id(path: &str) -> Option<u32> {
    path.rsplit_once("/Networks/")?.1.parse().ok()
}

/// An entry of the BSS table.
pub(super) struct BssEntry {
    pub(super) summary: BssSummary,
    ssid: Option<Ssid>,
    /// The elements of the latest probe response, or of a beacon if there was none.
    elements: Vec<u8>,
}

impl BssEntry {
    /// Decodes the properties of an access point. Returns `None` if it has no address.
    pub(super) fn new(properties: &Properties) -> Option<Self> {
        let ssid: Vec<u8> = value(properties, "SSID").unwrap_or_default();
        let is_visible = ssid.iter().any(|&byte| byte != 0);
        Some(Self {
            summary: BssSummary {
                bssid: bssid(properties)?,
                frequency_mhz: value(properties, "Frequency"),
                signal_dbm: value(properties, "Signal"),
                tsf: None,
                age_seconds: value::<u32>(properties, "Age").map(u64::from),
                flags: flags(properties),
            },
            ssid: Ssid::new(&ssid).ok().filter(|_| is_visible),
            elements: value(properties, "IEs").unwrap_or_default(),
        })
    }

    /// Returns the access point. Only the elements of its latest probe response are known, or of a
    /// beacon if there was none.
    pub(super) fn bss(&self) -> Bss {
        Bss::new(&self.summary, &self.elements, None)
    }

    /// Returns where and when the access point was last seen.
    pub(super) fn sighting(self) -> Option<Sighting> {
        let BssSummary { frequency_mhz, age_seconds, .. } = self.summary;
        Some(Sighting { ssid: self.ssid, frequency_mhz: frequency_mhz?, age_seconds: age_seconds? })
    }
}

/// Returns the address of an access point.
pub(super) fn bssid(properties: &Properties) -> Option<Bssid> {
    Some(Bssid(value::<Vec<u8>>(properties, "BSSID")?.try_into().ok()?))
}

/// Returns the security as in the flags on the control socket. Names of key managements may differ
/// in the order of their parts.
fn flags(properties: &Properties) -> String {
    let security = |name| {
        let details: Properties = value(properties, name)?;
        let list = |name| value::<Vec<String>>(&details, name).unwrap_or_default();
        let (key_mgmt, pairwise) = (list("KeyMgmt"), list("Pairwise"));
        // Both lists are empty if the access point has no such element.
        let text = format!("{}-{}]", key_mgmt.join("+"), pairwise.join("+")).to_uppercase();
        (text != "-]").then_some(text)
    };
    let mut flags = String::new();
    let (wpa, rsn) = (security("WPA"), security("RSN"));
    if wpa.is_none() && rsn.is_none() {
        match value(properties, "Privacy") {
            Some(true) => flags += "[WEP]",
            Some(false) => {}
            // Without any flag it would count as open.
            None => flags += UNKNOWN_SECURITY,
        }
    }
    wpa.into_iter().for_each(|it| flags += &format!("[WPA-{it}"));
    rsn.into_iter().for_each(|it| flags += &format!("[WPA2-{it}"));
    let wps: Option<Properties> = value(properties, "WPS");
    match wps.and_then(|it| value::<String>(&it, "Type")).as_deref() {
        None => {}
        Some("pbc") => flags += "[WPS-PBC]",
        Some(_) => flags += "[WPS]",
    }
    flags
}

/// The variables of a network that this driver reads. wpa_supplicant sends them all, with the keys.
#[derive(Debug, Default)]
pub(super) struct Variables(HashMap<&'static str, String>);

impl Variables {
    /// The names of the variables, none of which is secret.
    const NAMES: [&str; 6] = ["disabled", "frequency", "id_str", "key_mgmt", "mode", "ssid"];

    /// Takes the variables out of the properties, and wipes the others. The copy in the bus's
    /// buffer cannot be wiped.
    pub(super) fn new(properties: Properties) -> Self {
        let mut found = HashMap::new();
        for (name, value) in properties {
            let Ok(value) = String::try_from(value) else { continue };
            match Self::NAMES.into_iter().find(|it| *it == name) {
                Some(name) => drop(found.insert(name, value)),
                None => drop(Zeroizing::new(value)),
            }
        }
        Self(found)
    }

    /// Returns a variable, or an empty text if it is not set.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Returns the network's name: a text in quotes, or hex digits.
    pub(super) fn ssid(&self) -> Option<Ssid> {
        let value = self.get("ssid");
        let quoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        match quoted {
            Some(text) => Ssid::new(text.as_bytes()).ok(),
            None => Ssid::new(&base16ct::mixed::decode_vec(value).ok()?).ok(),
        }
    }

    /// Returns whether the network is one that the interface serves.
    pub(super) fn is_access_point(&self) -> bool {
        self.get("mode") == "2"
    }

    /// Returns the entry of the list of networks for the network at this path.
    pub(super) fn network(
        &self,
        path: &OwnedObjectPath,
        current: &OwnedObjectPath,
    ) -> Option<Network> {
        Some(Network {
            id: network_id(path)?,
            name: self.get("ssid").into(),
            current: path == current,
            enabled: self.get("disabled") != "1",
            temp_disabled: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use wps_core::Security;
    use zbus::{OwnedVariant, Variant};

    use super::*;

    fn owned(value: Variant<'_>) -> OwnedVariant {
        value.try_into().unwrap()
    }

    fn properties<'a>(list: impl IntoIterator<Item = (&'a str, Variant<'a>)>) -> Properties {
        list.into_iter().map(|(name, it)| (name.to_owned(), owned(it))).collect()
    }

    fn details(key_mgmt: &'static str, pairwise: &'static str) -> Variant<'static> {
        let list = |text: &'static str| Variant::from(text.split(' ').collect::<Vec<_>>());
        HashMap::from([("KeyMgmt", list(key_mgmt)), ("Pairwise", list(pairwise))]).into()
    }

    fn none() -> Variant<'static> {
        HashMap::<&str, Variant<'_>>::new().into()
    }

    #[test]
    fn an_access_point_is_decoded() {
        let wps = HashMap::from([("Type", Variant::from("pbc"))]);
        let elements = pressed_elements();
        let entry = BssEntry::new(&properties([
            ("SSID", b"home".to_vec().into()),
            ("BSSID", vec![2_u8, 0, 0, 0, 0, 1].into()),
            ("Frequency", 2437_u16.into()),
            ("Signal", (-61_i16).into()),
            ("Age", 2_u32.into()),
            ("Privacy", true.into()),
            ("WPA", none()),
            ("RSN", details("wpa-psk sae", "ccmp")),
            ("WPS", wps.into()),
            ("IEs", elements.into()),
        ]));
        let entry = entry.unwrap();
        assert!(entry.summary.has_wps());
        assert_eq!(entry.summary.flags, "[WPA2-WPA-PSK+SAE-CCMP][WPS-PBC]");
        let bss = entry.bss();
        assert_eq!(bss.info.security, Some(Security::Wpa2Wpa3));
        let wps = bss.into_wps().unwrap();
        assert!(wps.pressed && wps.age_seconds == 2);
        assert_eq!(wps.router.frequency_mhz, 2437);
        let sighting = entry.sighting().unwrap();
        assert_eq!(sighting.ssid, Ssid::new(b"home").ok());
        assert_eq!((sighting.frequency_mhz, sighting.age_seconds), (2437, 2));
    }

    /// The elements of an access point whose button is pressed.
    fn pressed_elements() -> Vec<u8> {
        let name = b"\x00\x04home";
        let wps =
            b"\xdd\x19\x00\x50\xf2\x04\x10\x4a\x00\x01\x10\x10\x44\x00\x01\x02\x10\x41\x00\x01\x01\
                    \x10\x12\x00\x02\x00\x04";
        [&name[..], wps].concat()
    }

    fn no_texts() -> Variant<'static> {
        Vec::<&str>::new().into()
    }

    #[test]
    fn flags_are_those_of_the_control_socket() {
        let flags = |wpa, rsn, privacy: bool| {
            super::flags(&properties([("WPA", wpa), ("RSN", rsn), ("Privacy", privacy.into())]))
        };
        let (psk, tkip) = (|| details("wpa-psk", "ccmp"), || details("wpa-psk", "tkip"));
        assert_eq!(flags(none(), none(), false), "");
        assert_eq!(flags(none(), none(), true), "[WEP]");
        assert_eq!(super::flags(&properties([])), UNKNOWN_SECURITY);
        let empty = HashMap::from([("KeyMgmt", no_texts()), ("Pairwise", no_texts())]);
        assert_eq!(flags(empty.into(), psk(), true), "[WPA2-WPA-PSK-CCMP]");
        assert_eq!(flags(none(), psk(), true), "[WPA2-WPA-PSK-CCMP]");
        assert_eq!(flags(tkip(), psk(), true), "[WPA-WPA-PSK-TKIP][WPA2-WPA-PSK-CCMP]");
    }

    #[test]
    fn only_variables_that_are_not_secret_are_kept() {
        let variables = Variables::new(properties([
            ("ssid", "\"home\"".into()),
            ("psk", "\"correct horse\"".into()),
            ("sae_password", "\"correct horse\"".into()),
            ("disabled", "1".into()),
            ("mode", "2".into()),
        ]));
        assert!(!format!("{variables:?}").contains("horse"));
        assert!(variables.is_access_point());
        let path = |id: u32| {
            let path = format!("/fi/w1/wpa_supplicant1/Interfaces/0/Networks/{id}");
            OwnedObjectPath::try_from(path).unwrap()
        };
        let network = variables.network(&path(3), &path(4)).unwrap();
        assert_eq!((network.id, network.current, network.enabled), (3, false, false));
        assert_eq!(network_id("/fi/w1/wpa_supplicant1/Interfaces/0"), None);
    }

    #[test]
    fn names_are_in_quotes_or_in_hex_digits() {
        let ssid = |text| Variables::new(properties([("ssid", Variant::from(text))])).ssid();
        assert_eq!(ssid("\"home\""), Ssid::new(b"home").ok());
        assert_eq!(ssid("\"a\"b\""), Ssid::new(b"a\"b").ok());
        assert_eq!(ssid("ff00"), Ssid::new(b"\xff\x00").ok());
        for text in ["", "\"", "home", "\"\""] {
            assert_eq!(ssid(text), None, "{text}");
        }
    }
}
