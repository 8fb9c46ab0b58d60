//! Random moments, which a seed repeats.

use std::env;
use std::time::{Duration, SystemTime};

/// SplitMix64: the same seed gives the same moments.
pub struct Random(u64);

impl Random {
    /// Takes the seed from `RADIO_TEST_SEED`, or from the clock if it is not set.
    pub fn seeded() -> Self {
        let clock = || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            now.as_micros().try_into().unwrap_or_default()
        };
        let seed = number("RADIO_TEST_SEED").unwrap_or_else(clock);
        println!("RADIO_TEST_SEED={seed} repeats this");
        Self(seed)
    }

    /// Returns a random number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }

    /// Returns a random duration below `limit` milliseconds.
    pub fn millis(&mut self, limit: u64) -> Duration {
        Duration::from_millis(self.below(limit))
    }
}

/// Returns the number in an environment variable, or `None` if it is not set.
pub fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}
