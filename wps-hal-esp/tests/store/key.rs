//! Without a key of the chip there is no encrypted store.

use core::convert::Infallible;

use wps_hal_esp::store::{Encrypted, HmacKey, KeyError, KeyState};

use super::encrypted::{DEVICE, FakeKey, KEY};

fn refusal<K: HmacKey>(key: K) -> Option<KeyError<K::Error>> {
    Encrypted::new(key, DEVICE, [1; 32]).err()
}

#[test]
fn a_key_block_that_was_not_burned_is_refused() {
    let error = refusal(FakeKey { state: KeyState::NotBurned, ..KEY });
    assert_eq!(error, Some(KeyError::NotBurned));
    let sentence = "the key block has no key of purpose HMAC_UP: burn one with `espefuse burn-key`";
    assert_eq!(KeyError::<Infallible>::NotBurned.to_string(), sentence);
}

#[test]
fn a_key_block_that_programs_can_read_is_refused() {
    let error = refusal(FakeKey { state: KeyState::Readable, ..KEY });
    assert_eq!(error, Some(KeyError::Readable));
}

/// For example a block that was protected before it was burned.
#[test]
fn a_key_of_zeros_or_ones_is_refused() {
    for constant in [0, 0xff] {
        assert_eq!(refusal(FakeKey::of(constant)), Some(KeyError::Constant));
    }
    let mut nearly = FakeKey::of(0);
    nearly.key[31] = 1;
    assert_eq!(refusal(nearly), None);
}

/// A key block with another peripheral.
struct Peripheral(Result<[u8; 32], &'static str>);

impl HmacKey for Peripheral {
    type Error = &'static str;

    fn state(&self) -> KeyState {
        KeyState::Protected
    }

    fn hmac(&mut self, _: &[u8; 32]) -> Result<[u8; 32], &'static str> {
        self.0
    }
}

#[test]
fn an_error_of_the_peripheral_is_passed_on() {
    let error = refusal(Peripheral(Err("KeyPurposeMismatch")));
    assert_eq!(error, Some(KeyError::Hmac("KeyPurposeMismatch")));
}

/// For example because the clock of the SHA peripheral, which it needs, is off.
#[test]
fn a_peripheral_that_does_not_work_is_refused() {
    for result in [[0; 32], [0x5a; 32]] {
        assert_eq!(refusal(Peripheral(Ok(result))), Some(KeyError::NoHmac));
    }
}

/// The eFuses of an ESP32-C3, as `espefuse` shows them.
#[test]
fn the_efuses_say_whether_a_key_was_burned_and_protected() {
    for block in 0..6 {
        let protected = 1 << block;
        assert_eq!(KeyState::from_efuses(block, 8, protected), KeyState::Protected);
        assert_eq!(KeyState::from_efuses(block, 8, !protected), KeyState::Readable);
        // USER, XTS_AES_128_KEY, HMAC_DOWN_ALL, HMAC_DOWN_JTAG, HMAC_DOWN_DIGITAL_SIGNATURE
        for purpose in [0, 4, 5, 6, 7] {
            assert_eq!(KeyState::from_efuses(block, purpose, protected), KeyState::NotBurned);
        }
    }
    assert_eq!(KeyState::from_efuses(200, 8, 0xff), KeyState::Readable);
}
