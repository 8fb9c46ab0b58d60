//! UUIDs of profiles: NetworkManager's identifiers.

use std::fmt;

use rustix::rand::{GetRandomFlags, getrandom};
use wps_core::KeptId;
use wps_core::driver::ErrorKind;

use crate::error::LinuxError;

/// The first half of our UUIDs: "wps-nm", and the version 8 of RFC 9562, which is free to use.
const PREFIX: [u8; 8] = *b"wps-nm\x80\x01";
/// The lengths of the groups in the text, in bytes.
const GROUPS: [usize; 5] = [4, 2, 2, 2, 6];

/// The UUID of a profile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uuid(pub(crate) [u8; 16]);

impl Uuid {
    /// Creates a UUID of ours that no other profile has.
    pub(crate) fn new_own() -> Result<Self, LinuxError> {
        let mut bytes = [0; 16];
        let (prefix, random) = bytes.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(&PREFIX);
        getrandom(&mut *random, GetRandomFlags::empty())
            .map_err(|_| LinuxError::Wifi(ErrorKind::Other))?;
        // The variant of RFC 9562.
        random.iter_mut().take(1).for_each(|byte| *byte = *byte & 0x3f | 0x80);
        Ok(Self(bytes))
    }

    /// Returns whether this driver has chosen the UUID.
    pub(crate) fn is_own(self) -> bool {
        self.0.starts_with(&PREFIX)
    }

    /// Parses the usual text form. Returns `None` for the other identifiers that NetworkManager
    /// accepts for old profiles.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let groups: Vec<&str> = text.split('-').collect();
        let has_form = groups.len() == GROUPS.len()
            && groups.iter().zip(GROUPS).all(|(group, length)| group.len() == 2 * length);
        let bytes = base16ct::mixed::decode_vec(groups.concat()).ok().filter(|_| has_form)?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_slice();
        for (index, length) in GROUPS.into_iter().enumerate() {
            let (group, others) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = others;
            let dash = if index > 0 { "-" } else { "" };
            write!(f, "{dash}{}", base16ct::lower::encode_string(group))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<KeptId> for Uuid {
    fn from(id: KeptId) -> Self {
        Self(id.0)
    }
}

impl From<Uuid> for KeptId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn our_uuids_differ_and_are_recognized() {
        let (one, other) = (Uuid::new_own().unwrap(), Uuid::new_own().unwrap());
        assert!(one.is_own() && other.is_own() && one != other);
        let text = one.to_string();
        assert!(text.starts_with("7770732d-6e6d-8001-"), "{text}");
        assert!(matches!(text.as_bytes().get(19), Some(b'8' | b'9' | b'a' | b'b')), "{text}");
    }

    #[test]
    fn other_identifiers_are_not_ours() {
        let user = Uuid::parse("11111111-2222-3333-4444-5555aaaaBBBB").unwrap();
        assert!(!user.is_own());
        assert_eq!(user.to_string(), "11111111-2222-3333-4444-5555aaaabbbb");
        for text in ["", "1111", "11111111-2222-3333-4444-55555555555", "----", "wlan0"] {
            assert_eq!(Uuid::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_uuid_is_parsed_from_its_text(bytes: [u8; 16]) {
            prop_assert_eq!(Uuid::parse(&Uuid(bytes).to_string()), Some(Uuid(bytes)));
        }

        #[test]
        fn any_text_parses_without_a_panic(text: String) {
            let _ = Uuid::parse(&text);
        }
    }
}
