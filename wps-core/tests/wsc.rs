//! Tests of the WPS parsers, the overlap detector and the scan plan. The parsers get captured
//! frames, the known errors of real routers, and arbitrary bytes.

use wps_core::wsc::{
    Advertisement, Bssid, CredentialError, Decision, MAX_CREDENTIALS, OverlapDetector, Router,
    ScanPlan, Uuid, credentials,
};

/// Decodes hex digits. Ignores white space and lines that start with `#`.
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

/// Encodes a WPS attribute.
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

    /// Encodes an information element.
    fn element(id: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len()).expect("fits one element");
        [&[id, length], body].concat()
    }

    /// Encodes a vendor element that carries WPS attributes, or a part of them.
    fn wps(attributes: &[u8]) -> Vec<u8> {
        element(0xdd, &[&[0x00, 0x50, 0xf2, 0x04], attributes].concat())
    }

    fn pressed() -> Vec<u8> {
        [attribute(SELECTED_REGISTRAR, &[1]), attribute(DEVICE_PASSWORD_ID, &[0, 4])].concat()
    }

    fn parse(elements: &[u8]) -> Advertisement {
        Advertisement::parse(elements).expect("has WPS")
    }

    fn name(advertisement: &Advertisement) -> Option<&[u8]> {
        advertisement.ssid.as_ref().map(|ssid| ssid.as_bytes())
    }

    #[test]
    fn an_idle_beacon_of_hostapd() {
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
        assert_eq!(beacon.uuid, None, "a beacon carries no UUID");
        assert!(beacon.pressed);
        assert!(beacon.version2);
    }

    #[test]
    fn a_probe_response_of_hostapd_with_its_button_pressed() {
        let response = parse(&hex(PROBE_RESPONSE_PRESSED));
        assert_eq!(name(&response), Some(&b"labnet"[..]));
        assert_eq!(response.uuid.expect("a UUID").to_string(), UUID);
        assert!(response.pressed);
        assert!(response.version2);
    }

    #[test]
    fn the_probe_response_takes_precedence_over_the_beacon() {
        let idle = hex(BEACON_IDLE);
        let response = hex(PROBE_RESPONSE_PRESSED);
        let both = Advertisement::merged(&response, &idle).expect("has WPS");
        assert_eq!(both.uuid.expect("from the response").to_string(), UUID);
        assert!(both.pressed);

        let nameless = wps(&[]);
        let both = Advertisement::merged(&nameless, &hex(BEACON_PRESSED)).expect("has WPS");
        assert_eq!(name(&both), Some(&b"labnet"[..]));
        assert!(!both.pressed, "the probe response takes precedence");

        let with_uuid = wps(&attribute(0x1047, &[7; 16]));
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
            let elements = wps(&attributes.concat());
            assert_eq!(parse(&elements).pressed, expected, "{attributes:02x?}");
        }
    }

    #[test]
    fn wrong_selected_registrar_config_methods_are_ignored() {
        for methods in [&[0, 0][..], &[0, 4], &[]] {
            let attributes = [attribute(0x1053, methods), pressed()].concat();
            assert!(parse(&wps(&attributes)).pressed);
        }
    }

    #[test]
    fn a_wps_element_split_at_any_byte_is_reassembled() {
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
    fn attributes_before_a_damaged_end_are_kept() {
        let damaged = [pressed(), hex("1047 0010 0102")].concat();
        let advertisement = parse(&wps(&damaged));
        assert!(advertisement.pressed);
        assert_eq!(advertisement.uuid, None);

        let cut_element = hex("dd 30 0050f204 1041 0001 00");
        assert!(parse(&[wps(&pressed()), cut_element.clone()].concat()).pressed);
        assert_eq!(Advertisement::parse(&cut_element), None);
    }

    #[test]
    fn a_uuid_of_a_wrong_length_is_ignored() {
        for length in [0, 15, 17] {
            let elements = wps(&attribute(0x1047, &vec![1; length]));
            assert_eq!(parse(&elements).uuid, None);
        }
    }

    #[test]
    fn attributes_beyond_the_buffer_are_ignored() {
        let filler = attribute(MANUFACTURER, &[b'x'; 240]);
        let early = [wps(&pressed()), wps(&filler), wps(&filler), wps(&filler)].concat();
        assert!(parse(&early).pressed);
        let late = [wps(&filler), wps(&filler), wps(&filler), wps(&pressed())].concat();
        assert!(!parse(&late).pressed);
    }

    #[test]
    fn a_hidden_name_is_ignored() {
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
    fn the_first_name_is_used() {
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
        fn a_truncated_frame_never_gives_other_values(cut in 0_usize..196) {
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

    /// A Credential attribute as a router sends it, with its sub-attributes in the order of
    /// hostapd.
    struct SentCredential<'a> {
        ssid: &'a [u8],
        authentication: u16,
        encryption: u16,
        key: Option<&'a [u8]>,
    }

    impl SentCredential<'_> {
        fn sub_attributes(&self) -> Vec<u8> {
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
            attribute(0x100e, &self.sub_attributes())
        }
    }

    const HOME: SentCredential<'static> = SentCredential {
        ssid: b"home",
        authentication: WPA2_PSK,
        encryption: AES,
        key: Some(b"correct horse"),
    };

    type Pair = (Vec<u8>, Option<Vec<u8>>);

    /// Returns the names and keys that are read, in order.
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
    fn a_credential_as_wpa_supplicant_reports_it() {
        let received = hex("100e0038 1026000101 10450006 6c61626e6574 100300020020 100f00020008
             1027000f 636f727265637420686f7273652033 10200006 020000000100");
        assert_eq!(received.len(), 4 + 0x38);
        assert_eq!(read(&received), Ok(vec![pair(b"labnet", b"correct horse 3")]));
    }

    #[test]
    fn name_padded_with_nuls() {
        let mut ssid = [0; 32];
        ssid[..4].copy_from_slice(b"home");
        assert_eq!(read(&SentCredential { ssid: &ssid, ..HOME }.bytes()), home());
    }

    #[test]
    fn name_padded_beyond_32_bytes() {
        let mut ssid = [0; 40];
        ssid[..4].copy_from_slice(b"home");
        assert_eq!(read(&SentCredential { ssid: &ssid, ..HOME }.bytes()), home());
    }

    #[test]
    fn name_with_a_nul_inside_is_kept() {
        let sent = SentCredential { ssid: b"a\0b", ..HOME };
        assert_eq!(read(&sent.bytes()), Ok(vec![pair(b"a\0b", b"correct horse")]));
    }

    #[test]
    fn key_with_a_terminating_nul() {
        let key = Some(&b"correct horse\0"[..]);
        assert_eq!(read(&SentCredential { key, ..HOME }.bytes()), home());
    }

    #[test]
    fn key_padded_to_64_bytes() {
        let mut key = [0; 64];
        key[..13].copy_from_slice(b"correct horse");
        let key = Some(&key[..]);
        assert_eq!(read(&SentCredential { key, ..HOME }.bytes()), home());
    }

    #[test]
    fn key_too_short_without_its_nul() {
        let key = Some(&b"7 chars\0"[..]);
        assert_eq!(read(&SentCredential { key, ..HOME }.bytes()), Err(CredentialError::Key));
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
            let sent = SentCredential { key: Some(key), ..HOME };
            assert_eq!(read(&sent.bytes()), Err(CredentialError::Key), "{key:?}");
        }
    }

    #[test]
    fn key_missing_for_a_protected_network() {
        let sent = SentCredential { key: None, ..HOME };
        assert_eq!(read(&sent.bytes()), Err(CredentialError::Key));
    }

    #[test]
    fn key_of_64_hex_digits_is_a_raw_psk() {
        let psk = b"0123456789abcdefABCDEF98765432100123456789abcdefABCDEF9876543210";
        let sent = SentCredential { key: Some(psk), ..HOME };
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
            let sent = SentCredential { authentication: OPEN, encryption: NONE, key, ..HOME };
            assert_eq!(read(&sent.bytes()), Ok(vec![(b"home".to_vec(), None)]));
        }
    }

    #[test]
    fn open_network_with_a_stray_byte_after_the_key() {
        let sub_attributes = [
            hex("1026000101"),
            attribute(0x1045, b"home"),
            hex("10030002 0001  100f0002 0001  10270000 00  10200006 020000000100"),
        ]
        .concat();
        let sent = [attribute(0x100e, &sub_attributes), HOME.bytes()].concat();
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
        for sub_attributes in [
            [&ssid[..], &authentication, &encryption, &key, &[]].concat(),
            [&key[..], &encryption, &authentication, &ssid, &index].concat(),
            [&ssid[..], &authentication, &encryption, &key, &attribute(0x1020, &[0xff; 5])]
                .concat(),
            [&attribute(0x1020, &[0xff; 6])[..], &ssid, &authentication, &encryption, &key]
                .concat(),
        ] {
            assert_eq!(read(&attribute(0x100e, &sub_attributes)), home());
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
            let sent = SentCredential { authentication, encryption, ..HOME };
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
            let sent = SentCredential { authentication, encryption, ..HOME };
            assert_eq!(read(&sent.bytes()), Err(CredentialError::Insecure));
        }
    }

    #[test]
    fn networks_that_cannot_be_joined_with_a_password_are_refused() {
        for (authentication, encryption) in
            [(WPA2_ENTERPRISE, AES), (WPA2_ENTERPRISE, NONE), (OPEN, AES), (0, 0)]
        {
            let sent = SentCredential { authentication, encryption, ..HOME };
            assert_eq!(read(&sent.bytes()), Err(CredentialError::Malformed));
        }
    }

    #[test]
    fn a_credential_without_name_or_type_is_malformed() {
        for ssid in [&b""[..], &[0; 32], &[b'x'; 33]] {
            let sent = SentCredential { ssid, ..HOME };
            assert_eq!(read(&sent.bytes()), Err(CredentialError::Malformed));
        }
        for missing in [0x1045_u16, 0x1003, 0x100f] {
            let mut sub_attributes = HOME.sub_attributes();
            let at =
                sub_attributes.windows(2).position(|pair| pair == missing.to_be_bytes()).unwrap();
            sub_attributes[at] = 0x20;
            assert_eq!(
                read(&attribute(0x100e, &sub_attributes)),
                Err(CredentialError::Malformed),
                "{missing:#x}"
            );
        }
        assert_eq!(read(&[]), Err(CredentialError::Malformed));
        assert_eq!(read(&attribute(0x1045, b"home")), Err(CredentialError::Malformed));
    }

    #[test]
    fn credentials_keep_the_routers_order_and_unusable_ones_are_skipped() {
        let guest =
            SentCredential { ssid: b"guest", authentication: OPEN, encryption: NONE, key: None };
        let wep = SentCredential {
            ssid: b"old",
            authentication: SHARED,
            encryption: WEP,
            key: Some(b"abcde"),
        };
        let received = [
            attribute(0x104a, &[0x10]),
            wep.bytes(),
            attribute(0x1018, &SentCredential { ssid: b"not this", ..HOME }.sub_attributes()),
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
    fn the_first_three_usable_credentials_are_kept() {
        let names: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"e"];
        let received: Vec<u8> =
            names.iter().flat_map(|ssid| SentCredential { ssid, ..HOME }.bytes()).collect();
        let expected: Vec<Pair> =
            names[..MAX_CREDENTIALS].iter().map(|ssid| pair(ssid, b"correct horse")).collect();
        assert_eq!(read(&received), Ok(expected));
    }

    #[test]
    fn duplicates_are_removed() {
        let other_key = SentCredential { key: Some(b"battery staple"), ..HOME };
        let received = [HOME.bytes(), HOME.bytes(), other_key.bytes(), HOME.bytes()].concat();
        assert_eq!(
            read(&received),
            Ok(vec![pair(b"home", b"correct horse"), pair(b"home", b"battery staple")])
        );
    }

    #[test]
    fn the_error_is_that_of_the_first_credential_and_contains_no_secret() {
        let short = SentCredential { key: Some(b"hushed"), ..HOME };
        let wep = SentCredential {
            authentication: SHARED,
            encryption: WEP,
            key: Some(b"hushed"),
            ..HOME
        };
        let nameless = SentCredential { ssid: b"", key: Some(b"hushed hushed"), ..HOME };
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

    fn sent((ssid, key): &Pair) -> SentCredential<'_> {
        let open = key.is_none();
        SentCredential {
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
            let sub_attributes: Vec<u8> =
                parts.iter().flat_map(|(kind, value)| attribute(*kind, value)).collect();
            let _ = credentials(&attribute(0x100e, &sub_attributes));
        }

        #[test]
        fn valid_credentials_are_read_as_sent(
            networks in prop::collection::hash_set(network(), 1..=3),
        ) {
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
            let sub_attributes = sent(&network).sub_attributes();
            let bytes = attribute(0x100e, &sub_attributes[..cut.index(sub_attributes.len())]);
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

    /// Returns a plan of which every channel has been scanned.
    fn complete_plan() -> ScanPlan {
        let mut plan = ScanPlan::new([2412]);
        plan.mark_scanned(&[2412]);
        assert!(plan.is_complete());
        plan
    }

    /// Returns the decision after these pressed routers were seen, one in each scan step.
    fn decision_after(seen: &[Router]) -> Decision {
        let plan = complete_plan();
        let mut overlap_detector = OverlapDetector::new();
        for router in seen {
            overlap_detector.decide(std::slice::from_ref(router), &plan);
        }
        overlap_detector.decide(&[], &plan)
    }

    #[test]
    fn no_router_is_pressed() {
        let mut overlap_detector = OverlapDetector::new();
        assert_eq!(overlap_detector.decide(&[], &complete_plan()), Decision::NoRouter);
        let nowhere = ScanPlan::new([]);
        assert_eq!(overlap_detector.decide(&[], &nowhere), Decision::NoRouter);
    }

    #[test]
    fn a_single_router_is_chosen() {
        let one = router(1, RED);
        let mut overlap_detector = OverlapDetector::new();
        assert_eq!(
            overlap_detector.decide(std::slice::from_ref(&one), &complete_plan()),
            Decision::Pair(one)
        );
    }

    #[test]
    fn it_waits_until_every_channel_is_scanned() {
        let seen = [router(1, RED)];
        let mut overlap_detector = OverlapDetector::new();
        let mut plan = ScanPlan::new([2412, 5180]);
        plan.mark_scanned(&[2412]);
        assert_eq!(overlap_detector.decide(&seen, &plan), Decision::KeepScanning);
        plan.mark_scanned(&[5180]);
        assert!(matches!(overlap_detector.decide(&seen, &plan), Decision::Pair(_)));
    }

    #[test]
    fn a_plan_without_channels_never_allows_pairing() {
        let mut overlap_detector = OverlapDetector::new();
        let decision = overlap_detector.decide(&[router(1, RED)], &ScanPlan::new([]));
        assert_eq!(decision, Decision::KeepScanning);
    }

    #[test]
    fn two_routers_overlap_at_once_whichever_channels_are_scanned() {
        let mut overlap_detector = OverlapDetector::new();
        let both = [router(1, RED), router(2, BLUE)];
        assert_eq!(overlap_detector.decide(&both, &ScanPlan::new([2412, 5180])), Decision::Overlap);
    }

    #[test]
    fn two_routers_one_after_the_other_overlap_until_the_window_closes() {
        let plan = complete_plan();
        let mut overlap_detector = OverlapDetector::new();
        assert!(matches!(overlap_detector.decide(&[router(1, RED)], &plan), Decision::Pair(_)));
        assert_eq!(overlap_detector.decide(&[], &plan), Decision::NoRouter);
        assert_eq!(overlap_detector.decide(&[router(2, BLUE)], &plan), Decision::Overlap);
        assert_eq!(overlap_detector.decide(&[], &plan), Decision::Overlap);
        assert_eq!(overlap_detector.decide(&[router(1, RED)], &plan), Decision::Overlap);
    }

    #[test]
    fn routers_of_an_earlier_try_count() {
        let mut overlap_detector = OverlapDetector::new();
        overlap_detector.record_pressed(&router(1, RED));
        assert_eq!(
            overlap_detector.decide(&[router(2, BLUE)], &complete_plan()),
            Decision::Overlap
        );
    }

    #[test]
    fn a_dual_band_router_counts_once_and_its_stronger_band_is_used() {
        let low = router(1, RED);
        let high = Router { frequency_mhz: 5180, signal_dbm: -40, ..router(2, RED) };
        for both in [[low.clone(), high.clone()], [high.clone(), low]] {
            let mut overlap_detector = OverlapDetector::new();
            assert_eq!(
                overlap_detector.decide(&both, &complete_plan()),
                Decision::Pair(high.clone())
            );
        }
    }

    #[test]
    fn the_strongest_visible_band_is_used_not_one_that_is_gone() {
        let plan = complete_plan();
        let mut overlap_detector = OverlapDetector::new();
        let vanished = Router { signal_dbm: -20, ..router(1, RED) };
        let visible = router(2, RED);
        overlap_detector.decide(&[vanished], &plan);
        assert_eq!(
            overlap_detector.decide(std::slice::from_ref(&visible), &plan),
            Decision::Pair(visible)
        );
    }

    #[test]
    fn one_bssid_is_one_router_and_may_show_its_uuid_later() {
        let same = [router(1, None), router(1, RED), router(1, None)];
        assert_eq!(decision_after(&same), Decision::NoRouter);
        let with_its_other_band =
            [router(1, None), router(1, RED), router(2, RED), router(2, None)];
        assert_eq!(decision_after(&with_its_other_band), Decision::NoRouter);
    }

    #[test]
    fn a_bssid_that_changes_its_uuid_does_not_merge_with_another() {
        let changed = [router(1, RED), router(1, BLUE)];
        assert_eq!(decision_after(&changed), Decision::NoRouter);
        let with_another = [router(1, RED), router(1, BLUE), router(2, BLUE)];
        assert_eq!(decision_after(&with_another), Decision::Overlap);
    }

    #[test]
    fn a_second_bssid_without_a_uuid_counts_as_another_router() {
        for two in [
            [router(1, None), router(2, None)],
            [router(1, RED), router(2, None)],
            [router(1, None), router(2, RED)],
        ] {
            assert_eq!(decision_after(&two), Decision::Overlap);
        }
    }

    #[test]
    fn a_router_with_more_access_points_than_fit_still_counts_once() {
        let many: Vec<Router> = (0..30).map(|bssid| router(bssid, RED)).collect();
        assert_eq!(decision_after(&many), Decision::NoRouter);
        let mut and_another = many;
        and_another.push(router(99, BLUE));
        assert_eq!(decision_after(&and_another), Decision::Overlap);
        and_another.push(router(100, RED));
        assert_eq!(decision_after(&and_another), Decision::Overlap, "for the rest of the window");
    }

    proptest! {
        /// States the rule in another way: collects the routers of the whole window first, then
        /// counts them.
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
                let uuid = owner.map(|owner| Uuid([owner; 16]));
                overlap_detector.record_pressed(&router(bssid as u8, uuid));
            }
            let routers: HashSet<_> = uuids.values().collect();
            let one = uuids.len() <= 1 || (routers.len() == 1 && !routers.contains(&None));
            let expected = if one { Decision::NoRouter } else { Decision::Overlap };
            prop_assert_eq!(overlap_detector.decide(&[], &complete_plan()), expected);
        }
    }
}

mod scan_plan {
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

    /// Returns the number of steps that the documentation promises: two channels in each step,
    /// radar channels alone, and after every two steps one for the likely channels if the plan was
    /// complete.
    fn steps_per_pass(channels: &[u16]) -> usize {
        let radar = |frequency: &&u16| {
            **frequency > 5000
                && ![5180..=5240, 5745..=5825].iter().any(|band| band.contains(*frequency))
        };
        let radar = channels.iter().filter(radar).count();
        let steps = radar + (channels.len() - radar).div_ceil(2);
        steps + steps.div_ceil(2)
    }

    /// Performs the next step successfully and returns its channels.
    fn scan_next_step(plan: &mut ScanPlan) -> Vec<u16> {
        let step = plan.next_step();
        plan.mark_scanned(&step);
        step.to_vec()
    }

    #[test]
    fn first_2_4_ghz_then_5_ghz_then_radar_channels() {
        let mut plan = ScanPlan::new(all());
        let visited: Vec<u16> =
            (0..steps_per_pass(&all())).flat_map(|_| scan_next_step(&mut plan)).collect();
        let planned = [&TWO_POINT_FOUR[..], &FIVE, &RADAR].concat();
        assert!(visited.starts_with(&planned), "{visited:?}");
    }

    #[test]
    fn complete_after_the_last_channel_and_not_before() {
        let mut plan = ScanPlan::new(all());
        let mut visited = BTreeSet::new();
        while visited.len() < all().len() {
            assert!(!plan.is_complete());
            visited.extend(scan_next_step(&mut plan));
        }
        assert!(plan.is_complete());
        assert!(plan.steps_per_pass() == steps_per_pass(&all()));
    }

    #[test]
    fn only_channels_that_can_have_wps_and_each_once() {
        let mut plan = ScanPlan::new([
            900, 2411, 2412, 2412, 2484, 2485, 5160, 5170, 5180, 5190, 5250, 5340, 5480, 5720,
            5725, 5740, 5745, 5855, 5870, 5885, 5905, 5955, 60480, 2412,
        ]);
        let steps: Vec<Vec<u16>> = (0..4).map(|_| scan_next_step(&mut plan)).collect();
        assert_eq!(steps, [vec![2412, 2484], vec![5180, 5745], vec![5720], vec![5885]]);
        assert!(plan.is_complete());
    }

    #[test]
    fn a_plan_without_channels_has_no_steps_and_is_never_complete() {
        let mut plan = ScanPlan::new([5955]);
        assert!(plan.next_step().is_empty());
        plan.mark_scanned(&[5955]);
        plan.mark_wps(5955);
        assert!(plan.next_step().is_empty());
        assert!(!plan.is_complete());
    }

    #[test]
    fn more_channels_than_fit() {
        let mut plan = ScanPlan::new(2412..=2484);
        let visited: BTreeSet<u16> = (0..64).flat_map(|_| scan_next_step(&mut plan)).collect();
        assert_eq!(visited.len(), 64);
        assert!(plan.is_complete());
    }

    #[test]
    fn once_complete_the_next_step_and_every_third_scans_the_channels_with_wps() {
        let mut plan = ScanPlan::new(all());
        plan.mark_wps(2437);
        plan.mark_wps(2462);
        let mut first = Vec::new();
        while !plan.is_complete() {
            first.extend(scan_next_step(&mut plan));
        }
        assert_eq!(first, [&TWO_POINT_FOUR[..], &FIVE, &RADAR].concat(), "each once");
        for number in 0..40 {
            let mut step = scan_next_step(&mut plan);
            step.sort_unstable();
            assert_eq!(step == [2437, 2462], number % 3 == 0, "step {number}: {step:?}");
        }
    }

    #[test]
    fn radar_channels_are_scanned_alone() {
        let mut plan = ScanPlan::new(all());
        plan.mark_wps(5500);
        for _ in 0..60 {
            let step = scan_next_step(&mut plan);
            assert!(step.len() == 1 || !step.iter().any(|frequency| RADAR.contains(frequency)));
        }
    }

    /// Returns the channels of those steps that scan the likely channels.
    fn likely(plan: &mut ScanPlan) -> BTreeSet<u16> {
        while !plan.is_complete() {
            scan_next_step(plan);
        }
        (0..40)
            .map(|number| (number, scan_next_step(plan)))
            .filter(|(number, _)| number % 3 == 0)
            .flat_map(|(_, step)| step)
            .collect()
    }

    #[test]
    fn the_latest_four_channels_with_wps_are_kept() {
        let mut plan = ScanPlan::new(all());
        for frequency in all() {
            plan.mark_wps(frequency);
        }
        assert_eq!(likely(&mut plan), TWO_POINT_FOUR[9..].iter().copied().collect());
    }

    #[test]
    fn a_channel_with_wps_again_becomes_the_latest() {
        let mut plan = ScanPlan::new(all());
        for frequency in [5700, 5180, 5200, 5220, 5700, 5240] {
            plan.mark_wps(frequency);
        }
        assert_eq!(likely(&mut plan), BTreeSet::from([5700, 5200, 5220, 5240]));
    }

    #[test]
    fn wps_outside_the_plan_is_ignored() {
        let mut plan = ScanPlan::new(all());
        plan.mark_wps(5700);
        for elsewhere in [5955, 5975, 5995, 6015, 5885] {
            plan.mark_wps(elsewhere);
        }
        assert_eq!(likely(&mut plan), BTreeSet::from([5700]));
    }

    #[test]
    fn one_scan_of_all_channels_completes_the_plan() {
        let mut plan = ScanPlan::new(all());
        let everything: Vec<u16> = plan.frequencies().collect();
        plan.mark_scanned(&everything);
        assert!(plan.is_complete());
        for _ in 0..20 {
            scan_next_step(&mut plan);
            assert!(plan.is_complete());
        }
    }

    #[test]
    fn failed_steps_let_the_other_scans_expire() {
        let mut plan = ScanPlan::new(all());
        plan.mark_scanned(&all());
        for _ in 0..steps_per_pass(&all()) {
            plan.next_step();
        }
        assert!(!plan.is_complete());
    }

    #[test]
    fn a_refused_channel_is_found_alone_and_removed() {
        let mut plan = ScanPlan::new(all());
        let mut removed = false;
        for _ in 0..60 {
            let step = plan.next_step();
            if !step.contains(&5260) {
                plan.mark_scanned(&step);
            } else if step.len() == 1 {
                assert!(!plan.is_complete());
                plan.remove(5260);
                removed = true;
            }
        }
        assert!(removed);
        assert!(plan.is_complete());
        let visited: BTreeSet<u16> = (0..30).flat_map(|_| scan_next_step(&mut plan)).collect();
        assert_eq!(visited.len(), 27);
        assert!(!visited.contains(&5260));
    }

    #[test]
    fn a_removed_channel_is_no_longer_likely() {
        let mut plan = ScanPlan::new(all());
        plan.mark_wps(5260);
        plan.remove(5260);
        for _ in 0..40 {
            assert!(!scan_next_step(&mut plan).contains(&5260));
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
        fn one_pass_visits_every_channel_wherever_wps_is(
            channels in channels(),
            before in 0..10_usize,
            wps in prop::collection::vec(
                prop::collection::vec(any::<prop::sample::Index>(), 0..6),
                100,
            ),
        ) {
            let mut plan = ScanPlan::new(channels.iter().copied());
            let mut visited = BTreeSet::new();
            let one_pass = steps_per_pass(&channels);
            for (done, routers) in wps.iter().take(before + one_pass).enumerate() {
                let step = scan_next_step(&mut plan);
                prop_assert!(step.len() <= ScanPlan::MAX_CHANNELS_PER_STEP);
                if done >= before {
                    visited.extend(step);
                }
                for router in routers {
                    plan.mark_wps(*router.get(&channels));
                }
                prop_assert!(done + 1 < one_pass || plan.is_complete());
            }
            prop_assert_eq!(visited, channels.into_iter().collect());
        }

        #[test]
        fn not_complete_before_every_channel_is_visited(
            channels in channels(),
            wps in any::<prop::sample::Index>(),
        ) {
            let mut plan = ScanPlan::new(channels.iter().copied());
            plan.mark_wps(*wps.get(&channels));
            let mut visited = BTreeSet::new();
            for _ in 0..2 * channels.len() {
                prop_assert_eq!(plan.is_complete(), visited.len() == channels.len());
                visited.extend(scan_next_step(&mut plan));
            }
            prop_assert!(plan.is_complete());
        }

        #[test]
        fn a_failing_channel_keeps_the_plan_incomplete_and_starves_no_other(
            channels in channels(),
            bad in any::<prop::sample::Index>(),
            wps in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let bad = *bad.get(&channels);
            let mut plan = ScanPlan::new(channels.iter().copied());
            for router in wps {
                plan.mark_wps(*router.get(&channels));
            }
            // The bound is the number of steps after which every channel was at the head of the
            // queue once. It holds from then on as well.
            let mut last_scanned = std::collections::HashMap::new();
            for number in 0..400_usize {
                let step = plan.next_step();
                if !step.contains(&bad) {
                    plan.mark_scanned(&step);
                    last_scanned.extend(step.iter().map(|&frequency| (frequency, number)));
                }
                prop_assert!(!plan.is_complete());
                for frequency in channels.iter().filter(|&&frequency| frequency != bad) {
                    let last = last_scanned.get(frequency).copied().unwrap_or(0);
                    prop_assert!(number - last <= 3 * channels.len() + 4, "{} starves", frequency);
                }
            }
        }
    }
}
