//! Macros that use `defmt` if that feature is on, otherwise `log`. The lines can be read over the
//! board's USB port.

/// Logs a line.
#[macro_export]
macro_rules! info {
    ($($arguments:tt)+) => { $crate::log_at!(info, $($arguments)+) };
}

/// Logs a failure.
#[macro_export]
macro_rules! warn {
    ($($arguments:tt)+) => { $crate::log_at!(warn, $($arguments)+) };
}

/// Logs a line at a level.
#[doc(hidden)]
#[macro_export]
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

/// A wrapper that logs a value by its `Display`, also with `defmt`.
pub struct LogDisplay<'a, T>(pub &'a T);

impl<T: core::fmt::Display> core::fmt::Display for LogDisplay<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl<T: core::fmt::Display> defmt::Format for LogDisplay<'_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::Display2Format(self.0).format(f);
    }
}
