//! The lists of all variants, for tests and for tables of texts in other crates: there these enums
//! are `#[non_exhaustive]`, so the compiler cannot tell that a table lacks one. A list that lacks a
//! variant does not compile.

use crate::button::{Action, Press};
use crate::driver::{ErrorKind, IdleEvent};
use crate::link::{Cipher, Security};
use crate::settings::InvalidValue;
use crate::status::{Cause, TaskKind};
use crate::wsc::CredentialError;

/// Implements `ALL` for enums without data.
macro_rules! all_variants {
    ($($enum:ident: $($variant:ident),+;)+) => {$(
        impl $enum {
            /// All variants, in the order of their definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        // This `match` must name every variant.
        const _: fn($enum) = |value| match value {
            $($enum::$variant => {})+
        };
    )+};
}

/// Creates an array with one value of each variant, for enums with data. Each value stands after
/// the pattern of its variant. The tests of our other crates use it for their own enums.
#[cfg_attr(feature = "sim", macro_export, doc(hidden))]
macro_rules! one_of_each {
    ($enum:ty: $($pattern:pat => $value:expr),+ $(,)?) => {{
        // This `match` must name every variant.
        const _: fn(&$enum) = |value| match value {
            $($pattern => {})+
        };
        [$($value),+]
    }};
}

all_variants! {
    ErrorKind: Overlap, OverlapWithoutChoice, Refused, RefusedOrOverlap, RouterBusy, RouterLost,
        Insecure, Wep, TkipOnly, EmptyKey, NotOpen, InvalidKey, NoNetwork, WrongKey, NotFound,
        WithoutWpa2, Unsupported, WithoutWps, NoDevice, Unmanaged, Blocked, ManagedByOther,
        KeptElsewhere, NotPermitted, NoResponse, Other;
    IdleEvent: ConfigLost, KeyRefused, KeyAccepted, NetworkRemoved;
    Security: Open, Owe, Wep, Wpa, WpaWpa2, Wpa2, Wpa2Wpa3, Wpa3, Enterprise;
    Cipher: None, Wep, Tkip, Ccmp, TkipCcmp, Gcmp;
    TaskKind: Pair, Configure;
    InvalidValue: SsidLength, Passphrase, SnapshotLength;
    CredentialError: Wep, TkipOnly, EmptyKey, NotOpen, InvalidKey, NoNetwork;
    Press: Short, Long;
    Action: Start, Cancel;
}

/// One value of each variant. `Driver` comes last.
const CAUSES: [Cause; 17] = one_of_each! { Cause:
    Cause::TimedOut => Cause::TimedOut,
    Cause::CannotScan => Cause::CannotScan,
    Cause::NoRouter => Cause::NoRouter,
    Cause::NoWps => Cause::NoWps,
    Cause::NotPressed => Cause::NotPressed,
    Cause::PressedLate => Cause::PressedLate,
    Cause::ExchangeTimedOut => Cause::ExchangeTimedOut,
    Cause::Cancelled => Cause::Cancelled,
    Cause::NotJoined => Cause::NotJoined,
    Cause::JoinRefused => Cause::JoinRefused,
    Cause::Store => Cause::Store,
    Cause::Interrupted => Cause::Interrupted,
    Cause::Corrupt => Cause::Corrupt,
    Cause::KeyRefused => Cause::KeyRefused,
    Cause::NotKept => Cause::NotKept,
    Cause::NetworkRemoved => Cause::NetworkRemoved,
    Cause::Driver(_) => Cause::Driver(ErrorKind::Other),
};
const WITHOUT_KIND: usize = CAUSES.len() - 1;

impl Cause {
    /// All causes, with one [`Cause::Driver`] for each [`ErrorKind`].
    pub const ALL: &'static [Self] = &{
        let mut all = [Self::Driver(ErrorKind::Other); WITHOUT_KIND + ErrorKind::ALL.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = if index < WITHOUT_KIND {
                CAUSES[index]
            } else {
                Self::Driver(ErrorKind::ALL[index - WITHOUT_KIND])
            };
            index += 1;
        }
        all
    };
}
