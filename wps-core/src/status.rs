//! What people see: the status, why a pairing failed, and what to do about it.

use crate::driver::{ErrorKind, SearchProgress};
use crate::settings::{Mode, Ssid};
use crate::time::Instant;

/// What the device is doing, for the page, the lamp and the log. Holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Status {
    /// What is under way.
    pub phase: Phase,
    /// When the window closes, while one is open.
    pub deadline: Option<Instant>,
    /// What is in sight, while a pairing looks for its router.
    pub seen: SearchProgress,
    /// Whether the radio has left its network, or stopped its access point, in order to pair.
    pub off_air: bool,
    /// The mode of the settings in force, or being put back.
    pub mode: Mode,
    /// The saved network, in use or only remembered.
    pub network: Option<Ssid>,
    /// How the last pairing or change of settings ended.
    pub last: Option<TaskResult>,
    /// What keeps the device from coming to rest; it is being tried again.
    pub trouble: Option<Cause>,
}

impl Status {
    /// Whether a pairing is running: from its start until it ended and everything is put back.
    pub fn is_pairing(&self) -> bool {
        match self.phase {
            Phase::Idle | Phase::Configuring | Phase::Restoring => false,
            Phase::Journaling | Phase::Searching | Phase::Joining { .. } | Phase::Saving => true,
        }
    }
}

/// What is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Phase {
    /// Nothing.
    Idle,
    /// A pairing was asked for, and is being journalled; the radio has not been touched.
    Journaling,
    /// Looking for a router whose button was pressed, and exchanging credentials with it.
    Searching,
    /// Joining the network that was handed over.
    Joining {
        /// Its name.
        ssid: Ssid,
    },
    /// Joined; the credentials are being saved.
    Saving,
    /// The settings are being changed from outside.
    Configuring,
    /// Something ended, or was lost, and is being put back; or the device has just started.
    Restoring,
}

/// How a pairing or a change of settings ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TaskResult {
    /// What it was.
    pub task: TaskKind,
    /// How it ended.
    pub result: Result<(), Cause>,
    /// When.
    pub at: Instant,
}

/// The two things that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TaskKind {
    /// A pairing by push button.
    Pair,
    /// A change of the settings from outside.
    Configure,
}

impl TaskKind {
    /// What to do when it failed with `cause`: [`Cause::advice`], except where that speaks of the
    /// router's button and somebody has typed a password.
    pub fn advice(self, cause: Cause) -> &'static str {
        match (self, cause) {
            (Self::Configure, Cause::NotJoined) => {
                "The network could not be joined. Check its name and password, move closer to the \
                 router, and try again."
            }
            (Self::Configure, Cause::Driver(ErrorKind::WrongKey)) => {
                "The network does not accept this password. Check it and send it again."
            }
            (Self::Configure, Cause::Driver(ErrorKind::NotFound)) => {
                "No network of this name is in range. Check the name, move closer to the router, \
                 and try again."
            }
            (Self::Configure, Cause::Driver(ErrorKind::Unsupported)) => {
                "This device's radio cannot do it. Choose other settings."
            }
            (Self::Pair | Self::Configure, cause) => cause.advice(),
        }
    }
}

/// Why something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Cause {
    /// The window closed and no router's button had been pressed.
    #[error("no router's WPS button was pressed within two minutes")]
    TimedOut,
    /// Somebody cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The network was not joined in time.
    #[error("the network could not be joined in time")]
    NotJoined,
    /// The radio, or the router on it.
    #[error(transparent)]
    Driver(#[from] ErrorKind),
    /// The record could not be saved.
    #[error("the settings could not be saved")]
    Store,
    /// Power was cut, or the program ended, in the middle.
    #[error("it was interrupted by a restart")]
    Interrupted,
    /// The saved settings were damaged when the device started.
    #[error("the saved settings were damaged and have been put aside")]
    Corrupt,
}

impl Cause {
    /// A short name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::NotJoined => "not_joined",
            Self::Store => "store",
            Self::Interrupted => "interrupted",
            Self::Corrupt => "corrupt",
            Self::Driver(kind) => match kind {
                ErrorKind::Overlap => "overlap",
                ErrorKind::Refused => "refused",
                ErrorKind::RouterBusy => "router_busy",
                ErrorKind::RouterLost => "router_lost",
                ErrorKind::Insecure => "insecure",
                ErrorKind::WrongKey => "wrong_key",
                ErrorKind::NotFound => "not_found",
                ErrorKind::Unsupported => "unsupported",
                ErrorKind::NoDevice => "absent",
                ErrorKind::Blocked => "blocked",
                ErrorKind::ManagedByOther => "managed",
                ErrorKind::NotPermitted => "not_permitted",
                ErrorKind::NoResponse => "mute",
                ErrorKind::Other => "other",
            },
        }
    }

    /// What to do about it: the specification's troubleshooting table, and its like for the rest.
    pub fn advice(self) -> &'static str {
        match self {
            Self::TimedOut => {
                "Start again and press the router's WPS button within two minutes. \
                 If the router has no WPS, set Wi-Fi up by hand."
            }
            Self::Cancelled => "Start again whenever you like.",
            Self::NotJoined => {
                "The router gave its network away, but it could not be joined. \
                 Move closer to the router and try again, or set Wi-Fi up by hand."
            }
            Self::Store => {
                "The device could not write its settings. Make sure that its storage is not full \
                 or read-only, and try again."
            }
            Self::Interrupted => "The previous settings are back. Start again.",
            Self::Corrupt => "The device started as new. Set Wi-Fi up again.",
            Self::Driver(kind) => match kind {
                ErrorKind::Overlap => {
                    "More than one router is in pairing mode. Wait two minutes, then press the \
                     button on one router only."
                }
                ErrorKind::Refused => "Check the WPS settings of the router and try again.",
                ErrorKind::RouterBusy => {
                    "The router is pairing with another device. Wait two minutes and try again."
                }
                ErrorKind::RouterLost => {
                    "The router went away while pairing. Make sure that it is switched on and in \
                     range, and try again."
                }
                ErrorKind::Insecure => {
                    "The router offers only WEP or TKIP, which are not safe. Set it to WPA2 or \
                     WPA3 and try again."
                }
                ErrorKind::WrongKey => {
                    "The network does not accept the key that the router handed over. Check the \
                     Wi-Fi password in the router's settings and try again."
                }
                ErrorKind::NotFound => {
                    "The network is not in range. Move closer to the router and try again."
                }
                ErrorKind::Unsupported => "This device's radio cannot do it. Set Wi-Fi up by hand.",
                ErrorKind::NoDevice => {
                    "No radio was found, or its software does not run. Plug the radio in, start \
                     its software, and try again."
                }
                ErrorKind::Blocked => {
                    "The radio is switched off (flight mode). Switch it on and try again."
                }
                ErrorKind::ManagedByOther => {
                    "Another program manages the radio. Tell it to leave this radio alone, and try \
                     again."
                }
                ErrorKind::NotPermitted => {
                    "The device's software lacks a permission, which its log names. Grant it and \
                     try again."
                }
                ErrorKind::NoResponse => {
                    "The radio does not answer. Restart the device and try again."
                }
                ErrorKind::Other => "The radio failed. Try again; restart the device if it stays.",
            },
        }
    }
}

/// What to do after a pairing that succeeded: the specification's best practice.
pub const ADVICE_AFTER_SUCCESS: &str =
    "WPS is best switched off on the router now: it is a door that you no longer need.";
