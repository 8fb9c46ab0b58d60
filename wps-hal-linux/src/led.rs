//! An LED of the kernel (`/sys/class/leds`) as a lamp.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind as IoKind, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use embedded_hal::digital::{ErrorType, OutputPin};

/// The trigger of an LED that only programs control, not the kernel.
const NO_TRIGGER: &str = "none";

/// An LED, as a pin that lights it at full brightness while high.
///
/// Disables the LED's trigger, by which the kernel controls it. Dropping this value restores the
/// trigger and the brightness.
#[derive(Debug)]
pub struct Led {
    directory: PathBuf,
    max_brightness: String,
    previous: PreviousState,
}

/// The state of the LED before it was opened.
#[derive(Debug)]
struct PreviousState {
    /// The trigger, or `None` if this LED does not support triggers.
    trigger: Option<String>,
    brightness: String,
}

/// The name of an LED. It can never be a path to anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedName(String);

impl FromStr for LedName {
    type Err = LedError;

    fn from_str(name: &str) -> Result<Self, LedError> {
        if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
            return Err(LedError::InvalidName(name.into()));
        }
        Ok(Self(name.into()))
    }
}

/// The reason why an LED cannot be used.
///
/// A message contains the error of the operating system, so `source` returns `None`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedError {
    /// This cannot be the name of an LED.
    #[error("{0:?} is not an LED name: `ls /sys/class/leds` lists them")]
    InvalidName(String),
    /// There is no such LED.
    #[error("there is no LED {0}: `ls /sys/class/leds` lists them")]
    NoLed(String),
    /// This process has no permission to write the LED's file.
    #[error(
        "no permission to write {0}: give the user's group that right with a udev rule, or run as \
         root"
    )]
    Permission(PathBuf),
    /// The operating system returned an error for this file.
    #[error("cannot use {0}: {1}")]
    Io(PathBuf, io::Error),
}

impl embedded_hal::digital::Error for LedError {
    fn kind(&self) -> embedded_hal::digital::ErrorKind {
        embedded_hal::digital::ErrorKind::Other
    }
}

impl Led {
    /// Opens the LED `name` in `directory` (`/sys/class/leds`) and turns it off.
    ///
    /// # Errors
    /// Returns an error that says what to do, if there is no such LED or if this process may not
    /// control it.
    pub fn open(directory: &Path, name: &LedName) -> Result<Self, LedError> {
        let LedName(name) = name;
        let directory = directory.join(name);
        if !directory.is_dir() {
            return Err(LedError::NoLed(name.clone()));
        }
        let max_brightness = read(&directory, "max_brightness")?;
        let trigger = match read(&directory, "trigger") {
            Ok(choices) => active_trigger(&choices),
            Err(LedError::Io(_, error)) if error.kind() == IoKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let previous = PreviousState { trigger, brightness: read(&directory, "brightness")? };
        let mut led = Self { directory, max_brightness, previous };
        if led.previous.trigger.is_some() {
            led.write("trigger", NO_TRIGGER)?;
        }
        led.set_low()?;
        Ok(led)
    }

    /// Writes `text` to a file of the LED.
    fn write(&self, file: &str, text: &str) -> Result<(), LedError> {
        let path = self.directory.join(file);
        // Never creates the file. If it does not exist, the LED is gone.
        let opened = OpenOptions::new().write(true).truncate(true).open(&path);
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| led_error(path, error))
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        // Ignore errors: an LED that has gone away needs no cleanup.
        let _ = self.write("brightness", &self.previous.brightness);
        if let Some(trigger) = &self.previous.trigger {
            let _ = self.write("trigger", trigger);
        }
    }
}

/// Returns the active trigger, which is in brackets: `none timer [heartbeat]`.
fn active_trigger(triggers: &str) -> Option<String> {
    let mut words = triggers.split_whitespace();
    let active = words.find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    active.map(Into::into)
}

/// Reads a file of the LED.
fn read(directory: &Path, file: &str) -> Result<String, LedError> {
    let path = directory.join(file);
    let text = fs::read_to_string(&path).map_err(|error| led_error(path, error))?;
    Ok(text.trim().into())
}

/// Converts the error of the operating system for this file.
fn led_error(path: PathBuf, error: io::Error) -> LedError {
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
        self.write("brightness", &self.max_brightness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a directory like the kernel's, with one LED.
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
    fn an_led_is_switched_and_restored() {
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
    fn an_led_without_triggers_is_switched() {
        let leds = leds(None);
        let mut led = open(&leds, "green:wps").unwrap();
        led.set_high().unwrap();
        assert_eq!(file(&leds, "brightness"), "255");
        drop(led);
        assert_eq!(file(&leds, "brightness"), "17");
        assert!(!leds.path().join("green:wps/trigger").exists());
    }

    #[test]
    fn a_name_cannot_be_a_path() {
        let leds = leds(None);
        for name in ["", ".", "..", "../leds/green:wps", "/etc", "a/b", "a\0b"] {
            let error = open(&leds, name).unwrap_err().to_string();
            assert!(error.contains("is not an LED name"), "{error}");
        }
        let missing = open(&leds, "red:wps").unwrap_err().to_string();
        assert!(missing.contains("no LED red:wps: `ls /sys/class/leds`"), "{missing}");
    }

    #[test]
    fn writing_to_a_missing_led_fails_and_creates_no_file() {
        let leds = leds(None);
        let mut led = open(&leds, "green:wps").unwrap();
        let directory = leds.path().join("green:wps");
        fs::remove_file(directory.join("brightness")).unwrap();
        assert!(led.set_high().is_err());
        drop(led);
        assert!(!directory.join("brightness").exists());
    }
}
