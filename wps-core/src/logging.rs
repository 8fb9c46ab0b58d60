//! Macros for both loggers: `defmt` if that feature is enabled, otherwise `log`, otherwise nothing.
//!
//! | level | for |
//! |---|---|
//! | `warn!` | failures of the driver, the store and the lamp |
//! | `info!` | what users follow: phases, progress, results, the button's effect |
//! | `debug!` | detail, and failures of mere queries |

macro_rules! log_at {
    ($level:ident, $text:literal $(, $value:expr)* $(,)?) => {{
        #[cfg(feature = "defmt")]
        ::defmt::$level!($text $(, $value)*);
        #[cfg(all(feature = "log", not(feature = "defmt")))]
        ::log::$level!($text $(, $value)*);
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        { let _ = ($(&$value,)*); }
    }};
}

// Renamed below, because `warn` is also an attribute of the compiler.
macro_rules! log_warn {
    ($($arguments:tt)+) => { $crate::logging::log_at!(warn, $($arguments)+) };
}

macro_rules! log_info {
    ($($arguments:tt)+) => { $crate::logging::log_at!(info, $($arguments)+) };
}

macro_rules! log_debug {
    ($($arguments:tt)+) => { $crate::logging::log_at!(debug, $($arguments)+) };
}

pub(crate) use {log_at, log_debug as debug, log_info as info, log_warn as warn};

/// Makes a value that implements only `Debug` usable with `defmt`, too.
pub(crate) struct Debug<'a, T>(pub(crate) &'a T);

impl<T: core::fmt::Debug> core::fmt::Debug for Debug<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl<T: core::fmt::Debug> defmt::Format for Debug<'_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::Debug2Format(self.0).format(f);
    }
}
