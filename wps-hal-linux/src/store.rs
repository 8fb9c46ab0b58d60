//! A store that keeps the record in a file.

mod directory;
#[cfg(test)]
mod power_cuts;

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind as IoKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tokio::task::JoinHandle;
use wps_core::{Loaded, Record, SettingsStore};
use zeroize::Zeroizing;

use directory::{Directory, OnDisk};

/// A [`SettingsStore`] in a private directory (mode 0700), with one file (mode 0600) for each
/// interface.
///
/// A save writes a temporary file, syncs it, renames it over the old file and syncs the directory.
/// So a power cut leaves either the old record or the new one. A lock keeps a second daemon from
/// using the same record.
#[derive(Debug)]
pub struct FileStore {
    directory: OnDisk,
    name: String,
    file: PathBuf,
    /// The lock file, locked as long as this store exists. The kernel releases the lock when the
    /// process ends.
    _lock: File,
    /// A save whose future was dropped. It must end before the next save starts.
    running_save: Option<JoinHandle<io::Result<()>>>,
}

/// The error of a [`FileStore`].
///
/// A message contains the error of the operating system, so `source` returns `None`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Other users have access to the directory.
    #[error(
        "others can look into the directory {0}: run `chmod 700 {0}`, it holds Wi-Fi passwords"
    )]
    NotPrivate(PathBuf),
    /// Another process has the lock.
    #[error("another program already manages {0}: stop it, or give this one another interface")]
    Locked(String),
    /// The name of the interface cannot be part of a file name.
    #[error("{0:?} is not a network interface name")]
    InvalidName(String),
    /// The operating system returned an error.
    #[error("cannot {action} {path}: {error}")]
    Io {
        /// The failed action.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
}

impl FileStore {
    /// Opens the store for `interface` in `directory`. Creates the directory if it does not exist.
    ///
    /// # Errors
    /// Returns an error if other users have access to the directory, if it cannot be created, or if
    /// another process has the lock.
    pub fn open(directory: &Path, interface: &str) -> Result<Self, StoreError> {
        if interface.is_empty() || interface.starts_with('.') || interface.contains('/') {
            return Err(StoreError::InvalidName(interface.into()));
        }
        let fail = |action, path: &Path| {
            let path = path.to_owned();
            move |error| StoreError::Io { action, path, error }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(fail("make the directory", directory))?;
        let mode = fs::metadata(directory).map_err(fail("look at", directory))?.permissions();
        if mode.mode() & 0o077 != 0 {
            return Err(StoreError::NotPrivate(directory.to_owned()));
        }
        let lock_name = format!("{interface}.lock");
        let name = format!("{interface}.record");
        let (lock_path, file) = (directory.join(&lock_name), directory.join(&name));
        let directory = OnDisk(directory.to_owned());
        let lock = directory.open(&lock_name).map_err(fail("open", &lock_path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| StoreError::Locked(interface.into()))?;
        Ok(Self { directory, name, file, _lock: lock, running_save: None })
    }
}

impl SettingsStore for FileStore {
    type Error = StoreError;

    async fn load(&mut self) -> Result<Loaded, StoreError> {
        read_record(&self.directory, &self.name).map_err(|(action, error)| {
            let path = self.file.clone();
            StoreError::Io { action, path, error }
        })
    }

    async fn save(&mut self, record: &Record) -> Result<(), StoreError> {
        if let Some(earlier) = &mut self.running_save {
            // Its result does not matter, since this save replaces it.
            let _ = earlier.await;
            self.running_save = None;
        }
        let fail = |error| StoreError::Io { action: "save", path: self.file.clone(), error };
        let bytes = record
            .with_encoded(|bytes| Zeroizing::new(bytes.to_vec()))
            .map_err(|error| fail(io::Error::other(error)))?;
        let (directory, name) = (self.directory.clone(), self.name.clone());
        let write = tokio::task::spawn_blocking(move || replace_file(&directory, &name, &bytes));
        let write = self.running_save.insert(write);
        let written = write.await;
        self.running_save = None;
        written.map_err(io::Error::other).flatten().map_err(fail)
    }
}

/// Reads the record in the file `name`. A file without a valid record is renamed, so that no save
/// overwrites it.
///
/// # Errors
/// Returns the failed action and the error.
fn read_record(
    directory: &impl Directory,
    name: &str,
) -> Result<Loaded, (&'static str, io::Error)> {
    let bytes = match directory.read(name) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == IoKind::NotFound => return Ok(Loaded::Nothing),
        Err(error) => return Err(("read", error)),
    };
    match Record::decode(&bytes) {
        Ok(record) => Ok(Loaded::Record(record)),
        Err(error) => {
            let damaged = unused_damaged_name(directory, name);
            directory.rename(name, &damaged).map_err(|error| ("put aside", error))?;
            tracing::error!("{error}: kept as {damaged}");
            // Sync before any save, so that the damaged record is safe under its new name.
            match directory.sync() {
                Ok(()) => Ok(Loaded::Corrupt),
                Err(error) => {
                    // Undo the rename, so that the next start finds the file again.
                    let _ = directory.rename(&damaged, name);
                    Err(("put aside", error))
                }
            }
        }
    }
}

/// Replaces the contents of the file `name`. After a power cut at any time, the file has either the
/// old contents or the new ones.
fn replace_file(directory: &impl Directory, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = sibling_name(name, "new");
    let mut new = directory.open(&temporary)?;
    directory.write(&mut new, bytes)?;
    directory.sync_file(&new)?;
    directory.rename(&temporary, name)?;
    directory.sync()
}

/// Returns a name for a damaged record that no file has yet.
fn unused_damaged_name(directory: &impl Directory, name: &str) -> String {
    let mut names = (1_u32..).map(|number| sibling_name(name, &format!("damaged-{number}")));
    names.find(|name| !directory.exists(name)).unwrap_or_else(|| sibling_name(name, "damaged"))
}

/// Returns the name of another file for the same interface.
fn sibling_name(name: &str, extension: &str) -> String {
    let interface = name.strip_suffix(".record").unwrap_or(name);
    format!("{interface}.{extension}")
}

#[cfg(test)]
mod tests {
    use core::future::Future;
    use core::task::{Context, Waker};

    use wps_core::{Credentials, Passphrase, Secret, Settings, Ssid};

    use super::*;

    fn station(name: &[u8]) -> Record {
        let secret = Secret::Key(Passphrase::new(b"correct horse").unwrap());
        let network = Credentials { ssid: Ssid::new(name).unwrap(), secret };
        Record::Settled(Settings::Station { network })
    }

    fn state_dir() -> (tempfile::TempDir, PathBuf) {
        let outside = tempfile::tempdir().unwrap();
        let directory = outside.path().join("state");
        (outside, directory)
    }

    #[tokio::test]
    async fn a_saved_record_is_loaded_by_the_next_store() {
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
    async fn only_the_owner_can_read_the_record() {
        let (_outside, directory) = state_dir();
        let mut store = FileStore::open(&directory, "wlan0").unwrap();
        store.save(&station(b"home")).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&store.file)), (0o700, 0o600));
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
    fn a_second_store_is_refused_for_the_same_interface_only() {
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
                matches!(FileStore::open(&directory, name), Err(StoreError::InvalidName(_))),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn each_damaged_record_is_kept_under_another_name() {
        let (_outside, directory) = state_dir();
        let mut store = FileStore::open(&directory, "wlan0").unwrap();
        for round in ["1", "2"] {
            fs::write(&store.file, round).unwrap();
            assert_eq!(store.load().await.unwrap(), Loaded::Corrupt);
            let kept = directory.join(format!("wlan0.damaged-{round}"));
            assert_eq!(fs::read_to_string(kept).unwrap(), round);
        }
        assert_eq!(store.load().await.unwrap(), Loaded::Nothing);
    }

    #[tokio::test]
    async fn an_unreadable_record_is_not_an_empty_store() {
        let (_outside, directory) = state_dir();
        let mut store = FileStore::open(&directory, "wlan0").unwrap();
        fs::create_dir(&store.file).unwrap();
        assert!(matches!(store.load().await, Err(StoreError::Io { action: "read", .. })));
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
    async fn a_dropped_save_ends_before_the_next_one_starts() {
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
