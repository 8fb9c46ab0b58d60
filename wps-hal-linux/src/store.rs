//! The record in a file.

#[cfg(test)]
mod cuts;
mod directory;

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind as IoKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tokio::task::JoinHandle;
use wps_core::{Loaded, Record, RecordError, SettingsStore};
use zeroize::Zeroizing;

use directory::{Directory, OnDisk};

/// A [`SettingsStore`] in a directory of its own (mode 0700), one file (0600) for each interface.
///
/// A save writes a temporary file, syncs it, renames it over the old one and syncs the directory, so
/// that a power cut leaves the old record or the new one. A lock keeps a second daemon out.
#[derive(Debug)]
pub struct FileStore {
    directory: OnDisk,
    name: String,
    file: PathBuf,
    /// Held as long as the store lives; the kernel lets go of it when the process ends.
    _lock: File,
    /// A save whose future was dropped: it runs to its end before the next one begins.
    running: Option<JoinHandle<io::Result<()>>>,
}

/// Why the settings could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory is open to others.
    #[error(
        "others can look into the directory {0}: run `chmod 700 {0}`, it holds Wi-Fi passwords"
    )]
    Open(PathBuf),
    /// Somebody else has the lock.
    #[error("another program already looks after {0}: stop it, or give this one another interface")]
    Locked(String),
    /// The name cannot be part of a file name.
    #[error("{0:?} is no name of a network interface")]
    Name(String),
    /// The operating system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl FileStore {
    /// Opens the store for `interface` in `directory`, which is made if it is not there.
    ///
    /// # Errors
    /// The directory is open to others or cannot be made, or another program has the lock.
    pub fn open(directory: &Path, interface: &str) -> Result<Self, StoreError> {
        if interface.is_empty() || interface.starts_with('.') || interface.contains('/') {
            return Err(StoreError::Name(interface.into()));
        }
        let fail = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { doing, path, source }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(fail("make the directory", directory))?;
        let mode = fs::metadata(directory).map_err(fail("look at", directory))?.permissions();
        if mode.mode() & 0o077 != 0 {
            return Err(StoreError::Open(directory.to_owned()));
        }
        let lock_name = format!("{interface}.lock");
        let name = format!("{interface}.record");
        let (lock_path, file) = (directory.join(&lock_name), directory.join(&name));
        let directory = OnDisk(directory.to_owned());
        let lock = directory.open(&lock_name).map_err(fail("open", &lock_path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| StoreError::Locked(interface.into()))?;
        Ok(Self { directory, name, file, _lock: lock, running: None })
    }

    /// The file that holds the record.
    pub fn path(&self) -> &Path {
        &self.file
    }
}

impl SettingsStore for FileStore {
    type Error = StoreError;

    async fn load(&mut self) -> Result<Loaded, StoreError> {
        read(&self.directory, &self.name).map_err(|(doing, source)| {
            let path = self.file.clone();
            StoreError::Io { doing, path, source }
        })
    }

    async fn save(&mut self, record: &Record) -> Result<(), StoreError> {
        if let Some(earlier) = &mut self.running {
            // Whether it succeeded no longer matters: this save replaces it.
            let _ = earlier.await;
            self.running = None;
        }
        let fail = |source| StoreError::Io { doing: "save", path: self.file.clone(), source };
        let bytes = record
            .with_encoded(|bytes| Zeroizing::new(bytes.to_vec()))
            .map_err(|error| fail(io::Error::other(error)))?;
        let (directory, name) = (self.directory.clone(), self.name.clone());
        let write = tokio::task::spawn_blocking(move || replace(&directory, &name, &bytes));
        let write = self.running.insert(write);
        let written = write.await;
        self.running = None;
        written.map_err(io::Error::other).flatten().map_err(fail)
    }
}

/// What is in the file `name`; what is no record is put aside. Says what failed.
fn read(directory: &impl Directory, name: &str) -> Result<Loaded, (&'static str, io::Error)> {
    let bytes = match directory.read(name) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == IoKind::NotFound => return Ok(Loaded::Nothing),
        Err(error) => return Err(("read", error)),
    };
    match Record::decode(&bytes) {
        Ok(record) => Ok(Loaded::Record(record)),
        Err(error @ (RecordError::Corrupt | RecordError::Version(_) | RecordError::Space)) => {
            let aside = free_name(directory, name);
            directory.rename(name, &aside).map_err(|error| ("put aside", error))?;
            tracing::error!("{error}: kept as {aside}");
            // No save may take its place before it is safe under the new name.
            match directory.sync() {
                Ok(()) => Ok(Loaded::Corrupt),
                Err(error) => {
                    // The next start shall find it again.
                    let _ = directory.rename(&aside, name);
                    Err(("put aside", error))
                }
            }
        }
    }
}

/// Replaces the contents of the file `name`: afterwards, whatever happens, it has the old ones or the
/// new.
fn replace(directory: &impl Directory, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = beside(name, "new");
    let mut new = directory.open(&temporary)?;
    directory.write(&mut new, bytes)?;
    directory.sync_file(&new)?;
    directory.rename(&temporary, name)?;
    directory.sync()
}

/// Where to keep a damaged record, beside those that are kept already.
fn free_name(directory: &impl Directory, name: &str) -> String {
    let mut names = (1_u32..).map(|number| beside(name, &format!("damaged-{number}")));
    names.find(|name| !directory.exists(name)).unwrap_or_else(|| beside(name, "damaged"))
}

/// A file for the same interface.
fn beside(name: &str, what: &str) -> String {
    let interface = name.strip_suffix(".record").unwrap_or(name);
    format!("{interface}.{what}")
}

#[cfg(test)]
mod tests {
    use core::future::Future;
    use core::task::{Context, Waker};

    use wps_core::{Credentials, Passphrase, Settings, Ssid};

    use super::*;

    fn station(name: &[u8]) -> Record {
        let passphrase = Some(Passphrase::new(b"correct horse").unwrap());
        let network = Credentials { ssid: Ssid::new(name).unwrap(), passphrase };
        Record::Settled(Settings::Station { network })
    }

    fn state_dir() -> (tempfile::TempDir, PathBuf) {
        let outside = tempfile::tempdir().unwrap();
        let directory = outside.path().join("state");
        (outside, directory)
    }

    #[tokio::test]
    async fn what_is_saved_is_loaded_by_the_next_one() {
        let (_outside, directory) = state_dir();
        let mut store = FileStore::open(&directory, "wlan0").unwrap();
        assert_eq!(store.load().await.unwrap(), Loaded::Nothing);
        store.save(&station(b"first")).await.unwrap();
        store.save(&station(b"second")).await.unwrap();
        drop(store);
        let mut store = FileStore::open(&directory, "wlan0").unwrap();
        assert_eq!(store.load().await.unwrap(), Loaded::Record(station(b"second")));
    }

    #[tokio::test]
    async fn only_the_owner_can_read_it() {
        let (_outside, directory) = state_dir();
        let mut store = FileStore::open(&directory, "wlan0").unwrap();
        store.save(&station(b"home")).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(store.path())), (0o700, 0o600));
    }

    #[test]
    fn a_directory_that_others_can_read_is_refused() {
        let (_outside, directory) = state_dir();
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let error = FileStore::open(&directory, "wlan0").unwrap_err();
        assert!(error.to_string().contains("chmod 700"), "{error}");
        assert!(!directory.join("wlan0.lock").exists(), "nothing was changed");
    }

    #[test]
    fn a_second_one_is_kept_out_but_another_interface_is_not() {
        let (_outside, directory) = state_dir();
        let _first = FileStore::open(&directory, "wlan0").unwrap();
        let error = FileStore::open(&directory, "wlan0").unwrap_err();
        assert!(matches!(error, StoreError::Locked(_)), "{error}");
        FileStore::open(&directory, "wlan1").unwrap();
    }

    #[test]
    fn a_name_that_is_a_path_is_refused() {
        let (_outside, directory) = state_dir();
        for name in ["", ".", "..", "../etc", "a/b"] {
            assert!(
                matches!(FileStore::open(&directory, name), Err(StoreError::Name(_))),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn a_damaged_record_is_kept_aside_each_time() {
        let (_outside, directory) = state_dir();
        let mut store = FileStore::open(&directory, "wlan0").unwrap();
        for round in ["1", "2"] {
            fs::write(store.path(), round).unwrap();
            assert_eq!(store.load().await.unwrap(), Loaded::Corrupt);
            let aside = directory.join(format!("wlan0.damaged-{round}"));
            assert_eq!(fs::read_to_string(aside).unwrap(), round);
        }
        assert_eq!(store.load().await.unwrap(), Loaded::Nothing);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_no_blank_device() {
        let (_outside, directory) = state_dir();
        let mut store = FileStore::open(&directory, "wlan0").unwrap();
        fs::create_dir(store.path()).unwrap();
        assert!(matches!(store.load().await, Err(StoreError::Io { doing: "read", .. })));
    }

    #[tokio::test]
    async fn a_failed_save_leaves_the_old_record() {
        let (_outside, directory) = state_dir();
        let mut store = FileStore::open(&directory, "wlan0").unwrap();
        store.save(&station(b"old")).await.unwrap();
        fs::create_dir(directory.join("wlan0.new")).unwrap();
        store.save(&station(b"new")).await.unwrap_err();
        assert_eq!(store.load().await.unwrap(), Loaded::Record(station(b"old")));
    }

    #[tokio::test]
    async fn a_dropped_save_is_over_before_the_next_begins() {
        let (_outside, directory) = state_dir();
        let mut store = FileStore::open(&directory, "wlan0").unwrap();
        for round in 0..50_u32 {
            {
                let dropped = station(b"dropped");
                let mut save = std::pin::pin!(store.save(&dropped));
                let _ = save.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
            let wanted = station(format!("wanted {round}").as_bytes());
            store.save(&wanted).await.unwrap();
            assert_eq!(store.load().await.unwrap(), Loaded::Record(wanted));
        }
    }
}
