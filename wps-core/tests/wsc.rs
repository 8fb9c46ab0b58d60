//! What routers say about WPS: parsers and judgements against captured frames, against the known
//! errors of real routers, and against arbitrary bytes.

use wps_core::wsc::{
    Advertisement, Bssid, CredentialError, Decision, MAX_CREDENTIALS, OverlapDetector, Router,
    ScanPlan, Uuid, credentials,
};

/// Hex with spaces and line breaks; lines that begin with `#` are comments.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::bytes)
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| (byte as char).to_digit(16).expect("hex") as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A WPS attribute.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("short");
    [&kind.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
}

mod element {
    use super::*;
    use proptest::prelude::*;

    const BEACON_IDLE: &str = include_str!("data/beacon_idle.hex");
    const BEACON_PRESSED: &str = include_str!("data/beacon_pressed.hex");
    const PROBE_RESPONSE_PRESSED: &str = include_str!("data/probe_response_pressed.hex");
    const UUID: &str = "362db47b-a53a-5191-88fb-5458b986b2e4";

    const SELECTED_REGISTRAR: u16 = 0x1041;
    const DEVICE_PASSWORD_ID: u16 = 0x1012;
    const MANUFACTURER: u16 = 0x1021;

    /// An information element.
    fn element(id: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len()).expect("fits one element");
        [&[id, length], body].concat()
    }

    /// A vendor element with a piece of WPS.
    fn wps(attributes: &[u8]) -> Vec<u8> {
        element(0xdd, &[&[0x00, 0x50, 0xf2, 0x04], attributes].concat())
    }

    fn pressed() -> Vec<u8> {
        [attribute(SELECTED_REGISTRAR, &[1]), attribute(DEVICE_PASSWORD_ID, &[0, 4])].concat()
    }

    fn parse(elements: &[u8]) -> Advertisement {
        Advertisement::parse(elements).expect("knows WPS")
    }

    fn name(advertisement: &Advertisement) -> Option<&[u8]> {
        advertisement.ssid.as_ref().map(|ssid| ssid.as_bytes())
    }

    #[test]
    fn a_beacon_of_hostapd_at_rest() {
        let beacon = parse(&hex(BEACON_IDLE));
        assert_eq!(name(&beacon), Some(&b"labnet"[..]));
        assert_eq!(beacon.uuid, None);
        assert!(!beacon.pressed);
        assert!(beacon.version2);
    }

    #[test]
    fn a_beacon_of_hostapd_with_its_button_pressed() {
        let beacon = parse(&hex(BEACON_PRESSED));
        assert_eq!(name(&beacon), Some(&b"labnet"[..]));
        assert_eq!(beacon.uuid, None, "a beacon does not say whose it is");
        assert!(beacon.pressed);
        assert!(beacon.version2);
    }

    #[test]
    fn a_probe_response_of_hostapd_with_its_button_pressed() {
        let response = parse(&hex(PROBE_RESPONSE_PRESSED));
        assert_eq!(name(&response), Some(&b"labnet"[..]));
        assert_eq!(response.uuid.expect("says whose it is").to_string(), UUID);
        assert!(response.pressed);
        assert!(response.version2);
    }

    #[test]
    fn the_probe_response_wins_and_the_beacon_fills_in() {
        let idle = hex(BEACON_IDLE);
        let response = hex(PROBE_RESPONSE_PRESSED);
        let both = Advertisement::merged(&response, &idle).expect("knows WPS");
        assert_eq!(both.uuid.expect("from the response").to_string(), UUID);
        assert!(both.pressed);

        let nameless = wps(&[]);
        let both = Advertisement::merged(&nameless, &hex(BEACON_PRESSED)).expect("knows WPS");
        assert_eq!(name(&both), Some(&b"labnet"[..]));
        assert!(!both.pressed, "the probe response wins");

        let says_uuid = wps(&attribute(0x1047, &[7; 16]));
        let both = Advertisement::merged(&nameless, &says_uuid).expect("knows WPS");
        assert_eq!(both.uuid, Some(Uuid([7; 16])));

        assert_eq!(Advertisement::merged(&[], &idle), Advertisement::parse(&idle));
        assert_eq!(Advertisement::merged(&response, &[]), Advertisement::parse(&response));
        assert_eq!(Advertisement::merged(&[], &[]), None);
    }

    #[test]
    fn a_router_without_wps_is_none() {
        let wpa1 = element(0xdd, &[0x00, 0x50, 0xf2, 0x01, 0x01, 0x00]);
        assert_eq!(Advertisement::parse(&[]), None);
        assert_eq!(Advertisement::parse(&[element(0, b"labnet"), wpa1].concat()), None);
    }

    #[test]
    fn pressed_takes_selected_registrar_and_push_button() {
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
            let elements = wps(&attributes.concat());
            assert_eq!(parse(&elements).pressed, expected, "{attributes:02x?}");
        }
    }

    #[test]
    fn wrong_selected_registrar_config_methods_do_not_matter() {
        for methods in [&[0, 0][..], &[0, 4], &[]] {
            let attributes = [attribute(0x1053, methods), pressed()].concat();
            assert!(parse(&wps(&attributes)).pressed);
        }
    }

    #[test]
    fn a_wps_element_cut_into_pieces_at_any_byte_is_one() {
        let attributes =
            [pressed(), attribute(0x1047, &[7; 16]), attribute(0x1049, &hex("00372a 00 01 20"))]
                .concat();
        let whole = parse(&wps(&attributes));
        for cut in 0..=attributes.len() {
            let (one, two) = attributes.split_at(cut);
            let pieces = [wps(one), element(0, b"between"), wps(two)].concat();
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
    fn a_damaged_end_keeps_what_was_read() {
        let damaged = [pressed(), hex("1047 0010 0102")].concat();
        let advertisement = parse(&wps(&damaged));
        assert!(advertisement.pressed);
        assert_eq!(advertisement.uuid, None);

        let cut_element = hex("dd 30 0050f204 1041 0001 00");
        assert!(parse(&[wps(&pressed()), cut_element.clone()].concat()).pressed);
        assert_eq!(Advertisement::parse(&cut_element), None);
    }

    #[test]
    fn a_uuid_of_another_length_is_none() {
        for length in [0, 15, 17] {
            let elements = wps(&attribute(0x1047, &vec![1; length]));
            assert_eq!(parse(&elements).uuid, None);
        }
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let filler = attribute(MANUFACTURER, &[b'x'; 240]);
        let early = [wps(&pressed()), wps(&filler), wps(&filler), wps(&filler)].concat();
        assert!(parse(&early).pressed);
        let late = [wps(&filler), wps(&filler), wps(&filler), wps(&pressed())].concat();
        assert!(!parse(&late).pressed);
    }

    #[test]
    fn a_hidden_name_is_none() {
        for hidden in [&[][..], &[0], &[0; 32]] {
            let elements = [element(0, hidden), wps(&pressed())].concat();
            assert_eq!(parse(&elements).ssid, None);
        }
        let odd = [element(0, b"\xff\0"), wps(&pressed())].concat();
        assert_eq!(name(&parse(&odd)), Some(&b"\xff\0"[..]));
        let long = [element(0, &[b'x'; 33]), wps(&pressed())].concat();
        assert_eq!(parse(&long).ssid, None);
    }

    #[test]
    fn the_first_name_counts() {
        let elements = [element(0, b"one"), element(0, b"two"), wps(&[])].concat();
        assert_eq!(name(&parse(&elements)), Some(&b"one"[..]));
    }

    #[test]
    fn version_2_in_one_of_several_vendor_extensions() {
        let version2 = attribute(0x1049, &hex("00372a 01 01 00 00 01 20"));
        let other_vendor = attribute(0x1049, &hex("001018 00"));
        assert!(parse(&wps(&[version2, other_vendor].concat())).version2);
    }

    #[test]
    fn version_1_routers() {
        let other_vendor = attribute(0x1049, &hex("001018 00 01 20"));
        for attributes in [
            vec![],
            other_vendor,
            attribute(0x1049, &hex("00372a 01 06 ffffffffffff")),
            attribute(0x1049, &hex("00372a 00 01 10")),
            attribute(0x1049, &hex("00372a 00 00")),
            attribute(0x1049, &hex("00372a 00 01")),
        ] {
            assert!(!parse(&wps(&attributes)).version2, "{attributes:02x?}");
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
            let elements: Vec<u8> = pieces.iter().flat_map(|piece| wps(piece)).collect();
            prop_assert!(Advertisement::parse(&elements).is_some());
        }

        #[test]
        fn a_truncated_frame_never_says_anything_else(cut in 0_usize..196) {
            let whole = hex(PROBE_RESPONSE_PRESSED);
            if let Some(part) = Advertisement::parse(&whole[..cut]) {
                prop_assert_eq!(name(&part), Some(&b"labnet"[..]));
                if let Some(uuid) = part.uuid {
                    prop_assert_eq!(uuid.to_string(), UUID);
                }
            }
        }
    }
}

mod credential {
    use super::*;
    use proptest::prelude::*;

    const OPEN: u16 = 1;
    const WPA_PSK: u16 = 2;
    const SHARED: u16 = 4;
    const WPA2_ENTERPRISE: u16 = 0x10;
    const WPA2_PSK: u16 = 0x20;
    const NONE: u16 = 1;
    const WEP: u16 = 2;
    const TKIP: u16 = 4;
    const AES: u16 = 8;

    /// The sub-attributes of a Credential, as hostapd orders them.
    struct Sent<'a> {
        ssid: &'a [u8],
        authentication: u16,
        encryption: u16,
        key: Option<&'a [u8]>,
    }

    impl Sent<'_> {
        fn inside(&self) -> Vec<u8> {
            [
                attribute(0x1026, &[1]),
                attribute(0x1045, self.ssid),
                attribute(0x1003, &self.authentication.to_be_bytes()),
                attribute(0x100f, &self.encryption.to_be_bytes()),
                self.key.map_or(vec![], |key| attribute(0x1027, key)),
                attribute(0x1020, &[2, 0, 0, 0, 1, 0]),
            ]
            .concat()
        }

        fn bytes(&self) -> Vec<u8> {
            attribute(0x100e, &self.inside())
        }
    }

    const HOME: Sent<'static> = Sent {
        ssid: b"home",
        authentication: WPA2_PSK,
        encryption: AES,
        key: Some(b"correct horse"),
    };

    type Pair = (Vec<u8>, Option<Vec<u8>>);

    /// Names and keys, in order.
    fn read(bytes: &[u8]) -> Result<Vec<Pair>, CredentialError> {
        let networks = credentials(bytes)?;
        let plain = networks.iter().map(|network| {
            let key = network.passphrase.as_ref().map(|key| key.reveal().to_vec());
            (network.ssid.as_bytes().to_vec(), key)
        });
        Ok(plain.collect())
    }

    fn pair(ssid: &[u8], key: &[u8]) -> Pair {
        (ssid.to_vec(), Some(key.to_vec()))
    }

    fn home() -> Result<Vec<Pair>, CredentialError> {
        Ok(vec![pair(b"home", b"correct horse")])
    }

    #[test]
    fn as_wpa_supplicant_reports_it() {
        let received = hex("100e0038 1026000101 10450006 6c61626e6574 100300020020 100f00020008
             1027000f 636f727265637420686f7273652033 10200006 020000000100");
        assert_eq!(received.len(), 4 + 0x38);
        assert_eq!(read(&received), Ok(vec![pair(b"labnet", b"correct horse 3")]));
    }

    #[test]
    fn name_padded_with_nuls() {
        let mut ssid = [0; 32];
        ssid[..4].copy_from_slice(b"home");
        assert_eq!(read(&Sent { ssid: &ssid, ..HOME }.bytes()), home());
    }

    #[test]
    fn name_padded_beyond_32_bytes() {
        let mut ssid = [0; 40];
        ssid[..4].copy_from_slice(b"home");
        assert_eq!(read(&Sent { ssid: &ssid, ..HOME }.bytes()), home());
    }

    #[test]
    fn name_with_a_nul_inside_is_kept() {
        let sent = Sent { ssid: b"a\0b", ..HOME };
        assert_eq!(read(&sent.bytes()), Ok(vec![pair(b"a\0b", b"correct horse")]));
    }

    #[test]
    fn key_with_a_terminating_nul() {
        let key = Some(&b"correct horse\0"[..]);
        assert_eq!(read(&Sent { key, ..HOME }.bytes()), home());
    }

    #[test]
    fn key_padded_to_64_bytes() {
        let mut key = [0; 64];
        key[..13].copy_from_slice(b"correct horse");
        let key = Some(&key[..]);
        assert_eq!(read(&Sent { key, ..HOME }.bytes()), home());
    }

    #[test]
    fn key_too_short_once_its_nul_is_gone() {
        let key = Some(&b"7 chars\0"[..]);
        assert_eq!(read(&Sent { key, ..HOME }.bytes()), Err(CredentialError::Key));
    }

    #[test]
    fn key_too_short_too_long_or_with_control_characters() {
        for key in [
            &b""[..],
            b"7 chars",
            b"new\nline here",
            b"delete\x7f here",
            b"nul\0 inside",
            &[b'x'; 64],
            &[b'a'; 65],
        ] {
            let sent = Sent { key: Some(key), ..HOME };
            assert_eq!(read(&sent.bytes()), Err(CredentialError::Key), "{key:?}");
        }
    }

    #[test]
    fn key_missing_though_the_network_has_one() {
        let sent = Sent { key: None, ..HOME };
        assert_eq!(read(&sent.bytes()), Err(CredentialError::Key));
    }

    #[test]
    fn key_of_64_hex_digits_is_kept_as_it_is() {
        let psk = b"0123456789abcdefABCDEF98765432100123456789abcdefABCDEF9876543210";
        let sent = Sent { key: Some(psk), ..HOME };
        assert_eq!(read(&sent.bytes()), Ok(vec![pair(b"home", psk)]));
        assert!(
            credentials(&sent.bytes()).unwrap()[0]
                .passphrase
                .as_ref()
                .is_some_and(|key| key.is_raw_psk())
        );
    }

    #[test]
    fn open_network_without_a_key() {
        for key in [None, Some(&b""[..]), Some(b"\0"), Some(b"ignored")] {
            let sent = Sent { authentication: OPEN, encryption: NONE, key, ..HOME };
            assert_eq!(read(&sent.bytes()), Ok(vec![(b"home".to_vec(), None)]));
        }
    }

    #[test]
    fn open_network_with_a_stray_byte_after_the_key() {
        let inside = [
            hex("1026000101"),
            attribute(0x1045, b"home"),
            hex("10030002 0001  100f0002 0001  10270000 00  10200006 020000000100"),
        ]
        .concat();
        let sent = [attribute(0x100e, &inside), HOME.bytes()].concat();
        assert_eq!(
            read(&sent),
            Ok(vec![(b"home".to_vec(), None), pair(b"home", b"correct horse")])
        );
    }

    #[test]
    fn wrong_or_missing_mac_address_index_and_order() {
        let ssid = attribute(0x1045, b"home");
        let authentication = attribute(0x1003, &[0, 0x20]);
        let encryption = attribute(0x100f, &[0, 8]);
        let key = attribute(0x1027, b"correct horse");
        let index = attribute(0x1026, &[]);
        for inside in [
            [&ssid[..], &authentication, &encryption, &key, &[]].concat(),
            [&key[..], &encryption, &authentication, &ssid, &index].concat(),
            [&ssid[..], &authentication, &encryption, &key, &attribute(0x1020, &[0xff; 5])]
                .concat(),
            [&attribute(0x1020, &[0xff; 6])[..], &ssid, &authentication, &encryption, &key]
                .concat(),
        ] {
            assert_eq!(read(&attribute(0x100e, &inside)), home());
        }
    }

    #[test]
    fn mixed_wpa_and_wpa2_is_joined_as_wpa2() {
        for (authentication, encryption) in [
            (WPA_PSK | WPA2_PSK, AES),
            (WPA_PSK | WPA2_PSK, TKIP | AES),
            (WPA2_PSK, TKIP | AES),
            (WPA_PSK, AES),
        ] {
            let sent = Sent { authentication, encryption, ..HOME };
            assert_eq!(read(&sent.bytes()), home());
        }
    }

    #[test]
    fn wep_and_tkip_only_are_refused() {
        for (authentication, encryption) in [
            (OPEN, WEP),
            (SHARED, WEP),
            (SHARED, NONE),
            (WPA_PSK, TKIP),
            (WPA2_PSK, TKIP),
            (WPA_PSK | WPA2_PSK, TKIP),
            (WPA_PSK, WEP | TKIP),
        ] {
            let sent = Sent { authentication, encryption, ..HOME };
            assert_eq!(read(&sent.bytes()), Err(CredentialError::Insecure));
        }
    }

    #[test]
    fn networks_without_a_password_to_join_with_are_refused() {
        for (authentication, encryption) in
            [(WPA2_ENTERPRISE, AES), (WPA2_ENTERPRISE, NONE), (OPEN, AES), (0, 0)]
        {
            let sent = Sent { authentication, encryption, ..HOME };
            assert_eq!(read(&sent.bytes()), Err(CredentialError::Malformed));
        }
    }

    #[test]
    fn a_credential_without_name_or_type_is_malformed() {
        for ssid in [&b""[..], &[0; 32], &[b'x'; 33]] {
            let sent = Sent { ssid, ..HOME };
            assert_eq!(read(&sent.bytes()), Err(CredentialError::Malformed));
        }
        for missing in [0x1045_u16, 0x1003, 0x100f] {
            let mut inside = HOME.inside();
            let at = inside.windows(2).position(|pair| pair == missing.to_be_bytes()).unwrap();
            inside[at] = 0x20;
            assert_eq!(
                read(&attribute(0x100e, &inside)),
                Err(CredentialError::Malformed),
                "{missing:#x}"
            );
        }
        assert_eq!(read(&[]), Err(CredentialError::Malformed));
        assert_eq!(read(&attribute(0x1045, b"home")), Err(CredentialError::Malformed));
    }

    #[test]
    fn several_come_in_the_routers_order_and_others_are_skipped() {
        let guest = Sent { ssid: b"guest", authentication: OPEN, encryption: NONE, key: None };
        let wep =
            Sent { ssid: b"old", authentication: SHARED, encryption: WEP, key: Some(b"abcde") };
        let received = [
            attribute(0x104a, &[0x10]),
            wep.bytes(),
            attribute(0x1018, &Sent { ssid: b"not this", ..HOME }.inside()),
            HOME.bytes(),
            attribute(0x1049, &hex("00372a 00 01 20")),
            guest.bytes(),
        ]
        .concat();
        assert_eq!(
            read(&received),
            Ok(vec![pair(b"home", b"correct horse"), (b"guest".to_vec(), None)])
        );
    }

    #[test]
    fn the_first_three_usable_ones_count() {
        let names: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"e"];
        let received: Vec<u8> =
            names.iter().flat_map(|ssid| Sent { ssid, ..HOME }.bytes()).collect();
        let expected: Vec<Pair> =
            names[..MAX_CREDENTIALS].iter().map(|ssid| pair(ssid, b"correct horse")).collect();
        assert_eq!(read(&received), Ok(expected));
    }

    #[test]
    fn duplicates_collapse() {
        let other_key = Sent { key: Some(b"battery staple"), ..HOME };
        let received = [HOME.bytes(), HOME.bytes(), other_key.bytes(), HOME.bytes()].concat();
        assert_eq!(
            read(&received),
            Ok(vec![pair(b"home", b"correct horse"), pair(b"home", b"battery staple")])
        );
    }

    #[test]
    fn the_error_is_that_of_the_first_and_tells_no_secret() {
        let short = Sent { key: Some(b"hushed"), ..HOME };
        let wep = Sent { authentication: SHARED, encryption: WEP, key: Some(b"hushed"), ..HOME };
        let nameless = Sent { ssid: b"", key: Some(b"hushed hushed"), ..HOME };
        for (received, expected) in [
            ([short.bytes(), wep.bytes()], CredentialError::Key),
            ([wep.bytes(), short.bytes()], CredentialError::Insecure),
            ([nameless.bytes(), wep.bytes()], CredentialError::Malformed),
        ] {
            let error = read(&received.concat()).unwrap_err();
            assert_eq!(error, expected);
            assert!(!format!("{error} {error:?}").contains("hushed"));
            assert!(error.to_string().contains("pair again"), "says what to do");
        }
    }

    fn network() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
        let byte = 1..=255_u8;
        let key = prop::option::of("[ -~]{8,63}".prop_map(String::into_bytes));
        (prop::collection::vec(byte, 1..=32), key)
    }

    fn sent((ssid, key): &Pair) -> Sent<'_> {
        let open = key.is_none();
        Sent {
            ssid,
            authentication: if open { OPEN } else { WPA2_PSK },
            encryption: if open { NONE } else { AES },
            key: key.as_deref(),
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = credentials(&bytes);
            let _ = credentials(&attribute(0x100e, &bytes));
        }

        #[test]
        fn arbitrary_sub_attributes_never_panic(
            parts in prop::collection::vec(
                (
                    prop::sample::select(vec![0x1045_u16, 0x1003, 0x100f, 0x1027, 0x1020, 0]),
                    prop::collection::vec(any::<u8>(), 0..70),
                ),
                0..8,
            ),
        ) {
            let inside: Vec<u8> = parts.iter().flat_map(|(kind, value)| attribute(*kind, value)).collect();
            let _ = credentials(&attribute(0x100e, &inside));
        }

        #[test]
        fn what_was_sent_is_read(networks in prop::collection::hash_set(network(), 1..=3)) {
            let networks: Vec<Pair> = networks.into_iter().collect();
            let bytes: Vec<u8> = networks.iter().flat_map(|pair| sent(pair).bytes()).collect();
            prop_assert_eq!(read(&bytes), Ok(networks));
        }

        #[test]
        fn truncated_input_never_pairs_a_name_with_another_key(
            networks in prop::collection::hash_set(network(), 1..=3),
            cut in any::<prop::sample::Index>(),
        ) {
            let networks: Vec<Pair> = networks.into_iter().collect();
            let bytes: Vec<u8> = networks.iter().flat_map(|pair| sent(pair).bytes()).collect();
            if let Ok(found) = read(&bytes[..cut.index(bytes.len())]) {
                prop_assert!(networks.starts_with(&found));
            }
        }

        #[test]
        fn a_credential_truncated_inside_never_pairs_a_name_with_another_key(
            network in network(),
            cut in any::<prop::sample::Index>(),
        ) {
            let inside = sent(&network).inside();
            let bytes = attribute(0x100e, &inside[..cut.index(inside.len())]);
            if let Ok(found) = read(&bytes) {
                prop_assert_eq!(found, vec![network]);
            }
        }
    }
}

mod overlap {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    const RED: Option<Uuid> = Some(Uuid([1; 16]));
    const BLUE: Option<Uuid> = Some(Uuid([2; 16]));

    fn router(bssid: u8, uuid: Option<Uuid>) -> Router {
        Router {
            bssid: Bssid([2, 0, 0, 0, 0, bssid]),
            frequency_mhz: 2412,
            ssid: None,
            uuid,
            signal_dbm: -50,
        }
    }

    /// Every channel was looked at.
    fn is_complete() -> ScanPlan {
        let mut sweep = ScanPlan::new([2412]);
        sweep.mark_scanned(&[2412]);
        assert!(sweep.is_complete());
        sweep
    }

    /// The verdict at the end of a window in which these were sighted, one look each.
    fn verdict_after(sighted: &[Router]) -> Decision {
        let sweep = is_complete();
        let mut overlap_detector = OverlapDetector::new();
        for router in sighted {
            overlap_detector.decide(std::slice::from_ref(router), &sweep);
        }
        overlap_detector.decide(&[], &sweep)
    }

    #[test]
    fn nobody_pressed() {
        let mut overlap_detector = OverlapDetector::new();
        assert_eq!(overlap_detector.decide(&[], &is_complete()), Decision::NoRouter);
        let nowhere = ScanPlan::new([]);
        assert_eq!(overlap_detector.decide(&[], &nowhere), Decision::NoRouter);
    }

    #[test]
    fn one_router_goes() {
        let one = router(1, RED);
        let mut overlap_detector = OverlapDetector::new();
        assert_eq!(
            overlap_detector.decide(std::slice::from_ref(&one), &is_complete()),
            Decision::Pair(one)
        );
    }

    #[test]
    fn it_waits_until_every_channel_was_looked_at() {
        let seen = [router(1, RED)];
        let mut overlap_detector = OverlapDetector::new();
        let mut sweep = ScanPlan::new([2412, 5180]);
        sweep.mark_scanned(&[2412]);
        assert_eq!(overlap_detector.decide(&seen, &sweep), Decision::KeepScanning);
        sweep.mark_scanned(&[5180]);
        assert!(matches!(overlap_detector.decide(&seen, &sweep), Decision::Pair(_)));
    }

    #[test]
    fn a_plan_without_channels_never_says_go() {
        let mut overlap_detector = OverlapDetector::new();
        let decide = overlap_detector.decide(&[router(1, RED)], &ScanPlan::new([]));
        assert_eq!(decide, Decision::KeepScanning);
    }

    #[test]
    fn two_routers_overlap_at_once_whatever_was_looked_at() {
        let mut overlap_detector = OverlapDetector::new();
        let both = [router(1, RED), router(2, BLUE)];
        assert_eq!(overlap_detector.decide(&both, &ScanPlan::new([2412, 5180])), Decision::Overlap);
    }

    #[test]
    fn two_routers_one_after_the_other_overlap_until_the_window_closes() {
        let sweep = is_complete();
        let mut overlap_detector = OverlapDetector::new();
        assert!(matches!(overlap_detector.decide(&[router(1, RED)], &sweep), Decision::Pair(_)));
        assert_eq!(overlap_detector.decide(&[], &sweep), Decision::NoRouter);
        assert_eq!(overlap_detector.decide(&[router(2, BLUE)], &sweep), Decision::Overlap);
        assert_eq!(overlap_detector.decide(&[], &sweep), Decision::Overlap);
        assert_eq!(overlap_detector.decide(&[router(1, RED)], &sweep), Decision::Overlap);
    }

    #[test]
    fn what_was_sighted_in_an_earlier_attempt_counts() {
        let mut overlap_detector = OverlapDetector::new();
        overlap_detector.record_pressed(&router(1, RED));
        assert_eq!(overlap_detector.decide(&[router(2, BLUE)], &is_complete()), Decision::Overlap);
    }

    #[test]
    fn a_router_with_two_bands_is_one_and_the_louder_band_is_taken() {
        let low = router(1, RED);
        let high = Router { frequency_mhz: 5180, signal_dbm: -40, ..router(2, RED) };
        for both in [[low.clone(), high.clone()], [high.clone(), low]] {
            let mut overlap_detector = OverlapDetector::new();
            assert_eq!(
                overlap_detector.decide(&both, &is_complete()),
                Decision::Pair(high.clone())
            );
        }
    }

    #[test]
    fn the_loudest_now_in_sight_is_taken_not_one_that_has_gone() {
        let sweep = is_complete();
        let mut overlap_detector = OverlapDetector::new();
        let gone = Router { signal_dbm: -20, ..router(1, RED) };
        let here = router(2, RED);
        overlap_detector.decide(&[gone], &sweep);
        assert_eq!(
            overlap_detector.decide(std::slice::from_ref(&here), &sweep),
            Decision::Pair(here)
        );
    }

    #[test]
    fn the_same_bssid_is_one_router_and_may_show_its_uuid_later() {
        let same = [router(1, None), router(1, RED), router(1, None)];
        assert_eq!(verdict_after(&same), Decision::NoRouter);
        let with_its_other_band =
            [router(1, None), router(1, RED), router(2, RED), router(2, None)];
        assert_eq!(verdict_after(&with_its_other_band), Decision::NoRouter);
    }

    #[test]
    fn a_bssid_that_changes_its_uuid_does_not_excuse_another() {
        let changed = [router(1, RED), router(1, BLUE)];
        assert_eq!(verdict_after(&changed), Decision::NoRouter);
        let beside_another = [router(1, RED), router(1, BLUE), router(2, BLUE)];
        assert_eq!(verdict_after(&beside_another), Decision::Overlap);
    }

    #[test]
    fn a_missing_uuid_on_another_bssid_cannot_be_shown_to_be_the_same() {
        for two in [
            [router(1, None), router(2, None)],
            [router(1, RED), router(2, None)],
            [router(1, None), router(2, RED)],
        ] {
            assert_eq!(verdict_after(&two), Decision::Overlap);
        }
    }

    #[test]
    fn a_router_with_more_access_points_than_are_remembered_is_still_one() {
        let many: Vec<Router> = (0..30).map(|bssid| router(bssid, RED)).collect();
        assert_eq!(verdict_after(&many), Decision::NoRouter);
        let mut and_another = many;
        and_another.push(router(99, BLUE));
        assert_eq!(verdict_after(&and_another), Decision::Overlap);
        and_another.push(router(100, RED));
        assert_eq!(verdict_after(&and_another), Decision::Overlap, "for the rest of the window");
    }

    proptest! {
        /// The rule from the other side: put the sightings of the whole window together first, then ask.
        #[test]
        fn overlap_is_more_than_one_router_in_the_window_in_any_order(
            owners in prop::collection::vec(0..3_u8, 6),
            seen in prop::collection::vec((0..6_usize, any::<bool>()), 0..12),
        ) {
            let mut uuids = HashMap::<usize, Option<u8>>::new();
            let mut overlap_detector = OverlapDetector::new();
            for &(bssid, with_uuid) in &seen {
                let owner = with_uuid.then_some(owners[bssid]);
                let known = uuids.entry(bssid).or_default();
                *known = known.or(owner);
                overlap_detector.record_pressed(&router(bssid as u8, owner.map(|owner| Uuid([owner; 16]))));
            }
            let routers: HashSet<_> = uuids.values().collect();
            let one = uuids.len() <= 1 || (routers.len() == 1 && !routers.contains(&None));
            let expected = if one { Decision::NoRouter } else { Decision::Overlap };
            prop_assert_eq!(overlap_detector.decide(&[], &is_complete()), expected);
        }
    }
}

mod sweep {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const TWO_POINT_FOUR: [u16; 13] =
        [2412, 2417, 2422, 2427, 2432, 2437, 2442, 2447, 2452, 2457, 2462, 2467, 2472];
    const FIVE: [u16; 9] = [5180, 5200, 5220, 5240, 5745, 5765, 5785, 5805, 5825];
    const RADAR: [u16; 6] = [5260, 5280, 5300, 5320, 5500, 5700];

    fn all() -> Vec<u16> {
        [&RADAR[..], &FIVE, &TWO_POINT_FOUR].concat()
    }

    /// As the documentation says: two at a time, radar channels alone, and after each two looks one
    /// for the likely channels, if everything was covered before.
    fn steps_per_pass(channels: &[u16]) -> usize {
        let radar = |frequency: &&u16| {
            **frequency > 5000
                && ![5180..=5240, 5745..=5825].iter().any(|band| band.contains(*frequency))
        };
        let radar = channels.iter().filter(radar).count();
        let looks = radar + (channels.len() - radar).div_ceil(2);
        looks + looks.div_ceil(2)
    }

    /// A look that succeeds.
    fn look(sweep: &mut ScanPlan) -> Vec<u16> {
        let look = sweep.next_step();
        sweep.mark_scanned(&look);
        look.to_vec()
    }

    #[test]
    fn first_2_4_ghz_then_5_ghz_then_radar_channels() {
        let mut sweep = ScanPlan::new(all());
        let visited: Vec<u16> =
            (0..steps_per_pass(&all())).flat_map(|_| look(&mut sweep)).collect();
        let planned = [&TWO_POINT_FOUR[..], &FIVE, &RADAR].concat();
        assert!(visited.starts_with(&planned), "{visited:?}");
    }

    #[test]
    fn covered_after_the_last_channel_and_not_before() {
        let mut sweep = ScanPlan::new(all());
        let mut visited = BTreeSet::new();
        while visited.len() < all().len() {
            assert!(!sweep.is_complete());
            visited.extend(look(&mut sweep));
        }
        assert!(sweep.is_complete());
        assert!(sweep.steps_per_pass() == steps_per_pass(&all()));
    }

    #[test]
    fn only_channels_where_wps_can_live_and_each_once() {
        let mut sweep = ScanPlan::new([
            900, 2411, 2412, 2412, 2484, 2485, 5160, 5170, 5180, 5190, 5250, 5340, 5480, 5720,
            5725, 5740, 5745, 5855, 5870, 5885, 5905, 5955, 60480, 2412,
        ]);
        let looks: Vec<Vec<u16>> = (0..4).map(|_| look(&mut sweep)).collect();
        assert_eq!(looks, [vec![2412, 2484], vec![5180, 5745], vec![5720], vec![5885]]);
        assert!(sweep.is_complete());
    }

    #[test]
    fn no_channels_no_look_and_never_covered() {
        let mut sweep = ScanPlan::new([5955]);
        assert!(sweep.next_step().is_empty());
        sweep.mark_scanned(&[5955]);
        sweep.mark_wps(5955);
        assert!(sweep.next_step().is_empty());
        assert!(!sweep.is_complete());
    }

    #[test]
    fn more_channels_than_fit() {
        let mut sweep = ScanPlan::new(2412..=2484);
        let visited: BTreeSet<u16> = (0..64).flat_map(|_| look(&mut sweep)).collect();
        assert_eq!(visited.len(), 64);
        assert!(sweep.is_complete());
    }

    #[test]
    fn once_covered_the_next_look_and_every_third_is_for_where_wps_was_seen() {
        let mut sweep = ScanPlan::new(all());
        sweep.mark_wps(2437);
        sweep.mark_wps(2462);
        let mut first = Vec::new();
        while !sweep.is_complete() {
            first.extend(look(&mut sweep));
        }
        assert_eq!(first, [&TWO_POINT_FOUR[..], &FIVE, &RADAR].concat(), "each once");
        for number in 0..40 {
            let mut look = look(&mut sweep);
            look.sort_unstable();
            assert_eq!(look == [2437, 2462], number % 3 == 0, "look {number}: {look:?}");
        }
    }

    #[test]
    fn radar_channels_are_looked_at_alone() {
        let mut sweep = ScanPlan::new(all());
        sweep.mark_wps(5500);
        for _ in 0..60 {
            let look = look(&mut sweep);
            assert!(look.len() == 1 || !look.iter().any(|frequency| RADAR.contains(frequency)));
        }
    }

    /// The channels of the looks that are for the likely ones.
    fn likely(sweep: &mut ScanPlan) -> BTreeSet<u16> {
        while !sweep.is_complete() {
            look(sweep);
        }
        (0..40)
            .map(|number| (number, look(sweep)))
            .filter(|(number, _)| number % 3 == 0)
            .flat_map(|(_, look)| look)
            .collect()
    }

    #[test]
    fn a_crowd_of_routers_leaves_the_latest_four() {
        let mut sweep = ScanPlan::new(all());
        for frequency in all() {
            sweep.mark_wps(frequency);
        }
        assert_eq!(likely(&mut sweep), TWO_POINT_FOUR[9..].iter().copied().collect());
    }

    #[test]
    fn wps_seen_again_is_seen_latest() {
        let mut sweep = ScanPlan::new(all());
        for frequency in [5700, 5180, 5200, 5220, 5700, 5240] {
            sweep.mark_wps(frequency);
        }
        assert_eq!(likely(&mut sweep), BTreeSet::from([5700, 5200, 5220, 5240]));
    }

    #[test]
    fn wps_outside_the_plan_takes_no_place() {
        let mut sweep = ScanPlan::new(all());
        sweep.mark_wps(5700);
        for elsewhere in [5955, 5975, 5995, 6015, 5885] {
            sweep.mark_wps(elsewhere);
        }
        assert_eq!(likely(&mut sweep), BTreeSet::from([5700]));
    }

    #[test]
    fn one_scan_of_everything_covers() {
        let mut sweep = ScanPlan::new(all());
        let everything: Vec<u16> = sweep.frequencies().collect();
        sweep.mark_scanned(&everything);
        assert!(sweep.is_complete());
        for _ in 0..20 {
            look(&mut sweep);
            assert!(sweep.is_complete());
        }
    }

    #[test]
    fn failed_looks_age_the_others() {
        let mut sweep = ScanPlan::new(all());
        sweep.mark_scanned(&all());
        for _ in 0..steps_per_pass(&all()) {
            sweep.next_step();
        }
        assert!(!sweep.is_complete());
    }

    #[test]
    fn a_refused_channel_is_found_alone_and_removed() {
        let mut sweep = ScanPlan::new(all());
        let mut removed = false;
        for _ in 0..60 {
            let look = sweep.next_step();
            if !look.contains(&5260) {
                sweep.mark_scanned(&look);
            } else if look.len() == 1 {
                assert!(!sweep.is_complete());
                sweep.remove(5260);
                removed = true;
            }
        }
        assert!(removed);
        assert!(sweep.is_complete());
        let visited: BTreeSet<u16> = (0..30).flat_map(|_| look(&mut sweep)).collect();
        assert_eq!(visited.len(), 27);
        assert!(!visited.contains(&5260));
    }

    #[test]
    fn a_removed_channel_is_no_longer_likely() {
        let mut sweep = ScanPlan::new(all());
        sweep.mark_wps(5260);
        sweep.remove(5260);
        for _ in 0..40 {
            assert!(!look(&mut sweep).contains(&5260));
        }
    }

    fn channels() -> impl Strategy<Value = Vec<u16>> {
        let five = [5180..=5320, 5500..=5720, 5745..=5885];
        let five: Vec<u16> = five.into_iter().flat_map(|block| block.step_by(20)).collect();
        let any_channel = prop_oneof![2412..=2484_u16, prop::sample::select(five)];
        prop::collection::btree_set(any_channel, 1..=64)
            .prop_map(|set| set.into_iter().collect::<Vec<_>>())
            .prop_shuffle()
    }

    proptest! {
        #[test]
        fn one_sweep_visits_every_channel_wherever_wps_is(
            channels in channels(),
            before in 0..10_usize,
            wps in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..6), 100),
        ) {
            let mut sweep = ScanPlan::new(channels.iter().copied());
            let mut visited = BTreeSet::new();
            let one_sweep = steps_per_pass(&channels);
            for (done, routers) in wps.iter().take(before + one_sweep).enumerate() {
                let look = look(&mut sweep);
                prop_assert!(look.len() <= ScanPlan::MAX_CHANNELS_PER_STEP);
                if done >= before {
                    visited.extend(look);
                }
                for router in routers {
                    sweep.mark_wps(*router.get(&channels));
                }
                prop_assert!(done + 1 < one_sweep || sweep.is_complete());
            }
            prop_assert_eq!(visited, channels.into_iter().collect());
        }

        #[test]
        fn not_covered_before_every_channel_was_visited(
            channels in channels(),
            wps in any::<prop::sample::Index>(),
        ) {
            let mut sweep = ScanPlan::new(channels.iter().copied());
            sweep.mark_wps(*wps.get(&channels));
            let mut visited = BTreeSet::new();
            for _ in 0..2 * channels.len() {
                prop_assert_eq!(sweep.is_complete(), visited.len() == channels.len());
                visited.extend(look(&mut sweep));
            }
            prop_assert!(sweep.is_complete());
        }

        #[test]
        fn a_failing_channel_is_uncovered_and_starves_nobody(
            channels in channels(),
            bad in any::<prop::sample::Index>(),
            wps in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let bad = *bad.get(&channels);
            let mut sweep = ScanPlan::new(channels.iter().copied());
            for router in wps {
                sweep.mark_wps(*router.get(&channels));
            }
            // As long as it may take until each was at the head of the queue once, and then for good.
            let mut since = std::collections::HashMap::new();
            for number in 0..400_usize {
                let look = sweep.next_step();
                if !look.contains(&bad) {
                    sweep.mark_scanned(&look);
                    since.extend(look.iter().map(|&frequency| (frequency, number)));
                }
                prop_assert!(!sweep.is_complete());
                for frequency in channels.iter().filter(|&&frequency| frequency != bad) {
                    let last = since.get(frequency).copied().unwrap_or(0);
                    prop_assert!(number - last <= 3 * channels.len() + 4, "{} starves", frequency);
                }
            }
        }
    }
}
