//! The parser of the elements of beacons and probe responses.

use proptest::prelude::*;
use wps_core::wsc::{Advertisement, Uuid};
use wps_testkit::wsc::{attribute, element, pressed, wps_element};
use wps_testkit::{recorded, unhex};

const UUID: &str = "362db47b-a53a-5191-88fb-5458b986b2e4";

const SELECTED_REGISTRAR: u16 = 0x1041;
const DEVICE_PASSWORD_ID: u16 = 0x1012;
const MANUFACTURER: u16 = 0x1021;

fn parse(elements: &[u8]) -> Advertisement {
    Advertisement::parse(elements).expect("has WPS")
}

fn name(advertisement: &Advertisement) -> Option<&[u8]> {
    advertisement.ssid.as_ref().map(|ssid| ssid.as_bytes())
}

#[test]
fn an_idle_beacon_of_hostapd() {
    let beacon = parse(&recorded::idle_beacon());
    assert_eq!(name(&beacon), Some(&b"labnet"[..]));
    assert_eq!(beacon.uuid, None);
    assert!(!beacon.pressed);
    assert!(beacon.version2);
}

#[test]
fn a_beacon_of_hostapd_with_its_button_pressed() {
    let beacon = parse(&recorded::pressed_beacon());
    assert_eq!(name(&beacon), Some(&b"labnet"[..]));
    assert_eq!(beacon.uuid, None, "a beacon carries no UUID");
    assert!(beacon.pressed);
    assert!(beacon.version2);
}

#[test]
fn a_probe_response_of_hostapd_with_its_button_pressed() {
    let response = parse(&recorded::pressed_probe_response());
    assert_eq!(name(&response), Some(&b"labnet"[..]));
    assert_eq!(response.uuid.expect("a UUID").to_string(), UUID);
    assert!(response.pressed);
    assert!(response.version2);
}

/// One that was never set up takes a new key when it pairs.
#[test]
fn whether_an_access_point_was_set_up() {
    const STATE: u16 = 0x1044;
    assert!(parse(&recorded::idle_beacon()).is_configured);
    for (value, is_configured) in [(&[1][..], false), (&[2], true), (&[], true), (&[1, 1], true)] {
        let element = wps_element(&attribute(STATE, value));
        assert_eq!(parse(&element).is_configured, is_configured, "{value:?}");
    }
    assert!(parse(&wps_element(&[])).is_configured, "unless it says so");
    let new = wps_element(&attribute(STATE, &[1]));
    let both = Advertisement::merged(&new, &recorded::idle_beacon()).expect("has WPS");
    assert!(!both.is_configured, "the probe response takes precedence");
}

#[test]
fn the_probe_response_takes_precedence_over_the_beacon() {
    let idle = recorded::idle_beacon();
    let response = recorded::pressed_probe_response();
    let both = Advertisement::merged(&response, &idle).expect("has WPS");
    assert_eq!(both.uuid.expect("from the response").to_string(), UUID);
    assert!(both.pressed);

    let nameless = wps_element(&[]);
    let both = Advertisement::merged(&nameless, &recorded::pressed_beacon()).expect("has WPS");
    assert_eq!(name(&both), Some(&b"labnet"[..]));
    assert!(both.pressed, "it is not known which frame is newer");

    let with_uuid = wps_element(&attribute(0x1047, &[7; 16]));
    let both = Advertisement::merged(&nameless, &with_uuid).expect("has WPS");
    assert_eq!(both.uuid, Some(Uuid([7; 16])));

    assert_eq!(Advertisement::merged(&[], &idle), Advertisement::parse(&idle));
    assert_eq!(Advertisement::merged(&response, &[]), Advertisement::parse(&response));
    assert_eq!(Advertisement::merged(&[], &[]), None);
}

#[test]
fn elements_without_wps_give_none() {
    let wpa1 = element(0xdd, &[0x00, 0x50, 0xf2, 0x01, 0x01, 0x00]);
    assert_eq!(Advertisement::parse(&[]), None);
    assert_eq!(Advertisement::parse(&[element(0, b"labnet"), wpa1].concat()), None);
}

#[test]
fn pressed_requires_selected_registrar_and_push_button() {
    let selected = |value: &[u8]| attribute(SELECTED_REGISTRAR, value);
    let password = |value: &[u8]| attribute(DEVICE_PASSWORD_ID, value);
    for (attributes, expected) in [
        ([selected(&[1]), password(&[0, 4])], true),
        ([password(&[0, 4]), selected(&[1])], true),
        ([selected(&[2]), password(&[0, 4])], true),
        ([selected(&[0]), password(&[0, 4])], false),
        ([selected(&[]), password(&[0, 4])], false),
        ([selected(&[1]), password(&[0, 0])], false),
        ([selected(&[1]), password(&[4, 0])], false),
        ([selected(&[1]), password(&[4])], false),
        ([selected(&[1]), vec![]], false),
        ([vec![], password(&[0, 4])], false),
    ] {
        let elements = wps_element(&attributes.concat());
        assert_eq!(parse(&elements).pressed, expected, "{attributes:02x?}");
    }
}

#[test]
fn wrong_selected_registrar_config_methods_are_ignored() {
    for methods in [&[0, 0][..], &[0, 4], &[]] {
        let attributes = [attribute(0x1053, methods), pressed()].concat();
        assert!(parse(&wps_element(&attributes)).pressed);
    }
}

#[test]
fn a_wps_element_split_at_any_byte_is_reassembled() {
    let attributes =
        [pressed(), attribute(0x1047, &[7; 16]), attribute(0x1049, &unhex("00372a 00 01 20"))]
            .concat();
    let whole = parse(&wps_element(&attributes));
    for cut in 0..=attributes.len() {
        let (one, two) = attributes.split_at(cut);
        let pieces = [wps_element(one), element(0, b"between"), wps_element(two)].concat();
        let joined = parse(&pieces);
        assert_eq!(
            (joined.uuid, joined.pressed, joined.version2),
            (whole.uuid, true, true),
            "cut at {cut}"
        );
    }
    assert_eq!(whole.uuid, Some(Uuid([7; 16])));
}

#[test]
fn attributes_before_a_damaged_end_are_kept() {
    let damaged = [pressed(), unhex("1047 0010 0102")].concat();
    let advertisement = parse(&wps_element(&damaged));
    assert!(advertisement.pressed);
    assert_eq!(advertisement.uuid, None);

    let cut_element = unhex("dd 30 0050f204 1041 0001 00");
    assert!(parse(&[wps_element(&pressed()), cut_element.clone()].concat()).pressed);
    assert_eq!(Advertisement::parse(&cut_element), None);
}

#[test]
fn a_uuid_of_a_wrong_length_is_ignored() {
    for length in [0, 15, 17] {
        let elements = wps_element(&attribute(0x1047, &vec![1; length]));
        assert_eq!(parse(&elements).uuid, None);
    }
}

#[test]
fn attributes_beyond_the_buffer_are_ignored() {
    let filler = attribute(MANUFACTURER, &[b'x'; 240]);
    let early =
        [wps_element(&pressed()), wps_element(&filler), wps_element(&filler), wps_element(&filler)]
            .concat();
    assert!(parse(&early).pressed);
    let late =
        [wps_element(&filler), wps_element(&filler), wps_element(&filler), wps_element(&pressed())]
            .concat();
    assert!(!parse(&late).pressed);
}

#[test]
fn a_hidden_name_is_ignored() {
    for hidden in [&[][..], &[0], &[0; 32]] {
        let elements = [element(0, hidden), wps_element(&pressed())].concat();
        assert_eq!(parse(&elements).ssid, None);
    }
    let odd = [element(0, b"\xff\0"), wps_element(&pressed())].concat();
    assert_eq!(name(&parse(&odd)), Some(&b"\xff\0"[..]));
    let long = [element(0, &[b'x'; 33]), wps_element(&pressed())].concat();
    assert_eq!(parse(&long).ssid, None);
}

#[test]
fn the_first_name_is_used() {
    let elements = [element(0, b"one"), element(0, b"two"), wps_element(&[])].concat();
    assert_eq!(name(&parse(&elements)), Some(&b"one"[..]));
}

#[test]
fn version_2_in_one_of_several_vendor_extensions() {
    let version2 = attribute(0x1049, &unhex("00372a 01 01 00 00 01 20"));
    let other_vendor = attribute(0x1049, &unhex("001018 00"));
    assert!(parse(&wps_element(&[version2, other_vendor].concat())).version2);
}

#[test]
fn version_1_routers() {
    let other_vendor = attribute(0x1049, &unhex("001018 00 01 20"));
    for attributes in [
        vec![],
        other_vendor,
        attribute(0x1049, &unhex("00372a 01 06 ffffffffffff")),
        attribute(0x1049, &unhex("00372a 00 01 10")),
        attribute(0x1049, &unhex("00372a 00 00")),
        attribute(0x1049, &unhex("00372a 00 01")),
    ] {
        assert!(!parse(&wps_element(&attributes)).version2, "{attributes:02x?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..700),
        other in prop::collection::vec(any::<u8>(), 0..700),
    ) {
        let _ = Advertisement::merged(&bytes, &other);
    }

    #[test]
    fn arbitrary_attributes_never_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..250), 1..5),
    ) {
        let elements: Vec<u8> = pieces.iter().flat_map(|piece| wps_element(piece)).collect();
        prop_assert!(Advertisement::parse(&elements).is_some());
    }

    #[test]
    fn a_truncated_frame_never_gives_other_values(cut in 0_usize..196) {
        let whole = recorded::pressed_probe_response();
        if let Some(part) = Advertisement::parse(&whole[..cut]) {
            prop_assert_eq!(name(&part), Some(&b"labnet"[..]));
            if let Some(uuid) = part.uuid {
                prop_assert_eq!(uuid.to_string(), UUID);
            }
        }
    }
}
