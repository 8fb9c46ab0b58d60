//! Channel numbers and their frequencies.

/// A frequency band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Band {
    /// 2.4 GHz.
    TwoPointFour,
    /// 5 GHz.
    Five,
    /// 6 GHz. There is no WPS in this band.
    Six,
}

/// A channel (IEEE 802.11-2020, annex E). Each number exists in at most one of the bands at 2.4 and
/// 5 GHz, but the 6 GHz band has most of these numbers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Channel {
    band: Band,
    number: u8,
}

impl Channel {
    /// Returns the channel with this number, or `None` if the band has no such channel.
    pub fn new(band: Band, number: u8) -> Option<Self> {
        let exists = match band {
            Band::TwoPointFour => matches!(number, 1..=14),
            Band::Five => matches!(number, 32..=177),
            Band::Six => matches!(number, 1..=233),
        };
        exists.then_some(Self { band, number })
    }

    /// Returns the channel with this number in the 2.4 or 5 GHz band, or `None` if there is none.
    pub fn below_6_ghz(number: u8) -> Option<Self> {
        Self::new(if number <= 14 { Band::TwoPointFour } else { Band::Five }, number)
    }

    /// Returns the channel with this centre frequency, or `None` if there is none.
    pub fn from_mhz(frequency_mhz: u16) -> Option<Self> {
        let (band, number) = match frequency_mhz {
            2484 => (Band::TwoPointFour, 14),
            5935 => (Band::Six, 2),
            ..2484 => (Band::TwoPointFour, frequency_mhz.checked_sub(2407)? / 5),
            2485..5935 => (Band::Five, frequency_mhz.checked_sub(5000)? / 5),
            5936.. => (Band::Six, frequency_mhz.checked_sub(5950)? / 5),
        };
        // The numbers above are rounded down, and do not skip the two irregular channels.
        Self::new(band, number.try_into().ok()?).filter(|it| it.frequency_mhz() == frequency_mhz)
    }

    /// Returns the band.
    pub fn band(self) -> Band {
        self.band
    }

    /// Returns the number of the channel in its band.
    pub fn number(self) -> u8 {
        self.number
    }

    /// Returns the centre frequency in MHz.
    pub fn frequency_mhz(self) -> u16 {
        let start_mhz = match (self.band, self.number) {
            (Band::TwoPointFour, 14) => return 2484,
            (Band::Six, 2) => return 5935,
            (Band::TwoPointFour, _) => 2407,
            (Band::Five, _) => 5000,
            (Band::Six, _) => 5950,
        };
        start_mhz + 5 * u16::from(self.number)
    }
}
