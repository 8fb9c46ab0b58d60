//! The stored form, written out by hand: tags, lengths and the like are one byte each, as nothing in
//! a record is longer than 127. That is what postcard made of it, in a fifth of the code.
//!
//! | what | bytes |
//! |---|---|
//! | record | 0 and the settings; 1 (a pairing) or 2 (a change), the settings before it, the snapshot |
//! | settings | 0: the platform's; 1, network; 2, network, maybe a channel, maybe a network; 3, maybe a network |
//! | network | name, key; an empty key is an open network |
//! | name, key, snapshot | how many bytes, and those |
//! | maybe something | 0; or 1 and that |
//!
//! Append tags, never reorder them; anything else is a new version.

use super::Record;
use crate::settings::{AccessPoint, Credentials, Passphrase, Settings, Snapshot, Ssid};

const _: () = assert!(Snapshot::MAX_LEN < 128, "its length no longer fits one byte of postcard's");

/// Counts on past the end of its buffer: whether everything fitted is asked once, at the end.
pub(super) struct Writer<'a> {
    pub(super) buffer: &'a mut [u8],
    pub(super) len: usize,
}

impl Writer<'_> {
    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.buffer.get_mut(self.len) {
            *place = byte;
        }
        self.len += 1;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.byte(bytes.len() as u8);
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
                self.maybe_network(remembered);
            }
            Settings::Off { remembered } => {
                self.byte(3);
                self.maybe_network(remembered);
            }
        }
    }

    fn maybe_network(&mut self, network: &Option<Credentials>) {
        self.byte(network.is_some().into());
        if let Some(network) = network {
            self.network(network);
        }
    }

    fn network(&mut self, network: &Credentials) {
        self.bytes(network.ssid.as_bytes());
        self.bytes(network.passphrase.as_ref().map_or(&[], Passphrase::reveal));
    }
}

/// What is left to read. None where the bytes are not what [`Writer`] writes.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.byte()?;
        let (bytes, rest) = self.0.split_at_checked(len.into())?;
        self.0 = rest;
        Some(bytes)
    }

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
                Settings::AccessPoint { access_point, remembered: self.maybe_network()? }
            }
            3 => Settings::Off { remembered: self.maybe_network()? },
            _ => return None,
        })
    }

    fn maybe_network(&mut self) -> Option<Option<Credentials>> {
        Some(if self.flag()? { Some(self.network()?) } else { None })
    }

    fn network(&mut self) -> Option<Credentials> {
        let (ssid, key) = (Ssid::new(self.bytes()?).ok()?, self.bytes()?);
        let passphrase = if key.is_empty() { None } else { Some(Passphrase::new(key).ok()?) };
        Some(Credentials { ssid, passphrase })
    }
}
