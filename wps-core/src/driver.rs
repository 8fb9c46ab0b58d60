//! The contract of a radio driver: [`WifiDriver`].
//!
//! # For driver authors
//!
//! Three methods change what the radio does (`apply`, `pair`, `join`). Four only observe it
//! (`check_pairing`, `snapshot`, `link`, `scan`). While the device is idle, `maintain` looks after
//! its link. `keep` is only for [platforms that keep networks](#platforms-that-keep-networks). The
//! machine decides *what* to do and *when*; a driver only does it. The rules:
//!
//! 1. **Any method may be called in any radio state**, even twice in a row.
//! 2. **Any future may be dropped at any await.** The next call must find out the radio's actual
//!    state itself. Work that a dropped future began must not take effect later.
//! 3. **A driver has no timeouts.** The machine owns the pairing window, the join timeout and every
//!    other timeout, and drops the future when one expires. The one exception: a driver may limit
//!    how long it waits for the hardware to respond, and then returns [`ErrorKind::NoResponse`].
//! 4. **A driver stores nothing on disk before the network was proven**, and tells its platform not
//!    to. After `join` has proven it, the machine saves the credentials, or the platform does in
//!    `keep`: then exactly this network. After a failure, once `maintain` was called, nothing is
//!    left of it.
//! 5. `pair` **stays connected until a router's button has been pressed**, if the radio can scan
//!    without leaving its network or stopping its own access point. It awaits
//!    [`PairContext::before_disconnect`] before it disconnects, because the client that requested
//!    the pairing may still be receiving its reply over this network. It ignores every event of an
//!    earlier pairing, and never decides by itself that the two minutes are over. If the radio is
//!    off, `pair` switches it on.
//! 6. A driver that searches for pressed routers itself detects session overlap with
//!    [`PairContext::decide`] and a [`ScanPlan`]. The context also takes the driver's
//!    [scan results](PairContext::report_scan_results).
//! 7. **If the radio's software can restart independently of ours**, `maintain` must detect that.
//!    The machine then applies the settings again. If the radio gives up after it has lost its
//!    network, `maintain` joins the network again.
//! 8. **`apply` of the settings that are in force keeps the link**, or the access point. The
//!    machine applies them again whenever it is not sure that the radio has them. After
//!    [`ErrorKind::KeptElsewhere`], the radio is in no network of ours.
//! 9. **`join` proves the key**, even if the network is already joined with another one: the
//!    machine saves what `join` has accepted.
//! 10. **`link` reports what the radio does now**, as far as it reports anything.
//! 11. **`pair` offers an open network only if the access point is known to be open**: see
//!     [`credentials`](crate::wsc::credentials). Otherwise it returns [`ErrorKind::NotOpen`].
//!
//! # Platforms that keep networks
//!
//! Some platforms keep networks themselves, for example NetworkManager, or a module with a store of
//! its own. There the network of a pairing becomes one of the platform's own saved networks. The
//! record has only its name and its [identifier](crate::KeptId), and no key
//! ([`Secret::Kept`](crate::Secret::Kept)). The network stays if this software is uninstalled. A
//! driver for such a platform marks the networks that it adds (below: *ours*), and never changes
//! any other. All other drivers return [`ErrorKind::KeptElsewhere`] for such a record, which
//! [`Secret::key`](crate::Secret::key) does for them, and need nothing of the following.
//!
//! * `snapshot` chooses the identifier of the network that this task may add, and puts it into the
//!   snapshot, so that it is in the journal.
//! * `join` adds the network under this identifier in memory only. If the secret is `Kept`, it
//!   activates that network of the platform, and proves it as usual.
//! * `keep` follows a `join` that has succeeded, and does not interrupt the link. It stores the
//!   network on disk under the identifier, and returns after the disk is synced. A network that is
//!   there under the same identifier is of an earlier try, and is replaced.
//! * `apply` removes networks of ours that are only in memory. On disk it removes nothing. With a
//!   snapshot it ends a task that has failed: it leaves the network of that task and returns to
//!   what the snapshot names. Without one, the platform decides which network it joins: if the
//!   secret is `Kept`, `apply` activates that network only if the platform has no connection and
//!   makes none. It also succeeds if the platform does not have this network.
//! * `maintain` is the only method that removes networks of ours from the disk: those under another
//!   identifier than that of `settings`. If the platform does not have the network that `settings`
//!   name, it removes nothing and returns [`IdleEvent::NetworkRemoved`]. The machine then forgets
//!   the network. If the platform does not answer, `maintain` neither removes nor reports anything.
//! * If `settings` name no network that the platform keeps, a network of ours may be what a device
//!   with a lost record still has. Then `maintain` removes networks only after a task in this run
//!   of the driver, or an interrupted one: after `join`, `keep` or `apply` has got a snapshot that
//!   is not empty. What a power cut between the end of a task and the removal leaves is removed
//!   after the next task.
//! * If `settings` have a key and no identifier, the network is ours and in memory, as on any other
//!   platform.
//! * The identifiers of a driver are recognizable, for example by a fixed first half. For any other
//!   identifier, `apply` and `join` return [`ErrorKind::KeptElsewhere`]; `maintain` neither reports
//!   it as removed nor removes anything.
//!
//! # Time limits
//!
//! The runner drops a method's future when its time is over. A driver that needs longer never
//! succeeds. For `snapshot`, `apply` and `keep` that counts
//! as [`ErrorKind::NoResponse`], for `pair` and `join` as an ordinary end of the try.
//!
//! | method | time |
//! |---|---|
//! | `check_pairing` and `snapshot` | 5 s ([`SNAPSHOT_TIMEOUT`]) |
//! | `apply` | 15 s ([`APPLY_TIMEOUT`]); between two searches at most until the window closes |
//! | `pair` | until the window closes, 120 s after the start ([`PAIRING_WINDOW`]) |
//! | `join` | 20 s ([`JOIN_TIMEOUT`]), and at most until the window closes |
//! | `join` in a change of settings | the same, with a window of 30 s ([`CONFIGURE_WINDOW`]) |
//! | `keep` | 10 s ([`KEEP_TIMEOUT`]), also after the window has closed |
//! | `link` | 2 s, then the link is unknown |
//! | `scan` | 15 s, then there are no results |
//! | `maintain` | no limit, but it is dropped whenever there is other work |
//!
//! The machine's other times:
//!
//! | what | time |
//! |---|---|
//! | `save` of the store | 10 s ([`SAVE_TIMEOUT`]) |
//! | a request while settings are being restored | waits 5 s ([`REQUEST_WAIT_TIMEOUT`]) |
//! | the delay before the next try within the window | 1 s ([`RETRY_DELAY`]) |
//! | the same, after a key was refused | 5 s ([`KEY_RETRY_DELAY`]) |
//! | the delay between two tries to restore | from 1 s to 16 s ([`MAX_RETRY_DELAY`]) |
//!
//! [`SAVE_TIMEOUT`]: crate::command::SAVE_TIMEOUT
//! [`REQUEST_WAIT_TIMEOUT`]: crate::command::REQUEST_WAIT_TIMEOUT
//! [`RETRY_DELAY`]: crate::command::RETRY_DELAY
//! [`KEY_RETRY_DELAY`]: crate::command::KEY_RETRY_DELAY
//! [`MAX_RETRY_DELAY`]: crate::command::MAX_RETRY_DELAY
//! [`SNAPSHOT_TIMEOUT`]: crate::command::SNAPSHOT_TIMEOUT
//! [`APPLY_TIMEOUT`]: crate::command::APPLY_TIMEOUT
//! [`KEEP_TIMEOUT`]: crate::command::KEEP_TIMEOUT
//! [`PAIRING_WINDOW`]: crate::command::PAIRING_WINDOW
//! [`JOIN_TIMEOUT`]: crate::command::JOIN_TIMEOUT
//! [`CONFIGURE_WINDOW`]: crate::command::CONFIGURE_WINDOW
//!
//! # Errors
//!
//! Each error has a [kind](ErrorKind), and the kind decides what the machine does. After a
//! [final](ErrorKind::is_final) kind the pairing ends: `Overlap`, `OverlapWithoutChoice`,
//! `RefusedOrOverlap`, `Insecure`, `Wep`, `TkipOnly`, `EmptyKey`, `NotOpen`, `InvalidKey`,
//! `NoNetwork`, `Unsupported`, `WithoutWps`, `NoDevice`, `Unmanaged`, `Blocked`, `ManagedByOther`,
//! `KeptElsewhere`, `NotPermitted`. After any other kind, `pair` and `join` are called again after
//! a pause, until the window closes. If `pair` returns `Refused` twice in a row, the pairing ends.
//! A network for which `join` returns `WrongKey`, `Refused` or `WithoutWpa2` twice in a row is not
//! tried again, and the task ends if it was the last one. An error of `apply` ends a change of
//! settings, and an error of `keep` ends any task. While settings are being restored, every kind
//! leads to another try. A method may return these kinds:
//!
//! * each method: `Unsupported`, `NoDevice`, `Unmanaged`, `Blocked`, `ManagedByOther`,
//!   `NotPermitted`, `NoResponse`, `Other`;
//! * `pair` also: `Overlap`, `Refused`, `RouterBusy`, `RouterLost`, `Insecure`, the kinds of a
//!   [`CredentialError`](crate::wsc::CredentialError), and `RefusedOrOverlap` if the radio cannot
//!   distinguish the two;
//! * `check_pairing` and `pair` also: `WithoutWps`;
//! * `join` also: `WrongKey`, `NotFound`, `Refused`, `Insecure`, `WithoutWpa2`;
//! * `apply` and `join` also: `KeptElsewhere`.
//!
//! # Questions
//!
//! * **May a driver hold a clock?** Yes, to poll in `maintain`, to pause between two tries there,
//!   and to limit how long it waits for hardware (rule 3). All other times are the machine's.
//! * **What if the radio's software restarts inside a method?** Return [`ErrorKind::NoResponse`].
//!   The machine restores the settings, and tries again within the window. `NoDevice` would end the
//!   pairing: it means that the radio is not coming back soon.
//! * **Where does `pair` end if the radio joins by itself after the exchange?** As soon as the
//!   credentials are known. `join` is called next, with them. It may use the link that the radio
//!   has set up, but only if that link is up and keyed with these credentials. The next call may be
//!   `apply` instead, and the radio's own join must not take effect after that has begun.
//! * **What if the radio needs a background task?** The driver and the task share their state, and
//!   the task runs beside the runner. It must not do by itself what the methods do. The suite runs
//!   it beside the checks: see [`conformance`](crate::conformance).
//!
//! # The smallest driver
//!
//! For a radio that exists only in memory:
//!
//! ```
//! use wps_core::driver::{ErrorKind, Offer, PairContext, WifiDriver};
//! use wps_core::{Credentials, Settings, Snapshot};
//!
//! #[derive(Default)]
//! struct MemoryRadio {
//!     active: Option<Settings>,
//!     pressed: Option<Credentials>,
//! }
//!
//! impl WifiDriver for MemoryRadio {
//!     type Error = ErrorKind;
//!
//!     async fn apply(&mut self, settings: &Settings, _: &Snapshot) -> Result<(), ErrorKind> {
//!         self.active = None;
//!         if let Settings::Station { network } = settings {
//!             network.secret.key()?; // an error if only another network manager has the key
//!         }
//!         self.active = Some(settings.clone());
//!         Ok(())
//!     }
//!
//!     async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, ErrorKind> {
//!         context.before_disconnect().await;
//!         match self.pressed.take() {
//!             Some(network) => Ok(Offer::from(network)),
//!             None => core::future::pending().await, // the machine drops this future
//!         }
//!     }
//!
//!     async fn join(&mut self, network: &Credentials, _: &Snapshot) -> Result<(), ErrorKind> {
//!         network.secret.key()?;
//!         self.active = Some(Settings::Station { network: network.clone() });
//!         Ok(())
//!     }
//! }
//! ```

mod error;

use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::iter;
use core::pin::Pin;
use core::task::Poll;

use heapless::Vec;

use crate::link::Link;
use crate::scan::ScanResults;
use crate::settings::{Credentials, KeptId, Settings, Snapshot, Ssid};
use crate::wsc::{Bssid, Decision, MAX_CREDENTIALS, OverlapDetector, Router, ScanPlan};

pub use error::{DriverError, ErrorKind};

/// A Wi-Fi radio. See [For driver authors](self#for-driver-authors) for the rules.
#[allow(async_fn_in_trait, reason = "embedded executors are single-threaded: no Send bound wanted")]
pub trait WifiDriver {
    /// The driver's own error.
    type Error: DriverError;

    /// Makes the radio match `settings`, and the platform's own networks match `snapshot`. An empty
    /// snapshot leaves those networks as they are.
    ///
    /// Returns once the radio is configured, without waiting for a link. From then on the driver
    /// keeps the link up by itself: it joins the network whenever it comes into range. If the radio
    /// already has these settings, its link or access point is not interrupted. Ends any pairing
    /// that is still running.
    ///
    /// # Errors
    /// The [kinds of every method](self#errors). `Unsupported` if the radio cannot have these
    /// settings, `Blocked` if it is switched off by somebody else, `KeptElsewhere` if only another
    /// network manager has the key. After `KeptElsewhere`, the radio is in no network of ours, such
    /// as that of a task that has failed.
    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), Self::Error>;

    /// Searches for a router whose button was pressed and returns the credentials that it hands
    /// over.
    ///
    /// # Errors
    /// [Any kind](self#errors) except `WrongKey` and `NotFound`. If nobody presses a button, the
    /// search goes on: that is not an error.
    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, Self::Error>;

    /// Joins `network` and returns once the link is up *and keyed* with this key. A link to the
    /// same network with another key does not count. The platform's own networks must then match
    /// `snapshot`.
    ///
    /// # Errors
    /// The [kinds of every method](self#errors), and `WrongKey`, `NotFound`, `Refused`,
    /// `Insecure`, `WithoutWpa2`, `KeptElsewhere`.
    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot)
    -> Result<(), Self::Error>;

    /// Makes the platform keep `network`, which `join` has just proven, and returns who has its key
    /// now. A platform that [keeps networks](self#platforms-that-keep-networks) stores it under the
    /// identifier in `snapshot`. On any other platform, the record has the key.
    ///
    /// # Errors
    /// The [kinds of every method](self#errors). An error ends the task: the previous settings are
    /// restored.
    async fn keep(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<KeptBy, Self::Error> {
        let _ = (network, snapshot);
        Ok(KeptBy::Record)
    }

    /// Checks whether the radio and its software have WPS. Called before
    /// [`snapshot`](Self::snapshot) for a pairing, and within its time. Not called for a change of
    /// settings. Must not touch the radio. If the radio does not answer, this succeeds: `snapshot`
    /// says why.
    ///
    /// # Errors
    /// `WithoutWps`, and any other kind that only concerns pairings. An error refuses the start.
    async fn check_pairing(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Checks whether a task can start at all, and records what must be restored afterwards in
    /// addition to the settings. Called before anything is changed. Must not touch the radio.
    ///
    /// # Errors
    /// The [kinds of every method](self#errors). An error refuses the start.
    async fn snapshot(&mut self) -> Result<Snapshot, Self::Error> {
        Ok(Snapshot::default())
    }

    /// Returns the state of the radio's link. Must not touch the radio.
    ///
    /// # Errors
    /// The [kinds of every method](self#errors). The link then counts as unknown.
    async fn link(&mut self) -> Result<Link, Self::Error> {
        Ok(Link::default())
    }

    /// Scans for access points without leaving the current network. A radio that can never do that
    /// returns no results. One that cannot now returns an error, or what it has seen lately: an
    /// empty list says that nothing is in range.
    ///
    /// # Errors
    /// The [kinds of every method](self#errors). `Control::scan` then returns `None`.
    async fn scan(&mut self) -> Result<ScanResults, Self::Error> {
        Ok(ScanResults::default())
    }

    /// Returns whether `pair` can be limited to one access point ([`PairContext::only`]). A request
    /// for that is refused as `Unsupported` if not.
    fn can_pair_with_one(&self) -> bool {
        false
    }

    /// Looks after the link while the machine is idle, with `settings` in force. Returns what the
    /// machine must know, and waits until there is something. May touch the radio.
    ///
    /// * The radio is reachable but has lost its configuration, for example after a daemon restart,
    ///   or joins something else: [`IdleEvent::ConfigLost`].
    /// * The network no longer accepts its key: [`IdleEvent::KeyRefused`], once. If it accepts the
    ///   key later: [`IdleEvent::KeyAccepted`], once. `join`, and `apply` of
    ///   other settings, reset this.
    /// * The platform no longer has the network that it kept: [`IdleEvent::NetworkRemoved`].
    ///   Otherwise networks of ours that `settings` do not name are removed ([platforms that keep
    ///   networks](self#platforms-that-keep-networks)).
    /// * The link is down: that is no event. If the radio does not reconnect by itself, this method
    ///   tries it, with growing pauses.
    ///
    /// A driver whose radio cannot tell these things does not report them.
    ///
    /// The runner drops this future for any other work, for example whenever a front end asks for
    /// the link, and calls the method again after that. So it must make progress although it is
    /// dropped once a second, as with an open web page: what it waits for must be in the driver,
    /// not only in the future.
    async fn maintain(&mut self, settings: &Settings) -> IdleEvent {
        let _ = settings;
        core::future::pending().await
    }
}

impl<T: WifiDriver + ?Sized> WifiDriver for &mut T {
    type Error = T::Error;

    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), T::Error> {
        T::apply(self, settings, snapshot).await
    }

    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, T::Error> {
        T::pair(self, context).await
    }

    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot) -> Result<(), T::Error> {
        T::join(self, network, snapshot).await
    }

    async fn keep(
        &mut self,
        network: &Credentials,
        snapshot: &Snapshot,
    ) -> Result<KeptBy, T::Error> {
        T::keep(self, network, snapshot).await
    }

    async fn check_pairing(&mut self) -> Result<(), T::Error> {
        T::check_pairing(self).await
    }

    async fn snapshot(&mut self) -> Result<Snapshot, T::Error> {
        T::snapshot(self).await
    }

    async fn link(&mut self) -> Result<Link, T::Error> {
        T::link(self).await
    }

    async fn scan(&mut self) -> Result<ScanResults, T::Error> {
        T::scan(self).await
    }

    fn can_pair_with_one(&self) -> bool {
        T::can_pair_with_one(self)
    }

    async fn maintain(&mut self, settings: &Settings) -> IdleEvent {
        T::maintain(self, settings).await
    }
}

/// What a driver has found while the machine is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum IdleEvent {
    /// The radio no longer has the settings in force. The machine applies them again.
    ConfigLost,
    /// The network no longer accepts the saved key: somebody has changed its password.
    KeyRefused,
    /// The network accepts the saved key again, after [`Self::KeyRefused`].
    KeyAccepted,
    /// The platform answers, and does not have the network that it kept
    /// ([`Secret::Kept`](crate::Secret::Kept)): somebody has removed it. The machine forgets it.
    NetworkRemoved,
}

/// Who has the key of a network after [`WifiDriver::keep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum KeptBy {
    /// The platform keeps no networks. The record has the key, and the driver adds the network to
    /// the radio at each start.
    Record,
    /// The platform has stored the network under this identifier, also for the time after a power
    /// cut.
    Platform(KeptId),
}

/// The networks that a router handed over: one to three, in the router's order of preference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Offer {
    first: Credentials,
    others: Vec<Credentials, { MAX_CREDENTIALS - 1 }, u8>,
}

impl Offer {
    /// Creates an offer of the given networks, in this order. Networks after the third are ignored.
    /// Returns `None` for an empty list.
    pub fn new(networks: impl IntoIterator<Item = Credentials>) -> Option<Self> {
        let mut networks = networks.into_iter();
        let first = networks.next()?;
        let others = networks.take(MAX_CREDENTIALS - 1).collect();
        Some(Self { first, others })
    }

    /// Returns the number of networks.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// Returns the network at `index`, counted from 0. An index past the end wraps around.
    pub fn at(&self, index: usize) -> &Credentials {
        match index % self.count() {
            0 => &self.first,
            other => self.others.get(other - 1).unwrap_or(&self.first),
        }
    }

    /// Removes the network at `index`. Returns `false` if no other one is left.
    pub(crate) fn remove(&mut self, index: usize) -> bool {
        // Not `Vec::remove`: nothing else in a small firmware may need `memmove`. Not `pop`, which
        // would leave the key in memory.
        let mut networks = iter::once(&mut self.first).chain(&mut self.others).skip(index);
        if let Some(mut gap) = networks.next() {
            for next in networks {
                gap.clone_from(next);
                gap = next;
            }
        }
        let others = self.others.len();
        self.others.truncate(others.saturating_sub(1));
        others > 0
    }
}

impl From<Credentials> for Offer {
    fn from(first: Credentials) -> Self {
        Self { first, others: Vec::new() }
    }
}

/// The context of one call of [`WifiDriver::pair`]. A driver reports its progress here, and finds
/// here what earlier calls in the same window have seen.
pub struct PairContext<'a> {
    /// The routers that were in pairing mode at any time in this window, over all calls of `pair`.
    pub overlap_detector: &'a mut OverlapDetector,
    only: Option<Bssid>,
    on_event: &'a dyn Fn(PairEvent),
    /// Resolves once the requester has had time to receive its reply. `None` after that.
    reply_grace: RefCell<Option<Pin<&'a mut (dyn Future<Output = ()> + 'a)>>>,
    #[cfg(feature = "scan")]
    on_scan_results: &'a dyn Fn(&ScanResults),
}

/// An event that a driver reports through its [`PairContext`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PairEvent {
    /// The search has progressed.
    Progress(SearchProgress),
    /// This router was seen in pairing mode. [`PairContext::decide`] reports it, with the feature
    /// `scan`.
    Pressed(Router),
    /// The radio has left its network, or stopped its access point.
    OffAir,
    /// The radio is back. The runner reports this after [`WifiDriver::apply`].
    OnAir,
}

impl<'a> PairContext<'a> {
    /// Creates a context that passes events to `on_event` and allows the radio to disconnect at
    /// once.
    pub fn new(overlap_detector: &'a mut OverlapDetector, on_event: &'a dyn Fn(PairEvent)) -> Self {
        Self {
            overlap_detector,
            only: None,
            on_event,
            reply_grace: RefCell::new(None),
            #[cfg(feature = "scan")]
            on_scan_results: &|_| {},
        }
    }

    /// Limits the pairing to one access point, if `only` names one.
    #[must_use]
    pub fn with_only(self, only: Option<Bssid>) -> Self {
        Self { only, ..self }
    }

    /// Makes [`before_disconnect`](Self::before_disconnect) wait until `reply_grace` has resolved.
    #[must_use]
    pub fn with_reply_grace(
        self,
        reply_grace: Pin<&'a mut (dyn Future<Output = ()> + 'a)>,
    ) -> Self {
        Self { reply_grace: RefCell::new(Some(reply_grace)), ..self }
    }

    /// Passes the [reported scan results](Self::report_scan_results) to `on_scan_results`.
    #[cfg(feature = "scan")]
    #[must_use]
    pub fn on_scan_results(self, on_scan_results: &'a dyn Fn(&ScanResults)) -> Self {
        Self { on_scan_results, ..self }
    }

    /// Returns the access point that the user has chosen, or `None`. Its button must be pressed,
    /// too. The driver ignores all others, and there is no overlap: the choice is clear.
    ///
    /// Only a driver that [can do it](WifiDriver::can_pair_with_one) gets an access point here.
    pub fn only(&self) -> Option<Bssid> {
        self.only
    }

    /// Records the routers in pairing mode that a scan step has found, and returns what to do next.
    /// This is [`OverlapDetector::decide`], except where the user has chosen the access point: then
    /// nothing is recorded, and it is paired with as soon as its button is pressed.
    pub fn decide(&mut self, pressed: &[Router], plan: &ScanPlan) -> Decision {
        #[cfg(feature = "scan")]
        for router in pressed {
            (self.on_event)(PairEvent::Pressed(router.clone()));
        }
        match self.only {
            None => self.overlap_detector.decide(pressed, plan),
            Some(only) => pressed
                .iter()
                .find(|router| router.bssid == only)
                .map_or(Decision::NoRouter, |router| Decision::Pair(router.clone())),
        }
    }

    /// Reports the progress of the search to the user. May be called as often as wanted.
    ///
    /// If the window closes, the furthest progress is the cause that the user gets. So report
    /// [`SearchProgress::NoRouter`] and [`SearchProgress::NoWps`] only after every channel was
    /// scanned, and [`SearchProgress::CannotScan`] if the scans fail, also after some have
    /// succeeded. It goes before all that says that nothing was seen, until the next progress.
    pub fn report_progress(&self, progress: SearchProgress) {
        (self.on_event)(PairEvent::Progress(progress));
    }

    /// Reports the access points that are now in range, for users who ask for a scan during the
    /// pairing: all of them, or only those with WPS if the driver knows no others. Does nothing
    /// without the feature `scan`.
    pub fn report_scan_results(&self, results: &ScanResults) {
        #[cfg(feature = "scan")]
        (self.on_scan_results)(results);
        #[cfg(not(feature = "scan"))]
        let _ = results;
    }

    /// Waits until the radio may leave its network, or stop its access point, and reports that it
    /// does. Await it before the radio disconnects, whether for the exchange or because the radio
    /// cannot scan otherwise.
    ///
    /// The wait gives the client that requested the pairing time to receive its reply. The radio
    /// counts as disconnected until the next [`apply`](WifiDriver::apply).
    pub async fn before_disconnect(&self) {
        poll_fn(|context| {
            let mut reply_grace = self.reply_grace.borrow_mut();
            let over = reply_grace.as_mut().is_none_or(|it| it.as_mut().poll(context).is_ready());
            if over {
                *reply_grace = None;
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        (self.on_event)(PairEvent::OffAir);
    }
}

/// The progress of a pairing that searches for its router. If the user has
/// [chosen an access point](PairContext::only), it is about that one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SearchProgress {
    /// Nothing is known yet, or the radio cannot report progress.
    #[default]
    Looking,
    /// The radio cannot scan at present.
    CannotScan,
    /// No access point is in range.
    NoRouter,
    /// Access points are in range, but none with WPS.
    NoWps,
    /// Routers with WPS are in range, but no button has been pressed yet.
    NotPressed,
    /// The same, and one of them was [never set up](crate::wsc::Advertisement::is_configured). It
    /// takes a new key when it pairs, which cuts off the devices that use it now.
    NotConfigured {
        /// The router's network, if known.
        ssid: Option<Ssid>,
    },
    /// A router's button was pressed.
    Pressed {
        /// The router's network, if known.
        ssid: Option<Ssid>,
    },
    /// The router is handing over its credentials.
    Exchanging {
        /// The router's network, if known.
        ssid: Option<Ssid>,
    },
}

impl SearchProgress {
    /// Returns a number that is greater the further the search has come. `Cause::of_search` has the
    /// cause of each.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Looking => 0,
            Self::CannotScan => 1,
            Self::NoRouter => 2,
            Self::NoWps => 3,
            Self::NotPressed | Self::NotConfigured { .. } => 4,
            Self::Pressed { .. } => 5,
            Self::Exchanging { .. } => 6,
        }
    }

    /// Returns the rank of the furthest progress after this one, if it was `furthest` before.
    pub(crate) fn furthest(&self, furthest: u8) -> u8 {
        // That nothing was seen is no longer true while the radio cannot look.
        let is_unseen = furthest <= Self::NotPressed.rank();
        if *self == Self::CannotScan && is_unseen { self.rank() } else { furthest.max(self.rank()) }
    }
}
