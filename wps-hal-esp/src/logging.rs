//! A `warn!` macro that uses `defmt` if that feature is on, otherwise `log` if that one is on,
//! otherwise nothing.

// Renamed below, because `warn` is also an attribute of the compiler.
macro_rules! log_warn {
    ($text:literal $(, $value:expr)* $(,)?) => {{
        #[cfg(feature = "defmt")]
        ::defmt::warn!($text $(, $value)*);
        #[cfg(all(feature = "log", not(feature = "defmt")))]
        ::log::warn!($text $(, $value)*);
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        { let _ = ($(&$value,)*); }
    }};
}

pub(crate) use log_warn as warn;
