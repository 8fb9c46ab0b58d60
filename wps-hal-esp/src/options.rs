//! What the application sets: the transmit power, the country, the protocol, and what a router is
//! told about the device.

use crate::layout::{PROTOCOL_11AX, PROTOCOL_11B, PROTOCOL_11G, PROTOCOL_11N, WpsConfig};
use crate::logging::warn;
use crate::{EspError, credentials, ffi};

/// The options of a [`Driver`](crate::Driver). The radio's own are set again after each of its
/// starts.
///
/// ```
/// use wps_hal_esp::{Country, DeviceInfo, Options};
///
/// # fn random() -> u32 { 4 }
/// // On a chip, `random` is esp-hal's generator: `|| Rng::new().random()`.
/// let mut options = Options::new(random);
/// options.country = Country { code: *b"DE", follow_access_point: true };
/// options.max_tx_power_dbm = 15;
/// options.device = DeviceInfo { device_name: "kitchen lamp", ..DeviceInfo::default() };
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The highest transmit power in dBm, 2 to 20. The country and the chip may allow less. The
    /// default is 20, as in ESP-IDF.
    pub max_tx_power_dbm: u8,
    /// The country, which decides about the channels. The default is [`Country::WORLD`].
    pub country: Country,
    /// The newest protocol. The default is `None`: whatever the library has set, which is all that
    /// the chip has.
    pub newest_protocol: Option<Protocol>,
    /// What a router is told about the device.
    pub device: DeviceInfo,
    /// A source of random numbers. The delays between two attempts to reconnect need them, so that
    /// the devices of one room do not all try at the same time.
    pub random: fn() -> u32,
}

/// The country in which the device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// Two capital letters (ISO 3166), or `01` for the channels that are allowed everywhere. The
    /// library refuses a country that it does not know.
    pub code: [u8; 2],
    /// Whether the country of the access point counts instead while the station is joined to one
    /// (802.11d).
    pub follow_access_point: bool,
}

impl Country {
    /// Anywhere: the channels that are allowed everywhere, and those of the access point's country.
    /// It is the default of ESP-IDF.
    pub const WORLD: Self = Self { code: *b"01", follow_access_point: true };
}

/// The newest protocol that the radio uses. It always has the older ones, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// 802.11b.
    B,
    /// 802.11g.
    G,
    /// 802.11n (Wi-Fi 4).
    N,
    /// 802.11ax (Wi-Fi 6), which not every chip has.
    Ax,
}

/// What a router is told about the device while it pairs, and may show to its user. Each text has
/// at most 32 printable ASCII characters, the manufacturer at most 64, and none may have a `%`. The
/// library replaces an empty text by one of its own, which names Espressif.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The manufacturer.
    pub manufacturer: &'static str,
    /// The name of the model.
    pub model_name: &'static str,
    /// The number of the model.
    pub model_number: &'static str,
    /// The name of this device.
    pub device_name: &'static str,
}

impl Options {
    /// Creates the default options, with this source of random numbers.
    pub const fn new(random: fn() -> u32) -> Self {
        Self {
            max_tx_power_dbm: MAX_TX_POWER_DBM,
            country: Country::WORLD,
            newest_protocol: None,
            device: DeviceInfo {
                manufacturer: "",
                model_name: "",
                model_number: "",
                device_name: "",
            },
            random,
        }
    }

    /// Checks all that can be checked without the library.
    pub(crate) fn check(&self) -> Result<(), EspError> {
        if !(MIN_TX_POWER_DBM..=MAX_TX_POWER_DBM).contains(&self.max_tx_power_dbm) {
            return Err(EspError::InvalidOption("max_tx_power_dbm must be between 2 and 20"));
        }
        let is_world = self.country.code == Country::WORLD.code;
        if !is_world && !self.country.code.iter().all(u8::is_ascii_uppercase) {
            return Err(EspError::InvalidOption("the country must be two capital letters, or 01"));
        }
        self.device.wps_config().map(drop)
    }

    /// Sets the country.
    pub(crate) fn set_country(&self) -> Result<(), EspError> {
        ffi::set_country(self.country.code, self.country.follow_access_point)
    }

    /// Sets the radio's options after a start. Errors are only logged: a device that is online with
    /// less power is better than one that is not.
    pub(crate) fn apply(&self, interface: u32) {
        let country = self.set_country();
        let protocol =
            self.newest_protocol.map_or(Ok(()), |it| ffi::set_protocol(interface, it.bitmap()));
        // Last, because the country also limits the power. The library counts quarters of a dBm.
        let quarters = i8::try_from(self.max_tx_power_dbm).unwrap_or(0).saturating_mul(4);
        for result in [country, protocol, ffi::set_max_tx_power(quarters)] {
            if let Err(error) = result {
                warn!("radio: {:?}", error);
            }
        }
    }
}

impl Protocol {
    fn bitmap(self) -> u8 {
        match self {
            Self::B => PROTOCOL_11B,
            Self::G => PROTOCOL_11B | PROTOCOL_11G,
            Self::N => PROTOCOL_11B | PROTOCOL_11G | PROTOCOL_11N,
            Self::Ax => PROTOCOL_11B | PROTOCOL_11G | PROTOCOL_11N | PROTOCOL_11AX,
        }
    }
}

impl DeviceInfo {
    /// Returns the library's configuration for a push button with these texts.
    pub(crate) fn wps_config(&self) -> Result<WpsConfig, EspError> {
        let mut config = WpsConfig::PUSH_BUTTON;
        write(&mut config.manufacturer, self.manufacturer)?;
        write(&mut config.model_name, self.model_name)?;
        write(&mut config.model_number, self.model_number)?;
        write(&mut config.device_name, self.device_name)?;
        Ok(config)
    }
}

/// Writes a text into an array of NULs, of which the last one remains.
fn write(array: &mut [u8], text: &str) -> Result<(), EspError> {
    // The library passes these texts to `snprintf` as the format.
    let is_allowed = |byte: &u8| (b' '..=b'~').contains(byte) && *byte != b'%';
    if text.len() >= array.len() || !text.as_bytes().iter().all(is_allowed) {
        return Err(EspError::InvalidOption(
            "a text about the device has at most 32 printable ASCII characters, the manufacturer \
             64, and no %",
        ));
    }
    credentials::write(array, text.as_bytes());
    Ok(())
}

const MIN_TX_POWER_DBM: u8 = 2;
const MAX_TX_POWER_DBM: u8 = 20;
