//! Read-only flash. It prevents sequential-storage from repairing a page by erasing what it does
//! not understand.

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// A wrapper that rejects every write and every erase.
pub(super) struct ReadOnly<'a, F>(pub(super) &'a mut F);

/// The reason why an operation on [`ReadOnly`] failed.
#[derive(Debug)]
pub(super) enum ReadOnlyError<E> {
    /// The flash returned an error.
    Flash(E),
    /// The operation was a write or an erase.
    NotAllowed,
}

impl<E: NorFlashError> NorFlashError for ReadOnlyError<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Flash(error) => error.kind(),
            Self::NotAllowed => NorFlashErrorKind::Other,
        }
    }
}

impl<F: NorFlash> ErrorType for ReadOnly<'_, F> {
    type Error = ReadOnlyError<F::Error>;
}

impl<F: NorFlash> ReadNorFlash for ReadOnly<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.read(offset, bytes).await.map_err(ReadOnlyError::Flash)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: NorFlash> NorFlash for ReadOnly<'_, F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, _: u32, _: u32) -> Result<(), Self::Error> {
        Err(ReadOnlyError::NotAllowed)
    }

    async fn write(&mut self, _: u32, _: &[u8]) -> Result<(), Self::Error> {
        Err(ReadOnlyError::NotAllowed)
    }
}
