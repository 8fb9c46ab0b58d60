//! Whether a driver keeps its contract: checks that any [`WifiDriver`](crate::WifiDriver) can run.
//!
//! The contract is on the page [For driver authors](crate::driver#for-driver-authors). This page goes
//! from there to a driver that keeps it, in under 150 lines, the stage for the suite included.
//!
//! # Writing a driver
//!
//! 1. **Keep nothing** that the radio can be asked for. A driver that finds out where the radio stands
//!    at the beginning of each verb has nothing that a dropped future could spoil.
//! 2. **`apply`** first ends whatever pairing is under way, then tells the radio its mode, and is done:
//!    it does not wait for a link. What it cannot do is [`Unsupported`](crate::ErrorKind::Unsupported).
//!    Switch off what the platform would save by itself.
//! 3. **`pair`** throws away what is left of an earlier attempt *before* it begins, so that neither an old
//!    result nor an old event gets in. It looks on until a router hands over its network; there is no
//!    time-out, and one of the platform's own is begun anew. If the radio's own WPS leaves the network
//!    at once, look for pressed routers by scans where it can, with
//!    [`OverlapDetector`](crate::wsc::OverlapDetector) and [`ScanPlan`](crate::wsc::ScanPlan), and judge overlap by these.
//! 4. **`join`** waits for the link *and the keys*. Names are bytes; a key of 64 digits is a raw PSK.
//! 5. **`snapshot`** and **`link`** only if there is something to tell. They must not touch the radio.
//! 6. **`lost`** only if the radio's software can begin anew without ours: a daemon that is restarted, a
//!    modem. It looks whether what was told last is still known, at once and then every few seconds, as
//!    its future is dropped for whatever else is to be done.
//! 7. **Errors** get the [kind](crate::ErrorKind) that says what happened. Those that are
//!    [final](crate::ErrorKind::is_final) end the whole pairing: a lost router is none of them.
//!
//! # Running the suite
//!
//! A [`TestBed`] plays the world: it makes drivers, switches routers on, presses their buttons, and looks
//! at the radio from outside. [`run_all`] tries every [`Check`]; its [`Report`] prints a table. What the
//! stage or the driver cannot do is [skipped](Outcome::Skipped), or tried [partly](Outcome::Partial), and
//! the table says why: read it, since [`Report::is_ok`] means only that nothing failed.
//!
//! Every wait is bounded by the stage's clock, so a mute driver fails and hangs nobody. With virtual
//! time all moments are tried at which a future can be dropped; for real radios choose [`Limits`]. In
//! firmware, where a report is too big for the stack, call [`run`] for one check after the other.
//!
//! # All of it
//!
//! `cargo run -p wps-core --example driver`:
//!
//! ```
#![doc = include_str!("../examples/driver.rs")]
//! ```

#![allow(clippy::result_large_err, reason = "there is no heap to box it on")]

mod air;
mod context;
mod credentials;
mod drops;
mod fixtures;
mod methods;
mod modes;
mod moment;
mod report;
mod test_bed;

use context::TestContext;

pub use report::{At, Failure, Finding, Outcome, Report};
pub use test_bed::{Limits, ObservedState, TestBed, Unavailable};

/// A part of the contract that can be tried. Each begins in a new world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Check {
    /// `apply` of station mode joins the network, also when told twice, and does not wait for a link.
    Station,
    /// The driver keeps the link up by itself: when the router comes back, so does the link.
    Reconnects,
    /// `lost` returns when the platform has begun anew without what it was told, and never before.
    ConfigLost,
    /// `apply` of access-point mode serves the device's own network.
    AccessPoint,
    /// `apply` of off takes the radio off the air.
    Off,
    /// `apply` brings the platform's own networks back as the snapshot says.
    Platform,
    /// `snapshot` and `link` do not touch the radio.
    Looking,
    /// `pair` gives the pressed router's network and `join` joins it before it returns, from every mode.
    Pairing,
    /// Any verb may be called twice in a row.
    Twice,
    /// Any verb may be called after any other one.
    AnyOrder,
    /// Any future may be dropped at any await: the next verb works.
    Dropped,
    /// What a dropped pairing began does not act later.
    LateEvents,
    /// `pair` does not give what belongs to an earlier attempt.
    EarlierOffer,
    /// `pair` never decides by itself that two minutes are over, nor pairs with a router that nobody
    /// pressed, nor reports one.
    Silence,
    /// `pair` stays on the air until a button has been pressed.
    StaysOnAir,
    /// `pair` leaves only after [`PairContext::before_disconnect`](crate::driver::PairContext::before_disconnect).
    WaitsToLeave,
    /// Two pressed routers are a session overlap.
    Overlap,
    /// Two routers pressed one after the other within a window are one, too.
    OverlapMemory,
    /// A router that goes away in the exchange is a failure that passes.
    RouterVanishes,
    /// Names are bytes, and keys are what the standard allows.
    OddCredentials,
    /// A wrong key never joins.
    WrongKey,
    /// A network out of range never joins.
    NotInRange,
    /// Nothing of new credentials stays on disk, neither after a failure nor after a success.
    NothingKept,
}

impl Check {
    /// All checks.
    pub const ALL: [Self; 23] = [
        Self::Station,
        Self::Reconnects,
        Self::ConfigLost,
        Self::AccessPoint,
        Self::Off,
        Self::Platform,
        Self::Looking,
        Self::Pairing,
        Self::Twice,
        Self::AnyOrder,
        Self::Dropped,
        Self::LateEvents,
        Self::EarlierOffer,
        Self::Silence,
        Self::StaysOnAir,
        Self::WaitsToLeave,
        Self::Overlap,
        Self::OverlapMemory,
        Self::RouterVanishes,
        Self::OddCredentials,
        Self::WrongKey,
        Self::NotInRange,
        Self::NothingKept,
    ];

    /// A short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Station => "station",
            Self::Reconnects => "reconnects",
            Self::ConfigLost => "lost",
            Self::AccessPoint => "access point",
            Self::Off => "off",
            Self::Platform => "platform",
            Self::Looking => "looking",
            Self::Pairing => "pairing",
            Self::Twice => "twice",
            Self::AnyOrder => "any order",
            Self::Dropped => "dropped",
            Self::LateEvents => "late events",
            Self::EarlierOffer => "earlier offer",
            Self::Silence => "silence",
            Self::StaysOnAir => "stays on air",
            Self::WaitsToLeave => "waits to leave",
            Self::Overlap => "overlap",
            Self::OverlapMemory => "overlap memory",
            Self::RouterVanishes => "router vanishes",
            Self::OddCredentials => "odd credentials",
            Self::WrongKey => "wrong key",
            Self::NotInRange => "not in range",
            Self::NothingKept => "nothing kept",
        }
    }
}

/// Tries one part of the contract, in a new world.
pub async fn run<S: TestBed>(check: Check, test_bed: &mut S) -> Outcome {
    let network = fixtures::old();
    let platform = (check == Check::Platform).then_some(&network);
    let played = match TestContext::begin(test_bed, platform).await {
        Ok(context) => play(check, context).await,
        Err(stop) => Err(stop),
    };
    match played {
        Ok(outcome) => outcome,
        Err(report::Stop::Failed(failure)) => Outcome::Failed(failure),
        Err(report::Stop::Skipped(gap)) => Outcome::Skipped(gap),
    }
}

async fn play<S: TestBed>(
    check: Check,
    context: TestContext<'_, S>,
) -> Result<Outcome, report::Stop> {
    match check {
        Check::Station => modes::station(context).await,
        Check::Reconnects => modes::reconnects(context).await,
        Check::ConfigLost => modes::lost(context).await,
        Check::AccessPoint => modes::access_point(context).await,
        Check::Off => modes::off(context).await,
        Check::Platform => modes::platform(context).await,
        Check::Looking => modes::looking(context).await,
        Check::Pairing => modes::pairing(context).await,
        Check::Twice => methods::twice(context).await,
        Check::AnyOrder => methods::any_order(context).await,
        Check::Dropped => drops::dropped(context).await,
        Check::LateEvents => drops::late_events(context).await,
        Check::EarlierOffer => drops::earlier_offer(context).await,
        Check::Silence => air::silence(context).await,
        Check::StaysOnAir => air::stays_on_air(context).await,
        Check::WaitsToLeave => air::waits_to_leave(context).await,
        Check::Overlap => air::overlap(context).await,
        Check::OverlapMemory => air::overlap_memory(context).await,
        Check::RouterVanishes => air::router_vanishes(context).await,
        Check::OddCredentials => credentials::odd(context).await,
        Check::WrongKey => credentials::wrong_key(context).await,
        Check::NotInRange => credentials::not_in_range(context).await,
        Check::NothingKept => credentials::nothing_kept(context).await,
    }
}

/// Tries all of it, one check after the other.
pub async fn run_all<S: TestBed>(test_bed: &mut S) -> Report {
    let untried = Outcome::Skipped(Unavailable("not tried"));
    let mut outcomes = Check::ALL.map(|check| (check, untried.clone()));
    for (check, outcome) in &mut outcomes {
        *outcome = run(*check, test_bed).await;
    }
    Report(outcomes)
}
