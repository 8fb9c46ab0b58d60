//! The programs of this package: `wpsd`, a daemon for Linux that does Wi-Fi Protected Setup by push
//! button, with an HTTP API and a web page; and `demo`, the same on a simulated radio.

mod addresses;
mod button_and_lamp;
mod factory_settings;
mod flags;
mod linux;
mod panel;
mod password;
mod results;
mod secret;
mod serve;
mod simulated;
mod systemd;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tokio::task::{LocalSet, spawn_local};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use flags::{Command, CommonFlags, DemoFlags, DemoProgram, WpsdFlags};
use serve::{DeviceOptions, HttpOptions};

/// Runs the program `wpsd` with the flags of this process, until a signal ends it.
pub fn wpsd() -> ExitCode {
    let WpsdFlags { command, radio, common } = WpsdFlags::parse();
    match command {
        Some(Command::Demo(flags)) => run_demo("wpsd", flags),
        None => run("wpsd", common, async |http, device| linux::run(radio, http, device).await),
    }
}

/// Runs the program `demo` with the flags of this process, until a signal ends it.
pub fn demo() -> ExitCode {
    run_demo("demo", DemoProgram::parse().flags)
}

fn run_demo(program: &str, flags: DemoFlags) -> ExitCode {
    let DemoFlags { platform_keeps_networks, common } = flags;
    run(program, common, async move |http, device| {
        simulated::run(http, device, platform_keeps_networks).await
    })
}

/// Runs `work` in a runtime, with the options from the flags, and reports its error.
fn run(
    program: &str,
    flags: CommonFlags,
    work: impl AsyncFnOnce(HttpOptions, DeviceOptions) -> anyhow::Result<()> + 'static,
) -> ExitCode {
    forbid_core_dumps();
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run_in_runtime(flags, work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error:#}");
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

fn run_in_runtime(
    flags: CommonFlags,
    work: impl AsyncFnOnce(HttpOptions, DeviceOptions) -> anyhow::Result<()> + 'static,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let CommonFlags { listen, names, password_file, button_and_lamp, factory_settings } = flags;
    let password = password::password(password_file.as_deref())?;
    let http = HttpOptions { listen, names, password };
    let device = DeviceOptions {
        factory_settings: factory_settings.settings()?,
        after_failure: factory_settings.after_failure(),
        button_and_lamp,
    };
    let work = async move { work(http, device).await };
    // In a separate task: see `Runner::run`.
    let done = LocalSet::new().block_on(&runtime, async { spawn_local(work).await });
    let done = done.context("the daemon's task failed").flatten();
    // Blocking tasks (a DNS query, a wait for a key) must not delay the exit.
    runtime.shutdown_background();
    done
}
