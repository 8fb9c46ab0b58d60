//! Power cuts on a directory in memory that keeps apart what programs see and what is on the disk:
//! every step may be the last, what was not synced may be lost in part or whole, and then once more.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use wps_core::{Credentials, Loaded, Passphrase, Record, Settings, Ssid};

use super::directory::Directory;
use super::{read, replace};

const NAME: &str = "wlan0.record";

/// A disk as it is found after a power cut, or before the first one: names and bytes.
type Disk = BTreeMap<String, Vec<u8>>;

/// A directory that is used until its power goes.
struct Powered {
    /// What programs see.
    names: RefCell<BTreeMap<String, usize>>,
    files: RefCell<Vec<Bytes>>,
    /// What the names were when last synced, and what was done to them since.
    synced: RefCell<BTreeMap<String, usize>>,
    since: RefCell<Vec<Naming>>,
    /// How many steps it will do.
    power: Cell<usize>,
}

/// The states of a file since it was last synced: each may be what the disk has. The last one is what
/// programs see.
struct Bytes(Vec<Vec<u8>>);

#[derive(Clone)]
enum Naming {
    Made(String, usize),
    Renamed(String, String, usize),
}

impl Powered {
    fn on(disk: &Disk, power: usize) -> Self {
        let names: BTreeMap<_, _> = disk.keys().cloned().zip(0..).collect();
        Self {
            names: RefCell::new(names.clone()),
            files: RefCell::new(disk.values().map(|bytes| Bytes(vec![bytes.clone()])).collect()),
            synced: RefCell::new(names),
            since: RefCell::default(),
            power: Cell::new(power),
        }
    }

    fn step(&self) -> io::Result<()> {
        let left = self.power.get().checked_sub(1).ok_or(io::Error::other("no power"))?;
        self.power.set(left);
        Ok(())
    }

    fn change(&self, file: usize, states: impl IntoIterator<Item = Vec<u8>>) {
        self.files.borrow_mut()[file].0.extend(states);
    }

    /// Every disk that a power cut now may leave.
    fn cut(&self) -> BTreeSet<Disk> {
        let (files, since) = (self.files.borrow(), self.since.borrow());
        let mut disks = BTreeSet::new();
        // Each change of a name is on the disk or not, whatever became of the others.
        for kept in 0..1_usize << since.len() {
            let mut names = self.synced.borrow().clone();
            for (index, naming) in since.iter().enumerate() {
                if kept & 1 << index != 0 {
                    naming.apply(&mut names);
                }
            }
            let mut some = vec![Disk::new()];
            for (name, file) in names {
                some = some
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
            disks.extend(some);
        }
        disks
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Made(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Renamed(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

impl Directory for Powered {
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
        let made = Naming::Made(name.into(), self.files.borrow().len());
        self.files.borrow_mut().push(Bytes(vec![Vec::new()]));
        made.apply(&mut self.names.borrow_mut());
        self.since.borrow_mut().push(made);
        self.open(name)
    }

    fn write(&self, file: &mut usize, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        // Also what a file system leaves that writes its length before its bytes.
        self.change(*file, [Vec::new(), vec![0; bytes.len()]]);
        self.step()?;
        self.change(*file, [bytes[..1].to_vec(), bytes[..bytes.len() - 1].to_vec()]);
        self.step()?;
        self.change(*file, [bytes.to_vec()]);
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
        let renamed = Naming::Renamed(from.into(), to.into(), file);
        renamed.apply(&mut self.names.borrow_mut());
        self.since.borrow_mut().push(renamed);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.step()?;
        self.synced.replace(self.names.borrow().clone());
        self.since.borrow_mut().clear();
        Ok(())
    }
}

const ALWAYS: usize = usize::MAX;

fn station(name: &str) -> Record {
    let passphrase = Some(Passphrase::new(b"correct horse").unwrap());
    let network = Credentials { ssid: Ssid::new(name.as_bytes()).unwrap(), passphrase };
    Record::Settled(Settings::Station { network })
}

fn encoded(record: &Record) -> Vec<u8> {
    record.with_encoded(<[u8]>::to_vec).unwrap()
}

/// What a restart finds.
fn restart(disk: &Disk) -> Loaded {
    read(&Powered::on(disk, ALWAYS), NAME).unwrap()
}

/// Saves after a restart, with a power cut after each number of steps. The disks that may be left, and
/// whether the save was over.
fn cuts_of_a_save(disk: &Disk, record: &Record) -> BTreeSet<(Disk, bool)> {
    let mut found = BTreeSet::new();
    for power in 0.. {
        let directory = Powered::on(disk, power);
        let over = read(&directory, NAME)
            .map_err(|(_, error)| error)
            .and_then(|_| replace(&directory, NAME, &encoded(record)))
            .is_ok();
        found.extend(directory.cut().into_iter().map(|disk| (disk, over)));
        if over {
            return found;
        }
    }
    found
}

#[test]
fn two_cuts_in_a_row_leave_the_old_record_or_the_new_one() {
    let old = Disk::from([(NAME.to_owned(), encoded(&station("old")))]);
    let mut worlds = 0;
    for disk in [Disk::new(), old] {
        let before = restart(&disk);
        for (disk, over) in cuts_of_a_save(&disk, &station("new")) {
            let found = restart(&disk);
            let new = Loaded::Record(station("new"));
            assert!(found == new || !over && found == before, "{found:?} on {disk:?}");
            for (disk, over) in cuts_of_a_save(&disk, &station("newer")) {
                let now = restart(&disk);
                let newer = Loaded::Record(station("newer"));
                assert!(now == newer || !over && now == found, "{now:?} on {disk:?}");
                worlds += 1;
            }
        }
    }
    println!("{worlds} disks after two cuts");
    assert!(worlds > 100, "{worlds}");
}

#[test]
fn two_cuts_in_a_row_lose_no_damaged_record() {
    let damaged = b"no record".to_vec();
    let disk = Disk::from([(NAME.to_owned(), damaged.clone())]);
    let is_kept = |disk: &Disk| disk.values().any(|bytes| *bytes == damaged);
    for (disk, _) in cuts_of_a_save(&disk, &station("new")) {
        assert!(is_kept(&disk), "{disk:?}");
        for (disk, over) in cuts_of_a_save(&disk, &station("newer")) {
            assert!(is_kept(&disk), "{disk:?}");
            assert!(!over || restart(&disk) == Loaded::Record(station("newer")), "{disk:?}");
        }
    }
}
