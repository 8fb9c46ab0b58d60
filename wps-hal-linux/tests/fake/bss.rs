//! The BSS table: the access points in range, and the replies to `BSS`.

use wps_testkit::{address, hex};

use super::{REPLY_MAX, State, printf_encode};

/// An entry of the BSS table: an access point.
#[derive(Clone, Debug)]
pub struct Bss {
    pub bssid: [u8; 6],
    pub frequency: u16,
    /// Seconds since it was last received.
    pub age: u64,
    /// Whether a scan of its channel receives it.
    pub on_air: bool,
    pub flags: &'static str,
    pub probe_response: Vec<u8>,
    pub beacon: Vec<u8>,
    /// The beacon that the next passive scan receives, if it is another one. Active scans miss it.
    pub next_beacon: Option<Vec<u8>>,
    /// Whether passive scans receive its beacons.
    pub sends_beacons: bool,
    /// Its clock when it has sent the latest frame.
    pub tsf: u64,
}

impl State {
    /// Returns the flags. A wpa_supplicant without WPS does not know those of WPS.
    fn flags(&self, bss: &Bss) -> String {
        let flags = bss.flags.split_inclusive(']');
        flags.filter(|flag| !(self.without_wps && flag.starts_with("[WPS"))).collect()
    }

    /// Replies to `BSS RANGE=first-[last] MASK=hex`: the fields of the mask, and as many whole
    /// entries as fit.
    pub(super) fn bss(&self, rest: &str) -> String {
        let mask =
            rest.split_once("MASK=0x").and_then(|(_, mask)| u32::from_str_radix(mask, 16).ok());
        let mask = mask.unwrap_or(u32::MAX);
        let entry = |id: usize| -> Option<String> {
            let bss = self.access_points.get(id)?;
            let lines = [
                (0, format!("id={id}\n")),
                (1, format!("bssid={}\n", address(bss.bssid))),
                (2, format!("freq={}\n", bss.frequency)),
                (7, "level=-50\n".into()),
                (8, format!("tsf={}\n", bss.tsf)),
                (9, format!("age={}\n", bss.age)),
                (10, format!("ie={}\n", hex(&bss.probe_response))),
                (11, format!("flags={}\n", self.flags(bss))),
                (12, format!("ssid={}\n", printf_encode(ssid_in(bss)))),
                (23, format!("beacon_ie={}\n", hex(&bss.beacon))),
            ];
            Some(lines.into_iter().filter(|(bit, _)| mask >> bit & 1 == 1).map(|it| it.1).collect())
        };
        let words = rest.split(' ').next().unwrap_or_default();
        let ids = match (words.strip_prefix("ID-"), words.strip_prefix("RANGE=")) {
            (Some(id), _) => id.parse().map_or(0..0, |id| id..id + 1),
            (_, Some(range)) => {
                let (first, last) = range.split_once('-').unwrap_or((range, ""));
                let end = last.parse().map_or(self.access_points.len(), |last: usize| last + 1);
                first.parse().unwrap_or(0)..end
            }
            _ => 0..0,
        };
        let mut reply = String::new();
        for entry in ids.map_while(entry) {
            if reply.len() + entry.len() >= REPLY_MAX {
                break;
            }
            reply += &entry;
        }
        reply
    }
}

/// Returns the SSID in the probe response or the beacon, whichever starts with one.
fn ssid_in(bss: &Bss) -> &[u8] {
    fn ssid(elements: &[u8]) -> Option<&[u8]> {
        let (&[id, length], rest) = elements.split_first_chunk::<2>()?;
        rest.get(..length.into()).filter(|_| id == 0)
    }
    ssid(&bss.probe_response).or_else(|| ssid(&bss.beacon)).unwrap_or_default()
}
