//! A key of an input device as a button: `KEY_WPS_BUTTON` of a case's own button, or any other.

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

/// Between two looks for a device that is not there.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The values of a key's events; 2 is the repetition of a key that is held.
const RELEASED: i32 = 0;
const PRESSED: i32 = 1;

/// A key, as a pin that is high while it is pressed.
///
/// It never fails: a device that is not there, or goes away, is told in the log, once, and waited for;
/// its key counts as released. A key that is already down when its device appears counts as released
/// too, until it was. Keys do not bounce (the kernel sees to that): give the button no `debounce`.
///
/// Waits on tokio.
pub struct Key {
    device: Which,
    code: KeyCode,
    events: Option<EventStream>,
    pressed: bool,
    /// What was told last about a device that cannot be had.
    told: Option<String>,
}

#[derive(Clone, Debug)]
enum Which {
    Path(PathBuf),
    Name(String),
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
enum KeyError {
    #[error("there is no input device {0}: plug it in, or see `cat /proc/bus/input/devices`")]
    Absent(String),
    #[error("{0} is no input device: see `cat /proc/bus/input/devices`")]
    Another(String),
    #[error("the input device {0} has no key {1:?}: choose another key or another device")]
    Keyless(String, KeyCode),
    #[error("no permission to read {0}: add the user to the group that owns it (`input`)")]
    Permission(String),
    #[error("cannot read the input device {0}: {1}")]
    Io(String, io::Error),
}

impl Key {
    /// The key `code` of a device: a path such as `/dev/input/event3`, or the name it gives itself,
    /// which stays the same when it is plugged in elsewhere.
    pub fn new(device: &str, code: KeyCode) -> Self {
        let device = match device {
            path if path.starts_with('/') => Which::Path(path.into()),
            name => Which::Name(name.into()),
        };
        Self { device, code, events: None, pressed: false, told: None }
    }

    /// Waits until the key is pressed or released. The future may be dropped at any time.
    async fn change(&mut self) {
        let before = self.pressed;
        while self.pressed == before {
            let Some(events) = &mut self.events else {
                self.look().await;
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

    /// Looks for the device, and pauses if there is none.
    async fn look(&mut self) {
        match self.device.open(self.code) {
            Ok((path, events)) => {
                tracing::info!("the button is {:?} of {}", self.code, path.display());
                (self.events, self.told) = (Some(events), None);
            }
            Err(error) => {
                let told = error.to_string();
                if self.told.as_ref() != Some(&told) {
                    tracing::warn!("no button yet: {told}");
                    self.told = Some(told);
                }
                sleep(LOOK_AGAIN).await;
            }
        }
    }
}

impl Which {
    fn open(&self, code: KeyCode) -> Result<(PathBuf, EventStream), KeyError> {
        let name = match self {
            Self::Path(path) => return open(path, code).map(|events| (path.clone(), events)),
            Self::Name(name) => name,
        };
        // Several may have the name: one with keys, one with a mouse.
        let mut found = Err(KeyError::Absent(name.clone()));
        for path in called(name) {
            found = open(&path, code).map(|events| (path, events));
            if found.is_ok() {
                break;
            }
        }
        found
    }
}

/// The devices of that name.
fn called(name: &str) -> impl Iterator<Item = PathBuf> {
    let all = fs::read_dir("/sys/class/input").into_iter().flatten().flatten();
    let events = all.filter(|it| it.file_name().as_encoded_bytes().starts_with(b"event"));
    let called = events.filter(move |it| {
        fs::read_to_string(it.path().join("device/name")).is_ok_and(|it| it.trim_end() == name)
    });
    called.map(|it| Path::new("/dev/input").join(it.file_name()))
}

fn open(path: &Path, code: KeyCode) -> Result<EventStream, KeyError> {
    let shown = path.display().to_string();
    let fail = |error: io::Error| {
        let (kind, shown) = (error.kind(), shown.clone());
        if kind == IoKind::NotFound {
            KeyError::Absent(shown)
        } else if kind == IoKind::PermissionDenied {
            KeyError::Permission(shown)
        } else {
            KeyError::Io(shown, error)
        }
    };
    // Anything else might block, or do something, when it is opened.
    if !fs::metadata(path).map_err(fail)?.file_type().is_char_device() {
        return Err(KeyError::Another(shown));
    }
    let device = Device::open(path).map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::NOTTY.raw_os_error() => {
            KeyError::Another(shown.clone())
        }
        _ => fail(error),
    })?;
    if !device.supported_keys().is_some_and(|keys| keys.contains(code)) {
        return Err(KeyError::Keyless(shown, code));
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
            self.change().await;
        }
        Ok(())
    }

    async fn wait_for_low(&mut self) -> Result<(), Infallible> {
        if self.pressed {
            self.change().await;
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
        self.change().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refusal(device: &str) -> String {
        match Key::new(device, KeyCode::KEY_WPS_BUTTON).device.open(KeyCode::KEY_WPS_BUTTON) {
            Ok((path, _)) => panic!("{} has such a key", path.display()),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn what_is_no_input_device_is_told() {
        let absent = refusal("/dev/input/event4711");
        assert!(absent.contains("no input device /dev/input/event4711: plug it in"), "{absent}");
        let unknown = refusal("a name that nobody has");
        assert!(unknown.contains("no input device a name that nobody has"), "{unknown}");
        for another in ["/dev/null", "/etc/passwd", "/"] {
            let told = refusal(another);
            assert!(told.contains(&format!("{another} is no input device")), "{told}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_that_is_not_there_is_looked_for_once_a_second() {
        let mut key = Key::new("/dev/input/event4711", KeyCode::KEY_WPS_BUTTON);
        let begin = tokio::time::Instant::now();
        key.look().await;
        assert!(begin.elapsed() >= LOOK_AGAIN);
        let waited = tokio::time::timeout(Duration::from_secs(60), key.wait_for_high()).await;
        assert!(waited.is_err());
        assert_eq!(key.is_high(), Ok(false));
    }
}
