//! The stored record: whatever the disk holds, it is read as a record that can be stored again, or refused.
#![no_main]

use crc::{CRC_32_ISO_HDLC, Crc};
use libfuzzer_sys::fuzz_target;
use wps_core::{Record, RecordError};

fuzz_target!(|contents: &[u8]| {
    check(contents);
    // The fuzzer cannot guess a checksum: here is the right one.
    let sum = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(contents);
    check(&[contents, &sum.to_le_bytes()].concat());
});

fn check(bytes: &[u8]) {
    match Record::decode(bytes) {
        Ok(record) => {
            let encoded = encode(&record);
            assert!(encoded.len() <= bytes.len(), "there is no shorter form");
            assert_eq!(Record::decode(&encoded), Ok(record.clone()), "comes back");
            for end in [0, encoded.len() / 2, encoded.len() - 1] {
                assert_eq!(Record::decode(&encoded[..end]), Err(RecordError::Corrupt), "torn");
                assert_eq!(record.encode(&mut vec![0; end]), Err(RecordError::Space), "no room");
            }
        }
        Err(RecordError::Version(version)) => {
            assert!(version != 1 && bytes.first() == Some(&version));
        }
        Err(error) => assert_eq!(error, RecordError::Corrupt),
    }
}

fn encode(record: &Record) -> Vec<u8> {
    let mut buffer = [0; Record::MAX_LEN];
    record.encode(&mut buffer).expect("MAX_LEN is always enough").to_vec()
}
