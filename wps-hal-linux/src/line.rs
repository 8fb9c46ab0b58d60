//! A GPIO line as a button or a lamp, through the kernel's character devices.

use std::fs::File;
use std::io::{self, ErrorKind as IoKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use embedded_hal::digital::PinState;
use gpiocdev::line::{Bias, Value};
use gpiocdev::{Chip, Request};
use gpiocdev_embedded_hal::tokio::InputPin as AsyncInputPin;
use gpiocdev_embedded_hal::{InputPin, OutputPin};

/// Shown by `gpioinfo` as the one who uses the line.
const CONSUMER: &str = "wps";

/// A line of a GPIO chip; as text, `gpiochip0:17` or `/dev/gpiochip0:17`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The chip's character device.
    pub chip: PathBuf,
    /// Which of its lines.
    pub offset: u32,
}

/// Why a GPIO line cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The text names no line.
    #[error("{0:?} is no GPIO line: give the chip and the line, such as gpiochip0:17")]
    Name(String),
    /// There is no such chip.
    #[error("there is no GPIO chip {0}: `gpiodetect` lists them")]
    NoChip(PathBuf),
    /// The chip has fewer lines.
    #[error("the GPIO chip {0} has {1} lines, counted from 0: `gpioinfo` lists them")]
    NoLine(PathBuf, u32),
    /// Somebody else has it.
    #[error(
        "line {offset} of {chip} is in use by {consumer:?}: stop that program, or choose another \
         line"
    )]
    Busy {
        /// The chip.
        chip: PathBuf,
        /// The line.
        offset: u32,
        /// Who has it, as it calls itself.
        consumer: String,
    },
    /// The device file belongs to others.
    #[error("no permission to open {0}: add the user to the group that owns it (`gpio`)")]
    Permission(PathBuf),
    /// The operating system refused.
    #[error("cannot open the GPIO chip {0}: {1}")]
    Io(PathBuf, io::Error),
    /// The chip refused.
    #[error("cannot use line {offset} of {chip}: {source}")]
    Chip {
        /// The chip.
        chip: PathBuf,
        /// The line.
        offset: u32,
        /// What was wrong.
        source: gpiocdev_embedded_hal::Error,
    },
}

impl FromStr for Line {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let wrong = || LineError::Name(text.into());
        let (chip, offset) = text.rsplit_once(':').ok_or_else(wrong)?;
        let offset = offset.parse().map_err(|_| wrong())?;
        let chip = match chip {
            path if path.starts_with('/') => path.into(),
            "" | "." | ".." => return Err(wrong()),
            name if name.contains('/') => return Err(wrong()),
            name => Path::new("/dev").join(name),
        };
        Ok(Self { chip, offset })
    }
}

impl Line {
    /// Takes the line for a button that is pressed at the level `active`. It is pulled to the other
    /// one, if the chip can do that. To be called on a tokio runtime.
    ///
    /// # Errors
    /// The line cannot be had; what to do about it.
    pub fn button(&self, active: PinState) -> Result<AsyncInputPin, LineError> {
        let bias = match active {
            PinState::High => Bias::PullDown,
            PinState::Low => Bias::PullUp,
        };
        self.check()?;
        let mut request = self.request();
        let request = request.as_input().with_bias(bias).request();
        let pin = request.map_err(Into::into).and_then(InputPin::try_from);
        pin.map(Into::into).map_err(|source| self.refused(source))
    }

    /// Takes the line for a lamp that is lit at the level `active`. It is dark at first.
    ///
    /// # Errors
    /// The line cannot be had; what to do about it.
    pub fn lamp(&self, active: PinState) -> Result<OutputPin, LineError> {
        let dark = match active {
            PinState::High => Value::Inactive,
            PinState::Low => Value::Active,
        };
        self.check()?;
        let request = self.request().as_output(dark).request();
        let pin = request.map_err(Into::into).and_then(OutputPin::try_from);
        pin.map_err(|source| self.refused(source))
    }

    fn request(&self) -> gpiocdev::request::Builder {
        let mut request = Request::builder();
        request.on_chip(&self.chip).with_line(self.offset).with_consumer(CONSUMER);
        request
    }

    /// What usually is in the way, in words that help. A request would only say that it is.
    fn check(&self) -> Result<(), LineError> {
        let Self { chip, offset } = self;
        File::open(chip).map_err(|error| {
            let kind = error.kind();
            if kind == IoKind::NotFound {
                LineError::NoChip(chip.clone())
            } else if kind == IoKind::PermissionDenied {
                LineError::Permission(chip.clone())
            } else {
                LineError::Io(chip.clone(), error)
            }
        })?;
        let refused = |error: gpiocdev::Error| self.refused(error.into());
        let opened = Chip::from_path(chip).map_err(refused)?;
        let lines = opened.info().map_err(refused)?.num_lines;
        if *offset >= lines {
            return Err(LineError::NoLine(chip.clone(), lines));
        }
        let line = opened.line_info(*offset).map_err(refused)?;
        if line.used {
            let (chip, consumer) = (chip.clone(), line.consumer);
            return Err(LineError::Busy { chip, offset: *offset, consumer });
        }
        Ok(())
    }

    fn refused(&self, source: gpiocdev_embedded_hal::Error) -> LineError {
        LineError::Chip { chip: self.chip.clone(), offset: self.offset, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_as_text() {
        let line = |chip: &str, offset| Line { chip: chip.into(), offset };
        let read = |text: &str| text.parse::<Line>().ok();
        assert_eq!(read("gpiochip0:17"), Some(line("/dev/gpiochip0", 17)));
        assert_eq!(read("/dev/gpio:odd:3"), Some(line("/dev/gpio:odd", 3)));
        for wrong in ["", "17", "gpiochip0", "gpiochip0:", ":17", "gpiochip0:x", "gpiochip0:-1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        for outside in ["../etc/passwd:1", "..:1", "a/b:1", "gpiochip0:4294967296"] {
            assert_eq!(read(outside), None, "{outside}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_told() {
        let told = |text: &str| {
            let line: Line = text.parse().unwrap();
            let button = line.button(PinState::Low).err().unwrap().to_string();
            assert_eq!(line.lamp(PinState::High).unwrap_err().to_string(), button);
            button
        };
        assert!(told("gpiochip4711:1").contains("no GPIO chip /dev/gpiochip4711: `gpiodetect`"));
        assert!(told("/dev/null:1").contains("cannot use line 1 of /dev/null"));
        assert!(told("/etc/passwd:1").contains("not a character device"));
    }
}
