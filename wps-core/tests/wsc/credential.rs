//! The parser of the credentials that a router sends.

use proptest::prelude::*;
use wps_core::wsc::{Bssid, CredentialError, MAX_CREDENTIALS, credentials};
use wps_core::{BssInfo, Cipher, Secret, Security};
use wps_testkit::wsc::{
    AES, NONE, OPEN, SHARED, SentCredential, TKIP, WEP, WPA_PSK, WPA2_ENTERPRISE, WPA2_PSK,
    attribute,
};
use wps_testkit::{ssid, unhex};

const HOME: SentCredential<'static> = SentCredential {
    ssid: b"home",
    authentication: WPA2_PSK,
    encryption: AES,
    key: Some(b"correct horse"),
};

type Pair = (Vec<u8>, Option<Vec<u8>>);

/// Returns the names and keys that are read, in order. An open access point has sent them, so that
/// the types in the credentials count.
fn read(bytes: &[u8]) -> Result<Vec<Pair>, CredentialError> {
    read_from(bytes, Some(Security::Open), Some(Cipher::None))
}

/// Returns the names and keys that are read if an access point with this protection has sent them.
fn read_from(
    bytes: &[u8],
    security: Option<Security>,
    pairwise_cipher: Option<Cipher>,
) -> Result<Vec<Pair>, CredentialError> {
    let access_point =
        BssInfo { security, pairwise_cipher, ..BssInfo::new(Bssid([2, 0, 0, 0, 1, 0])) };
    let networks = credentials(bytes, &access_point)?;
    let plain = networks.iter().map(|network| {
        let key = network.secret.key().expect("not kept").map(|key| key.reveal().to_vec());
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
    let received = unhex(
        "100e0038 1026000101 10450006 6c61626e6574 100300020020 100f00020008
         1027000f 636f727265637420686f7273652033 10200006 020000000100",
    );
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
    assert_eq!(read(&SentCredential { key, ..HOME }.bytes()), Err(CredentialError::InvalidKey));
}

#[test]
fn key_too_short_too_long_or_with_control_characters() {
    for key in [
        &b"7 chars"[..],
        b"new\nline here",
        b"delete\x7f here",
        b"nul\0 inside",
        &[b'x'; 64],
        &[b'a'; 65],
    ] {
        let sent = SentCredential { key: Some(key), ..HOME };
        assert_eq!(read(&sent.bytes()), Err(CredentialError::InvalidKey), "{key:?}");
    }
}

#[test]
fn key_missing_or_empty_for_a_protected_network() {
    for key in [None, Some(&b""[..]), Some(&[0; 64])] {
        let sent = SentCredential { key, ..HOME };
        assert_eq!(read(&sent.bytes()), Err(CredentialError::EmptyKey), "{key:?}");
    }
}

#[test]
fn key_of_64_hex_digits_is_a_raw_psk() {
    let psk = b"0123456789abcdefABCDEF98765432100123456789abcdefABCDEF9876543210";
    let sent = SentCredential { key: Some(psk), ..HOME };
    assert_eq!(read(&sent.bytes()), Ok(vec![pair(b"home", psk)]));
    let secret = &credentials(&sent.bytes(), &BssInfo::new(Bssid([2; 6]))).unwrap()[0].secret;
    assert!(matches!(secret, Secret::Key(key) if key.is_raw_psk()));
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
        unhex("1026000101"),
        attribute(0x1045, b"home"),
        unhex("10030002 0001  100f0002 0001  10270000 00  10200006 020000000100"),
    ]
    .concat();
    let sent = [attribute(0x100e, &sub_attributes), HOME.bytes()].concat();
    assert_eq!(read(&sent), Ok(vec![(b"home".to_vec(), None), pair(b"home", b"correct horse")]));
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
        [&ssid[..], &authentication, &encryption, &key, &attribute(0x1020, &[0xff; 5])].concat(),
        [&attribute(0x1020, &[0xff; 6])[..], &ssid, &authentication, &encryption, &key].concat(),
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
    for (authentication, encryption, error) in [
        (OPEN, WEP, CredentialError::Wep),
        (SHARED, WEP, CredentialError::Wep),
        (SHARED, NONE, CredentialError::Wep),
        (WPA_PSK, TKIP, CredentialError::TkipOnly),
        (WPA2_PSK, TKIP, CredentialError::TkipOnly),
        (WPA_PSK | WPA2_PSK, TKIP, CredentialError::TkipOnly),
        (WPA_PSK, WEP | TKIP, CredentialError::TkipOnly),
    ] {
        let sent = SentCredential { authentication, encryption, ..HOME };
        assert_eq!(read_from(&sent.bytes(), None, None), Err(error));
        // A router that was never set up may be open before the pairing.
        let expected = if error == CredentialError::Wep { Err(error) } else { home() };
        assert_eq!(read(&sent.bytes()), expected);
    }
}

/// hostapd's and TP-Link's routers, among others, call their WPA2 network WPA-PSK with TKIP
/// (hostap: `wpas_wps_security_workaround`).
#[test]
fn what_the_access_point_advertises_decides_about_a_network_with_a_key() {
    let wpa2 = [
        (Security::Wpa2, Cipher::Ccmp),
        (Security::WpaWpa2, Cipher::TkipCcmp),
        (Security::Wpa2Wpa3, Cipher::Ccmp),
        (Security::Wpa3, Cipher::Gcmp),
        (Security::Wpa, Cipher::Ccmp),
    ];
    for (authentication, encryption) in [
        (WPA_PSK, TKIP),
        (WPA2_PSK, TKIP),
        (SHARED, WEP),
        (OPEN, NONE),
        (OPEN, AES),
        (0, 0),
        (WPA2_ENTERPRISE, AES),
    ] {
        let sent = SentCredential { authentication, encryption, ..HOME };
        for (security, cipher) in wpa2 {
            let found = read_from(&sent.bytes(), Some(security), Some(cipher));
            assert_eq!(found, home(), "{authentication:#x} {encryption:#x} {security:?}");
        }
    }
    for (security, cipher, error) in [
        (Security::Wep, Cipher::Wep, CredentialError::Wep),
        (Security::Wpa, Cipher::Tkip, CredentialError::TkipOnly),
        (Security::Wpa2, Cipher::Tkip, CredentialError::TkipOnly),
        (Security::WpaWpa2, Cipher::Tkip, CredentialError::TkipOnly),
    ] {
        for authentication in [WPA2_PSK, WPA_PSK | WPA2_PSK, OPEN] {
            let sent = SentCredential { authentication, ..HOME };
            let found = read_from(&sent.bytes(), Some(security), Some(cipher));
            assert_eq!(found, Err(error), "{authentication:#x} {security:?}");
        }
    }
}

#[test]
fn without_a_look_at_the_access_point_the_type_in_the_credential_counts() {
    let tkip = SentCredential { authentication: WPA_PSK, encryption: TKIP, ..HOME };
    assert_eq!(read_from(&tkip.bytes(), None, None), Err(CredentialError::TkipOnly));
    assert_eq!(read_from(&HOME.bytes(), None, None), home());
}

/// Otherwise an open network of the same name, which anybody can put up, would be joined and saved.
#[test]
fn a_network_is_open_only_if_its_access_point_is_open() {
    let protected = [
        (Some(Security::Wpa2), Some(Cipher::Ccmp)),
        (Some(Security::WpaWpa2), Some(Cipher::TkipCcmp)),
        (Some(Security::Wpa3), Some(Cipher::Ccmp)),
        (Some(Security::Wpa), Some(Cipher::TkipCcmp)),
        (Some(Security::Owe), Some(Cipher::Ccmp)),
        (Some(Security::Enterprise), Some(Cipher::Ccmp)),
        (None, None),
    ];
    for key in [None, Some(&b""[..]), Some(&[0; 64])] {
        let sent = SentCredential { authentication: OPEN, encryption: NONE, key, ..HOME };
        for (security, cipher) in protected {
            let found = read_from(&sent.bytes(), security, cipher);
            assert_eq!(found, Err(CredentialError::NotOpen), "{security:?}");
        }
        // A protected network without a key is not open either.
        let sent = SentCredential { key, ..HOME };
        for (security, cipher) in protected {
            let found = read_from(&sent.bytes(), security, cipher);
            assert_eq!(found, Err(CredentialError::EmptyKey), "{security:?}");
        }
    }
    let guest = SentCredential { ssid: b"guest", ..SentCredential::new(b"", None) };
    let both = [guest.bytes(), HOME.bytes()].concat();
    assert_eq!(read_from(&both, Some(Security::Wpa2), Some(Cipher::Ccmp)), home());
}

/// A router hands over several networks, and its access point advertises one of them.
#[test]
fn of_other_networks_than_its_own_an_access_point_says_nothing() {
    let from = |security, cipher, sent: &SentCredential<'_>| {
        let access_point = BssInfo {
            ssid: Some(ssid(b"guest")),
            security: Some(security),
            pairwise_cipher: Some(cipher),
            ..BssInfo::new(Bssid([2; 6]))
        };
        credentials(&sent.bytes(), &access_point).map(|networks| networks[0].secret.clone())
    };
    let open = SentCredential { key: None, authentication: OPEN, encryption: NONE, ..HOME };
    assert_eq!(from(Security::Open, Cipher::None, &open), Err(CredentialError::NotOpen));
    let own = SentCredential { ssid: b"guest", ..open };
    assert_eq!(from(Security::Open, Cipher::None, &own), Ok(Secret::Open));
    let wep = SentCredential { authentication: SHARED, encryption: WEP, ..HOME };
    assert_eq!(from(Security::Wpa2, Cipher::Ccmp, &wep), Err(CredentialError::Wep));
    // Routers send this type for all their networks, and nothing below WPA2 is ever joined.
    let tkip = SentCredential { authentication: WPA_PSK, encryption: TKIP, ..HOME };
    assert!(from(Security::Wpa2, Cipher::Ccmp, &tkip).is_ok());
    assert!(from(Security::Wep, Cipher::Wep, &HOME).is_ok());
}

#[test]
fn networks_that_cannot_be_joined_with_a_password_are_refused() {
    for (authentication, encryption) in
        [(WPA2_ENTERPRISE, AES), (WPA2_ENTERPRISE, NONE), (OPEN, AES), (0, 0)]
    {
        let sent = SentCredential { authentication, encryption, ..HOME };
        assert_eq!(read(&sent.bytes()), Err(CredentialError::NoNetwork));
    }
}

#[test]
fn a_credential_without_name_or_type_is_malformed() {
    for ssid in [&b""[..], &[0; 32], &[b'x'; 33]] {
        let sent = SentCredential { ssid, ..HOME };
        assert_eq!(read(&sent.bytes()), Err(CredentialError::NoNetwork));
    }
    for missing in [0x1045_u16, 0x1003, 0x100f] {
        let mut sub_attributes = HOME.sub_attributes();
        let at = sub_attributes.windows(2).position(|pair| pair == missing.to_be_bytes()).unwrap();
        sub_attributes[at] = 0x20;
        assert_eq!(
            read(&attribute(0x100e, &sub_attributes)),
            Err(CredentialError::NoNetwork),
            "{missing:#x}"
        );
    }
    assert_eq!(read(&[]), Err(CredentialError::NoNetwork));
    assert_eq!(read(&attribute(0x1045, b"home")), Err(CredentialError::NoNetwork));
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
        attribute(0x1049, &unhex("00372a 00 01 20")),
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
    let wep =
        SentCredential { authentication: SHARED, encryption: WEP, key: Some(b"hushed"), ..HOME };
    let nameless = SentCredential { ssid: b"", key: Some(b"hushed hushed"), ..HOME };
    for (received, expected) in [
        ([short.bytes(), wep.bytes()], CredentialError::InvalidKey),
        ([wep.bytes(), short.bytes()], CredentialError::Wep),
        ([nameless.bytes(), wep.bytes()], CredentialError::NoNetwork),
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
    SentCredential::new(ssid, key.as_deref())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
        let _ = read(&attribute(0x100e, &bytes));
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
        let _ = read(&attribute(0x100e, &sub_attributes));
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
