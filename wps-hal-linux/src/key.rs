//! A key of an input device as a button: `KEY_WPS_BUTTON` of the device itself, or any other key.

use std::convert::Infallible;
use std::fs;
use std::io::{self, ErrorKind as IoKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use embedded_hal::digital::{ErrorType, InputPin};
use embedded_hal_async::digital::Wait;
use evdev::{Device, EventStream, EventType, KeyCode};
use tokio::time::sleep;

/// The time between two attempts to open a device that is not there.
const OPEN_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The value of a key event for a released key. The value 2 means that a held key repeats.
const RELEASED: i32 = 0;
/// The value of a key event for a pressed key.
const PRESSED: i32 = 1;

/// A key of an input device, as a pin that is high while the key is pressed.
///
/// The pin never fails. If the device is missing or goes away, this logs the reason once and waits
/// for the device. The key counts as released meanwhile. A key that is already held down when its
/// device appears counts as released until it has been released. Keys do not bounce, since the
/// kernel debounces them, so use no `debounce` for the button.
///
/// Must be used on a tokio runtime.
pub struct Key {
    device: DeviceSelector,
    code: KeyCode,
    events: Option<EventStream>,
    pressed: bool,
    /// The error that was logged last, if the device cannot be opened.
    last_error: Option<String>,
}

/// How to find the input device.
#[derive(Clone, Debug)]
enum DeviceSelector {
    Path(PathBuf),
    Name(String),
}

/// The reason why the key cannot be opened.
#[derive(Debug, thiserror::Error)]
enum KeyError {
    #[error("there is no input device {0}: plug it in, or see `cat /proc/bus/input/devices`")]
    NoDevice(String),
    #[error("{0} is not an input device: see `cat /proc/bus/input/devices`")]
    NotInputDevice(String),
    #[error("the input device {0} has no key {1:?}: choose another key or another device")]
    NoSuchKey(String, KeyCode),
    #[error("no permission to read {0}: add the user to the group that owns it (`input`)")]
    Permission(String),
    #[error("cannot read the input device {0}: {1}")]
    Io(String, io::Error),
}

impl Key {
    /// Creates a pin for the key `code` of a device. The device is a path such as
    /// `/dev/input/event3`, or the name that the device reports, which stays the same if it is
    /// plugged in elsewhere.
    pub fn new(device: &str, code: KeyCode) -> Self {
        let device = match device {
            path if path.starts_with('/') => DeviceSelector::Path(path.into()),
            name => DeviceSelector::Name(name.into()),
        };
        Self { device, code, events: None, pressed: false, last_error: None }
    }

    /// Waits until the key is pressed or released. The future may be dropped at any time.
    async fn wait_for_change(&mut self) {
        let before = self.pressed;
        while self.pressed == before {
            let Some(events) = &mut self.events else {
                self.open_or_wait().await;
                continue;
            };
            match events.next_event().await {
                Ok(event) if event.event_type() != EventType::KEY => {}
                Ok(event) if event.code() != self.code.code() => {}
                Ok(event) => match event.value() {
                    PRESSED => self.pressed = true,
                    RELEASED => self.pressed = false,
                    _repeated => {}
                },
                Err(error) => {
                    tracing::warn!("the button's input device is gone, waiting for it: {error}");
                    (self.events, self.pressed) = (None, false);
                }
            }
        }
    }

    /// Tries to open the device. If that fails, logs a new reason and waits for
    /// [`OPEN_RETRY_INTERVAL`].
    async fn open_or_wait(&mut self) {
        match self.device.open(self.code) {
            Ok((path, events)) => {
                tracing::info!("the button is {:?} of {}", self.code, path.display());
                (self.events, self.last_error) = (Some(events), None);
            }
            Err(error) => {
                let error = error.to_string();
                if self.last_error.as_ref() != Some(&error) {
                    tracing::warn!("no button yet: {error}");
                    self.last_error = Some(error);
                }
                sleep(OPEN_RETRY_INTERVAL).await;
            }
        }
    }
}

impl DeviceSelector {
    /// Opens the first matching device that has the key, and returns its path and its events.
    fn open(&self, code: KeyCode) -> Result<(PathBuf, EventStream), KeyError> {
        let name = match self {
            Self::Path(path) => return open(path, code).map(|events| (path.clone(), events)),
            Self::Name(name) => name,
        };
        // Several devices may have this name, for example the keyboard and the mouse of one
        // receiver.
        let mut found = Err(KeyError::NoDevice(name.clone()));
        for path in devices_named(name) {
            found = open(&path, code).map(|events| (path, events));
            if found.is_ok() {
                break;
            }
        }
        found
    }
}

/// Returns the paths of the input devices with this name.
fn devices_named(name: &str) -> impl Iterator<Item = PathBuf> {
    let all = fs::read_dir("/sys/class/input").into_iter().flatten().flatten();
    let events = all.filter(|it| it.file_name().as_encoded_bytes().starts_with(b"event"));
    let matching = events.filter(move |it| {
        fs::read_to_string(it.path().join("device/name")).is_ok_and(|it| it.trim_end() == name)
    });
    matching.map(|it| Path::new("/dev/input").join(it.file_name()))
}

/// Opens the device at `path` if it has the key.
fn open(path: &Path, code: KeyCode) -> Result<EventStream, KeyError> {
    let path_text = path.display().to_string();
    let fail = |error: io::Error| {
        let (kind, path_text) = (error.kind(), path_text.clone());
        if kind == IoKind::NotFound {
            KeyError::NoDevice(path_text)
        } else if kind == IoKind::PermissionDenied {
            KeyError::Permission(path_text)
        } else {
            KeyError::Io(path_text, error)
        }
    };
    // Opening any other kind of file might block or have a side effect.
    if !fs::metadata(path).map_err(fail)?.file_type().is_char_device() {
        return Err(KeyError::NotInputDevice(path_text));
    }
    let device = Device::open(path).map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::NOTTY.raw_os_error() => {
            KeyError::NotInputDevice(path_text.clone())
        }
        _ => fail(error),
    })?;
    if !device.supported_keys().is_some_and(|keys| keys.contains(code)) {
        return Err(KeyError::NoSuchKey(path_text, code));
    }
    device.into_event_stream().map_err(fail)
}

impl ErrorType for Key {
    type Error = Infallible;
}

impl InputPin for Key {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.pressed)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.pressed)
    }
}

impl Wait for Key {
    async fn wait_for_high(&mut self) -> Result<(), Infallible> {
        if !self.pressed {
            self.wait_for_change().await;
        }
        Ok(())
    }

    async fn wait_for_low(&mut self) -> Result<(), Infallible> {
        if self.pressed {
            self.wait_for_change().await;
        }
        Ok(())
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), Infallible> {
        self.wait_for_low().await?;
        self.wait_for_high().await
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), Infallible> {
        self.wait_for_high().await?;
        self.wait_for_low().await
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), Infallible> {
        self.wait_for_change().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn open_error(device: &str) -> String {
        match Key::new(device, KeyCode::KEY_WPS_BUTTON).device.open(KeyCode::KEY_WPS_BUTTON) {
            Ok((path, _)) => panic!("{} has such a key", path.display()),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn errors_say_why_a_path_is_not_an_input_device() {
        let absent = open_error("/dev/input/event4711");
        assert!(absent.contains("no input device /dev/input/event4711: plug it in"), "{absent}");
        let unknown = open_error("a name that nobody has");
        assert!(unknown.contains("no input device a name that nobody has"), "{unknown}");
        for path in ["/dev/null", "/etc/passwd", "/"] {
            let error = open_error(path);
            assert!(error.contains(&format!("{path} is not an input device")), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_device_is_tried_once_a_second() {
        let mut key = Key::new("/dev/input/event4711", KeyCode::KEY_WPS_BUTTON);
        let start = tokio::time::Instant::now();
        key.open_or_wait().await;
        assert!(start.elapsed() >= OPEN_RETRY_INTERVAL);
        let waited = tokio::time::timeout(Duration::from_secs(60), key.wait_for_high()).await;
        assert!(waited.is_err());
        assert_eq!(key.is_high(), Ok(false));
    }
}
