//! What an entry of wpa_supplicant's table tells about an access point.

use wps_core::driver::{Cipher, Security};
use wps_core::wsc::Advertisement;
use wps_core::{BssInfo, Ssid};

use crate::reply::Values;

/// One entry of the table: see [`Heard::parse`](crate::reply::Heard::parse).
pub(crate) fn neighbour(head: &Values<'_>, probe_response: &str, beacon: &str) -> Option<BssInfo> {
    let probe_response = Values::parse(probe_response).hex("ie");
    let beacon = Values::parse(beacon).hex("beacon_ie");
    let says = Advertisement::merged(&probe_response, &beacon);
    let flags = head.text("flags").unwrap_or_default();
    // The later frame; where only beacons were heard it is one of those.
    let elements = if probe_response.is_empty() { &beacon } else { &probe_response };
    let mut neighbour = BssInfo {
        frequency_mhz: head.number("freq"),
        signal_dbm: head.number("level"),
        security: security(flags),
        pairwise_cipher: pairwise_cipher(flags),
        wps: says.is_some(),
        pressed: Some(says.as_ref().is_some_and(|says| says.pressed)),
        ..BssInfo::new(head.bssid("bssid")?)
    };
    read(elements, &mut neighbour);
    // A hidden network may tell its name to whoever asks for it.
    neighbour.ssid = neighbour.ssid.or(says.and_then(|says| says.ssid));
    Some(neighbour)
}

/// What the elements of a frame tell (IEEE 802.11-2020, 9.4.2). Ends at the first that is cut short.
fn read(mut rest: &[u8], neighbour: &mut BssInfo) {
    let at_least = |known: Option<u8>, generation| known.max(Some(generation));
    while let Some((&[id, length], after)) = rest.split_first_chunk()
        && let Some((body, after)) = after.split_at_checked(length.into())
    {
        rest = after;
        match (id, body) {
            (0, name) if name.iter().any(|&byte| byte != 0) => {
                neighbour.ssid = Ssid::new(name).ok();
            }
            (7, [first, second, ..])
                if first.is_ascii_uppercase() && second.is_ascii_uppercase() =>
            {
                neighbour.country = Some([*first, *second]);
            }
            // RSN, after its version; WPA's vendor element is built alike.
            (48, [_, _, _, _, _, suite, ..]) => neighbour.group_cipher = group_cipher(*suite),
            (221, [0x00, 0x50, 0xf2, 1, _, _, _, _, _, suite, ..])
                if neighbour.group_cipher.is_none() =>
            {
                neighbour.group_cipher = group_cipher(*suite);
            }
            // HT operation: the secondary channel's offset.
            (61, [_, offset, ..]) => {
                (neighbour.width_mhz, neighbour.second_above) = match offset & 3 {
                    1 => (neighbour.width_mhz.max(Some(40)), Some(true)),
                    3 => (neighbour.width_mhz.max(Some(40)), Some(false)),
                    _ => (neighbour.width_mhz.max(Some(20)), None),
                }
            }
            // VHT operation.
            (192, [width @ 1..=3, ..]) => {
                neighbour.width_mhz = Some(if *width == 1 { 80 } else { 160 });
            }
            // Capabilities: HT, VHT, HE, EHT.
            (45, _) => neighbour.generation = at_least(neighbour.generation, 4),
            (191, _) => neighbour.generation = at_least(neighbour.generation, 5),
            (255, [35, ..]) => neighbour.generation = at_least(neighbour.generation, 6),
            (255, [108, ..]) => neighbour.generation = at_least(neighbour.generation, 7),
            _ => {}
        }
    }
}

/// `[WPA-PSK-TKIP][WPA2-PSK+SAE-CCMP][WEP][WPS-PBC][ESS]`.
fn security(flags: &str) -> Option<Security> {
    let (wpa, wpa2) = (block(flags, "[WPA-"), block(flags, "[WPA2-"));
    let (first, second) = (wpa.unwrap_or_default(), wpa2.unwrap_or_default());
    let (psk, sae) = (second.contains("PSK"), second.contains("SAE"));
    Some(match (wpa, wpa2) {
        (None, None) if flags.contains("[WEP]") => Security::Wep,
        (None, None) => Security::Open,
        _ if first.contains("EAP") || second.contains("EAP") => Security::Enterprise,
        _ if second.contains("OWE") => Security::Owe,
        (Some(_), Some(_)) if psk => Security::WpaWpa2,
        (_, Some(_)) if psk && sae => Security::Wpa2Wpa3,
        (_, Some(_)) if psk => Security::Wpa2,
        (_, Some(_)) if sae => Security::Wpa3,
        (Some(wpa), None) if wpa.contains("PSK") => Security::Wpa,
        _ => return None,
    })
}

fn pairwise_cipher(flags: &str) -> Option<Cipher> {
    let blocks = [block(flags, "[WPA-"), block(flags, "[WPA2-")];
    let has = |cipher| blocks.iter().flatten().any(|block| block.contains(cipher));
    Some(match (has("TKIP"), has("CCMP"), has("GCMP")) {
        (true, true, _) => Cipher::TkipCcmp,
        (false, true, _) => Cipher::Ccmp,
        (_, false, true) => Cipher::Gcmp,
        (true, false, false) => Cipher::Tkip,
        (false, false, false) if flags.contains("[WEP]") => Cipher::Wep,
        (false, false, false) if blocks == [None, None] => Cipher::None,
        (false, false, false) => return None,
    })
}

fn block<'a>(flags: &'a str, start: &str) -> Option<&'a str> {
    flags.split_once(start)?.1.split(']').next()
}

/// The last byte of a cipher suite selector.
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
    use proptest::prelude::*;
    use wps_core::wsc::Bssid;

    use super::*;

    fn entry(flags: &str, elements: &str) -> BssInfo {
        let head = format!("bssid=02:00:00:00:00:01\nfreq=2437\nlevel=-61\nage=2\nflags={flags}\n");
        let beacon = format!("beacon_ie={elements}\n");
        neighbour(&Values::parse(&head), "", &beacon).expect("an address")
    }

    #[test]
    fn a_whole_entry() {
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
            second_above: Some(true),
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
    fn security_and_ciphers() {
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
        ];
        for (flags, security, cipher) in table {
            let entry = entry(flags, "");
            assert_eq!((entry.security, entry.pairwise_cipher), (security, cipher), "{flags}");
        }
    }

    #[test]
    fn widths_and_generations() {
        let read = |elements| {
            let it = entry("[ESS]", elements);
            (it.width_mhz, it.second_above, it.generation)
        };
        assert_eq!(read(""), (None, None, None));
        assert_eq!(read("3d02060"), (None, None, None), "cut short");
        assert_eq!(read("2d003d020600"), (Some(20), None, Some(4)));
        assert_eq!(read("2d003d020603"), (Some(40), Some(false), Some(4)));
        assert_eq!(read("2d003d022401bf00c00101"), (Some(80), Some(true), Some(5)));
        assert_eq!(read("c001023d022401"), (Some(160), Some(true), None), "in any order");
        assert_eq!(read("ff01232d00"), (None, None, Some(6)));
        assert_eq!(read("ff016cff0123"), (None, None, Some(7)));
    }

    #[test]
    fn hidden_names_and_older_routers() {
        assert_eq!(entry("[ESS]", "0000").ssid, None);
        assert_eq!(entry("[ESS]", "0003000000").ssid, None);
        let wpa = entry("[WPA-PSK-TKIP][ESS]", "dd0a0050f20101000050f202");
        assert_eq!(wpa.group_cipher, Some(Cipher::Tkip));
        assert_eq!(entry("[ESS]", "07036368 20").country, None);
    }

    proptest! {
        #[test]
        fn any_entry_is_read(flags: String, elements: Vec<u8>) {
            let digits: String = elements.iter().map(|byte| format!("{byte:02x}")).collect();
            entry(&flags.replace('\n', ""), &digits);
        }
    }
}
