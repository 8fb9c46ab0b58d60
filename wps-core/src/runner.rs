//! Does what the machine says, on real hands: driver, store and clock.

use core::future::{Future, pending};
use core::pin::pin;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::Vec;

use crate::command::{Command, Input};
use crate::desk::{Desk, Request, Ticket};
use crate::driver::{Attempt, DriverError, ErrorKind, Link, News, WifiDriver};
use crate::logging::info;
use crate::machine::Pairing;
use crate::scan::Neighbours;
use crate::settings::{Policy, Settings};
use crate::status::TaskKind;
use crate::store::SettingsStore;
use crate::time::{Clock, Instant};
use crate::wsc::Sightings;

/// How long a driver may take to tell about its link.
const LINK_LIMIT: Duration = Duration::from_secs(2);

/// How long a driver may take to look around.
const SCAN_LIMIT: Duration = Duration::from_secs(15);
/// How long a look around is good for: a radio hears less of its own network meanwhile.
const SCAN_EVERY: Duration = Duration::from_secs(5);

/// The machine with its hands.
pub struct Runner<'d, D, S, C, M: RawMutex, const N: usize> {
    machine: Pairing,
    driver: D,
    store: S,
    clock: C,
    desk: &'d Desk<M, N>,
    sightings: Sightings,
    /// Requests that are told once the journal is on disk, or the start refused.
    waiting: Vec<Ticket, N>,
    /// Requests for the link, served while the machine rests.
    curious: Vec<Ticket, N>,
    /// Requests for the access points in range, likewise.
    for_scan: Vec<Ticket, N>,
    /// Until when the last look around is good.
    scanned: Option<Instant>,
}

impl<'d, D, S, C, M, const N: usize> Runner<'d, D, S, C, M, N>
where
    D: WifiDriver,
    S: SettingsStore,
    C: Clock,
    M: RawMutex,
{
    /// Loads the record and puts the parts together. `blank` is what a device begins with that has
    /// never been set up.
    ///
    /// # Errors
    /// The store could not be read. Nothing was touched; do not go on.
    pub async fn boot(
        driver: D,
        mut store: S,
        clock: C,
        desk: &'d Desk<M, N>,
        blank: Settings,
        policy: Policy,
    ) -> Result<Self, S::Error> {
        let loaded = store.load().await?;
        let machine = Pairing::boot(clock.now(), loaded, blank, policy);
        let runner = Self {
            machine,
            driver,
            store,
            clock,
            desk,
            sightings: Sightings::default(),
            waiting: Vec::new(),
            curious: Vec::new(),
            for_scan: Vec::new(),
            scanned: None,
        };
        desk.publish(runner.machine.status());
        Ok(runner)
    }

    /// Runs for ever. The future may be dropped at any time, and `run` called again: it goes on
    /// where it was.
    pub async fn run(&mut self) -> ! {
        loop {
            self.step().await;
        }
    }

    /// The machine, to look at.
    pub fn machine(&self) -> &Pairing {
        &self.machine
    }

    /// Does the machine's command until it is answered, or until a request makes it another one.
    async fn step(&mut self) {
        let Self { machine, driver, store, clock, desk, sightings, .. } = self;
        let (waiting, curious, for_scan) =
            (&mut self.waiting, &mut self.curious, &mut self.for_scan);
        let command = machine.command();
        let resting = command == Command::Rest;
        let looking = resting && !curious.is_empty();
        let scanning = resting && !looking && !for_scan.is_empty();
        let tell = |news| desk.report(news);
        let mut work = pin!(async {
            if looking {
                Done::Looked(
                    select_until(driver.link(), clock, clock.now().after(LINK_LIMIT)).await,
                )
            } else if scanning {
                let until = clock.now().after(SCAN_LIMIT);
                Done::Scanned(select_until(driver.scan(), clock, until).await)
            } else {
                let attempt = Attempt::new(sightings, &tell);
                Done::Answer(perform(&command, driver, store, clock, attempt).await)
            }
        });
        let done = loop {
            let (ticket, request) = match select(work.as_mut(), desk.requests.receive()).await {
                Either::First(done) => break Some(done),
                Either::Second(asked) => asked,
            };
            let (reply, input) = match request {
                Request::Start { parting } => {
                    (machine.admit(TaskKind::Pair), Input::Start { parting })
                }
                Request::Configure { settings, parting } => {
                    (machine.admit(TaskKind::Configure), Input::Configure { settings, parting })
                }
                Request::Cancel => (Some(Ok(())), Input::Cancel),
                // A look around takes long: what was known last has to do.
                Request::Link if resting && !scanning => {
                    desk.hold(curious, ticket);
                    if looking {
                        continue;
                    }
                    break None;
                }
                Request::Scan if resting && self.scanned.is_none_or(|it| it <= clock.now()) => {
                    desk.hold(for_scan, ticket);
                    if looking || scanning {
                        continue;
                    }
                    break None;
                }
                Request::Link | Request::Scan => {
                    desk.reply(ticket, Ok(()));
                    continue;
                }
            };
            machine.handle(clock.now(), input);
            match reply {
                Some(reply) => desk.reply(ticket, reply),
                None => desk.hold(waiting, ticket),
            }
            // A request that changes nothing must not disturb the work.
            if machine.command() != command {
                break None;
            }
        };
        match done {
            Some(Done::Answer(input)) => {
                if input == Input::Applied(Ok(())) {
                    desk.report(News::OnAir);
                }
                machine.handle(clock.now(), input);
            }
            Some(Done::Looked(answer)) => {
                desk.set_link(answer.and_then(Result::ok));
                desk.reply_all(curious, Ok(()));
            }
            Some(Done::Scanned(answer)) => {
                desk.set_scan(answer.and_then(Result::ok));
                self.scanned = Some(clock.now().after(SCAN_EVERY));
                desk.reply_all(for_scan, Ok(()));
            }
            None => {}
        }
        if let Some(answer) = machine.answer() {
            desk.reply_all(waiting, answer);
        }
        if machine.command() != Command::Rest {
            // The driver is busy: what was known last has to do.
            desk.reply_all(curious, Ok(()));
            desk.reply_all(for_scan, Ok(()));
        }
        desk.set_settings(machine.settled());
        desk.publish(machine.status());
    }
}

#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
enum Done<E> {
    Answer(Input),
    Looked(Option<Result<Link, E>>),
    Scanned(Option<Result<Neighbours, E>>),
}

/// Does one command, but not past its instant.
async fn perform<D: WifiDriver, S: SettingsStore>(
    command: &Command,
    driver: &mut D,
    store: &mut S,
    clock: &impl Clock,
    mut attempt: Attempt<'_>,
) -> Input {
    let kind = |error: D::Error| -> ErrorKind {
        info!("radio: {:?}", crate::logging::Debug(&error));
        error.kind()
    };
    match command {
        Command::Rest => pending().await,
        Command::Pause(until) => {
            clock.sleep_until(*until).await;
            Input::Elapsed
        }
        Command::Note(until) => {
            *attempt.sightings = Sightings::default();
            let noted = select_until(driver.snapshot(), clock, *until).await;
            noted.map_or(Input::Elapsed, |noted| Input::Noted(noted.map_err(kind)))
        }
        Command::Save(record, until) => {
            let saved = select_until(store.save(record), clock, *until).await;
            saved.map_or(Input::Elapsed, |saved| {
                Input::Saved(saved.map_err(|error| {
                    info!("store: {:?}", crate::logging::Debug(&error));
                }))
            })
        }
        Command::Apply(settings, snapshot, until) => {
            let applied = select_until(driver.apply(settings, snapshot), clock, *until).await;
            applied.map_or(Input::Elapsed, |applied| Input::Applied(applied.map_err(kind)))
        }
        Command::Pair(until) => {
            let offered = select_until(driver.pair(&mut attempt), clock, *until).await;
            offered.map_or(Input::Elapsed, |offered| Input::Offered(offered.map_err(kind)))
        }
        Command::Join(network, snapshot, until) => {
            let joined = select_until(driver.join(network, snapshot), clock, *until).await;
            joined.map_or(Input::Elapsed, |joined| Input::Joined(joined.map_err(kind)))
        }
    }
}

/// The answer, or none if the instant comes first.
pub(crate) async fn select_until<F: Future>(
    work: F,
    clock: &impl Clock,
    until: Instant,
) -> Option<F::Output> {
    match select(work, clock.sleep_until(until)).await {
        Either::First(answer) => Some(answer),
        Either::Second(()) => None,
    }
}
