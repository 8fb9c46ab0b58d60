//! An LED of the kernel's (`/sys/class/leds`) as a lamp.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind as IoKind, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use embedded_hal::digital::{ErrorType, OutputPin};

/// The trigger of an LED that nobody but us switches.
const NO_TRIGGER: &str = "none";

/// An LED, as a pin that is lit while high, as bright as it can be.
///
/// Whatever the kernel shows on it (its trigger) is put aside meanwhile, and comes back when this is
/// dropped.
#[derive(Debug)]
pub struct Led {
    directory: PathBuf,
    brightest: String,
    before: Before,
}

/// What the LED did before us.
#[derive(Debug)]
struct Before {
    /// None: it can have none.
    trigger: Option<String>,
    brightness: String,
}

/// The name of an LED, which cannot lead anywhere but to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedName(String);

impl FromStr for LedName {
    type Err = LedError;

    fn from_str(name: &str) -> Result<Self, LedError> {
        if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
            return Err(LedError::Name(name.into()));
        }
        Ok(Self(name.into()))
    }
}

/// Why an LED cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedError {
    /// The name cannot be that of an LED.
    #[error("{0:?} is no name of an LED: `ls /sys/class/leds` lists them")]
    Name(String),
    /// There is no such LED.
    #[error("there is no LED {0}: `ls /sys/class/leds` lists them")]
    Absent(String),
    /// Its files belong to others.
    #[error(
        "no permission to write {0}: give the user's group that right with a udev rule, or run as \
         root"
    )]
    Permission(PathBuf),
    /// The operating system refused.
    #[error("cannot use {0}: {1}")]
    Io(PathBuf, io::Error),
}

impl embedded_hal::digital::Error for LedError {
    fn kind(&self) -> embedded_hal::digital::ErrorKind {
        embedded_hal::digital::ErrorKind::Other
    }
}

impl Led {
    /// Takes the LED `name` in `directory` (`/sys/class/leds`). It is dark at first.
    ///
    /// # Errors
    /// There is no such LED, or it may not be switched; what to do about it.
    pub fn open(directory: &Path, name: &LedName) -> Result<Self, LedError> {
        let LedName(name) = name;
        let directory = directory.join(name);
        if !directory.is_dir() {
            return Err(LedError::Absent(name.clone()));
        }
        let brightest = read(&directory, "max_brightness")?;
        let trigger = match read(&directory, "trigger") {
            Ok(choices) => chosen(&choices),
            Err(LedError::Io(_, error)) if error.kind() == IoKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let before = Before { trigger, brightness: read(&directory, "brightness")? };
        let mut led = Self { directory, brightest, before };
        if led.before.trigger.is_some() {
            led.write("trigger", NO_TRIGGER)?;
        }
        led.set_low()?;
        Ok(led)
    }

    fn write(&self, file: &str, text: &str) -> Result<(), LedError> {
        let path = self.directory.join(file);
        // Not made if it is not there: an LED has its files, or it is gone.
        let opened = OpenOptions::new().write(true).truncate(true).open(&path);
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| failed(path, error))
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        // An LED that has gone away needs nothing any more.
        let _ = self.write("brightness", &self.before.brightness);
        if let Some(trigger) = &self.before.trigger {
            let _ = self.write("trigger", trigger);
        }
    }
}

/// The one in brackets: "none timer \[heartbeat\]".
fn chosen(triggers: &str) -> Option<String> {
    let mut words = triggers.split_whitespace();
    let chosen = words.find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    chosen.map(Into::into)
}

fn read(directory: &Path, file: &str) -> Result<String, LedError> {
    let path = directory.join(file);
    let text = fs::read_to_string(&path).map_err(|error| failed(path, error))?;
    Ok(text.trim().into())
}

fn failed(path: PathBuf, error: io::Error) -> LedError {
    if error.kind() == IoKind::PermissionDenied {
        LedError::Permission(path)
    } else {
        LedError::Io(path, error)
    }
}

impl ErrorType for Led {
    type Error = LedError;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), LedError> {
        self.write("brightness", "0")
    }

    fn set_high(&mut self) -> Result<(), LedError> {
        self.write("brightness", &self.brightest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory like the kernel's, with one LED.
    fn leds(trigger: Option<&str>) -> tempfile::TempDir {
        let leds = tempfile::tempdir().unwrap();
        let led = leds.path().join("green:wps");
        fs::create_dir(&led).unwrap();
        fs::write(led.join("max_brightness"), "255\n").unwrap();
        fs::write(led.join("brightness"), "17\n").unwrap();
        if let Some(trigger) = trigger {
            fs::write(led.join("trigger"), trigger).unwrap();
        }
        leds
    }

    fn open(leds: &tempfile::TempDir, name: &str) -> Result<Led, LedError> {
        Led::open(leds.path(), &name.parse()?)
    }

    fn file(leds: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(leds.path().join("green:wps").join(name)).unwrap()
    }

    #[test]
    fn it_is_switched_and_put_back() {
        let leds = leds(Some("none timer [heartbeat] phy0tx\n"));
        let mut led = open(&leds, "green:wps").unwrap();
        assert_eq!(
            (file(&leds, "trigger"), file(&leds, "brightness")),
            ("none".into(), "0".into())
        );
        led.set_high().unwrap();
        assert_eq!(file(&leds, "brightness"), "255");
        led.set_low().unwrap();
        assert_eq!(file(&leds, "brightness"), "0");
        drop(led);
        assert_eq!(file(&leds, "trigger"), "heartbeat");
        assert_eq!(file(&leds, "brightness"), "17");
    }

    #[test]
    fn an_led_without_triggers_is_switched_too() {
        let leds = leds(None);
        let mut led = open(&leds, "green:wps").unwrap();
        led.set_high().unwrap();
        assert_eq!(file(&leds, "brightness"), "255");
        drop(led);
        assert_eq!(file(&leds, "brightness"), "17");
        assert!(!leds.path().join("green:wps/trigger").exists());
    }

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        let leds = leds(None);
        for name in ["", ".", "..", "../leds/green:wps", "/etc", "a/b", "a\0b"] {
            let error = open(&leds, name).unwrap_err().to_string();
            assert!(error.contains("is no name of an LED"), "{error}");
        }
        let absent = open(&leds, "red:wps").unwrap_err().to_string();
        assert!(absent.contains("no LED red:wps: `ls /sys/class/leds`"), "{absent}");
    }

    #[test]
    fn an_led_that_goes_away_is_an_error_and_no_new_file() {
        let leds = leds(None);
        let mut led = open(&leds, "green:wps").unwrap();
        let directory = leds.path().join("green:wps");
        fs::remove_file(directory.join("brightness")).unwrap();
        assert!(led.set_high().is_err());
        drop(led);
        assert!(!directory.join("brightness").exists());
    }
}
