//! Reads wpa_supplicant's BSS table: the access points that its scans found.

use wps_core::Ssid;
use wps_core::wsc::Bssid;
use zeroize::Zeroizing;

use super::bss::{Bss, BssSummary, bss_entries};
use super::control_socket::{ControlSocket, ControlSocketError};
use super::reply::Values;

// Fields of a `BSS` reply (`WPA_BSS_MASK_*` in hostap).
/// The fields that describe an entry: id, BSSID, frequency, level, TSF, age and flags.
const MASK_SUMMARY: &str = "0x00000b87";
/// The id, the BSSID and the network's name.
const MASK_NAMES: &str = "0x00001003";
/// The id, the BSSID, the frequency, the age and the network's name.
const MASK_SIGHTING: &str = "0x00001207";
/// The elements of the latest probe response, or of a beacon if there was none.
const MASK_IE: &str = "0x00000400";
/// The elements of the latest beacon.
const MASK_BEACON_IE: &str = "0x00800000";

/// Returns the access points that were seen at most `max_age_seconds` ago, in whole seconds, and
/// whose short fields satisfy `is_wanted`.
pub(crate) async fn bss_list(
    control: &ControlSocket,
    max_age_seconds: u64,
    is_wanted: impl Fn(&BssSummary) -> bool,
) -> Result<Vec<Bss>, ControlSocketError> {
    let mut found = Vec::new();
    let mut pages = Pages::new(control, MASK_SUMMARY);
    while let Some(page) = pages.next().await? {
        for (id, entry) in bss_entries(&page) {
            let Some(summary) = BssSummary::parse(&entry) else { continue };
            let is_recent = summary.age_seconds.is_some_and(|age| age <= max_age_seconds);
            if is_recent && is_wanted(&summary) {
                let get = |mask| format!("BSS RANGE={id}-{id} MASK={mask}");
                let probe_response = control.request(get(MASK_IE)).await?;
                let beacon = control.request(get(MASK_BEACON_IE)).await?;
                found.push(Bss::parse(&summary, &probe_response, &beacon));
            }
        }
    }
    Ok(found)
}

/// Returns whether an access point of this network is in the table: the one with the address
/// `bssid`, if given, or any.
pub(crate) async fn contains(
    control: &ControlSocket,
    ssid: &Ssid,
    bssid: Option<Bssid>,
) -> Result<bool, ControlSocketError> {
    let mut pages = Pages::new(control, MASK_NAMES);
    while let Some(page) = pages.next().await? {
        if bss_entries(&page).any(|(_, entry)| is_of(&entry, ssid, bssid)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether this entry is of the network `ssid`, with the address `bssid`, if given.
fn is_of(entry: &Values<'_>, ssid: &Ssid, bssid: Option<Bssid>) -> bool {
    entry.ssid().as_ref() == Some(ssid) && (bssid.is_none() || entry.bssid("bssid") == bssid)
}

/// Where and when an access point was last seen.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    pub(crate) ssid: Option<Ssid>,
    pub(crate) frequency_mhz: u16,
    /// The whole seconds since then.
    pub(crate) age_seconds: u64,
}

impl Sighting {
    /// Returns whether the access point hides its name: behind none, or behind zeros.
    pub(crate) fn is_hidden(&self) -> bool {
        self.ssid.as_ref().is_none_or(|ssid| ssid.as_bytes().iter().all(|&byte| byte == 0))
    }
}

/// Returns the access points in the table.
pub(crate) async fn sightings(
    control: &ControlSocket,
) -> Result<Vec<Sighting>, ControlSocketError> {
    let mut found = Vec::new();
    let mut pages = Pages::new(control, MASK_SIGHTING);
    while let Some(page) = pages.next().await? {
        found.extend(bss_entries(&page).filter_map(|(_, entry)| {
            let (frequency_mhz, age_seconds) = (entry.number("freq")?, entry.number("age")?);
            Some(Sighting { ssid: entry.ssid(), frequency_mhz, age_seconds })
        }));
    }
    Ok(found)
}

/// Reads the table page by page: a reply holds at most 4 kB, in whole entries.
struct Pages<'c> {
    control: &'c ControlSocket,
    mask: &'static str,
    /// The id after that of the last entry.
    next_id: u32,
}

impl<'c> Pages<'c> {
    fn new(control: &'c ControlSocket, mask: &'static str) -> Self {
        Self { control, mask, next_id: 0 }
    }

    /// Returns the next page, or `None` after the last entry.
    async fn next(&mut self) -> Result<Option<Zeroizing<String>>, ControlSocketError> {
        let Self { control, mask, next_id } = *self;
        let page = control.request(format!("BSS RANGE={next_id}- MASK={mask}")).await?;
        let last_id = bss_entries(&page).map(|(id, _)| id).max();
        self.next_id = last_id.map_or(next_id, |id| next_id.max(id.saturating_add(1)));
        Ok((self.next_id > next_id).then_some(page))
    }
}
