//! The flags of the programs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::button_and_lamp::ButtonAndLamp;
use crate::factory_settings::FactorySettings;

/// Wi-Fi Protected Setup by push button: press the button on the router, and you are online.
///
/// Pairs a Wi-Fi interface through NetworkManager, or through wpa_supplicant where no other program
/// manages the interface. `wpsd demo` runs on a simulated radio instead.
#[derive(Parser)]
#[command(name = "wpsd", version, args_conflicts_with_subcommands = true, after_help = WPSD_HELP)]
pub(crate) struct WpsdFlags {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) radio: RadioFlags,

    #[command(flatten)]
    pub(crate) common: CommonFlags,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run on a simulated radio: open the page, and control the simulated router there or with the
    /// keyboard. No real radio is touched
    #[command(after_help = DEMO_HELP)]
    Demo(DemoFlags),
}

/// The daemon of Wi-Fi Protected Setup on a simulated radio: open the page, and control the
/// simulated router there or with the keyboard. No real radio is touched.
#[derive(Parser)]
#[command(name = "demo", version, after_help = DEMO_HELP)]
pub(crate) struct DemoProgram {
    #[command(flatten)]
    pub(crate) flags: DemoFlags,
}

const WPSD_HELP: &str = "\
Examples:
  wpsd demo                                        a simulated radio to try it out
  wpsd                                             the only Wi-Fi interface of this machine
  wpsd --interface wlan0 --listen 0.0.0.0:80       reachable from the whole network
  wpsd --interface wlan0 --listen 0.0.0.0:80 --password-file /etc/wpsd/password
  wpsd --interface wlan0 --button-key gpio-keys --lamp-led green:wps
  curl -i -X POST http://127.0.0.1:8080/api/v1/wifi/wps        start a pairing
  curl -s http://127.0.0.1:8080/api/v1/wifi/wps                show the status

RUST_LOG sets the log level (RUST_LOG=debug). SIGTERM or Ctrl+C cancels a running pairing, restores
the previous Wi-Fi settings, and exits.";

const DEMO_HELP: &str = "\
Examples:
  wpsd demo --platform-keeps-networks              a platform that keeps networks
  curl -i -X POST http://127.0.0.1:8080/api/v1/wifi/wps        start a pairing
  curl -s http://127.0.0.1:8080/api/v1/wifi/wps                show the status

RUST_LOG sets the log level (RUST_LOG=debug). Ctrl+C ends the program.";

/// The flags for a real radio.
#[derive(Args)]
pub(crate) struct RadioFlags {
    /// The Wi-Fi interface to pair. Needed if this machine has more than one
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,

    /// The program that decides which networks the interface joins. Without this flag, wpsd finds
    /// out
    #[arg(long, value_name = "NAME", value_enum)]
    pub(crate) manager: Option<Manager>,

    /// The directory for the saved settings
    #[arg(long, value_name = "DIR", default_value = "/var/lib/wpsd")]
    pub(crate) state_dir: PathBuf,

    /// The directory of wpa_supplicant's control sockets, or the whole value of ctrl_interface in
    /// its configuration
    #[arg(long, value_name = "DIR", default_value = "/run/wpa_supplicant")]
    pub(crate) control_dir: ControlDir,

    /// The value of freq_list in wpa_supplicant's configuration, if it has one. Only these
    /// frequencies are scanned
    #[arg(long, value_name = "\"MHZ...\"")]
    pub(crate) freq_list: Option<FreqList>,
}

/// The flags for the simulated radio.
#[derive(Args)]
pub(crate) struct DemoFlags {
    /// Simulate a platform that keeps networks itself, as NetworkManager does: the network of a
    /// pairing becomes one of its own, and the page shows it and can remove it. Like everything
    /// simulated, it lasts until the program ends
    #[arg(long)]
    pub(crate) platform_keeps_networks: bool,

    #[command(flatten)]
    pub(crate) common: CommonFlags,
}

/// The flags for every kind of radio.
#[derive(Args)]
pub(crate) struct CommonFlags {
    /// The address for the page and the API. Everybody who can reach it can start a pairing, unless
    /// there is a password. Port 0 chooses a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    pub(crate) listen: SocketAddr,

    /// Another host name under which browsers reach the page, such as device.fritz.box; can be
    /// given more than once. IP addresses, localhost and this machine's name always work
    #[arg(long = "name", value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// The file with the password of the page and the API in its first line. Other users must not
    /// be able to read it. Without this flag, the variable WPSD_PASSWORD is used. Any user
    /// name is accepted
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) button_and_lamp: ButtonAndLamp,

    #[command(flatten)]
    pub(crate) factory_settings: FactorySettings,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "give an IP address and a port, such as 127.0.0.1:8080 or [::]:80")
}

/// The program that decides which networks the interface joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Manager {
    /// wpa_supplicant with its own configuration; no other program manages the interface
    WpaSupplicant,
    /// NetworkManager: the network becomes one of its profiles
    NetworkManager,
}

impl From<Manager> for wps_hal_linux::Manager {
    fn from(manager: Manager) -> Self {
        match manager {
            Manager::WpaSupplicant => Self::WpaSupplicant,
            Manager::NetworkManager => Self::NetworkManager,
        }
    }
}

/// The directory of wpa_supplicant's control sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ControlDir(pub(crate) PathBuf);

impl FromStr for ControlDir {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let directory = wps_hal_linux::control_dir(text).map(|it| Self(it.into()));
        directory.ok_or("give the directory of the control sockets, such as /run/wpa_supplicant")
    }
}

/// A list of frequencies in MHz, separated by spaces or commas as in wpa_supplicant.
#[derive(Clone, Debug)]
pub(crate) struct FreqList(pub(crate) Vec<u16>);

impl FromStr for FreqList {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        let frequencies: Result<Vec<u16>, _> = words.map(str::parse).collect();
        match frequencies {
            Ok(frequencies) if !frequencies.is_empty() => Ok(Self(frequencies)),
            Ok(_) | Err(_) => Err("give frequencies in MHz, such as \"2412 2437 2462\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory;
        WpsdFlags::command().debug_assert();
        DemoProgram::command().debug_assert();
    }
}
