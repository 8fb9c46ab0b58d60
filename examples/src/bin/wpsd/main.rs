//! `wpsd`: a daemon for Linux that does Wi-Fi Protected Setup by push button, with an HTTP API and
//! a web page. Without an interface it runs on a simulated radio, and the user controls the router.

mod addresses;
mod button_and_lamp;
mod factory_settings;
mod linux;
mod panel;
mod password;
mod results;
mod secret;
mod serve;
mod simulated;
mod systemd;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tokio::task::{LocalSet, spawn_local};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Wi-Fi Protected Setup by push button: press the button on the router, and you are online.
///
/// Without --interface it runs on a simulated radio: open the page, and control the simulated
/// router there or with the keyboard. With --interface it pairs a real Wi-Fi interface through
/// wpa_supplicant, or through NetworkManager.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Flags {
    /// The Wi-Fi interface to pair; wpa_supplicant must run on it
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// The address for the page and the API. Everybody who can reach it can start a pairing, unless
    /// there is a password. Port 0 chooses a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: SocketAddr,

    /// Another host name under which browsers reach the page, such as device.fritz.box; can be
    /// given more than once. IP addresses, localhost and this machine's name always work
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,

    /// The file with the password of the page and the API in its first line. Other users must not
    /// be able to read it. Without this flag, the variable WPSD_PASSWORD is used. The user name is
    /// empty
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// The program that decides which networks the interface joins
    #[arg(long, value_name = "NAME", value_enum, default_value = "wpa-supplicant")]
    #[arg(requires = "interface")]
    manager: linux::Manager,

    /// The directory for the saved settings
    #[arg(long, value_name = "DIR", default_value = "/var/lib/wpsd", requires = "interface")]
    state_dir: PathBuf,

    /// The directory of wpa_supplicant's control sockets
    #[arg(long, value_name = "DIR", default_value = "/run/wpa_supplicant", requires = "interface")]
    control_dir: PathBuf,

    /// The value of freq_list in wpa_supplicant's configuration, if it has one. Only these
    /// frequencies are scanned
    #[arg(long, value_name = "\"MHZ...\"", requires = "interface")]
    freq_list: Option<linux::FreqList>,

    /// Simulate a platform that keeps networks itself, as NetworkManager does: the network of a
    /// pairing becomes one of its own, and the page shows it and can remove it. Like everything
    /// simulated, it lasts until wpsd ends
    #[arg(long, conflicts_with = "interface")]
    platform_keeps_networks: bool,

    #[command(flatten)]
    button_and_lamp: button_and_lamp::ButtonAndLamp,

    #[command(flatten)]
    factory_settings: factory_settings::FactorySettings,
}

const AFTER_HELP: &str = "\
Examples:
  wpsd                                             a simulated radio to try it out
  wpsd --platform-keeps-networks                   the same, with a platform that keeps networks
  wpsd --interface wlan0 --listen 0.0.0.0:80       a real radio, reachable from the whole network
  wpsd --interface wlan0 --listen 0.0.0.0:80 --password-file /etc/wpsd/password
  wpsd --interface wlan0 --manager network-manager
  wpsd --interface wlan0 --button-key gpio-keys --lamp-led green:wps
  curl -i -X POST http://127.0.0.1:8080/api/v1/wifi/wps        start a pairing
  curl -s http://127.0.0.1:8080/api/v1/wifi/wps                show the status

RUST_LOG sets the log level (RUST_LOG=debug). SIGTERM or Ctrl+C cancels a running pairing, restores
the previous Wi-Fi settings, and exits.";

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "give an IP address and a port, such as 127.0.0.1:8080 or [::]:80")
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    forbid_core_dumps();
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wpsd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Forbids core dumps and debuggers of other users, because the memory holds Wi-Fi passwords.
fn forbid_core_dumps() {
    let no_core_file = Rlimit { current: Some(0), maximum: Some(0) };
    // A system that does not allow this is no reason not to run.
    let _ = setrlimit(Resource::Core, no_core_file);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

fn run(flags: Flags) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Flags {
        interface,
        manager,
        listen,
        names,
        password_file,
        state_dir,
        control_dir,
        freq_list,
        platform_keeps_networks,
        button_and_lamp,
        factory_settings,
    } = flags;
    let password = password::password(password_file.as_deref())?;
    let http = serve::HttpOptions { listen, names, password };
    let device = serve::DeviceOptions {
        factory_settings: factory_settings.settings()?,
        after_failure: factory_settings.after_failure(),
        button_and_lamp,
    };
    let work = async move {
        match interface {
            Some(interface) => {
                let options = linux::Options {
                    interface,
                    manager,
                    state_dir,
                    control_dir,
                    freq_list,
                    http,
                    device,
                };
                linux::run(options).await
            }
            None => simulated::run(http, device, platform_keeps_networks).await,
        }
    };
    // In a separate task: see `Runner::run`.
    let done = LocalSet::new().block_on(&runtime, async { spawn_local(work).await });
    let done = done.context("the daemon's task failed").flatten();
    // Blocking tasks (a DNS query, a wait for a key) must not delay the exit.
    runtime.shutdown_background();
    done
}
