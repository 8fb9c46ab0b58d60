//! What a router says about WPS in its beacons and probe responses.

use core::fmt;

use heapless::Vec;

use super::attribute::{self, attributes, elements};
use crate::settings::Ssid;

/// Element id of the network name (IEEE 802.11-2020, 9.4.2.1).
const SSID: u8 = 0;
/// Element id of vendor elements.
const VENDOR: u8 = 0xdd;
/// Microsoft's OUI and the type it gave WPS.
const WPS: [u8; 4] = [0x00, 0x50, 0xf2, 0x04];
/// The Wi-Fi Alliance's id in a vendor extension.
const WFA: [u8; 3] = [0x00, 0x37, 0x2a];
/// Its subelement for the version, from WPS 2.0 on.
const VERSION2: u8 = 0;
/// Device Password ID of the push button.
const PUSH_BUTTON: [u8; 2] = [0x00, 0x04];
/// Two full elements; the attributes read here come early.
const MAX_ATTRIBUTES: usize = 512;

/// Names one router, whatever number of bands and networks it has.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uuid(pub [u8; 16]);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Uuid {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[u8; 16]:02x}", self.0);
    }
}

/// An access point that knows WPS, as it presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Advertisement {
    /// Its network; none if it hides the name.
    pub ssid: Option<Ssid>,
    /// Which router it belongs to. Beacons seldom say so, probe responses always should.
    pub uuid: Option<Uuid>,
    /// Whether somebody pressed its button: it is in pairing mode now.
    pub pressed: bool,
    /// Whether it speaks WPS 2.0 or later.
    pub version2: bool,
}

impl Advertisement {
    /// Reads the information elements of one beacon or probe response; none if WPS is not among them.
    ///
    /// Several WPS elements are one, cut into pieces at any byte. What is damaged or too long ends the
    /// reading; what was read before counts.
    pub fn parse(elements_on_air: &[u8]) -> Option<Self> {
        let mut ssid = None;
        let mut wps: Option<Vec<u8, MAX_ATTRIBUTES>> = None;
        for (id, body) in elements(elements_on_air) {
            if id == SSID && ssid.is_none() {
                ssid = visible(body);
            } else if id == VENDOR
                && let Some(piece) = body.strip_prefix(&WPS)
            {
                let whole = wps.get_or_insert_default();
                for &byte in piece {
                    if whole.push(byte).is_err() {
                        break;
                    }
                }
            }
        }

        let mut uuid = None;
        let mut selected_registrar = false;
        let mut push_button = false;
        let mut version2 = false;
        for (kind, value) in attributes(&wps?) {
            match kind {
                attribute::UUID_E => uuid = value.try_into().ok().map(Uuid),
                attribute::SELECTED_REGISTRAR => {
                    selected_registrar = value.first().is_some_and(|&selected| selected != 0);
                }
                attribute::DEVICE_PASSWORD_ID => push_button = value == PUSH_BUTTON,
                attribute::VENDOR_EXTENSION => version2 |= says_version2(value),
                _ => {}
            }
        }
        Some(Self {
            ssid,
            uuid,
            // Deployed routers get Selected Registrar Config Methods wrong, so these two suffice.
            pressed: selected_registrar && push_button,
            version2,
        })
    }

    /// Reads both frames of one access point. The probe response says more, so it wins; the beacon
    /// fills in what it lacks. Either may be empty.
    pub fn merged(probe_response: &[u8], beacon: &[u8]) -> Option<Self> {
        match (Self::parse(probe_response), Self::parse(beacon)) {
            (Some(probe_response), Some(beacon)) => Some(Self {
                ssid: probe_response.ssid.or(beacon.ssid),
                uuid: probe_response.uuid.or(beacon.uuid),
                ..probe_response
            }),
            (probe_response, beacon) => probe_response.or(beacon),
        }
    }
}

/// A hidden network shows an empty name, or one of zeros in its length.
fn visible(name: &[u8]) -> Option<Ssid> {
    let hidden = name.iter().all(|&byte| byte == 0);
    if hidden { None } else { Ssid::new(name).ok() }
}

fn says_version2(vendor_extension: &[u8]) -> bool {
    vendor_extension
        .strip_prefix(&WFA)
        .is_some_and(|wfa| elements(wfa).any(|(id, body)| id == VERSION2 && body >= &[0x20][..]))
}
