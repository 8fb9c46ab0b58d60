//! The format in which a store writes records.

use wps_core::Record;

/// The format in which a [`FlashStore`](super::FlashStore) writes its records: [`PlainText`], or
/// `Encrypted` with the feature `encryption`.
///
/// A store does not look into the bytes, so any store can have such a parameter.
pub trait RecordFormat {
    /// Writes the record into `buffer` and returns the number of bytes, or `None` if they do not
    /// fit.
    fn encode(&mut self, record: &Record, buffer: &mut [u8]) -> Option<usize>;

    /// Reads what [`encode`](Self::encode) has written. Returns `None` for anything else, which the
    /// store then treats as a damaged record: it preserves the bytes.
    fn decode(&self, bytes: &[u8]) -> Option<Record>;
}

/// Records as [`Record::encode`] writes them. Anyone who can read the flash can read the passwords.
#[derive(Clone, Copy, Debug)]
pub struct PlainText;

impl RecordFormat for PlainText {
    fn encode(&mut self, record: &Record, buffer: &mut [u8]) -> Option<usize> {
        record.encode(buffer).ok().map(<[u8]>::len)
    }

    fn decode(&self, bytes: &[u8]) -> Option<Record> {
        Record::decode(bytes).ok()
    }
}
