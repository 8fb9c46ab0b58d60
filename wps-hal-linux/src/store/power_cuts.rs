//! Tests with power cuts. A simulated directory distinguishes what programs see from what is on the
//! disk: the power may fail after every step, everything that was not synced may be lost in part or
//! completely, and the power may fail a second time after the restart.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use wps_core::{Credentials, Loaded, Passphrase, Record, Secret, Settings, Ssid};

use super::directory::Directory;
use super::{read_record, replace_file};

const NAME: &str = "wlan0.record";

/// The names and bytes on the disk after a power cut, or before the first one.
type Disk = BTreeMap<String, Vec<u8>>;

/// A directory in memory whose power fails after a number of steps.
struct SimulatedDirectory {
    /// The names that programs see, each with the index of its file.
    names: RefCell<BTreeMap<String, usize>>,
    files: RefCell<Vec<FileStates>>,
    /// The names at the last sync.
    synced_names: RefCell<BTreeMap<String, usize>>,
    /// The changes of names since the last sync.
    unsynced_changes: RefCell<Vec<NameChange>>,
    /// The number of steps until the power fails.
    steps_left: Cell<usize>,
}

/// The states of a file since it was last synced. The disk may have any of them. Programs see the
/// last one.
struct FileStates(Vec<Vec<u8>>);

/// A change of a name that may be lost until the directory is synced.
#[derive(Clone)]
enum NameChange {
    Created { name: String, file: usize },
    Renamed { from: String, to: String, file: usize },
}

impl SimulatedDirectory {
    /// Creates a directory with the contents of `disk`, whose power fails after `steps`.
    fn new(disk: &Disk, steps: usize) -> Self {
        let names: BTreeMap<_, _> = disk.keys().cloned().zip(0..).collect();
        Self {
            names: RefCell::new(names.clone()),
            files: RefCell::new(
                disk.values().map(|bytes| FileStates(vec![bytes.clone()])).collect(),
            ),
            synced_names: RefCell::new(names),
            unsynced_changes: RefCell::default(),
            steps_left: Cell::new(steps),
        }
    }

    /// Counts one step, or returns an error if the power has failed.
    fn step(&self) -> io::Result<()> {
        let steps_left =
            self.steps_left.get().checked_sub(1).ok_or(io::Error::other("no power"))?;
        self.steps_left.set(steps_left);
        Ok(())
    }

    /// Adds states to a file.
    fn add_states(&self, file: usize, states: impl IntoIterator<Item = Vec<u8>>) {
        self.files.borrow_mut()[file].0.extend(states);
    }

    /// Returns every disk that a power cut at this point may leave.
    fn disks_after_power_cut(&self) -> BTreeSet<Disk> {
        let (files, changes) = (self.files.borrow(), self.unsynced_changes.borrow());
        let mut disks = BTreeSet::new();
        // Each change of a name may have reached the disk or not, independently of the others.
        for kept in 0..1_usize << changes.len() {
            let mut names = self.synced_names.borrow().clone();
            for (index, change) in changes.iter().enumerate() {
                if kept & 1 << index != 0 {
                    change.apply(&mut names);
                }
            }
            let mut combinations = vec![Disk::new()];
            for (name, file) in names {
                combinations = combinations
                    .into_iter()
                    .flat_map(|disk| {
                        let name = &name;
                        files[file].0.iter().map(move |bytes| {
                            let mut disk = disk.clone();
                            disk.insert(name.clone(), bytes.clone());
                            disk
                        })
                    })
                    .collect();
            }
            disks.extend(combinations);
        }
        disks
    }
}

impl NameChange {
    /// Applies the change to `names`.
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Created { name, file } => {
                names.insert(name.clone(), *file);
            }
            Self::Renamed { from, to, file } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

impl Directory for SimulatedDirectory {
    type File = usize;

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let file = *self.names.borrow().get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.files.borrow()[file].0.last().cloned().unwrap_or_default())
    }

    fn exists(&self, name: &str) -> bool {
        self.names.borrow().contains_key(name)
    }

    fn open(&self, name: &str) -> io::Result<usize> {
        self.step()?;
        if let Some(file) = self.names.borrow().get(name) {
            return Ok(*file);
        }
        let created = NameChange::Created { name: name.into(), file: self.files.borrow().len() };
        self.files.borrow_mut().push(FileStates(vec![Vec::new()]));
        created.apply(&mut self.names.borrow_mut());
        self.unsynced_changes.borrow_mut().push(created);
        self.open(name)
    }

    fn write(&self, file: &mut usize, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        // Includes the zeros that a file system leaves if it writes the length before the bytes.
        self.add_states(*file, [Vec::new(), vec![0; bytes.len()]]);
        self.step()?;
        self.add_states(*file, [bytes[..1].to_vec(), bytes[..bytes.len() - 1].to_vec()]);
        self.step()?;
        self.add_states(*file, [bytes.to_vec()]);
        Ok(())
    }

    fn sync_file(&self, file: &usize) -> io::Result<()> {
        self.step()?;
        let states = &mut self.files.borrow_mut()[*file].0;
        states.drain(..states.len() - 1);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step()?;
        let file = *self.names.borrow().get(from).ok_or(io::ErrorKind::NotFound)?;
        let renamed = NameChange::Renamed { from: from.into(), to: to.into(), file };
        renamed.apply(&mut self.names.borrow_mut());
        self.unsynced_changes.borrow_mut().push(renamed);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.step()?;
        self.synced_names.replace(self.names.borrow().clone());
        self.unsynced_changes.borrow_mut().clear();
        Ok(())
    }
}

/// The power never fails.
const UNLIMITED: usize = usize::MAX;

fn station(name: &str) -> Record {
    let secret = Secret::Key(Passphrase::new(b"correct horse").unwrap());
    let network = Credentials { ssid: Ssid::new(name.as_bytes()).unwrap(), secret };
    Record::Settled(Settings::Station { network })
}

fn encoded(record: &Record) -> Vec<u8> {
    record.with_encoded(<[u8]>::to_vec).unwrap()
}

/// Returns what the store loads from `disk` after a restart.
fn load_after_restart(disk: &Disk) -> Loaded {
    read_record(&SimulatedDirectory::new(disk, UNLIMITED), NAME).unwrap()
}

/// Restarts and saves `record` with a power cut after each possible number of steps. Returns every
/// disk that may be left, and whether the save had succeeded before the power cut.
fn disks_after_cuts_of_a_save(disk: &Disk, record: &Record) -> BTreeSet<(Disk, bool)> {
    let mut found = BTreeSet::new();
    for steps in 0.. {
        let directory = SimulatedDirectory::new(disk, steps);
        let saved = read_record(&directory, NAME)
            .map_err(|(_, error)| error)
            .and_then(|_| replace_file(&directory, NAME, &encoded(record)))
            .is_ok();
        found.extend(directory.disks_after_power_cut().into_iter().map(|disk| (disk, saved)));
        if saved {
            return found;
        }
    }
    found
}

#[test]
fn two_cuts_in_a_row_leave_the_old_record_or_the_new_one() {
    let old = Disk::from([(NAME.to_owned(), encoded(&station("old")))]);
    let mut disks = 0;
    for disk in [Disk::new(), old] {
        let before = load_after_restart(&disk);
        for (disk, saved) in disks_after_cuts_of_a_save(&disk, &station("new")) {
            let found = load_after_restart(&disk);
            let new = Loaded::Record(station("new"));
            assert!(found == new || !saved && found == before, "{found:?} on {disk:?}");
            for (disk, saved) in disks_after_cuts_of_a_save(&disk, &station("newer")) {
                let now = load_after_restart(&disk);
                let newer = Loaded::Record(station("newer"));
                assert!(now == newer || !saved && now == found, "{now:?} on {disk:?}");
                disks += 1;
            }
        }
    }
    println!("{disks} disks after two cuts");
    assert!(disks > 100, "{disks}");
}

#[test]
fn a_damaged_record_survives_two_power_cuts() {
    let damaged = b"no record".to_vec();
    let disk = Disk::from([(NAME.to_owned(), damaged.clone())]);
    let is_kept = |disk: &Disk| disk.values().any(|bytes| *bytes == damaged);
    for (disk, _) in disks_after_cuts_of_a_save(&disk, &station("new")) {
        assert!(is_kept(&disk), "{disk:?}");
        for (disk, saved) in disks_after_cuts_of_a_save(&disk, &station("newer")) {
            assert!(is_kept(&disk), "{disk:?}");
            assert!(
                !saved || load_after_restart(&disk) == Loaded::Record(station("newer")),
                "{disk:?}"
            );
        }
    }
}
