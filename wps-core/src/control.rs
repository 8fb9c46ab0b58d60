//! The state that the [`Runner`](crate::Runner) shares with any number of front ends (button, lamp,
//! web page): requests go in, the status comes out.

use core::cell::{Cell, RefCell};
use core::mem;
use core::time::Duration;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use embassy_sync::watch::{Receiver, Watch};

use crate::command::RequestError;
use crate::driver::PairEvent;
use crate::link::Link;
#[cfg(feature = "scan")]
use crate::logging::debug;
#[cfg(any(feature = "log", feature = "defmt"))]
use crate::logging::info;
use crate::machine::Machine;
#[cfg(feature = "scan")]
use crate::scan::ScanResults;
use crate::settings::Settings;
use crate::status::{Phase, Status};
use crate::time::Millis;
use crate::wsc::Bssid;
#[cfg(feature = "scan")]
use crate::wsc::Router;

/// How many requests may wait in the queue. The runner takes each one as soon as it is polled.
const MAX_QUEUED_REQUESTS: usize = 4;

/// The shared state: requests in, status out.
///
/// * `M` is the platform's raw mutex: `CriticalSectionRawMutex` if front ends run on other threads
///   or in interrupts, `NoopRawMutex` if everything runs on one executor. Both are in
///   [`embassy_sync`](crate::embassy_sync), which this crate re-exports.
/// * `SLOTS` is the number of requests that can wait for a reply at the same time. One more is
///   refused as [busy](RequestError::Busy).
/// * `LISTENERS` is the number of [`StatusListener`]s that can exist at the same time.
///
/// `CriticalSectionRawMutex` needs an implementation of the crate `critical-section`, or the
/// program does not link. On a host: `critical-section = { version = "1", features = ["std"] }`.
///
/// The defaults are right for a button, a lamp and a few other tasks. An HTTP server needs one of
/// each for every connection that it serves at the same time.
///
/// ```
/// use wps_core::Control;
/// use wps_core::embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
///
/// static CONTROL: Control<CriticalSectionRawMutex> = Control::new(); // 4 of each
/// static LARGER: Control<CriticalSectionRawMutex, 8, 6> = Control::new();
/// ```
pub struct Control<M: RawMutex, const SLOTS: usize = 4, const LISTENERS: usize = 4> {
    pub(crate) requests: Channel<M, (RequestId, Request), MAX_QUEUED_REQUESTS>,
    reply_slots: [ReplySlot<M>; SLOTS],
    pub(crate) status: Watch<M, Status, LISTENERS>,
    link: Mutex<M, RefCell<Option<Link>>>,
    #[cfg(feature = "scan")]
    scan: Mutex<M, RefCell<Option<ScanResults>>>,
    settings: Mutex<M, RefCell<SharedSettings>>,
    next_request: Mutex<M, Cell<u32>>,
}

/// Receives the status of a device, now and at every change. Dropping it frees its place for
/// another listener.
///
/// It keeps only the latest status: a listener that is slow skips those in between.
pub struct StatusListener<'c, M: RawMutex, const LISTENERS: usize = 4>(
    Receiver<'c, M, Status, LISTENERS>,
);

impl<M: RawMutex, const LISTENERS: usize> StatusListener<'_, M, LISTENERS> {
    /// Returns the current status. Waits for the first one if the runner has not started yet.
    pub async fn get(&mut self) -> Status {
        self.0.get().await
    }

    /// Returns the current status, or `None` before the runner's first step.
    pub fn try_get(&mut self) -> Option<Status> {
        self.0.try_get()
    }

    /// Waits until the status has changed since this listener last returned it, and returns it.
    pub async fn changed(&mut self) -> Status {
        self.0.changed().await
    }

    /// Returns the status if it has changed since this listener last returned it, otherwise `None`.
    pub fn try_changed(&mut self) -> Option<Status> {
        self.0.try_changed()
    }

    /// Waits until the status fulfills `condition`, and returns it. Returns at once if the current
    /// status does.
    pub async fn wait_for(&mut self, condition: impl Fn(&Status) -> bool) -> Status {
        self.0.get_and(condition).await
    }
}

/// Identifies one request: the reply slot in which the requester waits, and the request's number.
///
/// The number keeps a late reply, to a requester that no longer waits, from reaching the next
/// requester in the same slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId {
    slot: u16,
    number: u32,
}

impl RequestId {
    /// The id of a request that has no reply slot and gets no reply.
    const WITHOUT_REPLY: Self = Self { slot: u16::MAX, number: 0 };
}

/// A place in which one requester waits for its reply.
struct ReplySlot<M: RawMutex> {
    owner: Mutex<M, SlotOwner>,
    reply: Signal<M, Reply>,
}

impl<M: RawMutex> ReplySlot<M> {
    const fn new() -> Self {
        Self { owner: Mutex::new(Cell::new(None)), reply: Signal::new() }
    }
}

/// The number of the request that uses a slot, and what its reply waits for if it is deferred.
/// `None` if the slot is free.
type SlotOwner = Cell<Option<(u32, Option<ReplyAfter>)>>;

/// The event after which a deferred reply is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyAfter {
    /// The journal is on disk, or the task has ended before that.
    Journaling,
    /// The driver has returned the state of the link.
    Link,
    /// The driver has returned its scan results.
    #[cfg(feature = "scan")]
    Scan,
}

/// The settings that the runner shows to the front ends, or that a front end requests from the
/// runner. One place is enough for both: once a change is requested, no settings are in force.
#[allow(clippy::large_enum_variant, reason = "there is no heap to box it on")]
enum SharedSettings {
    Empty,
    InForce(Settings),
    /// The settings of a [`Request::Configure`] that the runner has not taken yet.
    Requested(Settings),
}

/// Holds a reply slot. Frees it when dropped.
struct SlotGuard<'d, M: RawMutex> {
    slot: &'d ReplySlot<M>,
    id: RequestId,
}

impl<M: RawMutex> Drop for SlotGuard<'_, M> {
    fn drop(&mut self) {
        self.slot.owner.lock(|owner| owner.set(None));
    }
}

pub(crate) type Reply = Result<(), RequestError>;

pub(crate) enum Request {
    /// Starts a pairing, with one access point or with any.
    Start {
        reply_grace: Millis,
        only: Option<Bssid>,
    },
    /// Starts a change to the [requested settings](Control::take_requested_settings).
    Configure {
        reply_grace: Millis,
    },
    Cancel,
    Link,
    #[cfg(feature = "scan")]
    Scan,
}

impl<M: RawMutex, const SLOTS: usize, const LISTENERS: usize> Control<M, SLOTS, LISTENERS> {
    /// Creates a control without a runner. Requests wait until a [`Runner`](crate::Runner) takes
    /// them.
    pub const fn new() -> Self {
        Self {
            requests: Channel::new(),
            reply_slots: [const { ReplySlot::new() }; SLOTS],
            status: Watch::new(),
            link: Mutex::new(RefCell::new(None)),
            #[cfg(feature = "scan")]
            scan: Mutex::new(RefCell::new(None)),
            settings: Mutex::new(RefCell::new(SharedSettings::Empty)),
            next_request: Mutex::new(Cell::new(0)),
        }
    }

    /// Starts a pairing and returns once it is in the journal. If a pairing is already running,
    /// returns `Ok` and leaves it unchanged. The status shows the pairing before this returns, so
    /// its end is the next status that is [idle](Phase::Idle).
    ///
    /// While settings are being restored, the request waits for up to
    /// [5 s](crate::command::REQUEST_WAIT_TIMEOUT).
    ///
    /// `reply_grace` is the time that the radio stays on its network after that, so that a client
    /// can still receive the reply. Zero is right for a button.
    ///
    /// Dropping the future does not withdraw the request.
    ///
    /// # Errors
    /// [`RequestError`] if the pairing was not started. The radio was not touched.
    pub async fn start(&self, reply_grace: Duration) -> Result<(), RequestError> {
        self.send(Request::Start { reply_grace: reply_grace.into(), only: None }).await
    }

    /// Starts a pairing with one access point, whose button must be pressed. It ignores all other
    /// access points, so there is no session overlap. Otherwise as [`start`](Self::start): a
    /// pairing that is already running stays as it is, even if it is with another access point.
    ///
    /// # Errors
    /// [`RequestError`] if the pairing was not started, with
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if the driver cannot do it.
    pub async fn start_with(
        &self,
        access_point: Bssid,
        reply_grace: Duration,
    ) -> Result<(), RequestError> {
        let only = Some(access_point);
        self.send(Request::Start { reply_grace: reply_grace.into(), only }).await
    }

    /// Starts a change of the settings and returns once it is in the journal. The status shows how
    /// the change ended.
    ///
    /// # Errors
    /// [`RequestError`] if the change was not started, as always during a pairing. The radio was
    /// not touched.
    pub async fn configure(
        &self,
        settings: Settings,
        reply_grace: Duration,
    ) -> Result<(), RequestError> {
        let guard = self.claim_slot()?;
        let request = Request::Configure { reply_grace: reply_grace.into() };
        self.send_settings(settings, (guard.id, request))?;
        guard.slot.reply.wait().await
    }

    /// Cancels the running pairing or change of settings. The failure rule decides which settings
    /// remain. Does nothing if no task is running, or if it is too late to cancel.
    pub async fn cancel(&self) {
        // It fails only if no reply slot is free. The request then goes out without one.
        if self.send(Request::Cancel).await.is_err() {
            self.requests.send((RequestId::WITHOUT_REPLY, Request::Cancel)).await;
        }
    }

    /// Returns the state of the radio's link: read now if no task is running, otherwise as last
    /// known.
    pub async fn link(&self) -> Option<Link> {
        let _ = self.send(Request::Link).await;
        self.link.lock(|link| link.borrow().clone())
    }

    /// Returns the access points in range (feature `scan`). Returns `None` if the radio could not
    /// scan.
    ///
    /// Scans now if no task is running and the last scan ended more than 5 s ago. Otherwise returns
    /// the last known results. During a pairing those are the results of its own search.
    #[cfg(feature = "scan")]
    pub async fn scan(&self) -> Option<ScanResults> {
        let _ = self.send(Request::Scan).await;
        self.scan.lock(|scan| scan.borrow().clone())
    }

    /// Returns the settings in force, with their secrets. Returns `None` while a task that may
    /// change them is running.
    pub fn settings(&self) -> Option<Settings> {
        self.settings.lock(|shared| match &*shared.borrow() {
            SharedSettings::InForce(settings) => Some(settings.clone()),
            SharedSettings::Empty | SharedSettings::Requested(_) => None,
        })
    }

    /// Returns the current status, or `None` before the runner's first step.
    pub fn status(&self) -> Option<Status> {
        self.status.try_get()
    }

    /// Returns a listener that gets the status at once and at every change. Returns `None` if
    /// `LISTENERS` of them exist already.
    pub fn listen(&self) -> Option<StatusListener<'_, M, LISTENERS>> {
        self.status.receiver().map(StatusListener)
    }

    pub(crate) fn set_link(&self, link: Option<Link>) {
        self.link.lock(|known| known.replace(link));
    }

    #[cfg(feature = "scan")]
    pub(crate) fn set_scan(&self, results: Option<ScanResults>) {
        self.scan.lock(|known| known.replace(results));
    }

    /// Shows the settings in force, or none while a task is running.
    pub(crate) fn set_settings(&self, in_force: Option<&Settings>) {
        self.settings.lock(|shared| {
            let mut shared = shared.borrow_mut();
            match (&*shared, in_force) {
                (SharedSettings::Empty, Some(in_force)) => {
                    *shared = SharedSettings::InForce(in_force.clone());
                }
                (SharedSettings::InForce(_), None) => *shared = SharedSettings::Empty,
                // The settings in force never change without a task, during which there are none.
                (SharedSettings::InForce(_), Some(_))
                | (SharedSettings::Requested(_), _)
                | (SharedSettings::Empty, None) => {}
            }
        });
    }

    /// Takes the settings that a [`Request::Configure`] asks for.
    pub(crate) fn take_requested_settings(&self) -> Option<Settings> {
        self.settings.lock(|shared| {
            let mut shared = shared.borrow_mut();
            let requested = match &*shared {
                SharedSettings::Requested(settings) => settings.clone(),
                SharedSettings::Empty | SharedSettings::InForce(_) => return None,
            };
            *shared = SharedSettings::Empty; // wipes the secrets, which a move would not
            Some(requested)
        })
    }

    /// Puts an event from the driver into the status. The machine does not need it.
    pub(crate) fn on_pair_event(&self, event: PairEvent) {
        #[cfg(feature = "scan")]
        if let PairEvent::Pressed(router) = &event {
            return self.record_pressed(router);
        }
        self.update_status(|known| match (known, &event) {
            (Some(status), PairEvent::Progress(progress)) if status.phase == Phase::Searching => {
                let changed = status.progress != *progress;
                if changed {
                    status.progress = progress.clone();
                }
                changed
            }
            (Some(status), PairEvent::OffAir | PairEvent::OnAir)
                if status.phase == Phase::Searching =>
            {
                let off_air = event == PairEvent::OffAir;
                mem::replace(&mut status.off_air, off_air) != off_air
            }
            (Some(_) | None, _) => false,
        });
    }

    #[cfg(feature = "scan")]
    fn record_pressed(&self, router: &Router) {
        let has_changed = self.modify_status(|known| match known {
            Some(status) if status.phase == Phase::Searching => status.pressed.record(router),
            Some(_) | None => false,
        });
        if has_changed {
            debug!("pressed: {:?}", router);
        }
    }

    /// Publishes the machine's status. What the driver has reported stays while the search goes on.
    pub(crate) fn publish(&self, machine: &Machine) {
        self.update_status(|known| {
            let mut status = machine.status();
            if let Some(known) = known.as_ref()
                && (&known.phase, &status.phase) == (&Phase::Searching, &Phase::Searching)
            {
                status.progress = known.progress.clone();
                status.off_air = known.off_air;
            }
            #[cfg(feature = "scan")]
            if let Some(known) = known.as_ref()
                && machine.keeps_pressed()
            {
                status.pressed = known.pressed.clone();
            }
            let changed = known.as_ref() != Some(&status);
            *known = Some(status);
            changed
        });
    }

    /// Publishes the machine's settings and status, and then sends the reply to the requests that
    /// wait for the journal. In this order, a requester that has its reply sees its own task in the
    /// status.
    pub(crate) fn publish_and_reply(&self, machine: &Machine, reply: Option<Reply>) {
        self.set_settings(machine.settings_in_force());
        self.publish(machine);
        if let Some(reply) = reply {
            self.reply_deferred(ReplyAfter::Journaling, reply);
        }
    }

    /// Updates the status, and wakes the listeners if `update` returns that it has changed. Returns
    /// whether it has. Only the runner calls this.
    fn modify_status(&self, update: impl Fn(&mut Option<Status>) -> bool) -> bool {
        let changed = Cell::new(false);
        self.status.sender().send_if_modified(|status| {
            changed.set(update(status));
            changed.get()
        });
        changed.get()
    }

    /// Updates the status in the same way, and logs it.
    fn update_status(&self, update: impl Fn(&mut Option<Status>) -> bool) {
        let has_changed = self.modify_status(update);
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        let _ = has_changed;
        #[cfg(any(feature = "log", feature = "defmt"))]
        if let Some(status) = self.status().filter(|_| has_changed) {
            if status.phase == Phase::Searching {
                info!("Searching: {:?}", status.progress);
            } else {
                info!("{:?}, last: {:?}", status.phase, status.last);
            }
        }
    }

    /// Sends the reply to a request, if its requester still waits.
    pub(crate) fn reply(&self, id: RequestId, reply: Reply) {
        self.with_slot(id, |slot, _| slot.reply.signal(reply));
    }

    /// Defers the reply to a request, if its requester still waits.
    pub(crate) fn defer_reply(&self, id: RequestId, after: ReplyAfter) {
        self.with_slot(id, |_, owner| owner.set(Some((id.number, Some(after)))));
    }

    /// Calls `f` with the reply slot of a request, unless the request no longer uses it. The slot
    /// cannot change its owner during the call.
    fn with_slot(&self, id: RequestId, f: impl FnOnce(&ReplySlot<M>, &SlotOwner)) {
        if let Some(slot) = self.reply_slots.get(usize::from(id.slot)) {
            slot.owner.lock(|owner| match owner.get() {
                Some((number, _)) if number == id.number => f(slot, owner),
                Some(_) | None => {}
            });
        }
    }

    /// Returns whether any requester still waits for a reply that is deferred until `after`.
    pub(crate) fn has_deferred(&self, after: ReplyAfter) -> bool {
        let waits = |owner: &SlotOwner| owner.get().is_some_and(|(_, it)| it == Some(after));
        self.reply_slots.iter().any(|slot| slot.owner.lock(waits))
    }

    /// Sends the reply to every request that is deferred until `after`.
    pub(crate) fn reply_deferred(&self, after: ReplyAfter, reply: Reply) {
        for slot in &self.reply_slots {
            slot.owner.lock(|owner| match owner.get() {
                Some((number, Some(it))) if it == after => {
                    owner.set(Some((number, None)));
                    slot.reply.signal(reply);
                }
                Some(_) | None => {}
            });
        }
    }

    /// Sends a request to the runner and waits for the reply.
    async fn send(&self, request: Request) -> Reply {
        let guard = self.claim_slot()?;
        self.requests.send((guard.id, request)).await;
        guard.slot.reply.wait().await
    }

    /// Claims a free reply slot for a new request.
    fn claim_slot(&self) -> Result<SlotGuard<'_, M>, RequestError> {
        let number = self.next_request.lock(|next| next.replace(next.get().wrapping_add(1)));
        let claim = |slot: &ReplySlot<M>| {
            slot.owner.lock(|owner| {
                let free = owner.get().is_none();
                owner.set(owner.get().or(Some((number, None))));
                free
            })
        };
        let claimed = (0..).zip(&self.reply_slots).find(|(_, slot)| claim(slot));
        let (index, slot) = claimed.ok_or(RequestError::Busy)?;
        slot.reply.reset();
        Ok(SlotGuard { slot, id: RequestId { slot: index, number } })
    }

    /// Shares the settings and queues the request, or does neither: the runner takes both together.
    fn send_settings(&self, settings: Settings, request: (RequestId, Request)) -> Reply {
        self.settings.lock(|shared| {
            let mut shared = shared.borrow_mut();
            match &*shared {
                // The second of two changes is refused, as it is once the first one is running.
                SharedSettings::Requested(_) => Err(RequestError::Busy),
                SharedSettings::Empty | SharedSettings::InForce(_) => {
                    self.requests.try_send(request).map_err(|_| RequestError::Busy)?;
                    *shared = SharedSettings::Requested(settings);
                    Ok(())
                }
            }
        })
    }
}

impl<M: RawMutex, const SLOTS: usize, const LISTENERS: usize> Default
    for Control<M, SLOTS, LISTENERS>
{
    fn default() -> Self {
        Self::new()
    }
}
