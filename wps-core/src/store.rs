//! Storage for the one record that survives a power cut: the [`SettingsStore`] contract.

use core::fmt;

use crate::record::Record;

/// Storage for one [`Record`].
///
/// # For store authors
///
/// * `save` is **atomic**: after a power cut, a failure or a dropped future, `load` returns the old
///   record or the new one, never a mixture and never nothing.
/// * `save` is **durable** once it has returned `Ok`.
/// * There is **one writer**: a dropped `save` must have taken effect before the next one starts,
///   or never take effect. A late write is not allowed.
/// * Bytes that are not a record are **put aside**, never silently overwritten: see
///   [`Loaded::Corrupt`]. This includes a record of a later version
///   ([`RecordError::Version`](crate::RecordError::Version)): a return to the later program finds
///   it there.
#[allow(async_fn_in_trait, reason = "embedded executors are single-threaded: no Send bound wanted")]
pub trait SettingsStore {
    /// The store's own error.
    type Error: fmt::Debug;

    /// Loads the record. Called once, before the first `save`.
    ///
    /// # Errors
    /// An error of the store if it could not be read (permission, I/O). The caller must not go on:
    /// the stored record may be intact, and would be overwritten.
    async fn load(&mut self) -> Result<Loaded, Self::Error>;

    /// Replaces the record.
    ///
    /// # Errors
    /// An error of the store if the record could not be saved.
    async fn save(&mut self, record: &Record) -> Result<(), Self::Error>;
}

impl<T: SettingsStore + ?Sized> SettingsStore for &mut T {
    type Error = T::Error;

    async fn load(&mut self) -> Result<Loaded, T::Error> {
        T::load(self).await
    }

    async fn save(&mut self, record: &Record) -> Result<(), T::Error> {
        T::save(self, record).await
    }
}

/// What a store has found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
#[non_exhaustive]
pub enum Loaded {
    /// Nothing was ever saved.
    Nothing,
    /// A record.
    Record(Record),
    /// Bytes that are not a record of this version: damaged, or written by a later version. The
    /// store has put them aside.
    Corrupt,
}
