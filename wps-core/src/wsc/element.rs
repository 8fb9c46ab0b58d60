//! The WPS information in a router's beacons and probe responses.

use core::fmt;

use heapless::Vec;

use super::attribute::{self, attributes, elements};
use crate::settings::Ssid;

/// The element id of the network name (IEEE 802.11-2020, 9.4.2.1).
const SSID: u8 = 0;
/// The element id of vendor elements.
const VENDOR: u8 = 0xdd;
/// Microsoft's OUI and its type for WPS.
const WPS: [u8; 4] = [0x00, 0x50, 0xf2, 0x04];
/// The Wi-Fi Alliance's id in a vendor extension.
const WFA: [u8; 3] = [0x00, 0x37, 0x2a];
/// The Wi-Fi Alliance's subelement for the version, from WPS 2.0 on.
const VERSION2: u8 = 0;
/// The Device Password ID of the push button.
const PUSH_BUTTON: [u8; 2] = [0x00, 0x04];
/// The state of an access point that was never set up.
const NOT_CONFIGURED: [u8; 1] = [1];
/// The maximum length of the attributes: two full elements. The attributes read here come early.
const MAX_ATTRIBUTES_LEN: usize = 512;

/// The UUID of a router. It is the same for all its bands and networks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uuid(pub [u8; 16]);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
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

/// What an access point with WPS advertises about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Advertisement {
    /// The network's name, or `None` if it is hidden.
    pub ssid: Option<Ssid>,
    /// The router that the access point belongs to. Beacons seldom contain it, probe responses
    /// always should.
    pub uuid: Option<Uuid>,
    /// Whether the access point's button was pressed, so that it is in pairing mode now.
    pub pressed: bool,
    /// Whether the access point was set up. One that never was takes a new key when it pairs, which
    /// cuts off the devices that use it.
    pub is_configured: bool,
    /// Whether the access point supports WPS 2.0 or later.
    pub version2: bool,
}

impl Advertisement {
    /// Parses the information elements of one beacon or probe response. Returns `None` if there is
    /// no WPS element.
    ///
    /// Several WPS elements are fragments of one, which may be split at any byte. Parsing ends at
    /// the first damaged byte, or once there is no room left. What was parsed before is still used.
    pub fn parse(elements_on_air: &[u8]) -> Option<Self> {
        let mut ssid = None;
        let mut wps: Option<Vec<u8, MAX_ATTRIBUTES_LEN>> = None;
        for (id, body) in elements(elements_on_air) {
            if id == SSID && ssid.is_none() {
                ssid = visible_name(body);
            } else if id == VENDOR
                && let Some(fragment) = body.strip_prefix(&WPS)
            {
                let whole = wps.get_or_insert_default();
                for &byte in fragment {
                    if whole.push(byte).is_err() {
                        break;
                    }
                }
            }
        }

        let mut uuid = None;
        let mut selected_registrar = false;
        let mut push_button = false;
        let mut is_configured = true;
        let mut version2 = false;
        for (kind, value) in attributes(&wps?) {
            match kind {
                attribute::UUID_E => uuid = value.try_into().ok().map(Uuid),
                attribute::SELECTED_REGISTRAR => {
                    selected_registrar = value.first().is_some_and(|&selected| selected != 0);
                }
                attribute::DEVICE_PASSWORD_ID => push_button = value == PUSH_BUTTON,
                attribute::STATE => is_configured = value != NOT_CONFIGURED,
                attribute::VENDOR_EXTENSION => version2 |= is_version2(value),
                _ => {}
            }
        }
        Some(Self {
            ssid,
            uuid,
            // Selected Registrar Config Methods is not checked: deployed routers send wrong values.
            pressed: selected_registrar && push_button,
            is_configured,
            version2,
        })
    }

    /// Parses both frames of one access point. The probe response contains more, so it takes
    /// precedence, and the beacon adds a missing name or UUID. Either may be empty.
    ///
    /// Which frame is newer is not known, so the button counts as pressed if one of them says so: a
    /// try shows whether it is.
    pub fn merged(probe_response: &[u8], beacon: &[u8]) -> Option<Self> {
        match (Self::parse(probe_response), Self::parse(beacon)) {
            (Some(probe_response), Some(beacon)) => Some(Self {
                ssid: probe_response.ssid.or(beacon.ssid),
                uuid: probe_response.uuid.or(beacon.uuid),
                pressed: probe_response.pressed || beacon.pressed,
                ..probe_response
            }),
            (probe_response, beacon) => probe_response.or(beacon),
        }
    }
}

/// Returns the network's name, or `None` if it is hidden. A hidden name is sent as an empty name or
/// as zeros of the same length.
fn visible_name(name: &[u8]) -> Option<Ssid> {
    let hidden = name.iter().all(|&byte| byte == 0);
    if hidden { None } else { Ssid::new(name).ok() }
}

fn is_version2(vendor_extension: &[u8]) -> bool {
    vendor_extension
        .strip_prefix(&WFA)
        .is_some_and(|wfa| elements(wfa).any(|(id, body)| id == VERSION2 && body >= &[0x20][..]))
}
