//! A driver and a test bed for it, both run by the conformance suite. The chip is simulated.

use std::cell::{Cell, RefCell};

use embassy_futures::select::{Either, select};
use embassy_futures::{block_on, yield_now};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use wps_core::conformance::{Check, ObservedState, TestBed, Unavailable, run_all};
use wps_core::driver::{Offer, PairContext, SearchProgress};
use wps_core::sim::ManualClock;
use wps_core::{Credentials, ErrorKind, Settings, Snapshot, Ssid, WifiDriver};

/// The simulated chip and the routers around it.
#[derive(Default)]
struct Chip {
    /// The routers in range, and whether their button is pressed.
    routers: RefCell<Vec<(Credentials, bool)>>,
    applied: RefCell<Option<Settings>>,
    wps_active: Cell<bool>,
}

impl Chip {
    /// Returns `Ok` if the chip is connected, otherwise the reason why it is not.
    fn connection(&self) -> Result<(), ErrorKind> {
        let Some(Settings::Station { network }) = &*self.applied.borrow() else {
            return Err(ErrorKind::Other);
        };
        match self.routers.borrow().iter().find(|(router, _)| router.ssid == network.ssid) {
            Some((router, _)) if router == network => Ok(()),
            Some(_) => Err(ErrorKind::WrongKey),
            None => Err(ErrorKind::NotFound),
        }
    }

    /// Returns the result of the chip's WPS, or `None` if it is still running.
    fn wps_result(&self) -> Option<Result<Credentials, ErrorKind>> {
        let mut routers = self.routers.borrow_mut();
        let mut pressed =
            routers.iter_mut().filter(|(_, pressed)| self.wps_active.get() && *pressed);
        match (pressed.next()?, pressed.next()) {
            (_, Some(_)) => Some(Err(ErrorKind::Overlap)),
            ((network, pressed), None) => {
                *pressed = false;
                self.applied.take(); // the chip has left its network
                Some(Ok(network.clone()))
            }
        }
    }
}

/// The driver. It keeps no state that a dropped future could leave inconsistent. Its error needs no
/// type of its own, because the kind says everything.
struct Driver<'c>(&'c Chip);

impl WifiDriver for Driver<'_> {
    type Error = ErrorKind;

    async fn apply(&mut self, settings: &Settings, _: &Snapshot) -> Result<(), ErrorKind> {
        self.0.wps_active.set(false); // ends a pairing whose future was dropped
        match settings {
            Settings::Platform => return Err(ErrorKind::Unsupported),
            // Fails if only another platform has the key. The chip must then leave the network of a
            // task that has failed. A missing key does not mean an open network.
            Settings::Station { network } => {
                network.secret.key().inspect_err(|_| drop(self.0.applied.take()))?;
            }
            Settings::AccessPoint { .. } | Settings::Off { .. } => {}
        }
        self.0.applied.replace(Some(settings.clone()));
        Ok(())
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, ErrorKind> {
        context.report_progress(SearchProgress::Looking);
        context.before_disconnect().await; // from here on the chip may leave the network
        self.0.wps_active.set(true);
        loop {
            yield_now().await; // stands for the wait for the chip's interrupt
            if let Some(result) = self.0.wps_result() {
                self.0.wps_active.set(false);
                return result.map(Offer::from);
            }
        }
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), ErrorKind> {
        self.apply(&Settings::Station { network: network.clone() }, snapshot).await?;
        yield_now().await; // stands for the wait for the chip's interrupt
        self.0.connection()
    }
}

/// The test bed: it controls the routers and observes the radio.
struct ChipTestBed<'c> {
    chip: &'c Chip,
    clock: &'c ManualClock<NoopRawMutex>,
}

impl<'c> TestBed for ChipTestBed<'c> {
    type Driver = Driver<'c>;
    type Clock = &'c ManualClock<NoopRawMutex>;

    fn clock(&self) -> Self::Clock {
        self.clock
    }

    async fn reset(&mut self, platform: Option<&Credentials>) -> Result<(), Unavailable> {
        self.chip.routers.take();
        self.chip.applied.take();
        platform.map_or(Ok(()), |_| Err(Unavailable("the chip has no networks of its own")))
    }

    async fn driver(&mut self) -> Driver<'c> {
        Driver(self.chip)
    }

    async fn start_router(&mut self, network: &Credentials) -> Result<(), Unavailable> {
        self.stop_router(&network.ssid).await;
        self.chip.routers.borrow_mut().push((network.clone(), false));
        Ok(())
    }

    async fn stop_router(&mut self, ssid: &Ssid) {
        self.chip.routers.borrow_mut().retain(|(network, _)| network.ssid != *ssid);
    }

    async fn press_button(&mut self, ssid: &Ssid) {
        let mut routers = self.chip.routers.borrow_mut();
        routers.iter_mut().filter(|(it, _)| it.ssid == *ssid).for_each(|(_, it)| *it = true);
    }

    async fn observe(&mut self) -> Result<ObservedState, Unavailable> {
        let connected = self.chip.connection().is_ok();
        Ok(match self.chip.applied.borrow().clone() {
            Some(Settings::Station { network }) if connected => ObservedState::Joined(network.ssid),
            Some(Settings::AccessPoint { access_point: it, .. }) => {
                ObservedState::Serving(it.network.ssid)
            }
            _ => ObservedState::Nothing,
        })
    }
}

/// The checks that the driver passes only in part or that are skipped, and why. A new gap must not
/// go unnoticed, and neither must one that is closed.
const GAPS: [(Check, &str); 14] = [
    (Check::ConfigLost, "skipped: the platform never restarts without the driver"),
    (Check::KeyRefused, "skipped: the driver does not report a refused key"),
    (Check::ReadOnly, "partly: the driver does not report its link"),
    (Check::Scan, "partly: the driver does not scan"),
    (Check::Platform, "skipped: the chip has no networks of its own"),
    (Check::OverlapMemory, "skipped: the driver leaves session overlap to its platform"),
    (Check::OnlyOne, "skipped: the driver cannot be limited to one access point"),
    (Check::RouterVanishes, "skipped: the driver does not report when the exchange begins"),
    (
        Check::NothingStored,
        "skipped: the test bed can neither restart the platform nor read what it stores",
    ),
    (Check::Keeps, "skipped: the platform keeps no networks"),
    (Check::KeptInVain, "skipped: the platform keeps no networks"),
    (Check::KeptRemoved, "skipped: the platform keeps no networks"),
    (Check::KeptSameName, "skipped: the chip has no networks of its own"),
    (Check::PlatformDecides, "skipped: the chip has no networks of its own"),
];

fn main() {
    let (chip, clock) = (Chip::default(), ManualClock::new());
    let mut test_bed = ChipTestBed { chip: &chip, clock: &clock };
    // `fast_forward` never returns, so the suite is always the first to finish.
    let suite = run_all(&mut test_bed, |result| println!("{result}"));
    let Either::First(report) = block_on(select(suite, clock.fast_forward()));
    let not_passed = report.not_passed().map(|(check, outcome)| (check, outcome.to_string()));
    assert_eq!(not_passed.collect::<Vec<_>>(), GAPS.map(|(check, gap)| (check, gap.to_owned())));
}
