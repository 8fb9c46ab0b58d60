//! Property tests: of the stored format, over all records and all kinds of damage; and of the whole
//! device, over random scenarios. No property calls the function under test to compute the expected
//! result.

mod common;

use common::scenario::{
    Action, DISK_FAULTS, PLATFORMS, RADIO_FAULTS, ROUTER_KEYS, ROUTER_KINDS, ROUTERS, Scenario,
    known_settings,
};
use proptest::collection::vec;
use proptest::prelude::*;
use wps_core::{
    AccessPoint, AfterFailure, Credentials, KeptId, Passphrase, Record, RecordError, Secret,
    Settings, Snapshot, Ssid,
};
use wps_testkit::{hotspot, network, off, station};

/// The length of the longest record. A network with an identifier is shorter than one with a key.
/// In order: the version and two variant numbers; the access
/// point's network, with 32 bytes of name and 64 bytes of key, each after its length; the channel,
/// with a flag; the remembered network, with a flag; 64 bytes of snapshot after their length; the
/// checksum.
const LONGEST_RECORD: usize =
    1 + 1 + 1 + (1 + 32 + 1 + 64) + (1 + 1) + 1 + (1 + 32 + 1 + 64) + (1 + 64) + 4;

fn any_credentials() -> impl Strategy<Value = Credentials> {
    let printable =
        any::<u8>().prop_filter("no control character", |byte| !byte.is_ascii_control());
    let digit = prop::sample::select(b"0123456789abcdefABCDEF".to_vec());
    let key = prop_oneof![vec(printable, 8..=63), vec(digit, 64)];
    let secret = prop_oneof![
        Just(Secret::Open),
        key.prop_map(|key| Secret::Key(Passphrase::new(&key).expect("a key"))),
        any::<[u8; 16]>().prop_map(|id| Secret::Kept(KeptId(id))),
    ];
    (vec(any::<u8>(), 1..=32), secret).prop_map(|(name, secret)| Credentials {
        ssid: Ssid::new(&name).expect("1 to 32 bytes"),
        secret,
    })
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let remembered = || prop::option::of(any_credentials());
    let access_point = (any_credentials(), any::<Option<u8>>())
        .prop_map(|(network, channel)| AccessPoint { network, channel });
    prop_oneof![
        Just(Settings::Platform),
        any_credentials().prop_map(station),
        (access_point, remembered()).prop_map(|(access_point, remembered)| {
            Settings::AccessPoint { access_point, remembered }
        }),
        remembered().prop_map(off),
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    let snapshot = vec(any::<u8>(), 0..=Snapshot::MAX_LEN)
        .prop_map(|bytes| Snapshot::new(&bytes).expect("fits"));
    (any_settings(), snapshot, 0..3).prop_map(|(before, snapshot, kind)| match kind {
        0 => Record::Settled(before),
        1 => Record::Pairing { before, snapshot },
        _ => Record::Configuring { before, snapshot },
    })
}

/// Returns whether the record names a network that the platform keeps.
fn has_kept_network(record: &Record) -> bool {
    let (Record::Settled(settings)
    | Record::Pairing { before: settings, .. }
    | Record::Configuring { before: settings, .. }) = record;
    let networks = match settings {
        Settings::Platform => [None, None],
        Settings::Station { network } => [Some(network), None],
        Settings::AccessPoint { access_point, remembered } => {
            [Some(&access_point.network), remembered.as_ref()]
        }
        Settings::Off { remembered } => [remembered.as_ref(), None],
    };
    networks.into_iter().flatten().any(|network| matches!(network.secret, Secret::Kept(_)))
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut buffer = [0xaa; Record::MAX_LEN];
    record.encode(&mut buffer).expect("MAX_LEN is always enough").to_vec()
}

/// Computes the CRC-32 of ISO 3309 bit by bit.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        }
    }
    (!sum).to_le_bytes()
}

fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    [bytes, &checksum(bytes)].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_survives_encoding_and_decoding(record in any_record()) {
        let bytes = encoded(&record);
        prop_assert!(bytes.len() <= LONGEST_RECORD);
        prop_assert_eq!(Record::decode(&bytes), Ok(record.clone()));
        let same = record.with_encoded(|encoded| encoded == bytes);
        prop_assert_eq!(same, Ok(true));
        // A buffer of exactly this length is enough, and a shorter one is an error.
        let mut exact = vec![0; bytes.len()];
        prop_assert!(record.encode(&mut exact).is_ok());
        for short in 0..bytes.len() {
            prop_assert_eq!(record.encode(&mut exact[..short]), Err(RecordError::Space));
        }
    }

    /// So that an older program can read the record where possible.
    #[test]
    fn a_record_is_written_in_the_oldest_version_that_can_hold_it(record in any_record()) {
        let version = if has_kept_network(&record) { 2 } else { 1 };
        prop_assert_eq!(encoded(&record)[0], version);
    }

    #[test]
    fn a_truncated_record_is_corrupt(record in any_record()) {
        let bytes = encoded(&record);
        for end in 0..bytes.len() {
            prop_assert_eq!(Record::decode(&bytes[..end]), Err(RecordError::Corrupt), "{}", end);
        }
    }

    #[test]
    fn a_mixture_of_two_records_is_corrupt(
        one in any_record(),
        other in any_record(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (one, other) = (encoded(&one), encoded(&other));
        let at = cut.index(one.len().min(other.len()));
        let mixed = [&one[..at], &other[at..]].concat();
        prop_assume!(mixed != one && mixed != other);
        prop_assert_eq!(Record::decode(&mixed), Err(RecordError::Corrupt));
    }

    #[test]
    fn a_record_with_extra_bytes_is_corrupt(
        record in any_record(),
        tail in vec(any::<u8>(), 1..20),
    ) {
        let bytes = encoded(&record);
        let longer = [&bytes[..], &tail].concat();
        prop_assert_eq!(Record::decode(&longer), Err(RecordError::Corrupt));
        // Also with a valid checksum.
        let longer = with_checksum(&[&bytes[..bytes.len() - 4], &tail].concat());
        prop_assert_eq!(Record::decode(&longer), Err(RecordError::Corrupt));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        prop_assert_eq!(Record::decode(&bytes), Err(RecordError::Corrupt));
    }

    /// If damaged bytes with a valid checksum still decode, the record can be stored again.
    #[test]
    fn damage_with_a_valid_checksum_never_panics(
        record in any_record(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut contents = encoded(&record);
        contents.truncate(contents.len() - 4);
        // Any byte except the version.
        let place = 1 + place.index(contents.len() - 1);
        contents[place] = byte;
        match Record::decode(&with_checksum(&contents)) {
            Ok(record) => prop_assert_eq!(Record::decode(&encoded(&record)), Ok(record)),
            Err(error) => prop_assert_eq!(error, RecordError::Corrupt),
        }
    }

    #[test]
    fn a_record_of_a_later_version_is_recognised(
        version in 3_u8..,
        contents in vec(any::<u8>(), 0..300),
    ) {
        let bytes = with_checksum(&[&[version], &contents[..]].concat());
        prop_assert_eq!(Record::decode(&bytes), Err(RecordError::Version(version)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn a_record_with_a_flipped_bit_is_corrupt(record in any_record()) {
        let mut bytes = encoded(&record);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Record::decode(&bytes), Err(RecordError::Corrupt), "bit {}", bit);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn the_longest_record_fits() {
    let network = || network(&[0xff; 32], &[b'f'; 64]);
    let before = Settings::AccessPoint {
        access_point: AccessPoint { network: network(), channel: Some(255) },
        remembered: Some(network()),
    };
    let snapshot = Snapshot::new(&[0xff; Snapshot::MAX_LEN]).expect("fits");
    let record = Record::Pairing { before, snapshot };
    assert_eq!(encoded(&record).len(), LONGEST_RECORD);
    const { assert!(LONGEST_RECORD <= Record::MAX_LEN) }
    assert_eq!(Record::decode(&encoded(&record)), Ok(record));
}

/// Devices in the field store these bytes. A change that breaks this test needs a new version
/// number.
#[test]
fn the_stored_form_of_version_1() {
    let name = |name: &[u8]| [&[name.len() as u8], name].concat();
    let [home, key, device] = [&b"home"[..], b"correct horse", b"device"].map(name);
    let label = name(b"on the label");
    let snapshot = name(b"noted");
    let driver_snapshot = || Snapshot::new(b"noted").expect("short");
    for (record, contents) in [
        (Record::Settled(Settings::Platform), vec![1, 0, 0]),
        (Record::Settled(station(wps_testkit::home())), [&[1, 0, 1][..], &home, &key].concat()),
        (
            Record::Settled(station(network(b"home", b""))), // open
            [&[1, 0, 1][..], &home, &[0]].concat(),
        ),
        (
            Record::Pairing {
                before: hotspot(Some(wps_testkit::home())),
                snapshot: driver_snapshot(),
            },
            [&[1, 1, 2][..], &device, &label, &[1, 6, 1], &home, &key, &snapshot].concat(),
        ),
        (
            Record::Configuring { before: off(None), snapshot: driver_snapshot() },
            [&[1, 2, 3, 0][..], &snapshot].concat(),
        ),
    ] {
        let bytes = with_checksum(&contents);
        assert_eq!(encoded(&record), bytes, "{record:?}");
        assert_eq!(Record::decode(&bytes), Ok(record));
    }
}

/// The network "home" as version 2 stores it if the platform keeps it.
const KEPT_HOME: &[u8] = b"\x04home\x800123456789abcdef";

fn kept_home() -> Credentials {
    Credentials { secret: Secret::Kept(KeptId(*b"0123456789abcdef")), ..wps_testkit::home() }
}

/// Devices in the field store these bytes, too. What has no network with an identifier is stored
/// in version 1.
#[test]
fn the_stored_form_of_version_2() {
    let access_point = b"\x06device\x0con the label\x01\x06";
    let snapshot = || Snapshot::new(b"noted").expect("short");
    for (record, contents) in [
        (Record::Settled(station(kept_home())), [&[2, 0, 1], KEPT_HOME].concat()),
        (Record::Settled(off(Some(kept_home()))), [&[2, 0, 3, 1], KEPT_HOME].concat()),
        (
            Record::Settled(hotspot(Some(kept_home()))),
            [&[2, 0, 2], &access_point[..], &[1], KEPT_HOME].concat(),
        ),
        (
            Record::Pairing { before: station(kept_home()), snapshot: snapshot() },
            [&[2, 1, 1], KEPT_HOME, b"\x05noted"].concat(),
        ),
        (
            Record::Pairing { before: hotspot(Some(kept_home())), snapshot: snapshot() },
            [&[2, 1, 2], &access_point[..], &[1], KEPT_HOME, b"\x05noted"].concat(),
        ),
        (
            Record::Configuring { before: off(Some(kept_home())), snapshot: snapshot() },
            [&[2, 2, 3, 1], KEPT_HOME, b"\x05noted"].concat(),
        ),
    ] {
        let bytes = with_checksum(&contents);
        assert_eq!(encoded(&record), bytes, "{record:?}");
        assert_eq!(Record::decode(&bytes), Ok(record));
    }
}

#[test]
fn a_truncated_identifier_is_corrupt() {
    let contents = [&[2, 0, 1], KEPT_HOME].concat();
    for end in contents.len() - 17..contents.len() {
        let bytes = with_checksum(&contents[..end]);
        assert_eq!(Record::decode(&bytes), Err(RecordError::Corrupt), "{end}");
    }
    let longer = with_checksum(&[&contents[..], b"x"].concat());
    assert_eq!(Record::decode(&longer), Err(RecordError::Corrupt));
}

#[test]
fn version_3_is_not_known_yet() {
    let bytes = with_checksum(&[&[3, 0, 1], KEPT_HOME].concat());
    assert_eq!(Record::decode(&bytes), Err(RecordError::Version(3)));
}

fn any_action() -> impl Strategy<Value = Action> {
    let router = || prop::sample::select(ROUTERS.to_vec());
    let kind = prop::sample::select(ROUTER_KINDS.to_vec());
    let key = prop::sample::select(ROUTER_KEYS.to_vec());
    let fault = prop::sample::select(RADIO_FAULTS.to_vec());
    let disk_fault = prop::sample::select(DISK_FAULTS.to_vec());
    prop_oneof![
        6 => any::<bool>().prop_map(Action::Start),
        2 => router().prop_map(Action::StartWith),
        1 => Just(Action::Cancel),
        1 => prop::sample::select(known_settings()).prop_map(Action::Configure),
        1 => any::<bool>().prop_map(Action::Enable),
        1 => Just(Action::QueryLink),
        4 => router().prop_map(Action::PressRouter),
        1 => router().prop_map(Action::ReleaseRouter),
        1 => (router(), any::<bool>()).prop_map(|(router, on)| Action::PowerRouter(router, on)),
        2 => kind.prop_map(Action::SetRouterKind),
        2 => (router(), key).prop_map(|(router, key)| Action::SetKey(router, key)),
        1 => prop::option::of(fault).prop_map(Action::SetRadioFault),
        1 => Just(Action::RestartPlatform),
        1 => any::<bool>().prop_map(Action::RemoveKept),
        2 => prop::option::of(disk_fault).prop_map(Action::SetDiskFault),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn every_scenario_keeps_the_invariants(
        platform in prop::sample::select(PLATFORMS.to_vec()),
        initial in prop::option::of(prop::sample::select(known_settings())),
        back in any::<bool>(),
        poll_seed in any::<u64>(),
        drop_after in 0_usize..400,
        power_cuts in vec(0_usize..400, 0..=2),
        actions in vec((0_u32..40_000, any_action()), 0..24),
    ) {
        let after_failure =
            if back { AfterFailure::AccessPointBack } else { AfterFailure::AccessPointOff };
        Scenario { platform, initial, after_failure, poll_seed, drop_after, power_cuts, actions }
            .run();
    }
}
