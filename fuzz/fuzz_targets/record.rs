//! Fuzzes the decoder of the stored record. Any bytes are either decoded to a record that can be
//! stored again, or rejected.
#![no_main]

use crc::{CRC_32_ISO_HDLC, Crc};
use libfuzzer_sys::fuzz_target;
use wps_core::{Record, RecordError};

fuzz_target!(|contents: &[u8]| {
    check(contents);
    // The fuzzer cannot guess a checksum, so the valid one is appended.
    let sum = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(contents);
    check(&[contents, &sum.to_le_bytes()].concat());
});

fn check(bytes: &[u8]) {
    match Record::decode(bytes) {
        Ok(record) => {
            let encoded = encode(&record);
            assert!(encoded.len() <= bytes.len(), "the encoding is the shortest one");
            assert_eq!(Record::decode(&encoded), Ok(record.clone()), "decodes to the same record");
            for end in [0, encoded.len() / 2, encoded.len() - 1] {
                assert_eq!(Record::decode(&encoded[..end]), Err(RecordError::Corrupt), "truncated");
                assert_eq!(record.encode(&mut vec![0; end]), Err(RecordError::Space), "no room");
            }
        }
        Err(RecordError::Version(version)) => {
            assert!(!(1..=2).contains(&version) && bytes.first() == Some(&version));
        }
        Err(error) => assert_eq!(error, RecordError::Corrupt),
    }
}

fn encode(record: &Record) -> Vec<u8> {
    let mut buffer = [0; Record::MAX_LEN];
    record.encode(&mut buffer).expect("MAX_LEN is always enough").to_vec()
}
