//! The status for users: what the device is doing, why a task failed, and what to do about it.

use crate::driver::{ErrorKind, SearchProgress};
use crate::settings::{Mode, Ssid};
use crate::time::Instant;
#[cfg(feature = "scan")]
use crate::wsc::PressedRouters;

/// What the device is doing, for the web page, the lamp and the log. Contains no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// The current phase.
    pub phase: Phase,
    /// When the window closes, or `None` if no window is open.
    pub deadline: Option<Instant>,
    /// The progress of the search, while a pairing searches for its router.
    pub progress: SearchProgress,
    /// The access points that were in pairing mode during this pairing, or during the last one if
    /// it has failed: the user can choose one of them
    /// ([`Control::start_with`](crate::Control::start_with)). A pairing with a chosen one keeps
    /// the list. Empty after an overlap without a choice. Only with the feature `scan`.
    #[cfg(feature = "scan")]
    pub pressed: PressedRouters,
    /// Whether the radio has left its network, or stopped its access point, in order to pair.
    pub off_air: bool,
    /// The mode of the settings that are in force or being restored.
    pub mode: Mode,
    /// The saved network, in use or only remembered.
    pub network: Option<Ssid>,
    /// The result of the last pairing or change of settings.
    pub last: Option<TaskResult>,
    /// Why the device could not become idle so far. The failed operation is being repeated. While
    /// the device is idle: [`Cause::KeyRefused`] if the network no longer accepts its key.
    pub trouble: Option<Cause>,
}

impl Status {
    /// Creates a status of which only the phase and the mode are known, for tests of front ends.
    /// Set the other fields afterwards.
    pub fn new(phase: Phase, mode: Mode) -> Self {
        Self {
            phase,
            deadline: None,
            progress: SearchProgress::Looking,
            #[cfg(feature = "scan")]
            pressed: PressedRouters::default(),
            off_air: false,
            mode,
            network: None,
            last: None,
            trouble: None,
        }
    }

    /// Returns whether a pairing is running. It no longer is while the settings are being restored.
    pub fn is_pairing(&self) -> bool {
        match self.phase {
            Phase::Idle | Phase::Configuring | Phase::Restoring => false,
            Phase::Journaling | Phase::Searching | Phase::Joining { .. } | Phase::Saving => true,
        }
    }
}

/// A phase of the device's work.
///
/// These states of the machine belong to each phase. `docs/machine.svg` draws them.
///
// Generated. To update it: UPDATE_DIAGRAM=1 cargo test -p wps-core --test model
/// | phase         | states                                                                   |
/// |---------------|--------------------------------------------------------------------------|
/// | `Idle`        | Idle                                                                     |
/// | `Journaling`  | Snapshotting, Journaling                                                 |
/// | `Searching`   | Searching                                                                |
/// | `Joining`     | Joining                                                                  |
/// | `Saving`      | Keeping, Saving                                                          |
/// | `Configuring` | Snapshotting, Journaling, ReplyGrace, Joining, Applying, Keeping, Saving |
/// | `Restoring`   | Restoring, Closing                                                       |
// End of the generated part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Phase {
    /// No task is running.
    Idle,
    /// A pairing was requested, and the journal is being written. The radio has not been touched.
    Journaling,
    /// The pairing is searching for a router whose button was pressed, and exchanging credentials
    /// with it.
    Searching,
    /// The pairing is joining a network that the router has handed over.
    Joining {
        /// The network's name.
        ssid: Ssid,
    },
    /// The network has been joined, and the credentials are being saved.
    Saving,
    /// The settings are being changed from outside.
    Configuring,
    /// The settings are being restored after a task, after the radio has lost them, or because the
    /// device has just started.
    Restoring,
}

/// The result of a pairing or of a change of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct TaskResult {
    /// The kind of task.
    pub task: TaskKind,
    /// Success, or the cause of the failure.
    pub result: Result<(), Cause>,
    /// When the task ended.
    pub at: Instant,
    /// Whether the task has joined a network without a key. Everybody near it can read what the
    /// device sends unencrypted.
    pub is_open: bool,
}

impl TaskResult {
    /// Creates the result of a task that ended at `at`.
    pub fn new(task: TaskKind, result: Result<(), Cause>, at: Instant) -> Self {
        Self { task, result, at, is_open: false }
    }

    /// Returns what the user should do now, if anything.
    pub fn advice(&self) -> Option<&'static str> {
        match (self.task, self.result) {
            (task, Err(cause)) => Some(task.advice(cause)),
            (_, Ok(())) if self.is_open => Some(ADVICE_AFTER_OPEN),
            (TaskKind::Pair, Ok(())) => Some(ADVICE_AFTER_SUCCESS),
            (TaskKind::Configure, Ok(())) => None,
        }
    }

    /// Returns whether it has failed, and another access point may do better.
    #[cfg(feature = "scan")]
    pub(crate) fn has_choice(&self) -> bool {
        let without_choice = Cause::Driver(ErrorKind::OverlapWithoutChoice);
        self.result.is_err_and(|cause| cause != without_choice)
    }

    /// Returns whether the pairing ended because more than one access point was in pairing mode.
    pub(crate) fn is_overlap(&self) -> bool {
        matches!(
            self.result,
            Err(Cause::Driver(ErrorKind::Overlap | ErrorKind::OverlapWithoutChoice))
        )
    }

    /// Returns whether somebody has requested this task. The device reports two results by itself,
    /// as a change of settings that has failed: [`Cause::Corrupt`] and [`Cause::NetworkRemoved`].
    pub fn is_requested(&self) -> bool {
        !matches!(
            (self.task, self.result),
            (TaskKind::Configure, Err(Cause::Corrupt | Cause::NetworkRemoved))
        )
    }
}

/// The two kinds of task that can be requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TaskKind {
    /// A pairing by push button.
    Pair,
    /// A change of the settings from outside.
    Configure,
}

impl TaskKind {
    /// Returns what the user can do after this task has failed with `cause`. This is
    /// [`Cause::advice`], except where that advice assumes a push button and the user has typed a
    /// password.
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
            (Self::Configure, Cause::Driver(ErrorKind::KeptElsewhere)) => {
                "Another network manager has the password of this network, and does not manage \
                 this radio now. Enter the network's name and password, or pair again."
            }
            (Self::Configure, Cause::Driver(ErrorKind::Unsupported)) => {
                "This device's radio cannot do it. Choose other settings."
            }
            (Self::Pair | Self::Configure, cause) => cause.advice(),
        }
    }
}

/// The cause of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Cause {
    /// The window closed, and it is not known what the radio has seen.
    #[error("no router paired within two minutes")]
    TimedOut,
    /// The window closed, and the radio could not scan for routers.
    #[error("the radio could not look for routers")]
    CannotScan,
    /// The window closed, and no access point was in range.
    #[error("no router was in range for two minutes")]
    NoRouter,
    /// The window closed, and no access point in range had WPS.
    #[error("no router in range has WPS switched on")]
    NoWps,
    /// The window closed before any router's button was pressed.
    #[error("no router's WPS button was pressed within two minutes")]
    NotPressed,
    /// The window closed after a router's button was pressed, and before the exchange began.
    #[error("a router's WPS button was pressed, but too late")]
    PressedLate,
    /// The window closed during the exchange with a router.
    #[error("the router began to pair and then stopped answering")]
    ExchangeTimedOut,
    /// A user cancelled the task.
    #[error("cancelled")]
    Cancelled,
    /// The network was not joined in time.
    #[error("the network could not be joined in time")]
    NotJoined,
    /// The network was found and did not let the device in, for a reason other than the key.
    #[error("the network refused this device when it tried to join")]
    JoinRefused,
    /// The radio or the router failed.
    #[error(transparent)]
    Driver(#[from] ErrorKind),
    /// The record could not be saved.
    #[error("the settings could not be saved")]
    Store,
    /// Power was cut, or the program ended, before the task was complete.
    #[error("it was interrupted by a restart")]
    Interrupted,
    /// The saved settings were damaged when the device started.
    #[error("the saved settings were damaged and have been put aside")]
    Corrupt,
    /// The network no longer accepts the saved key. The device is idle and keeps trying.
    #[error("the network no longer accepts its saved key")]
    KeyRefused,
    /// The network was joined, but the platform could not save it.
    #[error("the system could not save the network")]
    NotKept,
    /// The platform no longer has the network that it kept. The device forgets it.
    #[error("the saved network was removed by another program")]
    NetworkRemoved,
}

impl Cause {
    /// Returns a short name for use by programs. Several causes share a name if a program can treat
    /// them alike: [`detail`](Self::detail) distinguishes them.
    pub fn name(self) -> &'static str {
        match self {
            Self::TimedOut
            | Self::CannotScan
            | Self::NoRouter
            | Self::NoWps
            | Self::NotPressed
            | Self::PressedLate
            | Self::ExchangeTimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::NotJoined => "not_joined",
            Self::JoinRefused => "refused",
            Self::Store | Self::NotKept => "store",
            Self::Interrupted => "interrupted",
            Self::Corrupt => "corrupt",
            Self::KeyRefused => "wrong_key",
            Self::NetworkRemoved => "network_removed",
            Self::Driver(kind) => match kind {
                ErrorKind::Overlap | ErrorKind::OverlapWithoutChoice => "overlap",
                ErrorKind::Refused
                | ErrorKind::RefusedOrOverlap
                | ErrorKind::EmptyKey
                | ErrorKind::NotOpen
                | ErrorKind::InvalidKey
                | ErrorKind::NoNetwork => "refused",
                ErrorKind::RouterBusy => "router_busy",
                ErrorKind::RouterLost => "router_lost",
                ErrorKind::Insecure | ErrorKind::Wep | ErrorKind::TkipOnly => "insecure",
                ErrorKind::WrongKey => "wrong_key",
                ErrorKind::NotFound => "not_found",
                ErrorKind::Unsupported | ErrorKind::WithoutWps | ErrorKind::WithoutWpa2 => {
                    "unsupported"
                }
                ErrorKind::NoDevice | ErrorKind::Unmanaged => "absent",
                ErrorKind::Blocked => "blocked",
                ErrorKind::ManagedByOther => "managed",
                ErrorKind::KeptElsewhere => "kept_elsewhere",
                ErrorKind::NotPermitted => "not_permitted",
                ErrorKind::NoResponse => "mute",
                ErrorKind::Other => "other",
            },
        }
    }

    /// Returns a name that no other cause has, or `None` if [`name`](Self::name) says all that is
    /// known.
    pub fn detail(self) -> Option<&'static str> {
        Some(match self {
            Self::CannotScan => "cannot_scan",
            Self::NoRouter => "no_router",
            Self::NoWps => "no_wps",
            Self::NotPressed => "not_pressed",
            Self::PressedLate => "pressed_late",
            Self::ExchangeTimedOut => "exchange_timed_out",
            Self::JoinRefused => "join_refused",
            Self::KeyRefused => "key_refused",
            Self::NotKept => "not_kept",
            Self::Driver(kind) => match kind {
                ErrorKind::OverlapWithoutChoice => "without_choice",
                ErrorKind::RefusedOrOverlap => "refused_or_overlap",
                ErrorKind::Wep => "wep",
                ErrorKind::TkipOnly => "tkip_only",
                ErrorKind::EmptyKey => "empty_key",
                ErrorKind::NotOpen => "not_open",
                ErrorKind::InvalidKey => "invalid_key",
                ErrorKind::NoNetwork => "no_network",
                ErrorKind::WithoutWps => "without_wps",
                ErrorKind::WithoutWpa2 => "without_wpa2",
                ErrorKind::Unmanaged => "unmanaged",
                ErrorKind::Overlap
                | ErrorKind::Refused
                | ErrorKind::RouterBusy
                | ErrorKind::RouterLost
                | ErrorKind::Insecure
                | ErrorKind::WrongKey
                | ErrorKind::NotFound
                | ErrorKind::Unsupported
                | ErrorKind::NoDevice
                | ErrorKind::Blocked
                | ErrorKind::ManagedByOther
                | ErrorKind::KeptElsewhere
                | ErrorKind::NotPermitted
                | ErrorKind::NoResponse
                | ErrorKind::Other => return None,
            },
            Self::TimedOut
            | Self::Cancelled
            | Self::NotJoined
            | Self::Store
            | Self::Interrupted
            | Self::Corrupt
            | Self::NetworkRemoved => return None,
        })
    }

    /// Returns what the user can do about it. This is the specification's troubleshooting table,
    /// extended to the other causes.
    pub fn advice(self) -> &'static str {
        match self {
            Self::TimedOut => {
                "Start again and press the router's WPS button within two minutes. \
                 If the router has no WPS, set Wi-Fi up by hand."
            }
            Self::CannotScan => {
                "The device could not look for routers. Restart it and start again."
            }
            Self::NoRouter => {
                "Make sure that the router is switched on, move closer to it, and start again."
            }
            Self::NoWps => {
                "Switch WPS on in the router's settings and start again. If the router has no WPS, \
                 set Wi-Fi up by hand."
            }
            Self::NotPressed => {
                "Start again and press the WPS button of the router within two minutes."
            }
            Self::PressedLate => {
                "Start again, and press the WPS button of the router right after that."
            }
            Self::ExchangeTimedOut => {
                "Move closer to the router and start again. If it stays, restart the router."
            }
            Self::Cancelled => "Start again whenever you like.",
            Self::NotJoined => {
                "The router gave its network away, but it could not be joined. \
                 Move closer to the router and try again, or set Wi-Fi up by hand."
            }
            Self::JoinRefused => {
                "Look for a list of allowed devices in the router's settings, set its security to \
                 WPA2, and try again."
            }
            Self::Store => {
                "The device could not write its settings. Make sure that its storage is not full \
                 or read-only, and try again."
            }
            Self::Interrupted => "Nothing was saved. Start again.",
            Self::Corrupt => "The device started as new. Set Wi-Fi up again.",
            Self::KeyRefused => {
                "The password of the network was changed. Pair again, or enter the new password."
            }
            Self::NotKept => {
                "The network works, but the system could not save it. Make sure that it may save \
                 networks, and that its storage is not full or read-only, and try again."
            }
            Self::NetworkRemoved => {
                "The device has forgotten the network. Pair again, or set Wi-Fi up by hand."
            }
            Self::Driver(kind) => match kind {
                ErrorKind::Overlap => {
                    "More than one access point is in pairing mode. If they belong to one router, \
                     waiting does not help: choose one of them. Otherwise wait two minutes, then \
                     press the button on one router only."
                }
                ErrorKind::OverlapWithoutChoice => {
                    "More than one access point is in pairing mode. If they belong to one router, \
                     waiting does not help: set Wi-Fi up by hand. Otherwise wait two minutes, then \
                     press the button on one router only."
                }
                ErrorKind::Refused => "Check the WPS settings of the router and try again.",
                ErrorKind::RefusedOrOverlap => {
                    "The router refused, or more than one router is in pairing mode. Wait two \
                     minutes, make sure that WPS is on, and press the button on one router only."
                }
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
                ErrorKind::Wep => {
                    "The router's network uses WEP, which is not safe. Set it to WPA2 or WPA3 and \
                     try again."
                }
                ErrorKind::TkipOnly => {
                    "The router's network uses TKIP only, which is not safe. Set it to WPA2 or \
                     WPA3 with AES and try again."
                }
                ErrorKind::EmptyKey => {
                    "The router handed over an empty password. Set a Wi-Fi password at the router \
                     and try again."
                }
                ErrorKind::NotOpen => {
                    "The router handed over no password, and its network does not look open. Set a \
                     Wi-Fi password at the router and try again, or set Wi-Fi up by hand."
                }
                ErrorKind::InvalidKey => {
                    "The router handed over an impossible password. Set one of 8 to 63 characters \
                     at the router and try again."
                }
                ErrorKind::NoNetwork => {
                    "The router handed over no usable network. Set it to WPA2-Personal with a \
                     visible name, update its software, and try again."
                }
                ErrorKind::WrongKey => {
                    "The network does not accept the key that the router handed over. Check the \
                     Wi-Fi password in the router's settings and try again."
                }
                ErrorKind::NotFound => {
                    "The network is not in range. Move closer to the router and try again."
                }
                ErrorKind::WithoutWpa2 => {
                    "Set the security of the router's Wi-Fi to WPA2, or to WPA2 and WPA3, and try \
                     again."
                }
                ErrorKind::Unsupported => "This device's radio cannot do it. Set Wi-Fi up by hand.",
                ErrorKind::WithoutWps => {
                    "The device's Wi-Fi software was built without WPS. Set Wi-Fi up by hand, or \
                     install a build that has WPS."
                }
                ErrorKind::NoDevice => {
                    "No radio was found, or its software does not run. Plug the radio in, start \
                     its software, and try again."
                }
                ErrorKind::Unmanaged => {
                    "No network manager uses the radio now. Let one use it, as the log of the \
                     device's software says, and try again."
                }
                ErrorKind::Blocked => {
                    "The radio is switched off (flight mode). Switch it on and try again."
                }
                ErrorKind::ManagedByOther => {
                    "Another program uses the radio. The log of the device's software names it, and \
                     says what to do."
                }
                ErrorKind::KeptElsewhere => {
                    "Another network manager has the password of the saved network, and does not \
                     manage this radio now. Pair again, or set Wi-Fi up by hand."
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

/// The cause of a pairing whose window has closed at this progress.
impl From<&SearchProgress> for Cause {
    fn from(progress: &SearchProgress) -> Self {
        Self::of_search(progress.rank())
    }
}

impl Cause {
    /// Returns the cause of a pairing whose window has closed at the progress of this rank.
    pub(crate) fn of_search(rank: u8) -> Self {
        const BY_RANK: [Cause; 7] = [
            Cause::TimedOut,
            Cause::CannotScan,
            Cause::NoRouter,
            Cause::NoWps,
            Cause::NotPressed,
            Cause::PressedLate,
            Cause::ExchangeTimedOut,
        ];
        BY_RANK.get(usize::from(rank)).copied().unwrap_or(Self::TimedOut)
    }
}

/// What the user should do after a successful pairing: the specification's best practice.
pub const ADVICE_AFTER_SUCCESS: &str =
    "WPS is best switched off on the router now: it is a door that you no longer need.";

/// What the user should know after the device has joined a network without a key.
pub const ADVICE_AFTER_OPEN: &str = "This network has no password: everybody near it can read what the device sends unencrypted. Set a \
     password at the router, and pair again.";
