//! Which channels to look at next, for a driver that looks while it stays connected.

use heapless::Vec;

/// Channels a plan holds; the 2.4 and 5 GHz bands have 14 and 37.
const MAX_CHANNELS: usize = 64;
/// Channels with WPS that every look visits. More would make each look as long as a sweep.
const LIKELY: usize = 4;
/// Other channels that a look visits.
const REST: usize = 5;

/// A plan of looks. Each visits the few channels where a router with WPS was seen last, and the few
/// others whose turn was longest ago, so that a button is noticed soon and nothing is missed for long.
///
/// Make one for each attempt, then: [`next_look`](Self::next_look), scan, [`looked`](Self::looked) if
/// the scan succeeded, [`wps_at`](Self::wps_at) for every router with WPS in the results.
///
/// **One sweep** is as many looks as it takes to visit all channels five at a time. In that
/// many looks, if they succeed, every channel is visited, wherever the routers are.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sweep {
    channels: Vec<Channel, MAX_CHANNELS>,
    /// Where WPS was seen, the latest first.
    likely: Vec<u16, LIKELY>,
    /// Looks so far.
    looks: usize,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Channel {
    frequency_mhz: u16,
    /// The last look that was to visit it.
    turn: Option<usize>,
    /// The last look that did.
    looked: Option<usize>,
}

impl Channel {
    fn failed(&self) -> bool {
        self.looked != self.turn
    }
}

impl Sweep {
    /// The most channels in one look.
    pub const MAX_LOOK: usize = LIKELY + REST;

    /// Plans for the channels in `frequencies` (MHz) on which WPS can live: 2.4 GHz first, since most
    /// routers with WPS are there, then 5 GHz, radar channels last. Holds 64; further ones are ignored.
    pub fn new(frequencies: impl IntoIterator<Item = u16>) -> Self {
        let mut sweep = Self { channels: Vec::new(), likely: Vec::new(), looks: 0 };
        for frequency_mhz in frequencies {
            if band(frequency_mhz).is_none() || sweep.plans(frequency_mhz) {
                continue;
            }
            let channel = Channel { frequency_mhz, turn: None, looked: None };
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
    pub fn next_look(&mut self) -> Vec<u16, { Self::MAX_LOOK }> {
        self.looks = self.looks.saturating_add(1);
        self.channels.sort_unstable_by_key(|c| (c.turn, band(c.frequency_mhz), c.frequency_mhz));

        let alone = self.channels.first().is_some_and(Channel::failed);
        let mut rest = if alone { 1 } else { REST };
        let mut look = Vec::new();
        for channel in &mut self.channels {
            if channel.failed() != alone {
                continue;
            }
            if alone || !self.likely.contains(&channel.frequency_mhz) {
                if rest == 0 {
                    continue;
                }
                rest -= 1;
            }
            if look.push(channel.frequency_mhz).is_ok() {
                channel.turn = Some(self.looks);
            }
        }
        look
    }

    /// A look at these channels succeeded, whether or not the plan had asked for all of them.
    pub fn looked(&mut self, frequencies: &[u16]) {
        for channel in &mut self.channels {
            if frequencies.contains(&channel.frequency_mhz) {
                channel.turn = Some(self.looks);
                channel.looked = Some(self.looks);
            }
        }
    }

    /// A router with WPS was seen there, its button pressed or not: every look visits this channel from
    /// now on, unless WPS is seen on four others later.
    pub fn wps_at(&mut self, frequency_mhz: u16) {
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
    pub fn covered(&self) -> bool {
        let sweep = self.channels.len().div_ceil(REST);
        let fresh = |channel: &Channel| {
            channel.looked.is_some_and(|look| self.looks.saturating_sub(look) < sweep)
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

fn band(frequency_mhz: u16) -> Option<Band> {
    match frequency_mhz {
        2412..=2484 => Some(Band::TwoPointFour),
        5180..=5240 | 5745..=5825 => Some(Band::Five),
        5150..=5895 => Some(Band::FiveWithRadar),
        _ => None,
    }
}
