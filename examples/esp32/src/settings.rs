//! The partition of the settings, and the factory settings of a new device.

use core::ops::Range;

use embassy_embedded_hal::adapter::BlockingAsync;
use esp_bootloader_esp_idf::partitions::{PARTITION_TABLE_MAX_LEN, read_partition_table};
use esp_hal::efuse::{self, OPTIONAL_UNIQUE_ID};
use esp_hal::peripherals::FLASH;
use esp_storage::FlashStorage;
use wps_core::{AccessPoint, Credentials, Secret, Settings};
use wps_esp32::board::Crypto;
use wps_esp32::{LogDisplay, warn};
use wps_hal_esp::store::FlashStore;
#[cfg(not(feature = "encrypted-settings"))]
use wps_hal_esp::store::PlainText;
use wps_label::Name;

#[cfg(feature = "encrypted-settings")]
use crate::encryption::{Encrypted, record_format};

/// The label of the settings' partition in `partitions.csv`.
const PARTITION_LABEL: &[u8] = b"wps";

pub(crate) type Store = FlashStore<BlockingAsync<FlashStorage<'static>>, Format>;

#[cfg(feature = "encrypted-settings")]
type Format = Encrypted;
#[cfg(not(feature = "encrypted-settings"))]
type Format = PlainText;

/// Opens the store in its partition. Call it before the radio is started. Returns `None`, and logs
/// the reason, if that fails.
pub(crate) fn open_store(flash: FLASH<'static>, crypto: Crypto) -> Option<Store> {
    let format = record_format(crypto)?;
    let mut flash = FlashStorage::new(flash);
    let Some(Partition { range, is_encrypted }) = find_partition(&mut flash) else {
        warn!("no settings: flash this program with --partition-table partitions.csv");
        return None;
    };
    if is_encrypted {
        // esp-storage would write plain text into it.
        warn!("no settings: the chip cannot encrypt them: remove `encrypted` from partitions.csv");
        return None;
    }
    let store = FlashStore::new(BlockingAsync::new(flash), range);
    let store = store.map_err(|error| warn!("no settings: {}", LogDisplay(&error))).ok()?;
    Some(store.with_format(format))
}

/// Anyone who holds the device can read its passwords.
#[cfg(not(feature = "encrypted-settings"))]
fn record_format(_: Crypto) -> Option<PlainText> {
    if efuse::flash_encryption() {
        warn!("flash encryption does not protect the settings: use encrypted-settings");
    }
    Some(PlainText)
}

struct Partition {
    range: Range<u32>,
    is_encrypted: bool,
}

fn find_partition(flash: &mut FlashStorage<'_>) -> Option<Partition> {
    let mut table = [0; PARTITION_TABLE_MAX_LEN];
    let table = read_partition_table(flash, &mut table).ok()?;
    let entry = table.iter().find(|entry| has_label(entry.label(), PARTITION_LABEL))?;
    let range = entry.offset()..entry.offset().checked_add(entry.len())?;
    Some(Partition { range, is_encrypted: entry.is_encrypted() })
}

/// Compares a label, which is padded with zeros. A label may contain any bytes, so it is not read
/// as text.
fn has_label(label: &[u8], name: &[u8]) -> bool {
    label.strip_prefix(name).is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
}

/// Returns the factory settings: the device's own access point, with the name and the unique key
/// that `label` prints. If the chip has no number to derive a key from, Wi-Fi is off: an access
/// point must not be open or share its key with other devices.
pub(crate) fn factory_settings(name: &Name) -> Settings {
    let unique_id = efuse::read_field_le(OPTIONAL_UNIQUE_ID);
    let secret = option_env!("WPS_MAKER_SECRET").map(str::as_bytes);
    let network = wps_label::ssid(name).zip(wps_label::key(&unique_id, secret));
    match network {
        Some((ssid, key)) => {
            let network = Credentials { ssid, secret: Secret::Key(key) };
            // The driver chooses the channel.
            let access_point = AccessPoint { network, channel: None };
            Settings::AccessPoint { access_point, remembered: None }
        }
        None => {
            warn!("this chip has no unique number: no access point; the button starts a pairing");
            Settings::Off { remembered: None }
        }
    }
}
