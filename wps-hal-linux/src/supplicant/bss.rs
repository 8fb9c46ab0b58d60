//! Decodes the entries of wpa_supplicant's BSS table.

use wps_core::wsc::{Advertisement, Bssid, Router};
use wps_core::{BssInfo, Ssid};
use wps_core::{Cipher, Security};

use super::reply::Values;

/// Stands among the flags of an access point whose security could not be read.
pub(crate) const UNKNOWN_SECURITY: &str = "[?]";

/// Splits a reply to `BSS RANGE=…` into its entries, each with its id.
pub(crate) fn bss_entries(reply: &str) -> impl Iterator<Item = (u32, Values<'_>)> {
    let entries = reply.strip_prefix("id=").into_iter().flat_map(|rest| rest.split("\nid="));
    entries.filter_map(|entry| {
        let (id, rest) = entry.split_once('\n').unwrap_or((entry, ""));
        Some((id.parse().ok()?, Values::parse(rest)))
    })
}

/// The short fields of an entry of the BSS table.
#[derive(Clone, Debug)]
pub(crate) struct BssSummary {
    pub(crate) bssid: Bssid,
    pub(crate) frequency_mhz: Option<u16>,
    pub(crate) signal_dbm: Option<i16>,
    /// The access point's clock when it has sent the latest frame, in microseconds.
    pub(crate) tsf: Option<u64>,
    /// The whole seconds since it was last seen.
    pub(crate) age_seconds: Option<u64>,
    /// The flags as on the control socket, such as `[WPA2-PSK-CCMP][WPS-PBC][ESS]`.
    pub(crate) flags: String,
}

impl BssSummary {
    /// Parses an entry. Returns `None` if it has no address.
    pub(crate) fn parse(entry: &Values<'_>) -> Option<Self> {
        Some(Self {
            bssid: entry.bssid("bssid")?,
            frequency_mhz: entry.number("freq"),
            signal_dbm: entry.number("level"),
            tsf: entry.number("tsf"),
            age_seconds: entry.number("age"),
            flags: entry.text("flags").unwrap_or_default().into(),
        })
    }

    /// Returns whether the access point has WPA2 or WPA3.
    pub(super) fn has_rsn(&self) -> bool {
        self.flags.contains("[WPA2-")
    }

    /// Returns whether the access point has WPS.
    pub(crate) fn has_wps(&self) -> bool {
        self.flags.contains("[WPS")
    }
}

/// An access point, from an entry of the BSS table.
#[derive(Clone, Debug)]
pub(crate) struct Bss {
    /// The access point as a scan result.
    pub(crate) info: BssInfo,
    /// What it advertises for WPS, or `None` if it does not have WPS.
    advertisement: Option<Advertisement>,
    /// What its beacon adds to its probe response.
    beacon: BeaconPress,
    /// See [`WpsBss::tsf`].
    tsf: Option<u64>,
    /// The whole seconds since it was last seen.
    age_seconds: Option<u64>,
}

/// An access point with WPS, from an entry of the BSS table.
#[derive(Clone, Debug)]
pub(crate) struct WpsBss {
    /// The access point as a router to pair with.
    pub(crate) router: Router,
    /// The same access point as a scan result.
    pub(crate) info: BssInfo,
    /// Whether its WPS button was pressed.
    pub(crate) pressed: bool,
    /// See [`Advertisement::is_configured`].
    pub(crate) is_configured: bool,
    /// What its beacon says about that.
    pub(crate) beacon: BeaconPress,
    /// Whether a passive scan has shown whether the button is pressed, although the two frames
    /// disagree.
    pub(crate) is_settled: bool,
    /// The access point's clock when it has sent the latest frame, in microseconds.
    pub(crate) tsf: Option<u64>,
    /// The whole seconds since the latest of its frames.
    pub(crate) age_seconds: u64,
}

impl WpsBss {
    /// Sets whether the button is pressed, after a passive scan has shown it.
    pub(super) fn set_settled(&mut self, pressed: bool) {
        self.pressed = pressed;
        self.info.pressed = Some(pressed);
        self.is_settled = true;
    }
}

/// What the latest beacon of an access point says about its button, in addition to its latest probe
/// response. Which of the two frames is newer is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BeaconPress {
    /// The same, or there is only one of the two frames.
    Same,
    /// Only the beacon says that the button was pressed.
    OnlyBeacon,
    /// Only the probe response says so.
    OnlyProbeResponse,
    /// The beacon is not known.
    Unknown,
}

impl Bss {
    /// Creates an access point from the elements of its latest probe response and beacon, either of
    /// which may be empty. `None` stands for a beacon that is not known.
    pub(crate) fn new(summary: &BssSummary, probe_response: &[u8], beacon: Option<&[u8]>) -> Self {
        let is_pressed = |frame| Advertisement::parse(frame).map(|it| it.pressed);
        let press = match (is_pressed(probe_response), beacon.map(is_pressed)) {
            (_, None) => BeaconPress::Unknown,
            (Some(false), Some(Some(true))) => BeaconPress::OnlyBeacon,
            (Some(true), Some(Some(false))) => BeaconPress::OnlyProbeResponse,
            (_, Some(_)) => BeaconPress::Same,
        };
        let beacon = beacon.unwrap_or_default();
        let advertisement = Advertisement::merged(probe_response, beacon);
        let mut info = BssInfo {
            frequency_mhz: summary.frequency_mhz,
            signal_dbm: summary.signal_dbm,
            security: security(&summary.flags),
            pairwise_cipher: pairwise_cipher(&summary.flags),
            wps: advertisement.is_some(),
            pressed: Some(advertisement.as_ref().is_some_and(|it| it.pressed)),
            ..BssInfo::new(summary.bssid)
        };
        // `ie=` is of the latest probe response, or of a beacon if only beacons were received.
        read_elements(if probe_response.is_empty() { beacon } else { probe_response }, &mut info);
        // A hidden network may reveal its name in a probe response.
        info.ssid = info.ssid.or_else(|| advertisement.as_ref()?.ssid.clone());
        let BssSummary { tsf, age_seconds, .. } = *summary;
        Self { info, advertisement, beacon: press, tsf, age_seconds }
    }

    /// Creates an access point. The elements of the probe response and of the beacon come in two
    /// replies, since each of them may fill one.
    pub(crate) fn parse(summary: &BssSummary, probe_response: &str, beacon: &str) -> Self {
        let probe_response = Values::parse(probe_response).bytes("ie");
        let beacon = Values::parse(beacon).bytes("beacon_ie");
        Self::new(summary, &probe_response, Some(&beacon))
    }

    /// Returns the access point as one to pair with, or `None` if it does not have WPS.
    pub(crate) fn into_wps(self) -> Option<WpsBss> {
        let Self { info, advertisement, beacon, tsf, age_seconds } = self;
        let Advertisement { ssid, uuid, pressed, is_configured, .. } = advertisement?;
        let router = Router {
            bssid: info.bssid,
            frequency_mhz: info.frequency_mhz?,
            ssid,
            uuid,
            signal_dbm: info.signal_dbm.unwrap_or(i16::MIN),
        };
        let (age_seconds, is_settled) = (age_seconds?, false);
        Some(WpsBss { router, info, pressed, is_configured, beacon, is_settled, tsf, age_seconds })
    }
}

/// Reads the elements of a frame (IEEE 802.11-2020, 9.4.2). Stops at the first element that is cut
/// short.
fn read_elements(mut rest: &[u8], info: &mut BssInfo) {
    let at_least = |known: Option<u8>, generation| known.max(Some(generation));
    while let Some((&[id, length], after)) = rest.split_first_chunk()
        && let Some((body, after)) = after.split_at_checked(length.into())
    {
        rest = after;
        match (id, body) {
            (0, name) if name.iter().any(|&byte| byte != 0) => {
                info.ssid = Ssid::new(name).ok();
            }
            (7, [first, second, ..])
                if first.is_ascii_uppercase() && second.is_ascii_uppercase() =>
            {
                info.country = Some([*first, *second]);
            }
            // The RSN element. The group cipher suite follows the version. WPA's vendor element has
            // the same structure.
            (48, [_, _, _, _, _, suite, ..]) => info.group_cipher = group_cipher(*suite),
            (221, [0x00, 0x50, 0xf2, 1, _, _, _, _, _, suite, ..])
                if info.group_cipher.is_none() =>
            {
                info.group_cipher = group_cipher(*suite);
            }
            // The HT Operation element, with the offset of the secondary channel.
            (61, [_, offset, ..]) => {
                (info.width_mhz, info.secondary_above) = match offset & 3 {
                    1 => (info.width_mhz.max(Some(40)), Some(true)),
                    3 => (info.width_mhz.max(Some(40)), Some(false)),
                    _ => (info.width_mhz.max(Some(20)), None),
                }
            }
            // The VHT Operation element: a width, and the centre channels of up to two segments.
            // Segments 8 apart are 160 MHz together, and segments more than 16 apart are 80 + 80.
            (192, [1, first, second @ (1..), ..])
                if matches!(first.abs_diff(*second), 8 | 17..) =>
            {
                info.width_mhz = Some(160);
            }
            (192, [1, ..]) => info.width_mhz = Some(80),
            (192, [2 | 3, ..]) => info.width_mhz = Some(160),
            // The capabilities elements of HT, VHT, HE and EHT.
            (45, _) => info.generation = at_least(info.generation, 4),
            (191, _) => info.generation = at_least(info.generation, 5),
            (255, [35, ..]) => info.generation = at_least(info.generation, 6),
            (255, [108, ..]) => info.generation = at_least(info.generation, 7),
            _ => {}
        }
    }
}

/// Returns the security in flags such as `[WPA-PSK-TKIP][WPA2-PSK+SAE-CCMP][WEP][WPS-PBC][ESS]`.
fn security(flags: &str) -> Option<Security> {
    let (wpa, wpa2) = (flag_after(flags, "[WPA-"), flag_after(flags, "[WPA2-"));
    let (wpa_text, wpa2_text) = (wpa.unwrap_or_default(), wpa2.unwrap_or_default());
    let (psk, sae) = (wpa2_text.contains("PSK"), wpa2_text.contains("SAE"));
    Some(match (wpa, wpa2) {
        (None, None) if flags.contains(UNKNOWN_SECURITY) => return None,
        (None, None) if flags.contains("[WEP]") => Security::Wep,
        (None, None) => Security::Open,
        _ if wpa_text.contains("EAP") || wpa2_text.contains("EAP") => Security::Enterprise,
        _ if wpa2_text.contains("OWE") => Security::Owe,
        (Some(_), Some(_)) if psk => Security::WpaWpa2,
        (_, Some(_)) if psk && sae => Security::Wpa2Wpa3,
        (_, Some(_)) if psk => Security::Wpa2,
        (_, Some(_)) if sae => Security::Wpa3,
        (Some(wpa), None) if wpa.contains("PSK") => Security::Wpa,
        _ => return None,
    })
}

/// Returns the pairwise cipher in the same flags.
fn pairwise_cipher(flags: &str) -> Option<Cipher> {
    let protocols = [flag_after(flags, "[WPA-"), flag_after(flags, "[WPA2-")];
    let has = |cipher| protocols.iter().flatten().any(|text| text.contains(cipher));
    Some(match (has("TKIP"), has("CCMP"), has("GCMP")) {
        (true, true, _) => Cipher::TkipCcmp,
        (false, true, _) => Cipher::Ccmp,
        (_, false, true) => Cipher::Gcmp,
        (true, false, false) => Cipher::Tkip,
        (false, false, false) if flags.contains("[WEP]") => Cipher::Wep,
        (false, false, false) if flags.contains(UNKNOWN_SECURITY) => return None,
        (false, false, false) if protocols == [None, None] => Cipher::None,
        (false, false, false) => return None,
    })
}

/// Returns the text between `start` and the next `]`.
fn flag_after<'a>(flags: &'a str, start: &str) -> Option<&'a str> {
    flags.split_once(start)?.1.split(']').next()
}

/// Converts the last byte of a cipher suite selector.
fn group_cipher(suite: u8) -> Option<Cipher> {
    Some(match suite {
        1 | 5 => Cipher::Wep,
        2 => Cipher::Tkip,
        4 | 10 => Cipher::Ccmp,
        8 | 9 => Cipher::Gcmp,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(flags: &str, elements: &str) -> BssInfo {
        let summary =
            format!("bssid=02:00:00:00:00:01\nfreq=2437\nlevel=-61\nage=2\nflags={flags}\n");
        let beacon = format!("beacon_ie={elements}\n");
        let summary = BssSummary::parse(&Values::parse(&summary)).expect("an address");
        Bss::parse(&summary, "", &beacon).info
    }

    #[test]
    fn a_list_of_access_points_is_split() {
        let page = "id=3\nssid=home\nid=7\nssid=id=8\n\nid=x\nssid=bad\nid=9";
        let entries: Vec<_> = bss_entries(page).map(|(id, it)| (id, it.text("ssid"))).collect();
        assert_eq!(entries, [(3, Some("home")), (7, Some("id=8")), (9, None)]);
        assert_eq!(bss_entries("").count() + bss_entries("FAIL\n").count(), 0);
    }

    #[test]
    fn an_entry_with_all_elements_is_parsed() {
        let elements = "0004686f6d65\
                        0706434820010d14\
                        30140100000fac020100000fac040100000fac020000\
                        2d1aef0117ffff000000000000000000000000000000000000000000\
                        3d1606050000000000000000000000000000000000000000\
                        dd190050f204104a0001101044000102104100010110120002 0004";
        let expected = BssInfo {
            ssid: Ssid::new(b"home").ok(),
            frequency_mhz: Some(2437),
            width_mhz: Some(40),
            secondary_above: Some(true),
            signal_dbm: Some(-61),
            security: Some(Security::Wpa2),
            pairwise_cipher: Some(Cipher::Ccmp),
            group_cipher: Some(Cipher::Tkip),
            generation: Some(4),
            country: Some(*b"CH"),
            wps: true,
            pressed: Some(true),
            ..BssInfo::new(Bssid([2, 0, 0, 0, 0, 1]))
        };
        let flags = "[WPA2-PSK-CCMP][WPS-PBC][ESS]";
        assert_eq!(entry(flags, &elements.replace(' ', "")), expected);
    }

    #[test]
    fn security_and_ciphers_are_read_from_the_flags() {
        let table = [
            ("[ESS]", Some(Security::Open), Some(Cipher::None)),
            ("[WPS][ESS]", Some(Security::Open), Some(Cipher::None)),
            ("[WEP][ESS]", Some(Security::Wep), Some(Cipher::Wep)),
            ("[WPA-PSK-TKIP][ESS]", Some(Security::Wpa), Some(Cipher::Tkip)),
            ("[WPA-PSK-TKIP][WPA2-PSK-CCMP][ESS]", Some(Security::WpaWpa2), Some(Cipher::TkipCcmp)),
            ("[WPA2-PSK+PSK-SHA256-CCMP][ESS]", Some(Security::Wpa2), Some(Cipher::Ccmp)),
            ("[WPA2-FT/PSK-CCMP+TKIP][ESS]", Some(Security::Wpa2), Some(Cipher::TkipCcmp)),
            ("[WPA2-PSK+SAE-CCMP][ESS]", Some(Security::Wpa2Wpa3), Some(Cipher::Ccmp)),
            ("[WPA2-SAE+FT/SAE-GCMP-256][ESS]", Some(Security::Wpa3), Some(Cipher::Gcmp)),
            ("[WPA2-OWE-CCMP][ESS]", Some(Security::Owe), Some(Cipher::Ccmp)),
            ("[WPA2-EAP-CCMP-preauth][ESS]", Some(Security::Enterprise), Some(Cipher::Ccmp)),
            ("[WPA2-DPP-CCMP][ESS]", None, Some(Cipher::Ccmp)),
            (UNKNOWN_SECURITY, None, None),
        ];
        for (flags, security, cipher) in table {
            let entry = entry(flags, "");
            assert_eq!((entry.security, entry.pairwise_cipher), (security, cipher), "{flags}");
        }
    }

    #[test]
    fn width_and_generation_are_read_from_the_elements() {
        let read = |elements: &str| {
            let it = entry("[ESS]", elements);
            (it.width_mhz, it.secondary_above, it.generation)
        };
        assert_eq!(read(""), (None, None, None));
        assert_eq!(read("3d02060"), (None, None, None), "cut short");
        assert_eq!(read("2d003d020600"), (Some(20), None, Some(4)));
        assert_eq!(read("2d003d020603"), (Some(40), Some(false), Some(4)));
        assert_eq!(read("2d003d022401bf00c00101"), (Some(80), Some(true), Some(5)));
        assert_eq!(read("c001023d022401"), (Some(160), Some(true), None), "in any order");
        assert_eq!(read("c003002a00").0, None, "the width is in HT Operation");
        for (segments, width) in
            [("2a00", 80), ("2a32", 160), ("322a", 160), ("2a3a", 80), ("2a9b", 160)]
        {
            assert_eq!(read(&format!("c00301{segments}")).0, Some(width), "{segments}");
        }
        assert_eq!(read("ff01232d00"), (None, None, Some(6)));
        assert_eq!(read("ff016cff0123"), (None, None, Some(7)));
    }

    #[test]
    fn hidden_names_and_older_routers_are_parsed() {
        assert_eq!(entry("[ESS]", "0000").ssid, None);
        assert_eq!(entry("[ESS]", "0003000000").ssid, None);
        let wpa = entry("[WPA-PSK-TKIP][ESS]", "dd0a0050f20101000050f202");
        assert_eq!(wpa.group_cipher, Some(Cipher::Tkip));
        assert_eq!(entry("[ESS]", "07036368 20").country, None);
    }

    proptest! {
        #[test]
        fn any_entry_parses_without_a_panic(flags: String, elements: Vec<u8>) {
            let digits: String = elements.iter().map(|byte| format!("{byte:02x}")).collect();
            entry(&flags.replace('\n', ""), &digits);
        }

        #[test]
        fn any_reply_parses_without_a_panic(text: String) {
            let _ = bss_entries(&text).count();
            let summary = BssSummary::parse(&Values::parse(&text));
            let _ = summary.and_then(|it| Bss::parse(&it, &text, &text).into_wps());
        }
    }
}
