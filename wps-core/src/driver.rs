//! The contract of a radio driver: [`WifiDriver`].
//!
//! # For driver authors
//!
//! Three methods change what the radio does (`apply`, `pair`, `join`). Three only observe it
//! (`snapshot`, `link`, `scan`). While the device is idle, `maintain` looks after its link. The
//! machine decides *what* to do and *when*; a driver only does it. The rules:
//!
//! 1. **Any method may be called in any radio state**, even twice in a row.
//! 2. **Any future may be dropped at any await.** The next call must find out the radio's actual
//!    state itself. Work that a dropped future began must not take effect later.
//! 3. **A driver has no timeouts.** The machine owns the pairing window, the join timeout and every
//!    other timeout, and drops the future when one expires. The one exception: a driver may limit
//!    how long it waits for the hardware to respond, and then returns [`ErrorKind::NoResponse`].
//! 4. **A driver stores nothing on disk**, and tells its platform not to. The machine saves the
//!    credentials after a join has proven them.
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
//!    machine applies them again whenever it is not sure that the radio has them.
//! 9. **`join` proves the key**, even if the network is already joined with another one: the
//!    machine saves what `join` has accepted.
//! 10. **`link` reports what the radio does now**, as far as it reports anything.
//!
//! # Time limits
//!
//! The runner drops a method's future when its time is over. A driver that needs longer never
//! succeeds. For `snapshot` and `apply` that counts
//! as [`ErrorKind::NoResponse`], for `pair` and `join` as an ordinary end of the try.
//!
//! | method | time |
//! |---|---|
//! | `snapshot` | 5 s ([`SNAPSHOT_TIMEOUT`]) |
//! | `apply` | 15 s ([`APPLY_TIMEOUT`]); between two searches at most until the window closes |
//! | `pair` | until the window closes, 120 s after the start ([`PAIRING_WINDOW`]) |
//! | `join` | 20 s ([`JOIN_TIMEOUT`]), and at most until the window closes |
//! | `join` in a change of settings | the same, with a window of 30 s ([`CONFIGURE_WINDOW`]) |
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
//! [`PAIRING_WINDOW`]: crate::command::PAIRING_WINDOW
//! [`JOIN_TIMEOUT`]: crate::command::JOIN_TIMEOUT
//! [`CONFIGURE_WINDOW`]: crate::command::CONFIGURE_WINDOW
//!
//! # Errors
//!
//! Each error has a [kind](ErrorKind), and the kind decides what the machine does. After a
//! [final](ErrorKind::is_final) kind the pairing ends: `Overlap`, `RefusedOrOverlap`, `Insecure`,
//! `Wep`, `TkipOnly`, `EmptyKey`, `InvalidKey`, `NoNetwork`, `Unsupported`, `NoDevice`, `Blocked`,
//! `ManagedByOther`, `NotPermitted`. After any other kind, `pair` and `join` are called again after
//! a pause, until the window closes. If `pair` returns `Refused` twice in a row, the pairing ends.
//! A network for which `join` returns `WrongKey` or `Refused` twice in a row is not tried again,
//! and the task ends if it was the last one. An error of `apply` ends a change of settings. While
//! settings are being restored, every kind leads to another try. A method may return these kinds:
//!
//! * each method: `Unsupported`, `NoDevice`, `Blocked`, `ManagedByOther`, `NotPermitted`,
//!   `NoResponse`, `Other`;
//! * `pair` also: `Overlap`, `Refused`, `RouterBusy`, `RouterLost`, `Insecure`, the kinds of a
//!   [`CredentialError`], and `RefusedOrOverlap` if the radio cannot distinguish the two;
//! * `join` also: `WrongKey`, `NotFound`, `Refused`, `Insecure`.
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
//! use wps_core::driver::{PairContext, DriverError, ErrorKind, Offer, WifiDriver};
//! use wps_core::{Credentials, Settings, Snapshot};
//!
//! #[derive(Default)]
//! struct MemoryRadio {
//!     active: Option<Settings>,
//!     pressed: Option<Credentials>,
//! }
//!
//! #[derive(Debug)]
//! struct NotInRange;
//!
//! impl DriverError for NotInRange {
//!     fn kind(&self) -> ErrorKind {
//!         ErrorKind::NotFound
//!     }
//! }
//!
//! impl WifiDriver for MemoryRadio {
//!     type Error = NotInRange;
//!
//!     async fn apply(&mut self, settings: &Settings, _: &Snapshot) -> Result<(), NotInRange> {
//!         self.active = Some(settings.clone());
//!         Ok(())
//!     }
//!
//!     async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, NotInRange> {
//!         context.before_disconnect().await;
//!         match self.pressed.take() {
//!             Some(network) => Ok(Offer::from(network)),
//!             None => core::future::pending().await, // the machine drops this future
//!         }
//!     }
//!
//!     async fn join(&mut self, network: &Credentials, _: &Snapshot) -> Result<(), NotInRange> {
//!         self.active = Some(Settings::Station { network: network.clone() });
//!         Ok(())
//!     }
//! }
//! ```

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;
use core::future::{Future, poll_fn};
use core::iter;
use core::pin::Pin;
use core::task::Poll;

use heapless::Vec;

use crate::link::Link;
use crate::scan::ScanResults;
use crate::settings::{Credentials, Settings, Snapshot, Ssid};
use crate::wsc::{
    Bssid, CredentialError, Decision, MAX_CREDENTIALS, OverlapDetector, Router, ScanPlan,
};

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
    /// settings, `Blocked` if it is switched off by somebody else.
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
    /// `Insecure`.
    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot)
    -> Result<(), Self::Error>;

    /// Checks whether a pairing can start at all, and records what must be restored afterwards in
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

    /// Scans for access points without leaving the current network. A radio that cannot do that
    /// returns no results.
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
}

/// An error of a driver, which belongs to one of the general kinds.
///
/// The runner logs it with `Debug`, as a warning. A driver without an error type of its own can use
/// [`ErrorKind`], and a driver that cannot fail [`Infallible`].
pub trait DriverError: fmt::Debug {
    /// Returns the kind of this error, for code that does not know the driver.
    fn kind(&self) -> ErrorKind;
}

impl DriverError for ErrorKind {
    fn kind(&self) -> ErrorKind {
        *self
    }
}

impl DriverError for Infallible {
    fn kind(&self) -> ErrorKind {
        match *self {}
    }
}

impl DriverError for CredentialError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Wep => ErrorKind::Wep,
            Self::TkipOnly => ErrorKind::TkipOnly,
            Self::EmptyKey => ErrorKind::EmptyKey,
            Self::InvalidKey => ErrorKind::InvalidKey,
            Self::NoNetwork => ErrorKind::NoNetwork,
        }
    }
}

/// The kinds of driver failure that generic code may act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ErrorKind {
    /// The buttons of more than one router were pressed within the window (session overlap).
    #[error("more than one router is pairing")]
    Overlap,
    /// The router ended the exchange.
    #[error("the router refused")]
    Refused,
    /// The exchange failed, and the radio cannot say whether the router refused or the buttons of
    /// more than one router were pressed. Only for radios that cannot distinguish the two.
    #[error("the router refused, or more than one router is pairing")]
    RefusedOrOverlap,
    /// The router is pairing with another device (configuration error 12).
    #[error("the router is pairing with another device")]
    RouterBusy,
    /// The router disappeared in the middle of the exchange.
    #[error("the router went away")]
    RouterLost,
    /// The router offers only WEP or TKIP, both of which can be broken within minutes.
    #[error("the router offers only an outdated encryption (WEP or TKIP)")]
    Insecure,
    /// The router handed over a network with WEP.
    #[error("the router's network uses WEP, which is broken")]
    Wep,
    /// The router handed over a network with TKIP only.
    #[error("the router's network uses TKIP only, which is broken")]
    TkipOnly,
    /// The router handed over an empty key for a network that needs one.
    #[error("the router handed over no key")]
    EmptyKey,
    /// The router handed over a key that no WPA network can have.
    #[error("the router handed over an impossible key")]
    InvalidKey,
    /// The router handed over no network that can be joined with a password.
    #[error("the router handed over no usable network")]
    NoNetwork,
    /// The network does not accept its key.
    #[error("the network did not accept its key")]
    WrongKey,
    /// The network is not in range.
    #[error("the network is not in range")]
    NotFound,
    /// This radio or its software does not support the operation.
    #[error("the radio cannot do this")]
    Unsupported,
    /// There is no radio, or its software is not running.
    #[error("the radio is gone")]
    NoDevice,
    /// Something outside this program has switched the radio off (rfkill).
    #[error("the radio is blocked")]
    Blocked,
    /// Other software manages the radio.
    #[error("another program manages the radio")]
    ManagedByOther,
    /// This program lacks a permission.
    #[error("this program may not do that with the radio")]
    NotPermitted,
    /// The radio does not answer.
    #[error("the radio does not answer")]
    NoResponse,
    /// Anything else.
    #[error("the radio failed")]
    Other,
}

impl ErrorKind {
    /// Returns whether another try within the window is pointless, or forbidden (after an overlap,
    /// by the standard).
    pub fn is_final(self) -> bool {
        match self {
            Self::Overlap
            | Self::RefusedOrOverlap
            | Self::Insecure
            | Self::Wep
            | Self::TkipOnly
            | Self::EmptyKey
            | Self::InvalidKey
            | Self::NoNetwork
            | Self::Unsupported
            | Self::NoDevice
            | Self::Blocked
            | Self::ManagedByOther
            | Self::NotPermitted => true,
            Self::Refused
            | Self::RouterBusy
            | Self::RouterLost
            | Self::WrongKey
            | Self::NotFound
            | Self::NoResponse
            | Self::Other => false,
        }
    }
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
    /// scanned, and [`SearchProgress::CannotScan`] if the scans fail.
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
    /// The radio could not scan so far.
    CannotScan,
    /// No access point is in range.
    NoRouter,
    /// Access points are in range, but none with WPS.
    NoWps,
    /// Routers with WPS are in range, but no button has been pressed yet.
    NotPressed,
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
