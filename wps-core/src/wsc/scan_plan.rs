//! Which channels to look at next, for a driver that looks while it stays connected.

use heapless::Vec;

/// Channels a plan holds; the 2.4 and 5 GHz bands have 14 and 28.
const MAX_CHANNELS: usize = 64;
/// Channels that are remembered as likely.
const LIKELY: usize = 4;
/// Every so many looks one is for the likely channels.
const LIKELY_TURN: usize = 3;

/// A plan of looks. Most visit the channels whose turn was longest ago. Once all are
/// [covered](Self::is_complete), and no button seen before could be acted upon, every third visits where a
/// router with WPS was seen last, so that a button is noticed soon and nothing is missed for long.
///
/// A look is short: two channels, or one with radar, where a card may only listen. A card leaves its
/// network for about 0.12 s then; for more it would come back in between and wait, so that long looks
/// cost more time than the short ones they are made of (Linux: `ieee80211_scan_state_decision`).
///
/// Make one for each attempt, then: [`next_step`](Self::next_step), scan, [`mark_scanned`](Self::mark_scanned) if
/// the scan succeeded, [`mark_wps`](Self::mark_wps) for every router with WPS in the results.
///
/// **One sweep** is as many looks as it takes to visit all channels, the looks at likely ones between
/// them included: [`steps_per_pass`](Self::steps_per_pass). In that many looks, if they succeed,
/// every channel is visited, wherever the routers are.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScanPlan {
    channels: Vec<Channel, MAX_CHANNELS>,
    /// Where WPS was seen, the latest first.
    likely: Vec<u16, LIKELY>,
    /// Looks so far.
    looks: usize,
    /// Looks since the last one for the likely channels.
    unlikely: usize,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Channel {
    frequency_mhz: u16,
    /// The last look that was to visit it.
    turn: Option<usize>,
    /// The last look that did.
    mark_scanned: Option<usize>,
}

impl Channel {
    fn failed(&self) -> bool {
        self.mark_scanned != self.turn
    }

    fn has_radar(&self) -> bool {
        band(self.frequency_mhz) == Some(Band::FiveWithRadar)
    }
}

impl ScanPlan {
    /// The most channels in one look.
    pub const MAX_CHANNELS_PER_STEP: usize = 2;

    /// Plans for the channels in `frequencies` (MHz) on which WPS can live: 2.4 GHz first, since most
    /// routers with WPS are there, then 5 GHz, radar channels last. Holds 64; further ones are ignored.
    pub fn new(frequencies: impl IntoIterator<Item = u16>) -> Self {
        let mut sweep = Self { channels: Vec::new(), likely: Vec::new(), looks: 0, unlikely: 0 };
        for frequency_mhz in frequencies {
            if band(frequency_mhz).is_none() || sweep.plans(frequency_mhz) {
                continue;
            }
            let channel = Channel { frequency_mhz, turn: None, mark_scanned: None };
            if sweep.channels.push(channel).is_err() {
                break;
            }
        }
        sweep
    }

    /// The channels to look at now, in MHz. Asking for them gives them their turn, also if the scan fails
    /// or is dropped. Empty only if the plan is.
    ///
    /// A channel whose last look failed is next looked at alone: so one bad channel does not spoil the
    /// looks of its neighbours, and a card's refusal tells which one to [`remove`](Self::remove).
    /// A scan that failed for a reason that passes (busy) is better repeated as it was.
    pub fn next_step(&mut self) -> Vec<u16, { Self::MAX_CHANNELS_PER_STEP }> {
        let likely_only =
            !self.likely.is_empty() && self.unlikely >= LIKELY_TURN - 1 && self.is_complete();
        self.unlikely = if likely_only { 0 } else { self.unlikely.saturating_add(1) };
        self.looks = self.looks.saturating_add(1);
        self.channels.sort_unstable_by_key(|c| (c.turn, band(c.frequency_mhz), c.frequency_mhz));
        let (likely, looks) = (&self.likely, self.looks);
        let mut due =
            self.channels.iter_mut().filter(|c| !likely_only || likely.contains(&c.frequency_mhz));

        let mut look = Vec::new();
        let Some(first) = due.next() else { return look };
        let alone = first.failed() || first.has_radar();
        let second = due.find(|c| !alone && !c.failed() && !c.has_radar());
        for channel in [Some(first), second].into_iter().flatten() {
            channel.turn = Some(looks);
            // Cannot fail: there is room for two.
            let _ = look.push(channel.frequency_mhz);
        }
        look
    }

    /// All channels of the plan, in MHz: for a radio that has no network to come back to, which sees them
    /// soonest in one long look.
    pub fn frequencies(&self) -> impl Iterator<Item = u16> {
        self.channels.iter().map(|channel| channel.frequency_mhz)
    }

    /// How many looks are one sweep.
    pub fn steps_per_pass(&self) -> usize {
        let radar = self.channels.iter().filter(|channel| channel.has_radar()).count();
        let looks = radar + (self.channels.len() - radar).div_ceil(2);
        looks + looks.div_ceil(LIKELY_TURN - 1)
    }

    /// A look at these channels succeeded, whether or not the plan had asked for all of them.
    pub fn mark_scanned(&mut self, frequencies: &[u16]) {
        for channel in &mut self.channels {
            if frequencies.contains(&channel.frequency_mhz) {
                channel.turn = Some(self.looks);
                channel.mark_scanned = Some(self.looks);
            }
        }
    }

    /// A router with WPS was seen there, its button pressed or not: this channel is likely from now on,
    /// unless WPS is seen on four others later.
    pub fn mark_wps(&mut self, frequency_mhz: u16) {
        if !self.plans(frequency_mhz) {
            return;
        }
        self.likely.retain(|&likely| likely != frequency_mhz);
        self.likely.truncate(LIKELY - 1);
        // Cannot fail: there is room for one now.
        let _ = self.likely.insert(0, frequency_mhz);
    }

    /// Whether every channel was looked at successfully within the latest sweep (counted in looks, failed
    /// ones too). False for a plan without channels: who looked nowhere knows nothing.
    pub fn is_complete(&self) -> bool {
        let sweep = self.steps_per_pass();
        let fresh = |channel: &Channel| {
            channel.mark_scanned.is_some_and(|look| self.looks.saturating_sub(look) < sweep)
        };
        !self.channels.is_empty() && self.channels.iter().all(fresh)
    }

    /// Takes a channel out of the plan: the card refuses it.
    pub fn remove(&mut self, frequency_mhz: u16) {
        self.channels.retain(|c| c.frequency_mhz != frequency_mhz);
        self.likely.retain(|&likely| likely != frequency_mhz);
    }

    fn plans(&self, frequency_mhz: u16) -> bool {
        let mut channels = self.channels.iter();
        channels.any(|c| c.frequency_mhz == frequency_mhz)
    }
}

/// The bands in the order of the first sweep; none where WPS cannot live.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Band {
    TwoPointFour,
    Five,
    FiveWithRadar,
}

/// Above 5 GHz only the centres of channels of 20 MHz: cards for vehicles list narrower ones between them.
fn band(frequency_mhz: u16) -> Option<Band> {
    match frequency_mhz {
        2412..=2484 => Some(Band::TwoPointFour),
        5180..=5720 if !(frequency_mhz - 5180).is_multiple_of(20) => None,
        5745..=5885 if !(frequency_mhz - 5745).is_multiple_of(20) => None,
        5180..=5240 | 5745..=5825 => Some(Band::Five),
        5260..=5320 | 5500..=5720 | 5845..=5885 => Some(Band::FiveWithRadar),
        _ => None,
    }
}
