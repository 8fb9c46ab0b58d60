//! Where requests come in and the status goes out: shared between the [`Runner`](crate::Runner) and
//! any number of fronts (button, web page, lamp).

use core::cell::{Cell, RefCell};
use core::time::Duration;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use embassy_sync::watch::{Receiver, Watch};
use heapless::Vec;

use crate::command::Refusal;
use crate::driver::{Link, News};
use crate::logging::info;
use crate::scan::Neighbours;
use crate::settings::Settings;
use crate::status::{Phase, Status};

/// How many requests may wait for the runner.
const WAITING: usize = 8;

/// Requests in, status out. `N` is how many fronts may listen or wait at the same time.
///
/// The raw mutex is the platform's: `CriticalSectionRawMutex` where fronts run on other threads or
/// in interrupts, `NoopRawMutex` where everything runs on one executor.
pub struct Desk<M: RawMutex, const N: usize> {
    pub(crate) requests: Channel<M, (Ticket, Request), WAITING>,
    seats: [Seat<M>; N],
    pub(crate) status: Watch<M, Status, N>,
    link: Mutex<M, RefCell<Option<Link>>>,
    scan: Mutex<M, RefCell<Option<Neighbours>>>,
    settled: Mutex<M, RefCell<Option<Settings>>>,
    tickets: Mutex<M, Cell<u32>>,
}

/// Who waits for which reply: the seat a requester waits in, and the number of its request, so that a
/// reply to one who has left is not taken for the next one's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    seat: usize,
    number: u32,
}

struct Seat<M: RawMutex> {
    /// The number of the request whose requester sits here.
    taken: Mutex<M, Cell<Option<u32>>>,
    reply: Signal<M, Reply>,
}

/// A taken seat; free again when dropped.
struct Sitting<'d, M: RawMutex>(&'d Seat<M>);

impl<M: RawMutex> Drop for Sitting<'_, M> {
    fn drop(&mut self) {
        self.0.taken.lock(|taken| taken.set(None));
    }
}

pub(crate) type Reply = Result<(), Refusal>;

#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
pub(crate) enum Request {
    Start { parting: Duration },
    Configure { settings: Settings, parting: Duration },
    Cancel,
    Link,
    Scan,
}

impl<M: RawMutex, const N: usize> Desk<M, N> {
    /// A desk that nobody sits at yet: requests wait until a runner takes them.
    pub const fn new() -> Self {
        Self {
            requests: Channel::new(),
            seats: [const { Seat { taken: Mutex::new(Cell::new(None)), reply: Signal::new() } }; N],
            status: Watch::new(),
            link: Mutex::new(RefCell::new(None)),
            scan: Mutex::new(RefCell::new(None)),
            settled: Mutex::new(RefCell::new(None)),
            tickets: Mutex::new(Cell::new(0)),
        }
    }

    /// Starts a pairing. Returns once it is journalled, with `parting` left before the radio moves
    /// (zero for a button); also when one is already running, which goes on unchanged.
    ///
    /// Dropping the future does not take the request back.
    ///
    /// # Errors
    /// [`Refusal`]: the radio was not touched.
    pub async fn start(&self, parting: Duration) -> Result<(), Refusal> {
        self.ask(Request::Start { parting }).await
    }

    /// Changes the settings. Returns once the change is journalled; how it ended is told by the
    /// status.
    ///
    /// # Errors
    /// [`Refusal`]: the radio was not touched. During a pairing: always.
    pub async fn configure(&self, settings: Settings, parting: Duration) -> Result<(), Refusal> {
        self.ask(Request::Configure { settings, parting }).await
    }

    /// Ends a pairing, or a change of the settings, by its failure rule; does nothing when none is
    /// running, or when it is too late.
    pub async fn cancel(&self) {
        // Cancelling is never refused; a desk too busy to take the reply has taken the request.
        let _ = self.ask(Request::Cancel).await;
    }

    /// What the radio is doing: asked now while nothing is under way, else what was known last.
    pub async fn link(&self) -> Option<Link> {
        let _ = self.ask(Request::Link).await;
        self.link.lock(|link| link.borrow().clone())
    }

    /// The access points in range: looked for now while nothing is under way, unless that was done
    /// within the last 5 s, else what was known last. None if the radio could not look.
    pub async fn scan(&self) -> Option<Neighbours> {
        let _ = self.ask(Request::Scan).await;
        self.scan.lock(|scan| scan.borrow().clone())
    }

    /// The settings in force, with their secrets; none while they are being changed, or may be.
    pub fn settings(&self) -> Option<Settings> {
        self.settled.lock(|settled| settled.borrow().clone())
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

    pub(crate) fn set_scan(&self, known: Option<Neighbours>) {
        self.scan.lock(|scan| scan.replace(known));
    }

    pub(crate) fn set_settings(&self, settled: Option<&Settings>) {
        self.settled.lock(|known| {
            if known.borrow().as_ref() != settled {
                known.replace(settled.cloned());
            }
        });
    }

    /// News from the driver, past the machine straight to the status.
    pub(crate) fn report(&self, news: News) {
        if let Some(status) = self.status().filter(|status| status.phase == Phase::Searching) {
            self.tell(match news {
                News::Seen(seen) => Status { seen, ..status },
                News::OffAir => Status { off_air: true, ..status },
                News::OnAir => Status { off_air: false, ..status },
            });
        }
    }

    /// The machine's status. What the driver told stays as long as the search goes on.
    pub(crate) fn publish(&self, status: Status) {
        match self.status() {
            Some(Status { phase: Phase::Searching, seen, off_air, .. })
                if status.phase == Phase::Searching =>
            {
                self.tell(Status { seen, off_air, ..status });
            }
            Some(_) | None => self.tell(status),
        }
    }

    /// Wakes the listeners, if anything changed for them. The runner is the only one that tells.
    fn tell(&self, status: Status) {
        if self.status().as_ref() != Some(&status) {
            if status.phase == Phase::Searching {
                info!("Searching: {:?}", status.seen);
            } else {
                info!("{:?}, last: {:?}", status.phase, status.last);
            }
            self.status.sender().send(status);
        }
    }

    pub(crate) fn reply(&self, ticket: Ticket, reply: Reply) {
        if let Some(seat) = self.seats.get(ticket.seat).filter(|_| self.waits(ticket)) {
            seat.reply.signal(reply);
        }
    }

    /// Lets a requester wait. Those who have left make room; there are no more than seats.
    pub(crate) fn hold(&self, waiting: &mut Vec<Ticket, N>, ticket: Ticket) {
        waiting.retain(|other| self.waits(*other));
        if waiting.push(ticket).is_err() {
            self.reply(ticket, Err(Refusal::Busy));
        }
    }

    pub(crate) fn reply_all(&self, waiting: &mut Vec<Ticket, N>, reply: Reply) {
        while let Some(ticket) = waiting.pop() {
            self.reply(ticket, reply);
        }
    }

    /// Whether the requester is still there.
    fn waits(&self, ticket: Ticket) -> bool {
        let seat = self.seats.get(ticket.seat);
        seat.is_some_and(|seat| seat.taken.lock(Cell::get) == Some(ticket.number))
    }

    async fn ask(&self, request: Request) -> Reply {
        let number = self.tickets.lock(|next| next.replace(next.get().wrapping_add(1)));
        let take = |seat: &Seat<M>| {
            seat.taken.lock(|taken| {
                let free = taken.get().is_none();
                taken.set(taken.get().or(Some(number)));
                free
            })
        };
        let free = self.seats.iter().enumerate().find(|(_, seat)| take(seat));
        let (place, seat) = free.ok_or(Refusal::Busy)?;
        let _sitting = Sitting(seat);
        seat.reply.reset();
        self.requests.send((Ticket { seat: place, number }, request)).await;
        seat.reply.wait().await
    }
}

impl<M: RawMutex, const N: usize> Default for Desk<M, N> {
    fn default() -> Self {
        Self::new()
    }
}
