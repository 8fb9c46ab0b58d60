//! What the store does to its directory, one step each: a test takes the power away between them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// A directory with files of secrets. Nothing is durable before it is synced: a file's bytes by
/// [`sync_file`](Self::sync_file), its name by [`sync`](Self::sync).
pub(super) trait Directory {
    /// A file that is open for writing.
    type File;

    /// The bytes of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Whether there is such a file.
    fn exists(&self, name: &str) -> bool;
    /// Opens a file for writing, with the bytes it has. If there is none, an empty one is made that only
    /// its owner can read.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Replaces all bytes of a file.
    fn write(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    fn sync_file(&self, file: &Self::File) -> io::Result<()>;
    /// Gives a file another name, which may be that of another file: then that one is gone.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
}

/// One of the operating system's.
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
