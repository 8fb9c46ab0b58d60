//! An `info!` macro that uses `defmt` if that feature is on, otherwise `log` if that one is on,
//! otherwise nothing.

macro_rules! info {
    ($text:literal $(, $value:expr)* $(,)?) => {{
        #[cfg(feature = "defmt")]
        ::defmt::info!($text $(, $value)*);
        #[cfg(all(feature = "log", not(feature = "defmt")))]
        ::log::info!($text $(, $value)*);
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        { let _ = ($(&$value,)*); }
    }};
}

pub(crate) use info;
