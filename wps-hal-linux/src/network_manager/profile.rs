//! The settings of our profiles, and the settings of a profile that NetworkManager has.

use std::collections::HashMap;
use std::path::Path;

use wps_core::{AccessPoint, Credentials, Passphrase, Secret, Ssid};
use zbus::{OwnedObjectPath, OwnedVariant};

use super::bus::{OwnedSettings, ProfileSettings, Setting};
use super::uuid::Uuid;
use crate::error::LinuxError;
use crate::system_bus;

/// The key of our tag in the setting `user`, which NetworkManager keeps and does not use. Its value
/// is the name of the interface. A profile is ours if it has this tag and one of our UUIDs: a copy
/// that the user makes has another UUID.
const TAG: &str = "wps-hal-linux.interface";
/// The highest `autoconnect-priority`.
const MAX_PRIORITY: i32 = 999;
/// `NM_SETTING_WIRELESS_SECURITY_WPS_METHOD_DISABLED`. By default, NetworkManager starts a pairing
/// of its own while it fetches the key of a profile.
const WPS_DISABLED: u32 = 1;
/// Programs with which NetworkManager gives addresses to the clients of an access point.
const DNSMASQ: [&str; 3] = ["/usr/sbin/dnsmasq", "/sbin/dnsmasq", "/usr/local/sbin/dnsmasq"];
/// Channels up to this one are in the 2.4 GHz band.
const MAX_CHANNEL_2_4_GHZ: u8 = 14;

/// How often NetworkManager tries to join a network before it pauses for minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retries {
    /// As often as for a profile that a user adds.
    Default,
    /// Without a pause: nothing else brings a device back that has only this network.
    Unlimited,
}

/// Returns the settings of a profile for `network`, as `nmcli device wifi connect` makes them, with
/// our tag.
pub(crate) fn station<'a>(
    interface: &'a str,
    uuid: Uuid,
    network: &'a Credentials,
    priority: i32,
    retries: Retries,
) -> Result<ProfileSettings<'a>, LinuxError> {
    let mut settings = common(interface, uuid, &network.ssid);
    let connection = settings.entry("connection").or_default();
    connection.insert("autoconnect", true.into());
    connection.insert("autoconnect-priority", priority.into());
    if retries == Retries::Unlimited {
        connection.insert("autoconnect-retries", 0_i32.into());
    }
    settings.entry("802-11-wireless").or_default().insert("mode", "infrastructure".into());
    if let Some(key) = network.secret.key().map_err(LinuxError::Wifi)? {
        settings.insert("802-11-wireless-security", security(key)?);
    }
    settings.insert("ipv4", Setting::from([("method", "auto".into())]));
    settings.insert("ipv6", Setting::from([("method", "auto".into())]));
    Ok(settings)
}

/// Lets NetworkManager look for the network of a profile by its name: a hidden network answers only
/// to that.
pub(crate) fn set_hidden(settings: &mut ProfileSettings<'_>) {
    settings.entry("802-11-wireless").or_default().insert("hidden", true.into());
}

/// Returns the settings of a profile that serves `access_point`. `shares` is whether NetworkManager
/// can give addresses to its clients.
pub(crate) fn access_point<'a>(
    interface: &'a str,
    uuid: Uuid,
    access_point: &'a AccessPoint,
    shares: bool,
) -> Result<ProfileSettings<'a>, LinuxError> {
    let AccessPoint { network, channel } = access_point;
    let mut settings = common(interface, uuid, &network.ssid);
    settings.entry("connection").or_default().insert("autoconnect", true.into());
    let wireless = settings.entry("802-11-wireless").or_default();
    wireless.insert("mode", "ap".into());
    if let Some(channel) = channel {
        wireless.insert("band", if *channel <= MAX_CHANNEL_2_4_GHZ { "bg" } else { "a" }.into());
        wireless.insert("channel", u32::from(*channel).into());
    }
    if let Some(key) = network.secret.key().map_err(LinuxError::Wifi)? {
        let mut security = security(key)?;
        for (property, value) in [("proto", "rsn"), ("pairwise", "ccmp"), ("group", "ccmp")] {
            security.insert(property, vec![value].into());
        }
        settings.insert("802-11-wireless-security", security);
    }
    let method = if shares { "shared" } else { "link-local" };
    settings.insert("ipv4", Setting::from([("method", method.into())]));
    settings.insert("ipv6", Setting::from([("method", "link-local".into())]));
    Ok(settings)
}

/// Returns whether NetworkManager can give addresses to the clients of an access point.
pub(crate) fn can_share() -> bool {
    DNSMASQ.iter().any(|it| Path::new(it).exists())
}

/// Returns the settings that all our profiles have.
fn common<'a>(interface: &'a str, uuid: Uuid, ssid: &'a Ssid) -> ProfileSettings<'a> {
    let connection = Setting::from([
        ("id", name(ssid).into()),
        ("uuid", uuid.to_string().into()),
        ("type", "802-11-wireless".into()),
        ("interface-name", interface.into()),
    ]);
    let wireless = Setting::from([("ssid", ssid.as_bytes().into())]);
    let tag = Setting::from([("data", HashMap::from([(TAG, interface)]).into())]);
    HashMap::from([("connection", connection), ("802-11-wireless", wireless), ("user", tag)])
}

/// Returns the name of the network as a text that D-Bus and terminals can have.
fn name(ssid: &Ssid) -> String {
    let text = ssid.to_string();
    text.chars().map(|it| if it.is_control() { char::REPLACEMENT_CHARACTER } else { it }).collect()
}

/// Returns the security with this key. NetworkManager adds WPA3 to `wpa-psk` by itself.
fn security(key: &Passphrase) -> Result<Setting<'_>, LinuxError> {
    let psk = str::from_utf8(key.reveal())
        .map_err(|_| LinuxError::Unsupported("NetworkManager takes only keys that are text"))?;
    Ok(Setting::from([
        ("key-mgmt", "wpa-psk".into()),
        ("psk", psk.into()),
        ("wps-method", WPS_DISABLED.into()),
    ]))
}

/// A profile that NetworkManager has, without its secrets.
#[derive(Debug)]
pub(crate) struct StoredProfile {
    pub(crate) path: OwnedObjectPath,
    pub(crate) settings: OwnedSettings,
}

impl StoredProfile {
    /// Returns the UUID, or `None` if it has another form.
    pub(crate) fn uuid(&self) -> Option<Uuid> {
        Uuid::parse(&self.value::<String>("connection", "uuid")?)
    }

    /// Returns whether this driver has added the profile for `interface`.
    pub(crate) fn is_ours(&self, interface: &str) -> bool {
        let tags = self.value::<HashMap<String, String>>("user", "data").unwrap_or_default();
        tags.get(TAG).is_some_and(|it| it == interface) && self.uuid().is_some_and(Uuid::is_own)
    }

    /// Returns whether the profile is for a Wi-Fi interface: `interface` or any.
    fn may_use(&self, interface: &str) -> bool {
        self.value::<String>("connection", "type").is_some_and(|it| it == "802-11-wireless")
            && self
                .value::<String>("connection", "interface-name")
                .is_none_or(|it| it.is_empty() || it == interface)
    }

    /// Returns whether the profile has this name and mode, and security only if `secret` has a key.
    /// Does not compare the key, which `settings` do not contain.
    fn matches(&self, network: &Credentials, mode: &str) -> bool {
        self.value::<String>("802-11-wireless", "mode").is_some_and(|it| it == mode)
            && self.value::<Vec<u8>>("802-11-wireless", "ssid").as_deref()
                == Some(network.ssid.as_bytes())
            && self.has_security() == matches!(network.secret, Secret::Key(_))
    }

    /// Returns whether [`station`] made this profile for `network`, except that the key may differ.
    pub(crate) fn is_station(&self, network: &Credentials) -> bool {
        self.matches(network, "infrastructure")
    }

    /// Returns whether [`access_point`] made this profile for `access_point`, except that the key
    /// may differ.
    pub(crate) fn is_access_point(&self, access_point: &AccessPoint) -> bool {
        let channel = self.value::<u32>("802-11-wireless", "channel").filter(|it| *it != 0);
        self.matches(&access_point.network, "ap") && channel == access_point.channel.map(u32::from)
    }

    /// Returns whether the network is not open.
    pub(crate) fn has_security(&self) -> bool {
        self.settings.contains_key("802-11-wireless-security")
    }

    fn value<T: TryFrom<OwnedVariant>>(&self, setting: &str, property: &str) -> Option<T> {
        value(&self.settings, setting, property)
    }
}

/// Returns the value of a property.
pub(crate) fn value<T: TryFrom<OwnedVariant>>(
    settings: &OwnedSettings,
    setting: &str,
    property: &str,
) -> Option<T> {
    system_bus::value(settings.get(setting)?, property)
}

/// Returns the priority for a profile of ours: one above the user's profiles for `interface`.
pub(crate) fn priority(profiles: &[StoredProfile], interface: &str) -> i16 {
    let users = profiles.iter().filter(|it| it.may_use(interface) && !it.is_ours(interface));
    let highest =
        users.map(|it| it.value::<i32>("connection", "autoconnect-priority").unwrap_or(0)).max();
    let priority = highest.unwrap_or(-1).saturating_add(1).min(MAX_PRIORITY);
    i16::try_from(priority).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use wps_testkit::{home, network};
    use zbus::Variant;

    use super::*;

    /// Returns these settings as NetworkManager returns them.
    fn stored(settings: ProfileSettings<'_>) -> StoredProfile {
        let owned = |setting: Setting<'_>| {
            let properties = setting.into_iter();
            let properties = properties
                .map(|(name, value)| (name.to_owned(), OwnedVariant::try_from(value).unwrap()));
            properties.collect()
        };
        let settings = settings.into_iter().map(|(name, it)| (name.to_owned(), owned(it)));
        let path = "/org/freedesktop/NetworkManager/Settings/1".try_into().unwrap();
        StoredProfile { path, settings: settings.collect() }
    }

    fn hotspot(channel: Option<u8>) -> AccessPoint {
        AccessPoint { network: network(b"hotspot", b"hotspot key"), channel }
    }

    /// Returns a profile of the user with this priority.
    fn users(kind: &'static str, interface: &'static str, priority: Option<i32>) -> StoredProfile {
        let mut connection = Setting::from([("type", kind.into())]);
        if !interface.is_empty() {
            connection.insert("interface-name", interface.into());
        }
        if let Some(priority) = priority {
            connection.insert("autoconnect-priority", priority.into());
        }
        stored(HashMap::from([("connection", connection)]))
    }

    fn own(priority: i32) -> StoredProfile {
        let (uuid, network) = (Uuid::new_own().unwrap(), home());
        stored(station("wlan0", uuid, &network, priority, Retries::Default).unwrap())
    }

    #[test]
    fn the_profile_of_a_station_is_an_ordinary_one() {
        let (uuid, network) = (Uuid::new_own().unwrap(), home());
        let settings = station("wlan0", uuid, &network, 8, Retries::Default).unwrap();
        let names = |setting: &str| {
            let mut names: Vec<_> = settings[setting].keys().copied().collect();
            names.sort_unstable();
            names
        };
        assert_eq!(
            names("connection"),
            ["autoconnect", "autoconnect-priority", "id", "interface-name", "type", "uuid"]
        );
        assert_eq!(names("802-11-wireless"), ["mode", "ssid"]);
        assert_eq!(names("802-11-wireless-security"), ["key-mgmt", "psk", "wps-method"]);
        assert_eq!(settings["802-11-wireless-security"]["wps-method"], Variant::from(1_u32));
        assert_eq!(settings["connection"]["id"], Variant::from("home"));
        assert_eq!(settings["ipv4"], Setting::from([("method", "auto".into())]));
        assert_eq!(settings["ipv6"], Setting::from([("method", "auto".into())]));
        let profile = stored(settings);
        assert!(profile.is_ours("wlan0") && !profile.is_ours("wlan1"));
        assert!(profile.is_station(&network));
        assert!(profile.is_station(&network_with_key(b"another key")), "the key is not compared");
        assert!(!profile.is_station(&wps_testkit::network(b"home", b"")), "open");
        assert_eq!(profile.uuid(), Some(uuid));
    }

    fn network_with_key(key: &[u8]) -> Credentials {
        network(b"home", key)
    }

    #[test]
    fn an_open_network_has_no_security() {
        let (uuid, open) = (Uuid::new_own().unwrap(), network(b"cafe", b""));
        let settings = station("wlan0", uuid, &open, 0, Retries::Unlimited).unwrap();
        assert!(!settings.contains_key("802-11-wireless-security"));
        assert_eq!(settings["connection"]["autoconnect-retries"], Variant::from(0_i32));
        assert!(stored(settings).is_station(&open));
    }

    #[test]
    fn names_are_bytes_and_titles_are_text() {
        let uuid = Uuid::new_own().unwrap();
        for (ssid, title) in [
            (&b"a\nb\x1b"[..], "a\u{fffd}b\u{fffd}"),
            (b"caf\xe9", "caf\u{fffd}"),
            (b"%;\\", "%;\\"),
        ] {
            let network = network(ssid, b"correct horse");
            let settings = station("wlan0", uuid, &network, 0, Retries::Default).unwrap();
            assert_eq!(settings["connection"]["id"], Variant::from(title));
            assert!(stored(settings).is_station(&network), "{title}");
        }
    }

    #[test]
    fn a_hidden_network_is_looked_for_by_its_name() {
        let network = home();
        let mut settings =
            station("wlan0", Uuid::new_own().unwrap(), &network, 0, Retries::Default).unwrap();
        set_hidden(&mut settings);
        assert_eq!(settings["802-11-wireless"]["hidden"], Variant::from(true));
        assert!(stored(settings).is_station(&network));
    }

    #[test]
    fn a_key_that_is_not_text_is_unsupported() {
        let network = network(b"home", b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe");
        let made = station("wlan0", Uuid::new_own().unwrap(), &network, 0, Retries::Default);
        assert!(matches!(made, Err(LinuxError::Unsupported(_))));
    }

    #[test]
    fn the_profile_of_an_access_point_has_its_channel_and_addresses() {
        let uuid = Uuid::new_own().unwrap();
        for (channel, band) in
            [(Some(1), Some("bg")), (Some(14), Some("bg")), (Some(36), Some("a"))]
                .into_iter()
                .chain([(None, None)])
        {
            let hotspot = hotspot(channel);
            let settings = access_point("wlan0", uuid, &hotspot, true).unwrap();
            let wireless = &settings["802-11-wireless"];
            assert_eq!(wireless.get("band").cloned(), band.map(Variant::from));
            assert_eq!(wireless["mode"], Variant::from("ap"));
            assert_eq!(settings["802-11-wireless-security"]["proto"], Variant::from(vec!["rsn"]));
            assert_eq!(settings["ipv4"]["method"], Variant::from("shared"));
            let profile = stored(settings);
            assert!(profile.is_access_point(&hotspot));
            assert!(!profile.is_access_point(&self::hotspot(Some(6))));
        }
        let hotspot = hotspot(None);
        let settings = access_point("wlan0", uuid, &hotspot, false).unwrap();
        assert_eq!(settings["ipv4"]["method"], Variant::from("link-local"), "without dnsmasq");
    }

    #[test]
    fn only_a_profile_with_our_tag_and_our_uuid_is_ours() {
        let (network, users) = (home(), Uuid::parse("11111111-2222-3333-4444-555555555555"));
        let copied = station("wlan0", users.unwrap(), &network, 0, Retries::Default).unwrap();
        assert!(!stored(copied).is_ours("wlan0"), "a copy that a user has made");
        let own = Uuid::new_own().unwrap();
        let mut untagged = station("wlan0", own, &network, 0, Retries::Default).unwrap();
        untagged.remove("user");
        assert!(!stored(untagged).is_ours("wlan0"));
    }

    #[test]
    fn the_priority_is_one_above_the_users_highest() {
        const WIFI: &str = "802-11-wireless";
        let wired = || users("802-3-ethernet", "", Some(500));
        for (profiles, expected) in [
            (vec![], 0),
            (vec![wired()], 0),
            (vec![users(WIFI, "", None)], 1),
            (vec![users(WIFI, "", Some(-7))], -6),
            (vec![users(WIFI, "wlan0", Some(7)), users(WIFI, "", Some(3)), wired()], 8),
            (vec![users(WIFI, "wlan1", Some(50)), users(WIFI, "", Some(3))], 4),
            (vec![users(WIFI, "", Some(3)), own(200)], 4),
            (vec![users(WIFI, "", Some(998))], 999),
            (vec![users(WIFI, "", Some(999))], 999),
            (vec![users(WIFI, "", Some(i32::MAX))], 999),
            (vec![users(WIFI, "", Some(i32::MIN))], 0),
        ] {
            assert_eq!(priority(&profiles, "wlan0"), expected);
        }
    }
}
