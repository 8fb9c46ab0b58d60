//! Compares pairing by button with today's programs: `wpsd`, alone and beside NetworkManager,
//! `wpa_cli`, iwd and NetworkManager in the radio lab.
//!
//! It asserts nothing, and prints a line for each pairing. `lab/figures` runs it and makes tables
//! and a plot of the lines.

#[path = "../lab/mod.rs"]
mod lab;
#[path = "../wpsd/mod.rs"]
mod wpsd;

mod iwd;
mod link_monitor;
mod network_manager;
mod ours;
mod wpa_cli;

use std::fmt;
use std::net::Ipv4Addr;
use std::panic;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::{Events, Ping, Router, reset_radios, run};
use link_monitor::{LinkMonitor, associations};

/// How long a step before the measurement may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a pairing may take: the walk time, and some more to reconnect.
const RUN_TIMEOUT: Duration = Duration::from_secs(130);
/// The address of the old router.
const OLD: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
/// The address of the station.
const STATION: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

/// The bands that the station may scan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bands {
    /// 2.4, 5 and 6 GHz. All programs use their defaults.
    All,
    /// A card with 2.4 GHz only, or a country that allows no more. All programs use their defaults.
    TwoOnly,
    /// `freq_list` names 2.4 GHz, although the card has more bands. Only wpa_supplicant has such a
    /// setting.
    TwoListed,
    /// `freq_list` names 2.4 and 5 GHz.
    BothListed,
}

impl Bands {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::TwoOnly => "2.4-only",
            Self::TwoListed => "2.4-listed",
            Self::BothListed => "2.4+5-listed",
        }
    }
}

/// When the router's button is pressed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Button {
    Before,
    After(Duration),
    Never,
}

impl fmt::Display for Button {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before => write!(f, "before"),
            Self::After(time) => write!(f, "{}s", time.as_secs()),
            Self::Never => write!(f, "never"),
        }
    }
}

/// A program that pairs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Wpsd,
    WpaCli,
    Iwd,
    NetworkManager,
    /// `wpsd` beside NetworkManager.
    WpsdWithNetworkManager,
}

impl Program {
    const ALL: &[Self] =
        &[Self::Wpsd, Self::WpaCli, Self::Iwd, Self::NetworkManager, Self::WpsdWithNetworkManager];
    /// The programs with a setting for the channels.
    const WITH_FREQ_LIST: &[Self] = &[Self::Wpsd, Self::WpaCli];

    const fn name(self) -> &'static str {
        match self {
            Self::Wpsd => "wpsd",
            Self::WpaCli => "wpa_cli",
            Self::Iwd => "iwd",
            Self::NetworkManager => "NetworkManager",
            Self::WpsdWithNetworkManager => "wpsd+NetworkManager",
        }
    }

    /// Starts the program, and waits until it is idle: joined to the old network if there is one.
    fn boot(self, context: &TestContext, bands: Bands) -> Box<dyn Contender> {
        match self {
            Self::Wpsd => ours::boot(context, bands),
            Self::WpaCli => wpa_cli::boot(context, bands),
            Self::Iwd => iwd::boot(context),
            Self::NetworkManager => network_manager::boot(context),
            Self::WpsdWithNetworkManager => network_manager::boot_wpsd(context),
        }
    }
}

/// A running program that pairs.
trait Contender {
    /// Starts a pairing.
    fn start(&mut self);

    /// Returns wpa_supplicant's events, or `None` if the program does not provide them.
    fn events(&self) -> Option<&Events> {
        None
    }
}

/// What is measured.
struct Case {
    bands: Bands,
    /// Whether the station is joined to another network at the start.
    joined: bool,
    button: Button,
    contenders: &'static [Program],
}

/// The old router, and the router to pair with.
struct TestContext {
    old: Option<Router>,
    home: Router,
}

impl TestContext {
    /// Resets the radios and starts the routers of a case.
    fn start(case: &Case) -> Self {
        let country = if case.bands == Bands::TwoOnly { "YE" } else { "US" };
        run(&format!("iw reg set {country}"));
        reset_radios();
        let old = case.joined.then(|| Router::setup(2, "old").channel(11).address(OLD).start());
        let home = Router::setup(0, "home").channel(6).start();
        Self { old, home }
    }
}

/// A time in seconds, or `-` if there is none.
struct Seconds(Option<Duration>);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => write!(f, "{:.3}", time.as_secs_f64()),
            None => write!(f, "-"),
        }
    }
}

/// Runs one pairing and prints its line.
fn measure(case: &Case, program: Program, run: u32) {
    let context = TestContext::start(case);
    let link_monitor = LinkMonitor::start();
    let mut contender = program.boot(&context, case.bands);
    sleep(Duration::from_secs(2)); // what follows a join is over, such as another scan
    let Case { joined, button, .. } = case;

    let ping = (context.old.is_some() && *button == Button::Never).then(|| Ping::start(OLD));
    let mark = context.home.events().mark();
    let mark_of_station = contender.events().map_or(0, Events::mark);
    if *button == Button::Before {
        context.home.press_button();
        sleep(Duration::from_millis(500));
    }
    let started = Instant::now();
    contender.start();
    let mut pressed = started;
    if let Button::After(time) = button {
        // A virtual clock repeats everything exactly. So each run presses a little later.
        sleep(*time + Duration::from_millis(137) * run - started.elapsed());
        pressed = Instant::now();
        context.home.press_button();
    }
    let connected = match button {
        Button::Before | Button::After(_) => connected_for_good(&context.home, mark, started),
        Button::Never => {
            sleep(RUN_TIMEOUT - started.elapsed());
            None
        }
    };
    let end = connected.unwrap_or_else(Instant::now);
    let routers: Vec<&Router> = context.old.iter().chain([&context.home]).collect();
    let offline = joined.then(|| link_monitor.offline(&routers, started, end));
    let gap = ping.map(|ping| ping.stop().longest_gap);
    print!(
        "versus: case={} who={} run={run} connected={} offline={} gap={}",
        case.name(),
        program.name(),
        Seconds(connected.map(|at| at - pressed)),
        Seconds(offline),
        Seconds(gap),
    );
    if let (Some(events), Some(connected)) = (contender.events(), connected) {
        print_phases(events, mark_of_station, pressed, connected);
    }
    println!();
}

/// Waits until the station has been associated with the router for more than a second, and returns
/// the time of the association. Returns `None` after [`RUN_TIMEOUT`].
fn connected_for_good(router: &Router, mark: usize, started: Instant) -> Option<Instant> {
    while started.elapsed() < RUN_TIMEOUT {
        sleep(Duration::from_millis(500));
        let left =
            router.events().since(mark, "AP-STA-DISCONNECTED").into_iter().map(|(at, _)| at).max();
        let associated = associations(router, mark).into_iter().max().filter(|at| Some(*at) > left);
        if associated.is_some_and(|at| at.elapsed() > Duration::from_secs(1)) {
            return associated;
        }
    }
    None
}

/// Prints how long each phase took, as far as wpa_supplicant's events show it.
fn print_phases(events: &Events, mark: usize, pressed: Instant, connected: Instant) {
    let first = |pattern: &str, from: Instant| {
        let found = events.since(mark, pattern).into_iter().map(|(at, _)| at);
        found.into_iter().find(|at| *at >= from)
    };
    let mut from = pressed;
    // These names are part of the format of `benches/pairing.results`. "deauthenticate" is the time
    // until the router has ended the association of the exchange.
    for (phase, end) in [
        ("search", "Trying to authenticate with"),
        ("associate", "CTRL-EVENT-EAP-STARTED"),
        ("exchange", "WPS-SUCCESS"),
        ("deauthenticate", "Trying to authenticate with"),
    ] {
        let Some(at) = first(end, from) else { return };
        print!(" {phase}={}", Seconds(Some(at - from)));
        from = at;
    }
    print!(" join={}", Seconds(connected.checked_duration_since(from)));
}

/// Returns all cases.
fn cases() -> Vec<Case> {
    use Bands::{All, BothListed, TwoListed, TwoOnly};
    use Button::{After, Before, Never};
    const AFTER_5_S: Button = After(Duration::from_secs(5));
    const AFTER_60_S: Button = After(Duration::from_secs(60));
    let mut cases = Vec::new();
    for joined in [true, false] {
        for (bands, contenders, buttons) in [
            (All, Program::ALL, &[Before, AFTER_5_S, AFTER_60_S][..]),
            (TwoOnly, Program::ALL, &[Before, AFTER_5_S]),
            (TwoListed, Program::WITH_FREQ_LIST, &[Before, AFTER_5_S]),
            (BothListed, Program::WITH_FREQ_LIST, &[Before, AFTER_5_S]),
        ] {
            let case = |button: &_| Case { bands, joined, button: *button, contenders };
            cases.extend(buttons.iter().map(case));
        }
    }
    // Without a network there is no connection to lose.
    cases.push(Case { bands: All, joined: true, button: Never, contenders: Program::ALL });
    cases
}

impl Case {
    fn name(&self) -> String {
        let joined = if self.joined { "joined" } else { "free" };
        format!("{}/{joined}/{}", self.bands.name(), self.button)
    }
}

/// Returns whether a word is in a list from the environment, or the list is not set.
fn is_selected(variable: &str, word: &str) -> bool {
    std::env::var(variable).map_or(true, |list| list.split_whitespace().any(|it| it == word))
}

fn main() {
    let runs = std::env::var("RADIO_TEST_RUNS").unwrap_or_else(|_| "1".into());
    for run in runs.split_whitespace().map(|run| run.parse().expect("numbers of runs")) {
        for case in cases().iter().filter(|case| is_selected("RADIO_TEST_CASES", &case.name())) {
            let contenders = case.contenders.iter();
            for program in contenders.filter(|it| is_selected("RADIO_TEST_WHO", it.name())) {
                // A failed run does not end the others. It is missing in the output.
                if panic::catch_unwind(|| measure(case, *program, run)).is_err() {
                    eprintln!("not measured: {} {} {run}", case.name(), program.name());
                }
            }
        }
    }
}
