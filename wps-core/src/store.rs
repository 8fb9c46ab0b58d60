//! Where the one record lives that survives a power cut: the [`SettingsStore`] contract.

use core::fmt;

use crate::record::Record;

/// Somewhere to keep one [`Record`].
///
/// # For store authors
///
/// * `save` is **atomic**: after a power cut, a failure or a dropped future, `load` gives the old
///   record or the new one, never a mixture and never nothing.
/// * `save` is **durable** once it returned `Ok`.
/// * There is **one writer**: a dropped `save` has happened, or never happens, before the next one
///   starts. No late write.
/// * Bytes that are no record are **kept aside**, never silently overwritten: see [`Loaded::Corrupt`].
#[allow(async_fn_in_trait, reason = "embedded executors are single-threaded: no Send bound wanted")]
pub trait SettingsStore {
    /// What can go wrong.
    type Error: fmt::Debug;

    /// What is stored. Called once, before the first `save`.
    ///
    /// # Errors
    /// The store could not be read (permission, I/O). The caller must not go on: what cannot be read
    /// may be fine, and would be overwritten.
    async fn load(&mut self) -> Result<Loaded, Self::Error>;

    /// Replaces the record.
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

/// What a store found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
pub enum Loaded {
    /// Nothing was ever saved.
    Nothing,
    /// A record.
    Record(Record),
    /// Something that is no record. The store has kept it aside.
    Corrupt,
}
