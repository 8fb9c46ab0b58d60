//! Channel numbers and frequencies.

use wps_core::{Band, Channel};

const BANDS: [Band; 3] = [Band::TwoPointFour, Band::Five, Band::Six];

#[test]
fn the_channels_of_each_band() {
    let table = [
        (Band::TwoPointFour, 1, 2412),
        (Band::TwoPointFour, 6, 2437),
        (Band::TwoPointFour, 13, 2472),
        (Band::TwoPointFour, 14, 2484),
        (Band::Five, 32, 5160),
        (Band::Five, 36, 5180),
        (Band::Five, 100, 5500),
        (Band::Five, 149, 5745),
        (Band::Five, 177, 5885),
        (Band::Six, 1, 5955),
        (Band::Six, 2, 5935),
        (Band::Six, 37, 6135),
        (Band::Six, 233, 7115),
    ];
    for (band, number, mhz) in table {
        let channel = Channel::new(band, number).expect("a channel");
        assert_eq!((channel.band(), channel.number()), (band, number));
        assert_eq!(channel.frequency_mhz(), mhz, "{channel:?}");
        assert_eq!(Channel::from_mhz(mhz), Some(channel), "{mhz} MHz");
    }
    let absent = [(Band::TwoPointFour, 15), (Band::Five, 31), (Band::Five, 178), (Band::Six, 234)];
    for (band, number) in absent.into_iter().chain(BANDS.map(|band| (band, 0))) {
        assert_eq!(Channel::new(band, number), None, "{band:?} {number}");
    }
}

#[test]
fn a_frequency_between_two_channels_is_none() {
    for mhz in [0, 900, 2407, 2413, 2477, 2485, 4920, 5155, 5183, 5890, 5930, 5950, 5960, 60480] {
        assert_eq!(Channel::from_mhz(mhz), None, "{mhz} MHz");
    }
}

#[test]
fn a_number_alone_means_the_lower_bands() {
    let found = |number| Channel::below_6_ghz(number).map(Channel::frequency_mhz);
    let table = [
        (0, None),
        (1, Some(2412)),
        (14, Some(2484)),
        (15, None),
        (36, Some(5180)),
        (177, Some(5885)),
        (255, None),
    ];
    for (number, mhz) in table {
        assert_eq!(found(number), mhz, "{number}");
    }
}

/// Tries every number and every frequency.
#[test]
fn numbers_and_frequencies_agree() {
    for (band, number) in BANDS.into_iter().flat_map(|band| (0..=u8::MAX).map(move |it| (band, it)))
    {
        if let Some(channel) = Channel::new(band, number) {
            assert_eq!(Channel::from_mhz(channel.frequency_mhz()), Some(channel));
        }
    }
    for mhz in 0..=u16::MAX {
        let Some(channel) = Channel::from_mhz(mhz) else { continue };
        assert_eq!(channel.frequency_mhz(), mhz);
        assert_eq!(Channel::new(channel.band(), channel.number()), Some(channel));
    }
}
