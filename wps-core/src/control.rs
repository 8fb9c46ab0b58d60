//! Where requests come in and the status goes out: shared between the [`Runner`](crate::Runner) and
//! any number of fronts (button, web page, lamp).

use core::cell::{Cell, RefCell};
use core::mem;
use core::time::Duration;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use embassy_sync::watch::{Receiver, Watch};

use crate::command::RequestError;
use crate::driver::{Link, PairEvent};
#[cfg(any(feature = "log", feature = "defmt"))]
use crate::logging::info;
use crate::machine::Machine;
#[cfg(feature = "scan")]
use crate::scan::ScanResults;
use crate::settings::Settings;
use crate::status::{Phase, Status, TaskKind};
use crate::time::Millis;

/// How many requests may wait for the runner, which takes them as they come.
const WAITING: usize = 4;

/// Requests in, status out. `N` is how many fronts may listen or wait at the same time.
///
/// The raw mutex is the platform's: `CriticalSectionRawMutex` where fronts run on other threads or
/// in interrupts, `NoopRawMutex` where everything runs on one executor.
pub struct Control<M: RawMutex, const N: usize> {
    pub(crate) requests: Channel<M, (Ticket, Request), WAITING>,
    seats: [Seat<M>; N],
    pub(crate) status: Watch<M, Status, N>,
    link: Mutex<M, RefCell<Option<Link>>>,
    #[cfg(feature = "scan")]
    scan: Mutex<M, RefCell<Option<ScanResults>>>,
    settings: Mutex<M, RefCell<Shown>>,
    tickets: Mutex<M, Cell<u32>>,
}

/// Who waits for which reply: the seat a requester waits in, and the number of its request, so that a
/// reply to one who has left is not taken for the next one's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    seat: u16,
    number: u32,
}

impl Ticket {
    /// Of no seat.
    const NOBODY: Self = Self { seat: u16::MAX, number: 0 };
}

struct Seat<M: RawMutex> {
    /// Who sits here, and what for if the reply has to wait.
    taken: Mutex<M, Taken>,
    reply: Signal<M, Reply>,
}

type Taken = Cell<Option<(u32, Option<Wait>)>>;

/// What a reply waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The journal is on disk, or the start refused.
    Start,
    /// The radio has told about its link.
    Link,
    /// The radio has looked around.
    #[cfg(feature = "scan")]
    Scan,
}

/// The settings that lie on the desk: one place for both, as a change puts an end to what is in force.
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
enum Shown {
    Nothing,
    InForce(Settings),
    /// For the runner, by [`Request::Configure`].
    Wanted(Settings),
}

/// A taken seat; free again when dropped.
struct Sitting<'d, M: RawMutex> {
    seat: &'d Seat<M>,
    ticket: Ticket,
}

impl<M: RawMutex> Drop for Sitting<'_, M> {
    fn drop(&mut self) {
        self.seat.taken.lock(|taken| taken.set(None));
    }
}

pub(crate) type Reply = Result<(), RequestError>;

pub(crate) enum Request {
    /// A pairing, or a change to the settings that [lie on the desk](Control::take_wanted).
    Start(TaskKind, Millis),
    Cancel,
    Link,
    #[cfg(feature = "scan")]
    Scan,
}

impl<M: RawMutex, const N: usize> Control<M, N> {
    /// A desk that nobody sits at yet: requests wait until a runner takes them.
    pub const fn new() -> Self {
        Self {
            requests: Channel::new(),
            seats: [const { Seat { taken: Mutex::new(Cell::new(None)), reply: Signal::new() } }; N],
            status: Watch::new(),
            link: Mutex::new(RefCell::new(None)),
            #[cfg(feature = "scan")]
            scan: Mutex::new(RefCell::new(None)),
            settings: Mutex::new(RefCell::new(Shown::Nothing)),
            tickets: Mutex::new(Cell::new(0)),
        }
    }

    /// Starts a pairing. Returns once it is journalled, with `reply_grace` left before the radio leaves
    /// its network (zero for a button); also when one is already running, which goes on unchanged.
    ///
    /// Dropping the future does not take the request back.
    ///
    /// # Errors
    /// [`RequestError`]: the radio was not touched.
    pub async fn start(&self, reply_grace: Duration) -> Result<(), RequestError> {
        self.ask(Request::Start(TaskKind::Pair, reply_grace.into())).await
    }

    /// Changes the settings. Returns once the change is journalled; how it ended is told by the
    /// status.
    ///
    /// # Errors
    /// [`RequestError`]: the radio was not touched. During a pairing: always.
    pub async fn configure(
        &self,
        settings: Settings,
        reply_grace: Duration,
    ) -> Result<(), RequestError> {
        let sitting = self.sit()?;
        let request = Request::Start(TaskKind::Configure, reply_grace.into());
        self.want(settings, (sitting.ticket, request))?;
        sitting.seat.reply.wait().await
    }

    /// Ends a pairing, or a change of the settings, by its failure rule; does nothing when none is
    /// running, or when it is too late.
    pub async fn cancel(&self) {
        // Only the lack of a seat refuses it. Then nobody waits for the reply, but the runner is told.
        if self.ask(Request::Cancel).await.is_err() {
            self.requests.send((Ticket::NOBODY, Request::Cancel)).await;
        }
    }

    /// What the radio is doing: asked now while nothing is under way, else what was known last.
    pub async fn link(&self) -> Option<Link> {
        let _ = self.ask(Request::Link).await;
        self.link.lock(|link| link.borrow().clone())
    }

    /// The access points in range (feature `scan`): looked for now while nothing is under way, unless that was done
    /// within the last 5 s, else what was known last: during a pairing what that hears. None if the radio could not look.
    #[cfg(feature = "scan")]
    pub async fn scan(&self) -> Option<ScanResults> {
        let _ = self.ask(Request::Scan).await;
        self.scan.lock(|scan| scan.borrow().clone())
    }

    /// The settings in force, with their secrets; none while they are being changed, or may be.
    pub fn settings(&self) -> Option<Settings> {
        self.settings.lock(|shown| match &*shown.borrow() {
            Shown::InForce(settings) => Some(settings.clone()),
            Shown::Nothing | Shown::Wanted(_) => None,
        })
    }

    /// The status as it is now; none before the runner's first step.
    pub fn status(&self) -> Option<Status> {
        self.status.try_get()
    }

    /// A listener that gets the status at once and at every change; none when `N` already listen.
    pub fn listen(&self) -> Option<Receiver<'_, M, Status, N>> {
        self.status.receiver()
    }

    pub(crate) fn set_link(&self, known: Option<Link>) {
        self.link.lock(|link| link.replace(known));
    }

    #[cfg(feature = "scan")]
    pub(crate) fn set_scan(&self, known: Option<ScanResults>) {
        self.scan.lock(|scan| scan.replace(known));
    }

    pub(crate) fn set_settings(&self, settled: Option<&Settings>) {
        self.settings.lock(|shown| {
            let mut shown = shown.borrow_mut();
            match (&*shown, settled) {
                (Shown::Nothing, Some(settled)) => *shown = Shown::InForce(settled.clone()),
                (Shown::InForce(_), None) => *shown = Shown::Nothing,
                // What is in force changes only by way of something that is not.
                (Shown::InForce(_), Some(_)) | (Shown::Wanted(_), _) | (Shown::Nothing, None) => {}
            }
        });
    }

    /// The settings of a request to change them.
    pub(crate) fn take_wanted(&self) -> Option<Settings> {
        self.settings.lock(|shown| {
            let mut shown = shown.borrow_mut();
            let wanted = match &*shown {
                Shown::Wanted(settings) => settings.clone(),
                Shown::Nothing | Shown::InForce(_) => return None,
            };
            *shown = Shown::Nothing; // and wiped, which what is moved away is not
            Some(wanted)
        })
    }

    /// News from the driver, past the machine straight to the status.
    pub(crate) fn report(&self, news: PairEvent) {
        self.tell(|known| match (known, &news) {
            (Some(status), PairEvent::Progress(seen)) if status.phase == Phase::Searching => {
                let new = status.seen != *seen;
                if new {
                    status.seen = seen.clone();
                }
                new
            }
            (Some(status), PairEvent::OffAir | PairEvent::OnAir)
                if status.phase == Phase::Searching =>
            {
                let off_air = news == PairEvent::OffAir;
                mem::replace(&mut status.off_air, off_air) != off_air
            }
            (Some(_) | None, _) => false,
        });
    }

    /// The machine's status. What the driver told stays as long as the search goes on.
    pub(crate) fn publish(&self, machine: &Machine) {
        self.tell(|known| {
            let mut status = machine.status();
            if let Some(known) = known.as_ref()
                && (&known.phase, &status.phase) == (&Phase::Searching, &Phase::Searching)
            {
                status.seen = known.seen.clone();
                status.off_air = known.off_air;
            }
            let new = known.as_ref() != Some(&status);
            *known = Some(status);
            new
        });
    }

    /// Changes the status and wakes the listeners, if `change` says that there is something new for
    /// them. The runner is the only one that tells.
    fn tell(&self, change: impl Fn(&mut Option<Status>) -> bool) {
        let changed = Cell::new(false);
        self.status.sender().send_if_modified(|status| {
            changed.set(change(status));
            changed.get()
        });
        #[cfg(any(feature = "log", feature = "defmt"))]
        if let Some(status) = self.status().filter(|_| changed.get()) {
            if status.phase == Phase::Searching {
                info!("Searching: {:?}", status.seen);
            } else {
                info!("{:?}, last: {:?}", status.phase, status.last);
            }
        }
    }

    pub(crate) fn reply(&self, ticket: Ticket, reply: Reply) {
        self.at_seat(ticket, |seat, _| seat.reply.signal(reply));
    }

    /// Lets a requester wait, if it is still there.
    pub(crate) fn hold(&self, ticket: Ticket, wait: Wait) {
        self.at_seat(ticket, |_, taken| taken.set(Some((ticket.number, Some(wait)))));
    }

    /// Does it while nobody else can take the seat.
    fn at_seat(&self, ticket: Ticket, act: impl FnOnce(&Seat<M>, &Taken)) {
        if let Some(seat) = self.seats.get(usize::from(ticket.seat)) {
            seat.taken.lock(|taken| match taken.get() {
                Some((number, _)) if number == ticket.number => act(seat, taken),
                Some(_) | None => {}
            });
        }
    }

    /// Whether anybody waits for this. Those who have left do not.
    pub(crate) fn is_awaited(&self, wait: Wait) -> bool {
        let waits = |taken: &Taken| taken.get().is_some_and(|(_, held)| held == Some(wait));
        self.seats.iter().any(|seat| seat.taken.lock(waits))
    }

    pub(crate) fn reply_all(&self, wait: Wait, reply: Reply) {
        for seat in &self.seats {
            seat.taken.lock(|taken| match taken.get() {
                Some((number, Some(held))) if held == wait => {
                    taken.set(Some((number, None)));
                    seat.reply.signal(reply);
                }
                Some(_) | None => {}
            });
        }
    }

    async fn ask(&self, request: Request) -> Reply {
        let sitting = self.sit()?;
        self.requests.send((sitting.ticket, request)).await;
        sitting.seat.reply.wait().await
    }

    fn sit(&self) -> Result<Sitting<'_, M>, RequestError> {
        let number = self.tickets.lock(|next| next.replace(next.get().wrapping_add(1)));
        let take = |seat: &Seat<M>| {
            seat.taken.lock(|taken| {
                let free = taken.get().is_none();
                taken.set(taken.get().or(Some((number, None))));
                free
            })
        };
        let free = (0..).zip(&self.seats).find(|(_, seat)| take(seat));
        let (place, seat) = free.ok_or(RequestError::Busy)?;
        seat.reply.reset();
        Ok(Sitting { seat, ticket: Ticket { seat: place, number } })
    }

    /// Puts the settings on the desk and the request beside them, or neither: the runner takes both.
    fn want(&self, settings: Settings, asked: (Ticket, Request)) -> Reply {
        self.settings.lock(|shown| {
            let mut shown = shown.borrow_mut();
            match &*shown {
                // Of two changes at once the second is refused, as it is when the first has begun.
                Shown::Wanted(_) => Err(RequestError::Busy),
                Shown::Nothing | Shown::InForce(_) => {
                    self.requests.try_send(asked).map_err(|_| RequestError::Busy)?;
                    *shown = Shown::Wanted(settings);
                    Ok(())
                }
            }
        })
    }
}

impl<M: RawMutex, const N: usize> Default for Control<M, N> {
    fn default() -> Self {
        Self::new()
    }
}
