//! The key of the encrypted records, which comes from a key block of the chip.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A key that only the chip itself can use: a key block in its eFuses, and the peripheral that
/// computes HMAC-SHA256 with it.
pub trait HmacKey {
    /// The error of the peripheral.
    type Error: fmt::Debug;

    /// Returns what the eFuses say about the key block.
    fn state(&self) -> KeyState;

    /// Computes HMAC-SHA256 of a message with this key.
    ///
    /// # Errors
    /// An error of the peripheral, for example because the key block has another purpose.
    fn hmac(&mut self, message: &[u8; 32]) -> Result<[u8; 32], Self::Error>;
}

/// What the eFuses say about a key block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// No key was burned for this purpose.
    NotBurned,
    /// A key was burned, and every program on the chip can read it.
    Readable,
    /// A key was burned, and no program can read it.
    Protected,
}

/// The purpose `HMAC_UP` of a key block: HMAC for the program.
const PURPOSE_HMAC_UP: u8 = 8;

impl KeyState {
    /// Returns the state of key block `block` (0 to 5) from the eFuses `KEY_PURPOSE_…` of this
    /// block and `RD_DIS`. It is the same on all chips with this peripheral: ESP32-S2, -S3, -C3,
    /// -C5, -C6, -H2 and -P4. The ESP32 and the ESP32-C2 do not have it.
    pub const fn from_efuses(block: u8, purpose: u8, rd_dis: u8) -> Self {
        if purpose != PURPOSE_HMAC_UP {
            return Self::NotBurned;
        }
        match rd_dis.checked_shr(block as u32) {
            Some(bits) if bits & 1 == 1 => Self::Protected,
            Some(_) | None => Self::Readable,
        }
    }
}

/// The reason why a key block cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError<E: fmt::Debug> {
    /// [`KeyState::NotBurned`].
    #[error("the key block has no key of purpose HMAC_UP: burn one with `espefuse burn-key`")]
    NotBurned,
    /// [`KeyState::Readable`].
    #[error("any program can read the key block: protect it with `espefuse read-protect-efuse`")]
    Readable,
    /// The key consists of zeros or ones only. A block that was protected before it was burned is
    /// like that.
    #[error("the key block contains no key, but only zeros or ones: burn one into another block")]
    Constant,
    /// The peripheral returns the same for two messages, so its result depends on no key.
    #[error("the chip computes the same HMAC for different messages: its peripheral does not work")]
    NoHmac,
    /// The peripheral failed.
    #[error("the chip cannot use the key block: {0:?}")]
    Hmac(E),
}

/// A key for one purpose. It is wiped when dropped.
pub(super) type DerivedKey = Zeroizing<[u8; 32]>;

/// Derives a key for a purpose in this device.
pub(super) fn derive<K: HmacKey>(
    key: &mut K,
    purpose: &[u8],
    device: &[u8],
) -> Result<DerivedKey, KeyError<K::Error>> {
    match key.state() {
        KeyState::NotBurned => return Err(KeyError::NotBurned),
        KeyState::Readable => return Err(KeyError::Readable),
        KeyState::Protected => {}
    }
    let message = Sha256::new()
        .chain_update(b"wps-hal-esp: settings in flash, ")
        .chain_update(purpose)
        .chain_update(device)
        .finalize()
        .into();
    let derived = Zeroizing::new(key.hmac(&message).map_err(KeyError::Hmac)?);
    // No program can read the key itself, so the results of such keys are compared.
    for constant in [0, u8::MAX] {
        if *derived == hmac(&[constant; 32], [&message]) {
            return Err(KeyError::Constant);
        }
    }
    Ok(derived)
}

/// Computes HMAC-SHA256 in software.
pub(super) fn hmac<const PARTS: usize>(key: &[u8; 32], parts: [&[u8]; PARTS]) -> [u8; 32] {
    // A key is padded with zeros to the length of a block.
    let mut block = Zeroizing::new([0; 64]);
    for (byte, key) in block.iter_mut().zip(key) {
        *byte = *key;
    }
    let mut hmac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        hmac.update(part);
    }
    hmac.finalize().into_bytes().into()
}
