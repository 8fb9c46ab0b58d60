//! One macro for each level and both loggers: `defmt` if that feature is enabled, otherwise `log`,
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

/// The same for what only a developer wants to see.
macro_rules! debug {
    ($text:literal $(, $value:expr)* $(,)?) => {{
        #[cfg(feature = "defmt")]
        ::defmt::debug!($text $(, $value)*);
        #[cfg(all(feature = "log", not(feature = "defmt")))]
        ::log::debug!($text $(, $value)*);
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        { let _ = ($(&$value,)*); }
    }};
}

pub(crate) use {debug, info};

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
