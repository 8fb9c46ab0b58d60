//! Encrypted and authenticated records.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | [`VERSION`], which is also the associated data |
//! | 24 | nonce |
//! | n | the record as [`Record::encode`] writes it, encrypted |
//! | 16 | tag |

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use embedded_storage_async::nor_flash::NorFlash;
use wps_core::Record;
use zeroize::Zeroizing;

use super::blocks::{Buffer, NewestRecord};
use super::key::{DerivedKey, HmacKey, KeyError, derive, hmac};
use super::{FlashStore, PlainText, RecordFormat, StoreError};

/// The format of encrypted records: XChaCha20-Poly1305 with a key that only this chip can derive.
///
/// ```
/// use embedded_storage_async::nor_flash::NorFlash;
/// use wps_core::SettingsStore;
/// use wps_hal_esp::store::{Encrypted, FlashStore, HmacKey};
///
/// /// Opens the store, or returns what is wrong with the key block or the flash.
/// fn open<F: NorFlash>(
///     flash: F,
///     key_block: impl HmacKey,
///     mac_address: [u8; 6],
///     seed: [u8; 32], // drawn at each start: see `Encrypted::new`
/// ) -> Result<impl SettingsStore, Box<dyn core::error::Error>>
/// where
///     F::Error: 'static,
/// {
///     let format = Encrypted::new(key_block, &mac_address, seed).map_err(|e| e.to_string())?;
///     Ok(FlashStore::new(flash, 0..0x6000)?.with_format(format))
/// }
/// ```
///
/// # What it protects
///
/// Someone who reads the flash chip, or has a copy of its contents, can read neither passwords nor
/// names of networks, and cannot make settings that the device accepts. They can see how long each
/// record is and how many there are, and delete them. They can also write back an older copy of the
/// flash: nothing in it can prove that it is the newest.
///
/// **It does not protect against a program on the chip.** Any program can ask the chip for the same
/// key. So it needs secure boot, with JTAG and the download mode switched off, against people who
/// hold the device.
///
/// # Records that cannot be read
///
/// If the key is another one, or the flash is from another device, `load` returns
/// [`Loaded::Corrupt`](wps_core::Loaded::Corrupt), and the next save preserves the newest record,
/// as any damaged one. A record in plain text is not accepted either, because someone who can
/// write the flash could put it there: see [`FlashStore::encrypt_plain_text`].
///
/// # Nonces
///
/// A nonce is HMAC-SHA256, with a key of its own, of the seed, the number of the save since the
/// start, and the record: so it is fresh within one run by the number, and after a power cut by the
/// new seed. Even if a bad generator repeats its seed, two different records get different nonces,
/// and the same record only repeats bytes that are in flash already.
pub struct Encrypted {
    cipher: XChaCha20Poly1305,
    nonce_key: DerivedKey,
    seed: DerivedKey,
    saves: u64,
}

/// The first byte of a record. A record in plain text starts with a version below 128.
const VERSION: u8 = 128 + 1;
const NONCE_LEN: usize = size_of::<XNonce>();
const TAG_LEN: usize = size_of::<Tag>();
/// The longest encrypted record in bytes.
pub(super) const MAX_LEN: usize = 1 + NONCE_LEN + Record::MAX_LEN + TAG_LEN;

impl Encrypted {
    /// Derives the keys of this device.
    ///
    /// `device` is a number of the device that never changes, such as its MAC address. It ensures
    /// that a record is not accepted by another device, even if both have the same key.
    ///
    /// `seed` is 32 random bytes, drawn at each start. On an ESP32, use esp-hal's `Trng` with a
    /// `TrngSource`, before the radio is started. esp-radio also enables `Trng` when it is
    /// initialized, but there is no entropy from the radio while it is off.
    ///
    /// # Errors
    /// Returns an error if the chip has no key, if programs can read it, if it is a constant, or if
    /// the peripheral does not work. There is no other key to fall back to.
    pub fn new<K: HmacKey>(
        mut key: K,
        device: &[u8],
        seed: [u8; 32],
    ) -> Result<Self, KeyError<K::Error>> {
        let seed = Zeroizing::new(seed);
        let cipher_key = derive(&mut key, b"version 1: records of ", device)?;
        let nonce_key = derive(&mut key, b"version 1: nonces of ", device)?;
        if cipher_key == nonce_key {
            return Err(KeyError::NoHmac);
        }
        Ok(Self {
            cipher: XChaCha20Poly1305::new((&*cipher_key).into()),
            nonce_key,
            seed,
            saves: 0,
        })
    }
}

impl RecordFormat for Encrypted {
    fn encode(&mut self, record: &Record, buffer: &mut [u8]) -> Option<usize> {
        let (version, buffer) = buffer.split_first_mut()?;
        let (nonce, buffer) = buffer.split_first_chunk_mut::<NONCE_LEN>()?;
        let len = record.encode(buffer).ok()?.len();
        let (text, buffer) = buffer.split_at_mut_checked(len)?;
        let tag = buffer.first_chunk_mut::<TAG_LEN>()?;

        self.saves += 1;
        let parts = [&self.seed[..], &self.saves.to_le_bytes(), text];
        *nonce = *hmac(&self.nonce_key, parts).first_chunk()?;
        *version = VERSION;
        let encrypted =
            self.cipher.encrypt_inout_detached((&*nonce).into(), &[VERSION], text.into());
        *tag = encrypted.ok()?.into();
        Some(1 + NONCE_LEN + len + TAG_LEN)
    }

    fn decode(&self, bytes: &[u8]) -> Option<Record> {
        let (&VERSION, bytes) = bytes.split_first()? else { return None };
        let (nonce, bytes) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let (encrypted, tag) = bytes.split_last_chunk::<TAG_LEN>()?;
        let mut buffer = Zeroizing::new([0; Record::MAX_LEN]);
        let text = buffer.get_mut(..encrypted.len())?;
        text.copy_from_slice(encrypted);
        self.cipher
            .decrypt_inout_detached(nonce.into(), &[VERSION], (&mut *text).into(), tag.into())
            .ok()?;
        Record::decode(text).ok()
    }
}

impl<F: NorFlash> FlashStore<F, Encrypted> {
    /// Takes over settings that an earlier firmware has saved in plain text: saves them encrypted,
    /// and then erases the log's other blocks. Call it at each start, before the first `load`, for
    /// as long as such devices may get this firmware. After a power cut, the next call continues.
    ///
    /// **Someone who can write the flash can use this to put settings of their own into the
    /// device**, which is why [`load`](wps_core::SettingsStore::load) does not do it. If the newest
    /// record is damaged, nothing changes. Damaged records in plain text that were preserved before
    /// stay readable.
    ///
    /// For each block that the log fills, this costs at most one more erase.
    ///
    /// # Errors
    /// The same errors as [`save`](wps_core::SettingsStore::save). Passwords may then still be in
    /// flash as plain text.
    pub async fn encrypt_plain_text(&mut self) -> Result<(), StoreError<F::Error>> {
        let decode = |body: &[u8]| self.format.decode(body).or_else(|| PlainText.decode(body));
        let log = self.blocks.read_log(decode).await?;
        let Some(NewestRecord { number, mut block, record: Some(record) }) = log.newest else {
            return Ok(());
        };
        if number != log.highest_number {
            return Ok(());
        }
        let is_plain = |_, body: &[u8]| PlainText.decode(body).is_some();
        if self.blocks.find(block, &mut Buffer::new(), is_plain).await?.is_some() {
            block = self.blocks.next_log_block(block).ok_or(StoreError::Worn)?;
            self.erase_and_append(block, number.saturating_add(1), &record).await?;
        }
        for other in self.blocks.log_blocks().filter(|other| *other != block) {
            // Also a block without records may have some of their bytes, after a power cut.
            if self.blocks.count_used(other).await? > 0 {
                self.blocks.erase(other).await?;
            }
        }
        Ok(())
    }
}
