//! Fuzzes the parser of the information elements of beacons and probe responses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wps_core::wsc::Advertisement;
use wps_testkit::wsc::{element, wps_element};

const VENDOR: u8 = 221;
const WPS: [u8; 4] = [0x00, 0x50, 0xf2, 0x04];

fuzz_target!(|on_air: &[u8]| {
    let parsed = Advertisement::parse(on_air);
    let elements = elements(on_air);
    let pieces: Vec<_> = elements.iter().filter_map(|(id, body)| piece(*id, body)).collect();
    assert_eq!(
        parsed.is_some(),
        !pieces.is_empty(),
        "parsed if and only if there is a WPS element"
    );
    if let Some(parsed) = &parsed {
        if let Some(ssid) = &parsed.ssid {
            assert!((1..=32).contains(&ssid.as_bytes().len()));
            assert!(ssid.as_bytes().iter().any(|byte| *byte != 0), "a hidden name");
            assert!(elements.contains(&(0, ssid.as_bytes())), "a name that was not sent");
        }
        let attributes = pieces.concat();
        let sent = |bytes: &[u8]| attributes.windows(bytes.len()).any(|it| it == bytes);
        assert!(parsed.uuid.is_none_or(|uuid| sent(&uuid.0)), "a UUID that was not sent");
        let push_button = [0x10, 0x12, 0x00, 0x02, 0x00, 0x04];
        assert!(!parsed.pressed || sent(&[0x10, 0x41]) && sent(&push_button));
    }

    // A truncated element at the end is ignored.
    let complete: Vec<u8> = elements.iter().flat_map(|(id, body)| element(*id, body)).collect();
    assert_eq!(Advertisement::parse(&complete), parsed);
    for cut in [[7].as_slice(), &[VENDOR, 9, 0x00, 0x50, 0xf2, 0x04]] {
        assert_eq!(Advertisement::parse(&[&complete, cut].concat()), parsed);
    }
    // The result does not depend on how the attributes are split into elements.
    let in_two = elements.iter().flat_map(|(id, body)| match piece(*id, body) {
        Some(piece) => {
            let (head, tail) = piece.split_at(piece.len() / 2);
            [wps_element(head), wps_element(tail)].concat()
        }
        None => element(*id, body),
    });
    assert_eq!(Advertisement::parse(&in_two.collect::<Vec<_>>()), parsed);
    for (probe_response, beacon) in [(on_air, &[][..]), (&[], on_air), (on_air, on_air)] {
        assert_eq!(Advertisement::merged(probe_response, beacon), parsed);
    }
});

/// Returns the id and the body of each complete element.
fn elements(bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let (mut elements, mut at) = (Vec::new(), 0);
    while at + 1 < bytes.len() {
        let end = at + 2 + usize::from(bytes[at + 1]);
        let Some(body) = bytes.get(at + 2..end) else { break };
        elements.push((bytes[at], body));
        at = end;
    }
    elements
}

/// Returns the WPS attributes that an element carries.
fn piece(id: u8, body: &[u8]) -> Option<&[u8]> {
    (id == VENDOR).then(|| body.strip_prefix(&WPS))?
}
