//! The stored format, encoded by hand. Tags, lengths and flags are one byte each, because nothing
//! in a record is longer than 127 bytes. The bytes are the same as postcard's, with a fifth of the
//! code.
//!
//! | what | bytes |
//! |---|---|
//! | record | 0, settings; or 1 (a pairing) or 2 (a change), the settings before it, snapshot |
//! | settings of the platform | 0 |
//! | settings of a station | 1, network |
//! | settings of an access point | 2, network, optional channel, optional network |
//! | settings with the radio off | 3, optional network |
//! | network | name, secret |
//! | secret of an open network | 0 |
//! | secret that is a key | the number of bytes (8 to 64), then the bytes |
//! | secret that the platform keeps | 128, the 16 bytes of the identifier (since version 2) |
//! | name, snapshot | the number of bytes, then the bytes |
//! | optional value | 0; or 1, then the value |
//!
//! New tags may only be appended, each with a new version. Never reorder tags. A record is written
//! in the oldest version that has its tags, so that an older program can read it where possible.

use super::Record;
use crate::settings::{
    AccessPoint, Credentials, KeptId, Passphrase, Secret, Settings, Snapshot, Ssid,
};

const _: () = assert!(Snapshot::MAX_LEN < 128, "the length no longer fits into one byte");

/// The tag of a secret that the platform keeps. No key is that long.
const KEPT: u8 = 128;

/// Writes a record into a buffer. It counts on past the end of the buffer, so that the caller can
/// check once, at the end, whether everything has fitted.
pub(super) struct Writer<'a> {
    pub(super) buffer: &'a mut [u8],
    pub(super) len: usize,
    /// The oldest version that has everything that was written so far.
    pub(super) version: u8,
}

impl Writer<'_> {
    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(slot) = self.buffer.get_mut(self.len) {
            *slot = byte;
        }
        self.len += 1;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.tagged(bytes.len() as u8, bytes);
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.byte(tag);
        for byte in bytes {
            self.byte(*byte);
        }
    }

    pub(super) fn record(&mut self, record: &Record) {
        let (tag, settings, snapshot) = match record {
            Record::Settled(settings) => (0, settings, None),
            Record::Pairing { before, snapshot } => (1, before, Some(snapshot)),
            Record::Configuring { before, snapshot } => (2, before, Some(snapshot)),
        };
        self.byte(tag);
        self.settings(settings);
        if let Some(snapshot) = snapshot {
            self.bytes(snapshot.as_bytes());
        }
    }

    fn settings(&mut self, settings: &Settings) {
        match settings {
            Settings::Platform => self.byte(0),
            Settings::Station { network } => {
                self.byte(1);
                self.network(network);
            }
            Settings::AccessPoint { access_point, remembered } => {
                self.byte(2);
                self.network(&access_point.network);
                self.byte(access_point.channel.is_some().into());
                if let Some(channel) = access_point.channel {
                    self.byte(channel);
                }
                self.optional_network(remembered);
            }
            Settings::Off { remembered } => {
                self.byte(3);
                self.optional_network(remembered);
            }
        }
    }

    fn optional_network(&mut self, network: &Option<Credentials>) {
        self.byte(network.is_some().into());
        if let Some(network) = network {
            self.network(network);
        }
    }

    fn network(&mut self, network: &Credentials) {
        self.bytes(network.ssid.as_bytes());
        let (tag, bytes) = match &network.secret {
            Secret::Open => (0, &[][..]),
            Secret::Key(passphrase) => {
                let key = passphrase.reveal();
                (key.len() as u8, key)
            }
            Secret::Kept(KeptId(id)) => {
                self.version = 2;
                (KEPT, &id[..])
            }
        };
        self.tagged(tag, bytes);
    }
}

/// Reads a record from the remaining bytes. Each method returns `None` if the bytes are not in the
/// format of [`Writer`].
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.byte()?;
        self.take(len)
    }

    fn take(&mut self, len: u8) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len.into())?;
        self.0 = rest;
        Some(bytes)
    }

    #[inline(always)] // smaller: `benches/size/measure`
    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn record(&mut self) -> Option<Record> {
        let tag = self.byte()?;
        let before = self.settings()?;
        Some(match tag {
            0 => Record::Settled(before),
            1 => Record::Pairing { before, snapshot: self.snapshot()? },
            2 => Record::Configuring { before, snapshot: self.snapshot()? },
            _ => return None,
        })
    }

    fn snapshot(&mut self) -> Option<Snapshot> {
        Snapshot::new(self.bytes()?).ok()
    }

    fn settings(&mut self) -> Option<Settings> {
        Some(match self.byte()? {
            0 => Settings::Platform,
            1 => Settings::Station { network: self.network()? },
            2 => {
                let network = self.network()?;
                let channel = if self.flag()? { Some(self.byte()?) } else { None };
                let access_point = AccessPoint { network, channel };
                Settings::AccessPoint { access_point, remembered: self.optional_network()? }
            }
            3 => Settings::Off { remembered: self.optional_network()? },
            _ => return None,
        })
    }

    #[inline(always)] // smaller: `benches/size/measure`
    fn optional_network(&mut self) -> Option<Option<Credentials>> {
        Some(if self.flag()? { Some(self.network()?) } else { None })
    }

    fn network(&mut self) -> Option<Credentials> {
        let ssid = Ssid::new(self.bytes()?).ok()?;
        let secret = match self.byte()? {
            0 => Secret::Open,
            KEPT => {
                let mut id = [0; 16];
                for byte in &mut id {
                    *byte = self.byte()?;
                }
                Secret::Kept(KeptId(id))
            }
            len => Secret::Key(Passphrase::new(self.take(len)?).ok()?),
        };
        Some(Credentials { ssid, secret })
    }
}
