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

/// The name of the line's user in the output of `gpioinfo`.
const CONSUMER: &str = "wps";

/// A line of a GPIO chip. As text: `gpiochip0:17` or `/dev/gpiochip0:17`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The chip's character device.
    pub chip: PathBuf,
    /// The number of the line on this chip.
    pub offset: u32,
}

/// The reason why a GPIO line cannot be used.
///
/// A message contains the error of the operating system or the chip, so `source` returns `None`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The text is not the name of a line.
    #[error("{0:?} is not a GPIO line: give the chip and the line, such as gpiochip0:17")]
    InvalidName(String),
    /// There is no such chip.
    #[error("there is no GPIO chip {0}: `gpiodetect` lists them")]
    NoChip(PathBuf),
    /// The chip has fewer lines.
    #[error("the GPIO chip {0} has {1} lines, counted from 0: `gpioinfo` lists them")]
    NoLine(PathBuf, u32),
    /// Another program uses the line.
    #[error(
        "line {offset} of {chip} is in use by {consumer:?}: stop that program, or choose another \
         line"
    )]
    Busy {
        /// The chip.
        chip: PathBuf,
        /// The line.
        offset: u32,
        /// The name by which that program identifies itself.
        consumer: String,
    },
    /// This process has no permission to open the device file.
    #[error("no permission to open {0}: add the user to the group that owns it (`gpio`)")]
    Permission(PathBuf),
    /// The operating system returned an error for the device file.
    #[error("cannot open the GPIO chip {0}: {1}")]
    Io(PathBuf, io::Error),
    /// The chip refused the request.
    #[error("cannot use line {offset} of {chip}: {error}")]
    Chip {
        /// The chip.
        chip: PathBuf,
        /// The line.
        offset: u32,
        /// The error of the chip.
        error: gpiocdev_embedded_hal::Error,
    },
}

impl FromStr for Line {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let invalid = || LineError::InvalidName(text.into());
        let (chip, offset) = text.rsplit_once(':').ok_or_else(invalid)?;
        let offset = offset.parse().map_err(|_| invalid())?;
        let chip = match chip {
            path if path.starts_with('/') => path.into(),
            "" | "." | ".." => return Err(invalid()),
            name if name.contains('/') => return Err(invalid()),
            name => Path::new("/dev").join(name),
        };
        Ok(Self { chip, offset })
    }
}

impl Line {
    /// Requests the line as an input for a button that is pressed at the level `active`. The line
    /// is pulled to the other level if the chip supports that. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// Returns an error that says what to do, if the line cannot be used.
    pub fn button(&self, active: PinState) -> Result<AsyncInputPin, LineError> {
        let bias = match active {
            PinState::High => Bias::PullDown,
            PinState::Low => Bias::PullUp,
        };
        self.check_available()?;
        let mut request = self.request_builder();
        let request = request.as_input().with_bias(bias).request();
        let pin = request.map_err(Into::into).and_then(InputPin::try_from);
        pin.map(Into::into).map_err(|error| self.chip_error(error))
    }

    /// Requests the line as an output for a lamp that is lit at the level `active`. The lamp is
    /// dark at first.
    ///
    /// # Errors
    /// Returns an error that says what to do, if the line cannot be used.
    pub fn lamp(&self, active: PinState) -> Result<OutputPin, LineError> {
        let dark = match active {
            PinState::High => Value::Inactive,
            PinState::Low => Value::Active,
        };
        self.check_available()?;
        let request = self.request_builder().as_output(dark).request();
        let pin = request.map_err(Into::into).and_then(OutputPin::try_from);
        pin.map_err(|error| self.chip_error(error))
    }

    /// Starts a request for the line.
    fn request_builder(&self) -> gpiocdev::request::Builder {
        let mut request = Request::builder();
        request.on_chip(&self.chip).with_line(self.offset).with_consumer(CONSUMER);
        request
    }

    /// Checks the usual reasons why a request fails, for errors that say what to do. The error of
    /// the request itself would name no reason.
    fn check_available(&self) -> Result<(), LineError> {
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
        let chip_error = |error: gpiocdev::Error| self.chip_error(error.into());
        let opened = Chip::from_path(chip).map_err(chip_error)?;
        let lines = opened.info().map_err(chip_error)?.num_lines;
        if *offset >= lines {
            return Err(LineError::NoLine(chip.clone(), lines));
        }
        let line = opened.line_info(*offset).map_err(chip_error)?;
        if line.used {
            let (chip, consumer) = (chip.clone(), line.consumer);
            return Err(LineError::Busy { chip, offset: *offset, consumer });
        }
        Ok(())
    }

    /// Adds the line to an error of its chip.
    fn chip_error(&self, error: gpiocdev_embedded_hal::Error) -> LineError {
        LineError::Chip { chip: self.chip.clone(), offset: self.offset, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parsed_from_text() {
        let line = |chip: &str, offset| Line { chip: chip.into(), offset };
        let parse = |text: &str| text.parse::<Line>().ok();
        assert_eq!(parse("gpiochip0:17"), Some(line("/dev/gpiochip0", 17)));
        assert_eq!(parse("/dev/gpio:odd:3"), Some(line("/dev/gpio:odd", 3)));
        for wrong in ["", "17", "gpiochip0", "gpiochip0:", ":17", "gpiochip0:x", "gpiochip0:-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        for outside in ["../etc/passwd:1", "..:1", "a/b:1", "gpiochip0:4294967296"] {
            assert_eq!(parse(outside), None, "{outside}");
        }
    }

    #[tokio::test]
    async fn errors_say_why_a_line_cannot_be_used() {
        let error = |text: &str| {
            let line: Line = text.parse().unwrap();
            let button = line.button(PinState::Low).err().unwrap().to_string();
            assert_eq!(line.lamp(PinState::High).unwrap_err().to_string(), button);
            button
        };
        assert!(error("gpiochip4711:1").contains("no GPIO chip /dev/gpiochip4711: `gpiodetect`"));
        assert!(error("/dev/null:1").contains("cannot use line 1 of /dev/null"));
        assert!(error("/etc/passwd:1").contains("not a character device"));
    }
}
