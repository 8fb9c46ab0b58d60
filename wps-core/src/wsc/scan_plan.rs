//! Which channels to scan next, for a driver that scans while it stays connected.

use heapless::Vec;

/// The maximum number of channels in a plan. The 2.4 and 5 GHz bands have 14 and 28.
const MAX_CHANNELS: usize = 64;
/// The maximum number of channels that are remembered as likely.
const MAX_LIKELY: usize = 4;
/// Of this many steps, one is for the likely channels.
const LIKELY_PERIOD: usize = 3;

/// A plan of scan steps. Most steps scan the channels that were planned longest ago. Once the plan
/// [is complete](Self::is_complete), every third step scans the channels on which a router with WPS
/// was seen last. So a pressed button is noticed soon, and no channel is neglected for long.
/// (Before that, a pressed button could not be acted upon.)
///
/// A step is short: two channels, or one channel with radar, where a card may only listen. For
/// more channels a card would come back to its network in between and wait, so that one long step
/// takes more time than several short ones (Linux: `ieee80211_scan_state_decision`).
///
/// Create a plan for each call of `pair`. Then repeat: call [`next_step`](Self::next_step), scan,
/// call [`mark_scanned`](Self::mark_scanned) if the scan succeeded, and call
/// [`mark_wps`](Self::mark_wps) for every router with WPS in the results.
///
/// **One pass** is the number of steps that it takes to scan all channels, including the steps for
/// likely channels in between: [`steps_per_pass`](Self::steps_per_pass). If that many steps
/// succeed, every channel has been scanned, whatever channels the routers are on.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScanPlan {
    channels: Vec<Channel, MAX_CHANNELS>,
    /// The channels on which WPS was seen, the latest first.
    likely: Vec<u16, MAX_LIKELY>,
    /// The number of steps so far.
    steps: usize,
    /// The number of steps since the last one for the likely channels.
    steps_since_likely: usize,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Channel {
    frequency_mhz: u16,
    /// The last step that was to scan this channel.
    planned: Option<usize>,
    /// The last step that did scan it.
    scanned: Option<usize>,
}

impl Channel {
    fn failed(&self) -> bool {
        self.scanned != self.planned
    }

    fn has_radar(&self) -> bool {
        group(self.frequency_mhz) == Some(Group::FiveWithRadar)
    }
}

impl ScanPlan {
    /// The maximum number of channels in one step.
    pub const MAX_CHANNELS_PER_STEP: usize = 2;

    /// Creates a plan for the channels in `frequencies` (MHz) on which WPS is possible. The order
    /// is 2.4 GHz first, because most routers with WPS are there, then 5 GHz, then radar channels.
    /// A plan holds 64 channels and ignores further ones.
    pub fn new(frequencies: impl IntoIterator<Item = u16>) -> Self {
        let mut plan =
            Self { channels: Vec::new(), likely: Vec::new(), steps: 0, steps_since_likely: 0 };
        for frequency_mhz in frequencies {
            if group(frequency_mhz).is_none() || plan.contains(frequency_mhz) {
                continue;
            }
            let channel = Channel { frequency_mhz, planned: None, scanned: None };
            if plan.channels.push(channel).is_err() {
                break;
            }
        }
        plan
    }

    /// Returns the channels to scan now, in MHz. They count as planned from then on, even if the
    /// scan fails or is dropped. Returns no channels only if the plan has none.
    ///
    /// A channel whose last step failed is scanned alone the next time. So one bad channel does not
    /// make the scan of another one fail, and it is clear which channel to [`remove`](Self::remove)
    /// if the card rejects it. If a scan failed for a temporary reason (busy), it is better to
    /// repeat the same step.
    pub fn next_step(&mut self) -> Vec<u16, { Self::MAX_CHANNELS_PER_STEP }> {
        let likely_only = !self.likely.is_empty()
            && self.steps_since_likely >= LIKELY_PERIOD - 1
            && self.is_complete();
        self.steps_since_likely =
            if likely_only { 0 } else { self.steps_since_likely.saturating_add(1) };
        self.steps = self.steps.saturating_add(1);
        self.channels
            .sort_unstable_by_key(|c| (c.planned, group(c.frequency_mhz), c.frequency_mhz));
        let (likely, this_step) = (&self.likely, self.steps);
        let mut due =
            self.channels.iter_mut().filter(|c| !likely_only || likely.contains(&c.frequency_mhz));

        let mut step = Vec::new();
        let Some(first) = due.next() else { return step };
        let alone = first.failed() || first.has_radar();
        let second = due.find(|c| !alone && !c.failed() && !c.has_radar());
        for channel in [Some(first), second].into_iter().flatten() {
            channel.planned = Some(this_step);
            // Cannot fail: there is room for two.
            let _ = step.push(channel.frequency_mhz);
        }
        step
    }

    /// Returns all channels of the plan, in MHz. For a radio that has no network to come back to,
    /// one long scan of all channels is the fastest.
    pub fn frequencies(&self) -> impl Iterator<Item = u16> {
        self.channels.iter().map(|channel| channel.frequency_mhz)
    }

    /// Returns the number of steps in one pass.
    pub fn steps_per_pass(&self) -> usize {
        let radar = self.channels.iter().filter(|channel| channel.has_radar()).count();
        let steps = radar + (self.channels.len() - radar).div_ceil(2);
        steps + steps.div_ceil(LIKELY_PERIOD - 1)
    }

    /// Records that these channels were scanned successfully, whether or not the plan had asked for
    /// all of them.
    pub fn mark_scanned(&mut self, frequencies: &[u16]) {
        for channel in &mut self.channels {
            if frequencies.contains(&channel.frequency_mhz) {
                channel.planned = Some(self.steps);
                channel.scanned = Some(self.steps);
            }
        }
    }

    /// Records that a router with WPS was seen on this channel, whether its button was pressed or
    /// not. The channel counts as likely from then on, until WPS has been seen on four others.
    pub fn mark_wps(&mut self, frequency_mhz: u16) {
        if !self.contains(frequency_mhz) {
            return;
        }
        self.likely.retain(|&likely| likely != frequency_mhz);
        self.likely.truncate(MAX_LIKELY - 1);
        // Cannot fail: there is room for one more.
        let _ = self.likely.insert(0, frequency_mhz);
    }

    /// Returns whether every channel was scanned successfully within the latest pass, which is
    /// counted in steps, failed ones included. Returns `false` for a plan without channels, because
    /// nothing was scanned.
    pub fn is_complete(&self) -> bool {
        let steps_per_pass = self.steps_per_pass();
        let fresh = |channel: &Channel| {
            channel.scanned.is_some_and(|step| self.steps.saturating_sub(step) < steps_per_pass)
        };
        !self.channels.is_empty() && self.channels.iter().all(fresh)
    }

    /// Removes a channel that the card rejects from the plan.
    pub fn remove(&mut self, frequency_mhz: u16) {
        self.channels.retain(|c| c.frequency_mhz != frequency_mhz);
        self.likely.retain(|&likely| likely != frequency_mhz);
    }

    fn contains(&self, frequency_mhz: u16) -> bool {
        let mut channels = self.channels.iter();
        channels.any(|c| c.frequency_mhz == frequency_mhz)
    }
}

/// The groups of channels, in the order of the first pass.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    TwoPointFour,
    Five,
    FiveWithRadar,
}

/// Returns the group of a frequency, or `None` if WPS is not possible there. Above 5 GHz only the
/// centres of 20 MHz channels count, because cards for vehicles list narrower channels between
/// them.
fn group(frequency_mhz: u16) -> Option<Group> {
    match frequency_mhz {
        2412..=2484 => Some(Group::TwoPointFour),
        5180..=5720 if !(frequency_mhz - 5180).is_multiple_of(20) => None,
        5745..=5885 if !(frequency_mhz - 5745).is_multiple_of(20) => None,
        5180..=5240 | 5745..=5825 => Some(Group::Five),
        5260..=5320 | 5500..=5720 | 5845..=5885 => Some(Group::FiveWithRadar),
        _ => None,
    }
}
