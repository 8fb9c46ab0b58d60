//! Where the settings are, and what a device begins with that has none.

use core::ops::Range;

use embassy_embedded_hal::adapter::BlockingAsync;
use esp_bootloader_esp_idf::partitions::{PARTITION_TABLE_MAX_LEN, read_partition_table};
use esp_hal::efuse::{self, OPTIONAL_UNIQUE_ID};
use esp_hal::peripherals::FLASH;
use esp_storage::FlashStorage;
use wps_core::{AccessPoint, Credentials, Settings};
use wps_esp32::{Shown, say};
use wps_hal_esp::store::FlashStore;
use wps_label::Name;

/// The label of the partition in `partitions.csv` that is the settings' own.
const PARTITION: &[u8] = b"wps";

pub(crate) type Store = FlashStore<BlockingAsync<FlashStorage<'static>>>;

/// The store in its partition.
pub(crate) fn open(flash: FLASH<'static>) -> Option<Store> {
    let mut flash = FlashStorage::new(flash);
    let Some(range) = range(&mut flash) else {
        say!("no settings: flash this program with --partition-table partitions.csv");
        return None;
    };
    let store = FlashStore::new(BlockingAsync::new(flash), range);
    store.map_err(|error| say!("no settings: {}", Shown(&error))).ok()
}

fn range(flash: &mut FlashStorage<'_>) -> Option<Range<u32>> {
    let mut table = [0; PARTITION_TABLE_MAX_LEN];
    let table = read_partition_table(flash, &mut table).ok()?;
    let entry = table.iter().find(|entry| is_called(entry.label(), PARTITION))?;
    Some(entry.offset()..entry.offset().checked_add(entry.len())?)
}

/// A label is filled up with zeros. It may be any bytes, so it is not read as text.
fn is_called(label: &[u8], name: &[u8]) -> bool {
    label.strip_prefix(name).is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
}

/// Its own access point, with a key of its own: what `label` prints. Off where the chip has no number to
/// make one from, as an open access point, or one with a key that others have too, is none.
pub(crate) fn factory_settings(name: &Name) -> Settings {
    let unique_id = efuse::read_field_le(OPTIONAL_UNIQUE_ID);
    let secret = option_env!("WPS_MAKER_SECRET").map(str::as_bytes);
    let network = wps_label::ssid(name).zip(wps_label::key(&unique_id, secret));
    match network {
        Some((ssid, key)) => {
            let network = Credentials { ssid, passphrase: Some(key) };
            // On the channel that the driver chooses.
            let access_point = AccessPoint { network, channel: None };
            Settings::AccessPoint { access_point, remembered: None }
        }
        None => {
            say!("this chip has no unique number: no access point; the button starts a pairing");
            Settings::Off { remembered: None }
        }
    }
}
