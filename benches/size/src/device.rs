//! The core in a firmware, with minimal parts: a driver whose router is always in pairing mode, a
//! flash in memory, and a pin that reads as pressed after a tenth of a second.

use core::convert::Infallible;
use core::time::Duration;

use embassy_executor::Spawner;
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embedded_hal::digital::{ErrorType, InputPin};
use wps_core::button::{self, ButtonConfig, Polled};
use wps_core::driver::{Offer, PairContext};
use wps_core::{
    AccessPoint, Clock, Config, Control, Credentials, DriverError, ErrorKind, Instant, Loaded,
    Passphrase, Record, RecordError, Runner, Secret, Settings, SettingsStore, Snapshot, Ssid,
    WifiDriver,
};

use crate::platform::{flash, now};

static CONTROL: Control<CriticalSectionRawMutex> = Control::new();

/// Starts the tasks of the machine and of the button.
pub(crate) fn spawn(spawner: &Spawner) {
    spawner.spawn(machine().unwrap());
    spawner.spawn(watch_button().unwrap());
}

#[embassy_executor::task]
async fn machine() {
    let Some(factory_settings) = factory_settings() else { return };
    let (radio, config) = (Radio { joins: 0 }, Config::new(factory_settings));
    // Not `if let`: that would keep both the result of `boot` and the runner in memory while it
    // runs.
    let Ok(mut runner) = Runner::boot(radio, Flash, Ticks, &CONTROL, config).await else { return };
    runner.run().await
}

#[embassy_executor::task]
async fn watch_button() {
    let pin = Polled::new(Pin, Ticks, Duration::from_millis(10));
    button::run(pin, Ticks, &CONTROL, ButtonConfig::default()).await;
}

#[inline(never)] // in a real device the settings are not constants either
fn factory_settings() -> Option<Settings> {
    let access_point = AccessPoint { network: network(b"device")?, channel: None };
    Some(Settings::AccessPoint { access_point, remembered: None })
}

#[inline(never)] // a real radio cannot be inlined either
fn offer() -> Result<Offer, Failed> {
    network(b"home").map(Offer::from).ok_or(Failed(ErrorKind::Other))
}

fn network(ssid: &[u8]) -> Option<Credentials> {
    Some(Credentials {
        ssid: Ssid::new(ssid).ok()?,
        secret: Secret::Key(Passphrase::new(b"correct horse").ok()?),
    })
}

/// A driver that offers a network which can be joined at the third try.
struct Radio {
    joins: u8,
}

#[derive(Debug)]
struct Failed(ErrorKind);

impl DriverError for Failed {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl WifiDriver for Radio {
    type Error = Failed;

    async fn apply(&mut self, _: &Settings, _: &Snapshot) -> Result<(), Failed> {
        Ok(())
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, Failed> {
        context.before_disconnect().await;
        offer()
    }

    async fn join(&mut self, _: &Credentials, _: &Snapshot) -> Result<(), Failed> {
        self.joins += 1;
        if self.joins < 3 { Err(Failed(ErrorKind::NotFound)) } else { Ok(()) }
    }
}

/// A store in the simulated flash. Byte 0 is 1 once a network was saved, byte 1 is the length of
/// the record, and the record follows.
struct Flash;

impl SettingsStore for Flash {
    type Error = RecordError;

    async fn load(&mut self) -> Result<Loaded, RecordError> {
        Ok(flash(|bytes| match bytes {
            [_, 0, ..] => Loaded::Nothing,
            [_, length, bytes @ ..] => {
                match bytes.get(..usize::from(*length)).map(Record::decode) {
                    Some(Ok(record)) => Loaded::Record(record),
                    Some(Err(_)) | None => Loaded::Corrupt,
                }
            }
            [..] => Loaded::Corrupt,
        }))
    }

    async fn save(&mut self, record: &Record) -> Result<(), RecordError> {
        flash(|bytes| {
            let [saved, length, bytes @ ..] = bytes else { return Err(RecordError::Space) };
            *length = record.encode(bytes)?.len() as u8;
            *saved = u8::from(matches!(record, Record::Settled(Settings::Station { .. })));
            Ok(())
        })
    }
}

#[derive(Clone, Copy)]
struct Ticks;

impl Clock for Ticks {
    fn now(&self) -> Instant {
        Instant::from_millis(now().into())
    }

    async fn sleep_until(&self, at: Instant) {
        while self.now() < at {
            yield_now().await;
        }
    }
}

/// A pin that is released for a tenth of a second, then pressed.
struct Pin;

impl ErrorType for Pin {
    type Error = Infallible;
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(now() < 100)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(now() >= 100)
    }
}
