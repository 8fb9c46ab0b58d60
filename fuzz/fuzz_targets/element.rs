//! The information elements of beacons and probe responses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wps_core::wsc::Advertisement;

const VENDOR: u8 = 221;
const WPS: [u8; 4] = [0x00, 0x50, 0xf2, 0x04];

fuzz_target!(|on_air: &[u8]| {
    let says = Advertisement::parse(on_air);
    let whole = elements(on_air);
    let pieces: Vec<_> = whole.iter().filter_map(|(id, body)| piece(*id, body)).collect();
    assert_eq!(says.is_some(), !pieces.is_empty(), "has a WPS element, or not");
    if let Some(says) = &says {
        if let Some(ssid) = &says.ssid {
            assert!((1..=32).contains(&ssid.as_bytes().len()));
            assert!(ssid.as_bytes().iter().any(|byte| *byte != 0), "a hidden name");
            assert!(whole.contains(&(0, ssid.as_bytes())), "a name that was not sent");
        }
        let attributes = pieces.concat();
        let sent = |bytes: &[u8]| attributes.windows(bytes.len()).any(|it| it == bytes);
        assert!(says.uuid.is_none_or(|uuid| sent(&uuid.0)), "a UUID that was not sent");
        let push_button = [0x10, 0x12, 0x00, 0x02, 0x00, 0x04];
        assert!(!says.pressed || sent(&[0x10, 0x41]) && sent(&push_button));
    }

    // What is cut short at the end does not count.
    let tidy: Vec<u8> = whole.iter().flat_map(|(id, body)| element(*id, body)).collect();
    assert_eq!(Advertisement::parse(&tidy), says);
    for cut in [[7].as_slice(), &[VENDOR, 9, 0x00, 0x50, 0xf2, 0x04]] {
        assert_eq!(Advertisement::parse(&[&tidy, cut].concat()), says);
    }
    // Cut into elements elsewhere, it says the same.
    let in_two = whole.iter().flat_map(|(id, body)| match piece(*id, body) {
        Some(piece) => {
            let (head, tail) = piece.split_at(piece.len() / 2);
            [wps(head), wps(tail)].concat()
        }
        None => element(*id, body),
    });
    assert_eq!(Advertisement::parse(&in_two.collect::<Vec<_>>()), says);
    for (probe_response, beacon) in [(on_air, &[][..]), (&[], on_air), (on_air, on_air)] {
        assert_eq!(Advertisement::merged(probe_response, beacon), says);
    }
});

/// Id and body of those that came whole.
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

fn piece(id: u8, body: &[u8]) -> Option<&[u8]> {
    (id == VENDOR).then(|| body.strip_prefix(&WPS))?
}

fn wps(attributes: &[u8]) -> Vec<u8> {
    element(VENDOR, &[&WPS, attributes].concat())
}

fn element(id: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("of one element");
    [&[id, length], body].concat()
}
