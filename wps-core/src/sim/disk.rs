//! A disk with one record, a power switch and faults.

use core::cell::RefCell;
use core::future::pending;

use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::Vec;

use crate::record::Record;
use crate::store::{Loaded, SettingsStore};

/// A disk. It outlives the stores on it, as a real one outlives the programs.
pub struct Disk<M: RawMutex> {
    inner: Mutex<M, RefCell<Inner>>,
}

struct Inner {
    bytes: Vec<u8, { Record::MAX_LEN }>,
    aside: bool,
    fault: Option<DiskFault>,
    saves: u32,
}

/// What is wrong with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// It cannot be read.
    Unreadable,
    /// A save fails, and nothing was written.
    Full,
    /// A save fails, although it was written.
    Lies,
    /// A save never ends, and nothing is written.
    Hangs,
}

/// Why the simulated disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulated disk failed: {0:?}")]
pub struct DiskError(pub DiskFault);

impl<M: RawMutex> Disk<M> {
    /// A blank disk.
    pub const fn new() -> Self {
        let inner = Inner { bytes: Vec::new(), aside: false, fault: None, saves: 0 };
        Self { inner: Mutex::new(RefCell::new(inner)) }
    }

    /// A store on this disk.
    pub fn store(&self) -> SimStore<'_, M> {
        SimStore { disk: self }
    }

    /// Breaks the disk, or mends it.
    pub fn set_fault(&self, fault: Option<DiskFault>) {
        self.with(|inner| inner.fault = fault);
    }

    /// The record on the disk, if there is a whole one.
    pub fn record(&self) -> Option<Record> {
        self.with(|inner| Record::decode(&inner.bytes).ok())
    }

    /// Puts a record there, past any fault.
    pub fn put(&self, record: &Record) {
        self.with(|inner| inner.write(record));
    }

    /// Flips one bit of what is stored.
    pub fn rot(&self) {
        self.with(|inner| {
            if let Some(byte) = inner.bytes.last_mut() {
                *byte ^= 1;
            }
        });
    }

    /// How many saves succeeded.
    pub fn saves(&self) -> u32 {
        self.with(|inner| inner.saves)
    }

    /// Whether damaged bytes were put aside.
    pub fn has_aside(&self) -> bool {
        self.with(|inner| inner.aside)
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        self.inner.lock(|inner| act(&mut inner.borrow_mut()))
    }
}

impl<M: RawMutex> Default for Disk<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn write(&mut self, record: &Record) {
        let bytes = record.with_encoded(|bytes| Vec::from_slice(bytes).unwrap_or_default());
        self.bytes = bytes.unwrap_or_default();
    }
}

/// A [`SettingsStore`] on a [`Disk`].
pub struct SimStore<'d, M: RawMutex> {
    disk: &'d Disk<M>,
}

impl<M: RawMutex> SettingsStore for SimStore<'_, M> {
    type Error = DiskError;

    async fn load(&mut self) -> Result<Loaded, DiskError> {
        self.disk.with(|inner| {
            if inner.fault == Some(DiskFault::Unreadable) {
                return Err(DiskError(DiskFault::Unreadable));
            }
            if inner.bytes.is_empty() {
                return Ok(Loaded::Nothing);
            }
            Ok(match Record::decode(&inner.bytes) {
                Ok(record) => Loaded::Record(record),
                Err(_) => {
                    inner.aside = true;
                    inner.bytes.clear();
                    Loaded::Corrupt
                }
            })
        })
    }

    async fn save(&mut self, record: &Record) -> Result<(), DiskError> {
        // A place for the future to be dropped before the write and after it.
        yield_now().await;
        let fault = self.disk.with(|inner| {
            match inner.fault {
                None | Some(DiskFault::Lies) => inner.write(record),
                Some(DiskFault::Unreadable | DiskFault::Full | DiskFault::Hangs) => {}
            }
            inner.fault
        });
        yield_now().await;
        match fault {
            None => {
                self.disk.with(|inner| inner.saves += 1);
                Ok(())
            }
            Some(DiskFault::Hangs) => pending().await,
            Some(fault) => Err(DiskError(fault)),
        }
    }
}
