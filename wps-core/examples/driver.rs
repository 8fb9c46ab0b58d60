//! A driver, a stage for it, and the conformance suite on both. The chip is only memory.

use std::cell::{Cell, RefCell};

use embassy_futures::select::{Either, select};
use embassy_futures::{block_on, yield_now};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::conformance::{ObservedState, TestBed, Unavailable, run_all};
use wps_core::driver::{Offer, PairContext, SearchProgress};
use wps_core::sim::ManualClock;
use wps_core::{Credentials, DriverError, ErrorKind, Settings, Snapshot, Ssid, WifiDriver};

/// The chip and its world.
#[derive(Default)]
struct Chip {
    /// The routers in range, and whether their button is pressed.
    routers: RefCell<Vec<(Credentials, bool)>>,
    told: RefCell<Option<Settings>>,
    wps: Cell<bool>,
}

impl Chip {
    /// Whether it is connected, or why not.
    fn connection(&self) -> Result<(), Fault> {
        let Some(Settings::Station { network }) = &*self.told.borrow() else {
            return Err(Fault(ErrorKind::Other));
        };
        match self.routers.borrow().iter().find(|(router, _)| router.ssid == network.ssid) {
            Some((router, _)) if router == network => Ok(()),
            Some(_) => Err(Fault(ErrorKind::WrongKey)),
            None => Err(Fault(ErrorKind::NotFound)),
        }
    }

    /// The result of its WPS, once there is one.
    fn wps_result(&self) -> Option<Result<Credentials, Fault>> {
        let mut routers = self.routers.borrow_mut();
        let mut pressed = routers.iter_mut().filter(|(_, pressed)| self.wps.get() && *pressed);
        match (pressed.next()?, pressed.next()) {
            (_, Some(_)) => Some(Err(Fault(ErrorKind::Overlap))),
            ((network, pressed), None) => {
                *pressed = false;
                self.told.take(); // it has left its network
                Some(Ok(network.clone()))
            }
        }
    }
}

#[derive(Debug)]
struct Fault(ErrorKind);

impl DriverError for Fault {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

/// The driver. It keeps nothing of its own, so there is nothing that a dropped future could spoil.
struct Driver<'c>(&'c Chip);

impl WifiDriver for Driver<'_> {
    type Error = Fault;

    async fn apply(&mut self, settings: &Settings, _: &Snapshot) -> Result<(), Fault> {
        self.0.wps.set(false); // a pairing that was dropped
        if *settings == Settings::Platform {
            return Err(Fault(ErrorKind::Unsupported));
        }
        self.0.told.replace(Some(settings.clone()));
        Ok(())
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, Fault> {
        context.report_progress(SearchProgress::Looking);
        context.before_disconnect().await; // from here on the chip does as it likes
        self.0.wps.set(true);
        loop {
            yield_now().await; // the chip's interrupt
            if let Some(result) = self.0.wps_result() {
                self.0.wps.set(false);
                return result.map(Offer::from);
            }
        }
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), Fault> {
        self.apply(&Settings::Station { network: network.clone() }, snapshot).await?;
        yield_now().await; // the chip's interrupt
        self.0.connection()
    }
}

/// The author's hands: routers to play with, and an eye on the radio.
struct Bench<'c> {
    chip: &'c Chip,
    clock: &'c ManualClock<NoopRawMutex>,
}

impl<'c> TestBed for Bench<'c> {
    type Driver = Driver<'c>;
    type Clock = &'c ManualClock<NoopRawMutex>;

    fn clock(&self) -> Self::Clock {
        self.clock
    }

    async fn reset(&mut self, platform: Option<&Credentials>) -> Result<(), Unavailable> {
        self.chip.routers.take();
        self.chip.told.take();
        platform.map_or(Ok(()), |_| Err(Unavailable("the chip has no networks of its own")))
    }

    async fn driver(&mut self) -> Driver<'c> {
        Driver(self.chip)
    }

    async fn switch_on(&mut self, network: &Credentials) -> Result<(), Unavailable> {
        self.switch_off(&network.ssid).await;
        self.chip.routers.borrow_mut().push((network.clone(), false));
        Ok(())
    }

    async fn switch_off(&mut self, ssid: &Ssid) {
        self.chip.routers.borrow_mut().retain(|(network, _)| network.ssid != *ssid);
    }

    async fn press(&mut self, ssid: &Ssid) {
        let mut routers = self.chip.routers.borrow_mut();
        routers.iter_mut().filter(|(it, _)| it.ssid == *ssid).for_each(|(_, it)| *it = true);
    }

    async fn seen(&mut self) -> Result<ObservedState, Unavailable> {
        let connected = self.chip.connection().is_ok();
        Ok(match self.chip.told.borrow().clone() {
            Some(Settings::Station { network }) if connected => ObservedState::Joined(network.ssid),
            Some(Settings::AccessPoint { access_point: it, .. }) => {
                ObservedState::Serving(it.network.ssid)
            }
            _ => ObservedState::Nothing,
        })
    }
}

fn main() {
    let (chip, clock) = (Chip::default(), ManualClock::new());
    let mut bench = Bench { chip: &chip, clock: &clock };
    // The suite comes to an end; the clock, moved on and on, does not.
    let Either::First(report) = block_on(select(run_all(&mut bench), clock.fast_forward()));
    println!("{report}");
    assert!(report.is_ok());
}
