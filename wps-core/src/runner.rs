//! The task that executes the machine's commands with the driver, the store and the clock, and
//! takes the requests of the front ends.

use core::cell::Cell;
use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;
use core::time::Duration;

use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::RawMutex;

use crate::command::{Command, Input};
use crate::control::{Control, ReplyAfter, Request};
use crate::driver::{DriverError, ErrorKind, PairContext, PairEvent, WifiDriver};
use crate::link::Link;
use crate::logging::{debug, info, warn};
use crate::machine::Machine;
#[cfg(feature = "scan")]
use crate::scan::ScanResults;
use crate::settings::{AfterFailure, Settings};
use crate::status::{Cause, TaskKind};
use crate::store::SettingsStore;
use crate::time::{Clock, Instant};
use crate::wsc::OverlapDetector;

/// The time for the driver to return the state of its link.
pub(crate) const LINK_TIMEOUT: Duration = Duration::from_secs(2);

/// The time for the driver to scan.
#[cfg(any(feature = "scan", feature = "conformance"))]
pub(crate) const SCAN_TIMEOUT: Duration = Duration::from_secs(15);
/// The shortest time between two scans for the user. A radio receives less from its own network
/// while it scans.
#[cfg(feature = "scan")]
const SCAN_INTERVAL: Duration = Duration::from_secs(5);

/// The settings of a device that do not change while it runs.
///
/// ```
/// use wps_core::{AfterFailure, Config, Settings};
///
/// let config = Config::new(Settings::Off { remembered: None })
///     .with_after_failure(AfterFailure::AccessPointBack);
/// # assert_eq!(config.after_failure, AfterFailure::AccessPointBack);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The settings of a device that was never set up.
    pub factory_settings: Settings,
    /// What follows a failed pairing if the device was an access point. [`Config::new`] sets the
    /// rule of the specification: Wi-Fi is off.
    pub after_failure: AfterFailure,
}

impl Config {
    /// Returns a configuration with these factory settings and the defaults.
    pub fn new(factory_settings: Settings) -> Self {
        Self { factory_settings, after_failure: AfterFailure::default() }
    }

    /// Returns the configuration with another rule for a failed pairing.
    #[must_use]
    pub fn with_after_failure(self, after_failure: AfterFailure) -> Self {
        Self { after_failure, ..self }
    }
}

/// Runs a [`Machine`] with a driver, a store and a clock.
pub struct Runner<'d, D, S, C, M: RawMutex, const SLOTS: usize = 4, const LISTENERS: usize = 4> {
    machine: Machine,
    driver: D,
    store: S,
    clock: C,
    control: &'d Control<M, SLOTS, LISTENERS>,
    overlap_detector: OverlapDetector,
    /// The rank of the furthest progress of the present search.
    furthest: Cell<u8>,
    /// The earliest instant of the next scan, or `None` before the first one.
    #[cfg(feature = "scan")]
    next_scan: Option<Instant>,
}

impl<'d, D, S, C, M, const SLOTS: usize, const LISTENERS: usize>
    Runner<'d, D, S, C, M, SLOTS, LISTENERS>
where
    D: WifiDriver,
    S: SettingsStore,
    C: Clock,
    M: RawMutex,
{
    /// Loads the record and creates the runner.
    ///
    /// # Errors
    /// The store's error if the record could not be read. Nothing was touched. Do not go on: the
    /// record may be intact, and would be overwritten.
    pub async fn boot(
        driver: D,
        mut store: S,
        clock: C,
        control: &'d Control<M, SLOTS, LISTENERS>,
        config: Config,
    ) -> Result<Self, S::Error> {
        let Config { factory_settings, after_failure } = config;
        let loaded = store.load().await?;
        control.set_settings(None); // an earlier runner may have left some
        Ok(Self {
            machine: Machine::boot(clock.now(), loaded, factory_settings, after_failure),
            driver,
            store,
            clock,
            control,
            overlap_detector: OverlapDetector::default(),
            furthest: Cell::new(0),
            #[cfg(feature = "scan")]
            next_scan: None,
        })
    }

    /// Runs forever. The future may be dropped at any time. A new call of `run` then continues
    /// where the old one stopped.
    ///
    /// The future is not `Send`, because the futures of a driver need not be. On tokio, run it in a
    /// `LocalSet` (`local.spawn_local(async move { runner.run().await })`), or as one of the
    /// futures that the main task itself polls. On embassy, spawn it as a task.
    ///
    /// Spawn it as a separate task on executors whose wakers do not recognise their own clones
    /// (tokio's `block_on` is one). In a task shared with a busy server, it would be polled at
    /// every wake-up.
    pub async fn run(&mut self) -> ! {
        self.control.publish(&self.machine);
        loop {
            self.step().await;
        }
    }

    /// Returns what to do next. The driver answers queries only while the machine is idle.
    fn next_activity(&self) -> Activity {
        let idle = self.machine.settings_in_force().is_some();
        if idle && self.control.has_deferred(ReplyAfter::Link) {
            return Activity::ReadLink;
        }
        #[cfg(feature = "scan")]
        if idle && self.control.has_deferred(ReplyAfter::Scan) {
            return Activity::Scan;
        }
        Activity::RunCommand
    }

    /// Performs one activity until it is done, its time is over, or a request replaces it.
    async fn step(&mut self) {
        let activity = self.next_activity();
        let Self { machine, driver, store, clock, control, overlap_detector, furthest, .. } = self;
        let (clock, furthest) = (&*clock, &*furthest);
        let search = Search { overlap_detector, furthest };
        let command = machine.command();
        let until = match activity {
            Activity::RunCommand => command.until(),
            Activity::ReadLink => Some(clock.now().after(LINK_TIMEOUT)),
            #[cfg(feature = "scan")]
            Activity::Scan => Some(clock.now().after(SCAN_TIMEOUT)),
        };
        // `dyn`, because otherwise the compiler unrolls each move of the returned value bytewise.
        let mut work: Pin<&mut dyn Future<Output = ActivityResult>> =
            pin!(perform(activity, &command, driver, store, clock, control, search));
        // A request may have waited long enough before that. The work goes on then.
        let wait_until = |machine: &Machine| {
            machine.request_waits_until().filter(|at| until.is_none_or(|until| *at < until))
        };
        let done = loop {
            let mut timer = pin!(wait_until(machine).or(until).map(|at| clock.sleep_until(at)));
            let timeout = poll_fn(|cx| match timer.as_mut().as_pin_mut() {
                Some(timer) => timer.poll(cx),
                None => Poll::Pending,
            });
            let next = select3(work.as_mut(), timeout, control.requests.receive()).await;
            let (id, request) = match next {
                Either3::First(done) => break done,
                Either3::Second(()) if wait_until(machine).is_some() => {
                    handle(machine, control, clock.now(), Input::WaitElapsed);
                    continue;
                }
                Either3::Second(()) => match activity {
                    Activity::RunCommand => {
                        log_timeout(machine, &command);
                        break ActivityResult::Command(match &command {
                            Command::Pair { .. } => {
                                Input::SearchElapsed(Cause::of_search(furthest.get()))
                            }
                            Command::Idle(_)
                            | Command::Pause(_)
                            | Command::Snapshot { .. }
                            | Command::Save(..)
                            | Command::Apply(..)
                            | Command::Join(..)
                            | Command::Keep(..) => Input::Elapsed,
                        });
                    }
                    Activity::ReadLink => break ActivityResult::Link(None),
                    #[cfg(feature = "scan")]
                    Activity::Scan => {
                        control.set_scan(None);
                        break ActivityResult::Scan;
                    }
                },
                Either3::Third(received) => received,
            };
            let idle = machine.settings_in_force().is_some();
            let (reply, input) = match request {
                Request::Start { reply_grace, only } => (
                    machine.immediate_reply(TaskKind::Pair),
                    Input::Start { reply_grace: reply_grace.into(), only },
                ),
                Request::Configure { reply_grace } => {
                    match control.take_requested_settings() {
                        Some(settings) => {
                            let reply_grace = reply_grace.into();
                            let input = Input::Configure { settings, reply_grace };
                            (machine.immediate_reply(TaskKind::Configure), input)
                        }
                        None => continue, // impossible: request and settings are sent together
                    }
                }
                Request::Cancel => (Some(Ok(())), Input::Cancel),
                // A scan takes too long to wait for. Its requester gets the last known link.
                Request::Link if idle && !activity.is_long() => {
                    control.defer_reply(id, ReplyAfter::Link);
                    if activity == Activity::ReadLink {
                        continue;
                    }
                    break ActivityResult::Interrupted;
                }
                #[cfg(feature = "scan")]
                Request::Scan if idle && self.next_scan.is_none_or(|it| it <= clock.now()) => {
                    control.defer_reply(id, ReplyAfter::Scan);
                    if activity != Activity::RunCommand {
                        continue;
                    }
                    break ActivityResult::Interrupted;
                }
                Request::Link => {
                    control.reply(id, Ok(()));
                    continue;
                }
                #[cfg(feature = "scan")]
                Request::Scan => {
                    control.reply(id, Ok(()));
                    continue;
                }
            };
            match reply {
                Some(reply) => control.reply(id, reply),
                None => control.defer_reply(id, ReplyAfter::Journaling),
            }
            let changed = handle(machine, control, clock.now(), input);
            // A request that changes nothing must not interrupt the work.
            if changed {
                break ActivityResult::Interrupted;
            }
        };
        match done {
            ActivityResult::Command(input) => {
                if matches!(input, Input::Applied(Ok(()))) {
                    control.on_pair_event(PairEvent::OnAir);
                }
                handle(machine, control, clock.now(), input);
            }
            ActivityResult::Link(link) => {
                control.set_link(link);
                control.reply_deferred(ReplyAfter::Link, Ok(()));
            }
            #[cfg(feature = "scan")]
            ActivityResult::Scan => {
                self.next_scan = Some(clock.now().after(SCAN_INTERVAL));
                control.reply_deferred(ReplyAfter::Scan, Ok(()));
            }
            ActivityResult::Interrupted => {}
        }
        if machine.settings_in_force().is_none() {
            // The driver is busy. These requesters get what was last known.
            control.reply_deferred(ReplyAfter::Link, Ok(()));
            #[cfg(feature = "scan")]
            control.reply_deferred(ReplyAfter::Scan, Ok(()));
        }
    }
}

/// What the tries of the present window have seen.
struct Search<'r> {
    overlap_detector: &'r mut OverlapDetector,
    furthest: &'r Cell<u8>,
}

/// Passes an input to the machine, publishes what it has become, and sends its reply. Returns
/// whether the state changed, and with it the command.
fn handle<M: RawMutex, const SLOTS: usize, const LISTENERS: usize>(
    machine: &mut Machine,
    control: &Control<M, SLOTS, LISTENERS>,
    now: Instant,
    input: Input,
) -> bool {
    let (changed, reply) = machine.handle_and_compare(now, input);
    control.publish_and_reply(machine, reply);
    changed
}

/// What the runner is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Activity {
    /// Executing the machine's command.
    RunCommand,
    /// Reading the state of the link.
    ReadLink,
    /// Scanning for access points.
    #[cfg(feature = "scan")]
    Scan,
}

impl Activity {
    fn is_long(self) -> bool {
        match self {
            Self::RunCommand | Self::ReadLink => false,
            #[cfg(feature = "scan")]
            Self::Scan => true,
        }
    }
}

/// How an [`Activity`] ended.
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
enum ActivityResult {
    /// The command was executed, or its time is over.
    Command(Input),
    /// The link was read, or could not be.
    Link(Option<Link>),
    /// The scan is over. The results are in the control.
    #[cfg(feature = "scan")]
    Scan,
    /// A request has made another activity more urgent.
    Interrupted,
}

/// Returns whether the command ends with the window, and not after the full time for it.
#[cfg(any(test, feature = "log", feature = "defmt"))]
fn ends_with_window(machine: &Machine, command: &Command) -> bool {
    command.until() == machine.status().deadline
}

/// Logs that the driver or the store has not answered in time. It is not a failure of the driver if
/// a search or a join takes too long, or if the window closes during any command.
fn log_timeout(machine: &Machine, command: &Command) {
    #[cfg(any(feature = "log", feature = "defmt"))]
    if ends_with_window(machine, command) {
        return;
    }
    let _ = machine;
    match command {
        Command::Snapshot { .. } | Command::Apply(..) | Command::Keep(..) => {
            warn!("radio: no answer in time");
        }
        Command::Save(..) => warn!("store: no answer in time"),
        Command::Idle(_) | Command::Pause(_) | Command::Pair { .. } | Command::Join(..) => {}
    }
}

/// Performs an activity. The caller enforces the time limit.
#[allow(clippy::too_many_arguments, reason = "fields of the runner, some of which the caller uses")]
async fn perform<
    D: WifiDriver,
    S: SettingsStore,
    C: Clock,
    M: RawMutex,
    const SLOTS: usize,
    const LISTENERS: usize,
>(
    activity: Activity,
    command: &Command,
    driver: &mut D,
    store: &mut S,
    clock: &C,
    control: &Control<M, SLOTS, LISTENERS>,
    Search { overlap_detector, furthest }: Search<'_>,
) -> ActivityResult {
    let kind = |error: D::Error| -> ErrorKind {
        warn!("radio: {:?}", crate::logging::Debug(&error));
        error.kind()
    };
    // No warning: each poll of a web page would repeat it, and nothing depends on the answer.
    let query_failed =
        |error: &D::Error| debug!("radio, queried: {:?}", crate::logging::Debug(error));
    match activity {
        Activity::RunCommand => {}
        Activity::ReadLink => {
            return ActivityResult::Link(driver.link().await.inspect_err(query_failed).ok());
        }
        #[cfg(feature = "scan")]
        Activity::Scan => {
            control.set_scan(driver.scan().await.inspect_err(query_failed).ok());
            return ActivityResult::Scan;
        }
    }
    ActivityResult::Command(match command {
        Command::Idle(settings) => {
            let event = driver.maintain(settings).await;
            info!("radio, while idle: {:?}", event);
            event.into()
        }
        Command::Pause(_) => pending().await,
        Command::Snapshot { only: Some(_), .. } if !driver.can_pair_with_one() => {
            warn!("radio: cannot be limited to one access point");
            Input::SnapshotTaken(Err(ErrorKind::Unsupported))
        }
        Command::Snapshot { task, .. } => {
            *overlap_detector = OverlapDetector::default();
            furthest.set(0);
            // Not after the snapshot, which would be stored meanwhile: `benches/size/measure`.
            let check = match task {
                TaskKind::Pair => driver.check_pairing().await,
                TaskKind::Configure => Ok(()),
            };
            Input::SnapshotTaken(match check {
                Ok(()) => driver.snapshot().await.map_err(kind),
                Err(error) => Err(kind(error)),
            })
        }
        Command::Save(record, _) => Input::Saved(store.save(record).await.map_err(|error| {
            warn!("store: {:?}", crate::logging::Debug(&error));
        })),
        Command::Apply(settings, snapshot, _) => {
            Input::Applied(driver.apply(settings, snapshot).await.map_err(kind))
        }
        Command::Pair { only, disconnect_after, .. } => {
            let failure = {
                let on_event = |event| {
                    if let PairEvent::Progress(progress) = &event {
                        furthest.set(progress.furthest(furthest.get()));
                    }
                    control.on_pair_event(event);
                };
                let reply_grace = pin!(clock.sleep_until(*disconnect_after));
                let context = PairContext::new(overlap_detector, &on_event)
                    .with_only(*only)
                    .with_reply_grace(reply_grace);
                #[cfg(feature = "scan")]
                let on_scan_results =
                    |results: &ScanResults| control.set_scan(Some(results.clone()));
                #[cfg(feature = "scan")]
                let context = context.on_scan_results(&on_scan_results);
                let mut context = context;
                match driver.pair(&mut context).await {
                    Ok(offer) => return ActivityResult::Command(Input::Offered(Ok(offer))),
                    Err(error) => {
                        let kind = kind(error);
                        // Without the list of access points nobody can choose.
                        let can_choose = cfg!(feature = "scan") && driver.can_pair_with_one();
                        if kind == ErrorKind::Overlap && !can_choose {
                            ErrorKind::OverlapWithoutChoice
                        } else {
                            kind
                        }
                    }
                }
            };
            // The next command may disconnect the radio, even if the driver has not done so yet.
            clock.sleep_until(*disconnect_after).await;
            Input::Offered(Err(failure))
        }
        Command::Join(network, snapshot, _) => {
            Input::Joined(driver.join(network, snapshot).await.map_err(kind))
        }
        Command::Keep(network, snapshot, _) => {
            Input::Kept(driver.keep(network, snapshot).await.map_err(kind))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::SearchProgress;
    use crate::settings::Snapshot;
    use crate::store::Loaded;
    use crate::time::Instant;

    #[test]
    fn while_the_radio_cannot_look_it_has_not_seen_nothing() {
        use crate::driver::SearchProgress::{
            CannotScan, Looking, NoRouter, NoWps, NotPressed, Pressed,
        };
        let cause = |progress: &[SearchProgress]| {
            let furthest = progress.iter().fold(0, |furthest, it| it.furthest(furthest));
            Cause::of_search(furthest)
        };
        for seen in [Looking, NoRouter, NoWps, NotPressed] {
            assert_eq!(cause(&[seen.clone(), CannotScan]), Cause::CannotScan, "{seen:?}");
            assert_eq!(cause(&[seen, CannotScan, NotPressed]), Cause::NotPressed);
        }
        assert_eq!(cause(&[NotPressed, CannotScan, NoRouter]), Cause::NoRouter);
        assert_eq!(cause(&[Pressed { ssid: None }, CannotScan]), Cause::PressedLate);
    }

    #[test]
    fn restoring_between_two_searches_may_be_cut_short_by_the_window() {
        for (failed_at, ends) in [(100_000, false), (119_950, true)] {
            let start = Instant::from_millis(0);
            let off = Settings::Off { remembered: None };
            let mut machine =
                Machine::boot(start, Loaded::Nothing, off, AfterFailure::AccessPointOff);
            machine.handle(start, Input::Applied(Ok(())));
            machine.handle(start, Input::Start { reply_grace: Duration::ZERO, only: None });
            machine.handle(start, Input::SnapshotTaken(Ok(Snapshot::default())));
            machine.handle(start, Input::Saved(Ok(())));
            machine
                .handle(Instant::from_millis(failed_at), Input::Offered(Err(ErrorKind::Refused)));
            let command = machine.command();
            assert!(matches!(command, Command::Apply(..)), "{command:?}");
            assert_eq!(ends_with_window(&machine, &command), ends, "{command:?}");
        }
    }
}
