//! What a radio must be able to do: the [`WifiDriver`] contract.
//!
//! # For driver authors
//!
//! Three verbs move the radio (`apply`, `pair`, `join`), four look at it (`snapshot`,
//! `link`, `scan`, `lost`). The machine decides *what* and *when*; a driver only does it. The rules:
//!
//! 1. **Any verb may be called in any radio state**, also twice in a row.
//! 2. **Any future may be dropped at any await.** The next verb finds out for itself where the radio
//!    stands; what a dropped future began must not act later.
//! 3. **A driver keeps no time.** It never gives up on its own: the window, the time for a join and
//!    the time for everything else belong to the machine, which drops the future. (A bounded wait
//!    for an answer of the hardware itself is no window: report it as [`ErrorKind::NoResponse`].)
//! 4. **A driver leaves nothing on disk**, and tells its platform not to. Credentials are saved by
//!    the machine, after they were proven.
//! 5. `pair` **stays on the air until a router's button has been pressed** where the radio can look
//!    around without leaving its network or its own access point, and awaits [`PairContext::before_disconnect`] before it
//!    leaves: whoever asked may still be receiving the answer over it. It ignores every event of an earlier
//!    attempt, and never decides by itself that two minutes are over. Where the radio is off it switches
//!    it on.
//! 6. A driver that looks for pressed routers itself judges session overlap with
//!    [`OverlapDetector`] and [`ScanPlan`](crate::wsc::ScanPlan), fed through the [`PairContext`], and tells it what it
//!    [hears](PairContext::report_scan_results).
//! 7. **Where the radio's software may begin anew without ours**, `lost` notices, and the machine
//!    applies the settings again.
//!
//! The smallest driver, on a radio that is only memory:
//!
//! ```
//! use wps_core::driver::{PairContext, DriverError, ErrorKind, Offer, WifiDriver};
//! use wps_core::{Credentials, Settings, Snapshot};
//!
//! #[derive(Default)]
//! struct Memory {
//!     on_air: Option<Settings>,
//!     pressed: Option<Credentials>,
//! }
//!
//! #[derive(Debug)]
//! struct NobodyThere;
//!
//! impl DriverError for NobodyThere {
//!     fn kind(&self) -> ErrorKind {
//!         ErrorKind::NotFound
//!     }
//! }
//!
//! impl WifiDriver for Memory {
//!     type Error = NobodyThere;
//!
//!     async fn apply(&mut self, settings: &Settings, _: &Snapshot) -> Result<(), NobodyThere> {
//!         self.on_air = Some(settings.clone());
//!         Ok(())
//!     }
//!
//!     async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, NobodyThere> {
//!         context.before_disconnect().await;
//!         match self.pressed.take() {
//!             Some(network) => Ok(Offer::from(network)),
//!             None => core::future::pending().await, // the machine ends it
//!         }
//!     }
//!
//!     async fn join(&mut self, network: &Credentials, _: &Snapshot) -> Result<(), NobodyThere> {
//!         self.on_air = Some(Settings::Station { network: network.clone() });
//!         Ok(())
//!     }
//! }
//! ```

use core::cell::RefCell;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;

use heapless::Vec;

use crate::scan::ScanResults;
use crate::settings::{Credentials, Mode, Settings, Snapshot, Ssid};
use crate::wsc::{Bssid, MAX_CREDENTIALS, OverlapDetector};

/// A Wi-Fi radio. See [For driver authors](self#for-driver-authors) for the rules.
#[allow(async_fn_in_trait, reason = "embedded executors are single-threaded: no Send bound wanted")]
pub trait WifiDriver {
    /// What can go wrong.
    type Error: DriverError;

    /// Makes the radio match `settings`, and the platform's own networks match `snapshot` (an empty
    /// one: leave them as they are). Returns when the radio has been told, without waiting for a
    /// link; from then on the driver keeps that link up by itself. Ends whatever pairing was under way.
    async fn apply(&mut self, settings: &Settings, snapshot: &Snapshot) -> Result<(), Self::Error>;

    /// Listens for a pressed button until a router hands over its credentials.
    async fn pair(&mut self, context: &mut PairContext<'_>) -> Result<Offer, Self::Error>;

    /// Joins `network` and returns once the link is up *and keyed*, with the platform's own networks
    /// beside it as `snapshot` says.
    async fn join(&mut self, network: &Credentials, snapshot: &Snapshot)
    -> Result<(), Self::Error>;

    /// Looks, before the first move, whether a pairing can begin at all, and notes what beside the
    /// settings must be put back. Must not touch the radio.
    async fn snapshot(&mut self) -> Result<Snapshot, Self::Error> {
        Ok(Snapshot::default())
    }

    /// What the radio is doing. Must not touch it.
    async fn link(&mut self) -> Result<Link, Self::Error> {
        Ok(Link::default())
    }

    /// Looks around for access points, without leaving the present network. A radio that cannot do
    /// that finds none.
    async fn scan(&mut self) -> Result<ScanResults, Self::Error> {
        Ok(ScanResults::default())
    }

    /// Waits until the radio can be told, and does not know any more, what it was told last: its
    /// software has begun anew, say. A link that is down is not lost, the driver reconnects by itself.
    /// Waited for while there is nothing else to do, and dropped for whatever comes. Must not touch the
    /// radio; where a radio forgets nothing it never returns.
    async fn config_lost(&mut self) {
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

    async fn config_lost(&mut self) {
        T::config_lost(self).await;
    }
}

/// A driver's own error, which can say what kind it is.
pub trait DriverError: fmt::Debug {
    /// The kind, for code that does not know the driver.
    fn kind(&self) -> ErrorKind;
}

/// Kinds of driver failure that generic code may act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ErrorKind {
    /// More than one router had its button pressed within the window (session overlap).
    #[error("more than one router is pairing")]
    Overlap,
    /// The router ended the exchange.
    #[error("the router refused")]
    Refused,
    /// The router is pairing with another device (configuration error 12).
    #[error("the router is pairing with another device")]
    RouterBusy,
    /// The router went away in the middle of the exchange.
    #[error("the router went away")]
    RouterLost,
    /// The router offers only WEP or TKIP, which can be broken within minutes.
    #[error("the router offers only an outdated encryption (WEP or TKIP)")]
    Insecure,
    /// The network does not accept its key.
    #[error("the network did not accept its key")]
    WrongKey,
    /// The network is not in range.
    #[error("the network is not in range")]
    NotFound,
    /// This radio or its software cannot do it.
    #[error("the radio cannot do this")]
    Unsupported,
    /// There is no radio, or its software does not run.
    #[error("the radio is gone")]
    NoDevice,
    /// The radio is switched off by something else than us (rfkill).
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
    /// Whether trying again within the window is pointless, or forbidden (overlap: by the standard).
    pub fn is_final(self) -> bool {
        match self {
            Self::Overlap
            | Self::Insecure
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

/// What a router handed over: one to three networks, the router's favourite first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Offer {
    first: Credentials,
    others: Vec<Credentials, { MAX_CREDENTIALS - 1 }, u8>,
}

impl Offer {
    /// The given networks in their order; those past the third are left out. None for an empty list.
    pub fn new(networks: impl IntoIterator<Item = Credentials>) -> Option<Self> {
        let mut networks = networks.into_iter();
        let first = networks.next()?;
        let others = networks.take(MAX_CREDENTIALS - 1).collect();
        Some(Self { first, others })
    }

    /// How many networks there are.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// The network whose turn it is at the `turn`th try, counting from 0 and going round.
    pub fn at(&self, turn: usize) -> &Credentials {
        match turn % self.count() {
            0 => &self.first,
            other => self.others.get(other - 1).unwrap_or(&self.first),
        }
    }
}

impl From<Credentials> for Offer {
    fn from(first: Credentials) -> Self {
        Self { first, others: Vec::new() }
    }
}

/// One call of [`WifiDriver::pair`]: where to tell what is in sight, and the memory of the window.
pub struct PairContext<'a> {
    /// The pressed routers of the whole window, over all its attempts.
    pub overlap_detector: &'a mut OverlapDetector,
    on_event: &'a dyn Fn(PairEvent),
    /// Until whoever asked has had the time to receive the answer; none: that is over.
    reply_grace: RefCell<Option<Pin<&'a mut (dyn Future<Output = ()> + 'a)>>>,
    #[cfg(feature = "scan")]
    on_scan_results: &'a dyn Fn(&ScanResults),
}

/// What a driver tells during an [`PairContext`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PairEvent {
    /// This is in sight.
    Progress(SearchProgress),
    /// The radio has left its network, or stopped its access point.
    OffAir,
    /// It is back. The runner says so after [`WifiDriver::apply`].
    OnAir,
}

impl<'a> PairContext<'a> {
    /// An attempt whose news go to `on_event`, and which may leave the present network at once.
    pub fn new(overlap_detector: &'a mut OverlapDetector, on_event: &'a dyn Fn(PairEvent)) -> Self {
        Self {
            overlap_detector,
            on_event,
            reply_grace: RefCell::new(None),
            #[cfg(feature = "scan")]
            on_scan_results: &|_| {},
        }
    }

    /// The same, and [leaving](Self::before_disconnect) waits for the end of `reply_grace`.
    #[must_use]
    pub fn with_reply_grace(
        self,
        reply_grace: Pin<&'a mut (dyn Future<Output = ()> + 'a)>,
    ) -> Self {
        Self { reply_grace: RefCell::new(Some(reply_grace)), ..self }
    }

    /// The same, and what is [heard](Self::report_scan_results) goes to `on_scan_results`.
    #[cfg(feature = "scan")]
    #[must_use]
    pub fn on_scan_results(self, on_scan_results: &'a dyn Fn(&ScanResults)) -> Self {
        Self { on_scan_results, ..self }
    }

    /// Tells people what is in sight. May be called as often as wanted.
    pub fn report_progress(&self, progress: SearchProgress) {
        (self.on_event)(PairEvent::Progress(progress));
    }

    /// Tells those who look around meanwhile which access points it hears now: all of them, or those with
    /// WPS, if it knows no others. Nobody listens without the feature `scan`.
    pub fn report_scan_results(&self, results: &ScanResults) {
        #[cfg(feature = "scan")]
        (self.on_scan_results)(results);
        #[cfg(not(feature = "scan"))]
        let _ = results;
    }

    /// To be awaited before the radio leaves its network, or stops its access point: for the exchange, or
    /// because it cannot look otherwise. Gives whoever asked for the pairing the time to receive the
    /// answer, and tells people. The radio is back with the next [`apply`](WifiDriver::apply).
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

/// What is in sight while a pairing looks for its router.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SearchProgress {
    /// Nothing known yet, or the radio cannot tell.
    #[default]
    Looking,
    /// No router with WPS is in range.
    NoRouter,
    /// Routers with WPS are in range, but no button was pressed yet.
    NotPressed,
    /// A router's button was pressed.
    Pressed {
        /// The router's network, if it tells.
        ssid: Option<Ssid>,
    },
    /// The router is handing over its credentials.
    Exchanging {
        /// The router's network, if it tells.
        ssid: Option<Ssid>,
    },
}

/// What the radio is doing, as far as it can tell; what it cannot tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Link {
    /// Whether a network is joined and keyed (station), or served (access point).
    pub up: bool,
    /// The mode the radio is in.
    pub mode: Option<Mode>,
    /// The network.
    pub ssid: Option<Ssid>,
    /// The access point.
    pub bssid: Option<Bssid>,
    /// The channel's centre frequency in MHz.
    pub frequency_mhz: Option<u16>,
    /// The channel width in MHz.
    pub width_mhz: Option<u16>,
    /// Signal strength in dBm.
    pub signal_dbm: Option<i16>,
    /// How stations authenticate.
    pub security: Option<Security>,
    /// The cipher for traffic to this station.
    pub pairwise_cipher: Option<Cipher>,
    /// The cipher for traffic to all stations.
    pub group_cipher: Option<Cipher>,
    /// Wi-Fi generation: 4 (n), 5 (ac), 6 (ax), …
    pub generation: Option<u8>,
    /// The device's own address.
    pub address: Option<Bssid>,
    /// The regulatory domain, two letters.
    pub country: Option<[u8; 2]>,
}

/// How a network authenticates its stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Security {
    /// No authentication, no encryption.
    Open,
    /// Opportunistic wireless encryption.
    Owe,
    /// WEP.
    Wep,
    /// WPA with a passphrase.
    Wpa,
    /// WPA and WPA2 with a passphrase.
    WpaWpa2,
    /// WPA2 with a passphrase.
    Wpa2,
    /// WPA2 and WPA3 with a passphrase.
    Wpa2Wpa3,
    /// WPA3 (SAE).
    Wpa3,
    /// Individual credentials (802.1X).
    Enterprise,
}

/// How frames are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Cipher {
    /// Not at all.
    None,
    /// WEP.
    Wep,
    /// TKIP.
    Tkip,
    /// AES-CCMP.
    Ccmp,
    /// TKIP and AES-CCMP.
    TkipCcmp,
    /// AES-GCMP.
    Gcmp,
}
