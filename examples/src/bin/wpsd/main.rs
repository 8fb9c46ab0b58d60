//! `wpsd`: Wi-Fi Protected Setup by push button as a daemon for Linux, with an HTTP API and a page.
//! Without an interface it runs on a simulated radio, and whoever starts it plays the router.

mod addresses;
mod factory_settings;
mod linux;
mod panel;
mod password;
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
/// Without --interface it runs on a simulated radio: open the page and play the router, by keys or in
/// the page. With it, it pairs a real Wi-Fi interface through wpa_supplicant.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Flags {
    /// The Wi-Fi interface to pair; wpa_supplicant must run on it
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// Where to serve the page and the API; whoever can reach it can pair, unless there is a password.
    /// Port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: SocketAddr,

    /// A further host name under which the page is reached, such as device.fritz.box; may be given
    /// more than once. IP addresses, localhost and this machine's name work anyway
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,

    /// The file with the password of the page and the API in its first line, readable by nobody else.
    /// Without it the variable WPSD_PASSWORD counts. The user name is empty
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Where the settings are saved
    #[arg(long, value_name = "DIR", default_value = "/var/lib/wpsd", requires = "interface")]
    state_dir: PathBuf,

    /// Where wpa_supplicant's control sockets are
    #[arg(long, value_name = "DIR", default_value = "/run/wpa_supplicant", requires = "interface")]
    control_dir: PathBuf,

    /// What freq_list is in wpa_supplicant's configuration, if it is there: no other channel is looked at
    #[arg(long, value_name = "\"MHZ...\"", requires = "interface")]
    freq_list: Option<linux::FreqList>,

    #[command(flatten)]
    panel: panel::Panel,

    #[command(flatten)]
    factory_settings: factory_settings::FactorySettings,
}

const AFTER_HELP: &str = "\
Examples:
  wpsd                                             a simulated radio to play with
  wpsd --interface wlan0 --listen 0.0.0.0:80       the real thing, for the whole network
  wpsd --interface wlan0 --listen 0.0.0.0:80 --password-file /etc/wpsd/password
  wpsd --interface wlan0 --button-key gpio-keys --lamp-led green:wps
  curl -i -X POST http://127.0.0.1:8080/api/v1/wifi/wps        start a pairing
  curl -s http://127.0.0.1:8080/api/v1/wifi/wps                how it stands

RUST_LOG sets what is logged (RUST_LOG=debug). SIGTERM or Ctrl+C ends a running pairing, puts the
previous Wi-Fi settings back, and exits.";

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "give an IP address and a port, such as 127.0.0.1:8080 or [::]:80")
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    keep_secrets_out_of_core_dumps();
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

/// The memory holds Wi-Fi passwords. No debugger of another user, and no dump on disk.
fn keep_secrets_out_of_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // Where the system does not allow it there is nothing else to do, and no reason not to run.
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

fn run(flags: Flags) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Flags {
        interface,
        listen,
        names,
        password_file,
        state_dir,
        control_dir,
        freq_list,
        panel,
        factory_settings,
    } = flags;
    let password = password::password(password_file.as_deref())?;
    let door = serve::Door { listen, names, password };
    let device = serve::Device {
        factory_settings: factory_settings.settings()?,
        after_failure: factory_settings.after_failure(),
        panel,
    };
    let work = async {
        match interface {
            Some(interface) => {
                let options =
                    linux::Options { interface, state_dir, control_dir, freq_list, door, device };
                linux::run(options).await
            }
            None => simulated::run(door, device).await,
        }
    };
    // A task of its own: see `Runner::run`.
    let done = LocalSet::new().block_on(&runtime, async { spawn_local(work).await });
    let done = done.context("the daemon's task failed").flatten();
    // Whatever still blocks (a name being looked up, a key being waited for) must not hold the exit.
    runtime.shutdown_background();
    done
}
