//! Does what the machine says, on real hands: driver, store and clock.

use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;
use core::time::Duration;

use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::RawMutex;

use crate::command::{Command, Input};
use crate::control::{Control, Request, Wait};
use crate::driver::{DriverError, ErrorKind, Link, PairContext, PairEvent, WifiDriver};
use crate::logging::info;
use crate::machine::Machine;
use crate::settings::{AfterFailure, Settings};
use crate::status::TaskKind;
use crate::store::SettingsStore;
use crate::time::Clock;
use crate::wsc::OverlapDetector;
#[cfg(feature = "scan")]
use crate::{scan::ScanResults, time::Instant};

/// How long a driver may take to tell about its link.
const LINK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a driver may take to look around.
#[cfg(feature = "scan")]
const SCAN_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a look around is good for: a radio hears less of its own network meanwhile.
#[cfg(feature = "scan")]
const SCAN_INTERVAL: Duration = Duration::from_secs(5);

/// The machine with its hands.
pub struct Runner<'d, D, S, C, M: RawMutex, const N: usize> {
    machine: Machine,
    driver: D,
    store: S,
    clock: C,
    control: &'d Control<M, N>,
    overlap_detector: OverlapDetector,
    /// Until when the last look around is good.
    #[cfg(feature = "scan")]
    scanned: Option<Instant>,
}

impl<'d, D, S, C, M, const N: usize> Runner<'d, D, S, C, M, N>
where
    D: WifiDriver,
    S: SettingsStore,
    C: Clock,
    M: RawMutex,
{
    /// Loads the record and puts the parts together. `factory_settings` is what a device begins with that has
    /// never been set up.
    ///
    /// # Errors
    /// The store could not be read. Nothing was touched; do not go on.
    pub async fn boot(
        driver: D,
        mut store: S,
        clock: C,
        control: &'d Control<M, N>,
        factory_settings: Settings,
        after_failure: AfterFailure,
    ) -> Result<Self, S::Error> {
        let loaded = store.load().await?;
        control.set_settings(None); // of a runner that was here before
        Ok(Self {
            machine: Machine::boot(clock.now(), loaded, factory_settings, after_failure),
            driver,
            store,
            clock,
            control,
            overlap_detector: OverlapDetector::default(),
            #[cfg(feature = "scan")]
            scanned: None,
        })
    }

    /// Runs for ever. The future may be dropped at any time, and `run` called again: it goes on
    /// where it was.
    ///
    /// Give it a task of its own on executors whose wakers do not know their own clones (tokio's
    /// `block_on` is one): sharing that task with a busy server, it is polled at every turn.
    pub async fn run(&mut self) -> ! {
        self.control.publish(&self.machine);
        loop {
            self.step().await;
        }
    }

    /// The machine, to look at.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What to do now. While the machine rests, there is time for those who want to know something.
    fn work(&self) -> Work {
        let resting = self.machine.settled().is_some();
        if resting && self.control.is_awaited(Wait::Link) {
            return Work::Look;
        }
        #[cfg(feature = "scan")]
        if resting && self.control.is_awaited(Wait::Scan) {
            return Work::LookAround;
        }
        Work::Obey
    }

    /// Works until that is done, its time is over, or a request makes it something else.
    async fn step(&mut self) {
        let work = self.work();
        let Self { machine, driver, store, clock, control, overlap_detector, .. } = self;
        let clock = &*clock;
        let command = machine.command();
        let until = match work {
            Work::Obey => command.until(),
            Work::Look => Some(clock.now().after(LINK_TIMEOUT)),
            #[cfg(feature = "scan")]
            Work::LookAround => Some(clock.now().after(SCAN_TIMEOUT)),
        };
        // `dyn`: else each move of an answer on its way out is spelled out byte by byte.
        let mut working: Pin<&mut dyn Future<Output = Done>> =
            pin!(perform(work, &command, driver, store, clock, control, overlap_detector));
        let mut sleeping = pin!(until.map(|at| clock.sleep_until(at)));
        let done = loop {
            let over = poll_fn(|cx| match sleeping.as_mut().as_pin_mut() {
                Some(sleeping) => sleeping.poll(cx),
                None => Poll::Pending,
            });
            let next = select3(working.as_mut(), over, control.requests.receive()).await;
            let (ticket, request) = match next {
                Either3::First(done) => break done,
                Either3::Second(()) => match work {
                    Work::Obey => break Done::Answer(Input::Elapsed),
                    Work::Look => break Done::Looked(None),
                    #[cfg(feature = "scan")]
                    Work::LookAround => {
                        control.set_scan(None);
                        break Done::LookedAround;
                    }
                },
                Either3::Third(asked) => asked,
            };
            let resting = machine.settled().is_some();
            let (reply, input) = match request {
                Request::Start(TaskKind::Pair, reply_grace) => (
                    machine.admit(TaskKind::Pair),
                    Input::Start { reply_grace: reply_grace.into() },
                ),
                Request::Start(TaskKind::Configure, reply_grace) => match control.take_wanted() {
                    Some(settings) => {
                        let input = Input::Configure { settings, reply_grace: reply_grace.into() };
                        (machine.admit(TaskKind::Configure), input)
                    }
                    None => continue, // they come together
                },
                Request::Cancel => (Some(Ok(())), Input::Cancel),
                // A look around takes long: what was known last has to do.
                Request::Link if resting && !work.is_long() => {
                    control.hold(ticket, Wait::Link);
                    if work == Work::Look {
                        continue;
                    }
                    break Done::Disturbed;
                }
                #[cfg(feature = "scan")]
                Request::Scan if resting && self.scanned.is_none_or(|it| it <= clock.now()) => {
                    control.hold(ticket, Wait::Scan);
                    if work != Work::Obey {
                        continue;
                    }
                    break Done::Disturbed;
                }
                Request::Link => {
                    control.reply(ticket, Ok(()));
                    continue;
                }
                #[cfg(feature = "scan")]
                Request::Scan => {
                    control.reply(ticket, Ok(()));
                    continue;
                }
            };
            let disturbed = machine.ask(clock.now(), input);
            match reply {
                Some(reply) => control.reply(ticket, reply),
                None => control.hold(ticket, Wait::Start),
            }
            // A request that changes nothing must not disturb the work.
            if disturbed {
                break Done::Disturbed;
            }
        };
        match done {
            Done::Answer(input) => {
                if matches!(input, Input::Applied(Ok(()))) {
                    control.report(PairEvent::OnAir);
                }
                machine.handle(clock.now(), input);
            }
            Done::Looked(link) => {
                control.set_link(link);
                control.reply_all(Wait::Link, Ok(()));
            }
            #[cfg(feature = "scan")]
            Done::LookedAround => {
                self.scanned = Some(clock.now().after(SCAN_INTERVAL));
                control.reply_all(Wait::Scan, Ok(()));
            }
            Done::Disturbed => {}
        }
        if let Some(answer) = machine.answer() {
            control.reply_all(Wait::Start, answer);
        }
        if machine.settled().is_none() {
            // The driver is busy: what was known last has to do.
            control.reply_all(Wait::Link, Ok(()));
            #[cfg(feature = "scan")]
            control.reply_all(Wait::Scan, Ok(()));
        }
        control.set_settings(machine.settled());
        control.publish(machine);
    }
}

/// What the hands are at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// The machine's command.
    Obey,
    /// What the radio is doing.
    Look,
    /// Who is in range.
    #[cfg(feature = "scan")]
    LookAround,
}

impl Work {
    fn is_long(self) -> bool {
        match self {
            Self::Obey | Self::Look => false,
            #[cfg(feature = "scan")]
            Self::LookAround => true,
        }
    }
}

#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
enum Done {
    Answer(Input),
    Looked(Option<Link>),
    #[cfg(feature = "scan")]
    LookedAround,
    /// A request made it something else.
    Disturbed,
}

/// Does it. When to give up is the caller's to watch.
async fn perform<D: WifiDriver, S: SettingsStore, C: Clock, M: RawMutex, const N: usize>(
    work: Work,
    command: &Command,
    driver: &mut D,
    store: &mut S,
    clock: &C,
    control: &Control<M, N>,
    overlap_detector: &mut OverlapDetector,
) -> Done {
    let kind = |error: D::Error| -> ErrorKind {
        info!("radio: {:?}", crate::logging::Debug(&error));
        error.kind()
    };
    match work {
        Work::Obey => {}
        Work::Look => return Done::Looked(driver.link().await.ok()),
        #[cfg(feature = "scan")]
        Work::LookAround => {
            control.set_scan(driver.scan().await.ok());
            return Done::LookedAround;
        }
    }
    Done::Answer(match command {
        Command::Idle => {
            driver.config_lost().await;
            info!("radio: the settings in force are lost");
            Input::ConfigLost
        }
        Command::Pause(_) => pending().await,
        Command::Snapshot(_) => {
            *overlap_detector = OverlapDetector::default();
            Input::SnapshotTaken(driver.snapshot().await.map_err(kind))
        }
        Command::Save(record, _) => Input::Saved(store.save(record).await.map_err(|error| {
            info!("store: {:?}", crate::logging::Debug(&error));
        })),
        Command::Apply(settings, snapshot, _) => {
            Input::Applied(driver.apply(settings, snapshot).await.map_err(kind))
        }
        Command::Pair { leave, .. } => {
            let failure = {
                let tell = |news| control.report(news);
                let reply_grace = pin!(clock.sleep_until(*leave));
                let context =
                    PairContext::new(overlap_detector, &tell).with_reply_grace(reply_grace);
                #[cfg(feature = "scan")]
                let hear = |heard: &ScanResults| control.set_scan(Some(heard.clone()));
                #[cfg(feature = "scan")]
                let context = context.on_scan_results(&hear);
                let mut context = context;
                match driver.pair(&mut context).await {
                    Ok(offer) => return Done::Answer(Input::Offered(Ok(offer))),
                    Err(error) => kind(error),
                }
            };
            // What comes now may move the radio, though the driver has not left yet.
            clock.sleep_until(*leave).await;
            Input::Offered(Err(failure))
        }
        Command::Join(network, snapshot, _) => {
            Input::Joined(driver.join(network, snapshot).await.map_err(kind))
        }
    })
}
