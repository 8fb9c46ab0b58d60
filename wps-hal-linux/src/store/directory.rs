//! The operations of the store on its directory. Each is one step, so that a test can cut the power
//! between any two.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// A directory of files with secrets. Nothing is durable until it is synced:
/// [`sync_file`](Self::sync_file) syncs the bytes of a file, and [`sync`](Self::sync) the names.
pub(super) trait Directory {
    /// A file that is open for writing.
    type File;

    /// Reads all bytes of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Returns whether the file exists.
    fn exists(&self, name: &str) -> bool;
    /// Opens a file for writing and keeps its bytes. Creates an empty file that only its owner can
    /// read if there is none.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Replaces all bytes of a file.
    fn write(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    /// Makes the bytes of a file durable.
    fn sync_file(&self, file: &Self::File) -> io::Result<()>;
    /// Renames a file. Replaces the file `to` if there is one.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes the names of all files durable.
    fn sync(&self) -> io::Result<()>;
}

/// A directory of the operating system.
#[derive(Clone, Debug)]
pub(super) struct OnDisk(pub(super) PathBuf);

impl Directory for OnDisk {
    type File = File;

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(name))
    }

    fn exists(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    fn open(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).open(self.0.join(name))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.set_len(0)?;
        file.write_all(bytes)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}
