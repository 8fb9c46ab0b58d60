//! One `say!` for both worlds: `defmt` where that feature is on, else `log`.

/// Tells whoever has a cable in the board.
#[macro_export]
macro_rules! say {
    ($text:literal $(, $value:expr)* $(,)?) => {{
        #[cfg(feature = "defmt")]
        ::defmt::info!($text $(, $value)*);
        #[cfg(all(feature = "log", not(feature = "defmt")))]
        ::log::info!($text $(, $value)*);
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        { let _ = ($(&$value,)*); }
    }};
}

/// A value that only knows `Display`, for `defmt` too.
pub struct Shown<'a, T>(pub &'a T);

impl<T: core::fmt::Display> core::fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl<T: core::fmt::Display> defmt::Format for Shown<'_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::Display2Format(self.0).format(f);
    }
}
