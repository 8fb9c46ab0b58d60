//! The key of encrypted settings, which comes from a key block in the chip's eFuses.

use esp_hal::efuse::{self, KEY_PURPOSE_5, RD_DIS};
use esp_hal::hmac::{self, Hmac, HmacPurpose, KeyId};
use esp_hal::peripherals::{ADC1, RNG};
use esp_hal::rng::{Trng, TrngSource};
use esp_hal::sha::Sha;
use nb::block;
use wps_esp32::board::{self, Crypto};
use wps_esp32::{LogDisplay, warn};
pub(crate) use wps_hal_esp::store::Encrypted;
use wps_hal_esp::store::{HmacKey, KeyState};

/// The key block, `BLOCK_KEY5`. Its purpose must be in `state`, too.
const KEY_BLOCK: KeyId = KeyId::Key5;

struct KeyBlock {
    hmac: Hmac<'static>,
    /// Keeps the clock of the SHA peripheral on, which the HMAC peripheral needs.
    _sha: Sha<'static>,
}

/// Returns the format of the settings. Returns `None`, and logs the reason, if the chip has no key
/// that only it can use.
pub(crate) fn record_format(crypto: Crypto) -> Option<Encrypted> {
    let Some(seed) = draw_seed(crypto.rng, crypto.adc) else {
        warn!("no settings: no random numbers");
        return None;
    };
    let key = KeyBlock { hmac: Hmac::new(crypto.hmac), _sha: Sha::new(crypto.sha) };
    Encrypted::new(key, &board::mac_address(), seed)
        .map_err(|error| warn!("no settings: BLOCK_KEY5: {}", LogDisplay(&error)))
        .ok()
}

/// Draws random bytes with the ADC as the source of noise, because the radio is still off.
fn draw_seed(rng: RNG<'static>, adc: ADC1<'static>) -> Option<[u8; 32]> {
    let _source = TrngSource::new(rng, adc);
    let mut seed = [0; 32];
    // Dropped before its source, as it must be.
    Trng::try_new().ok()?.read(&mut seed);
    Some(seed)
}

impl HmacKey for KeyBlock {
    type Error = hmac::Error;

    fn state(&self) -> KeyState {
        let purpose = efuse::read_field_le(KEY_PURPOSE_5);
        KeyState::from_efuses(KEY_BLOCK as u8, purpose, efuse::read_field_le(RD_DIS))
    }

    fn hmac(&mut self, message: &[u8; 32]) -> Result<[u8; 32], hmac::Error> {
        self.hmac.init();
        block!(self.hmac.configure(HmacPurpose::ToUser, KEY_BLOCK))?;
        let mut rest = &message[..];
        while !rest.is_empty() {
            let Ok(next) = block!(self.hmac.update(rest));
            rest = next;
        }
        let mut result = [0; 32];
        let Ok(()) = block!(self.hmac.finalize(&mut result));
        Ok(result)
    }
}
