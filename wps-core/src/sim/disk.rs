//! A simulated disk that stores one record and can fail.

use core::cell::RefCell;
use core::future::pending;

use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::Vec;

use crate::record::Record;
use crate::store::{Loaded, SettingsStore};

/// A simulated disk. It outlives its stores, as a real disk outlives the programs that use it.
pub struct Disk<M: RawMutex> {
    inner: Mutex<M, RefCell<Inner>>,
}

struct Inner {
    bytes: Vec<u8, { Record::MAX_LEN }>,
    has_damaged_copy: bool,
    fault: Option<DiskFault>,
    saves: u32,
}

/// A fault of the simulated disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// It cannot be read.
    Unreadable,
    /// A save fails and writes nothing.
    Full,
    /// A save fails although the record was written.
    FailsAfterWrite,
    /// A save never returns and writes nothing.
    Hangs,
}

/// An error of the simulated disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulated disk failed: {0:?}")]
pub struct DiskError(pub DiskFault);

impl<M: RawMutex> Disk<M> {
    /// Creates an empty disk.
    pub const fn new() -> Self {
        let inner = Inner { bytes: Vec::new(), has_damaged_copy: false, fault: None, saves: 0 };
        Self { inner: Mutex::new(RefCell::new(inner)) }
    }

    /// Returns a store on this disk.
    pub fn store(&self) -> SimStore<'_, M> {
        SimStore { disk: self }
    }

    /// Gives the disk a fault, or repairs it.
    pub fn set_fault(&self, fault: Option<DiskFault>) {
        self.with(|inner| inner.fault = fault);
    }

    /// Returns the record on the disk, or `None` if the disk is empty or the record is damaged.
    pub fn record(&self) -> Option<Record> {
        self.with(|inner| Record::decode(&inner.bytes).ok())
    }

    /// Writes a record, regardless of any fault.
    pub fn write_record(&self, record: &Record) {
        self.with(|inner| inner.write(record));
    }

    /// Flips one bit of the stored record.
    pub fn flip_bit(&self) {
        self.with(|inner| {
            if let Some(byte) = inner.bytes.last_mut() {
                *byte ^= 1;
            }
        });
    }

    /// Returns the number of saves that succeeded.
    pub fn save_count(&self) -> u32 {
        self.with(|inner| inner.saves)
    }

    /// Returns whether a damaged record was kept as a copy instead of being overwritten.
    pub fn has_damaged_copy(&self) -> bool {
        self.with(|inner| inner.has_damaged_copy)
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
                    inner.has_damaged_copy = true;
                    inner.bytes.clear();
                    Loaded::Corrupt
                }
            })
        })
    }

    async fn save(&mut self, record: &Record) -> Result<(), DiskError> {
        // Await points before and after the write, so that a test can drop the future there.
        yield_now().await;
        let fault = self.disk.with(|inner| {
            match inner.fault {
                None | Some(DiskFault::FailsAfterWrite) => inner.write(record),
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
