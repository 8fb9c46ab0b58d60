//! Pairing by button beside what people use today: `wpsd`, `wpa_cli`, iwd and NetworkManager in the
//! radio lab. Prints a line for each pairing; `lab/figures` runs it and makes tables and a plot of them.
//! Nothing is asserted.

#[path = "../lab/mod.rs"]
mod lab;
#[path = "../wpsd/mod.rs"]
mod wpsd;

mod iwd;
mod network_manager;
mod ours;
mod witness;
mod wpa_cli;

use std::fmt;
use std::net::Ipv4Addr;
use std::panic;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::{Events, Ping, Router, radios_idle, run};
use witness::{Witness, entrances};

const SHORT: Duration = Duration::from_secs(60);
/// The walk time, and some more to come back.
const WALK: Duration = Duration::from_secs(130);
const OLD: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const STATION: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

/// Where the station may look.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bands {
    /// 2.4, 5 and 6 GHz; everybody is left at the defaults.
    All,
    /// A card with 2.4 GHz only, or a country that allows no more; everybody is left at the defaults.
    TwoOnly,
    /// `freq_list` names 2.4 GHz, though the card has more. Only wpa_supplicant can be told.
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Wpsd,
    WpaCli,
    Iwd,
    NetworkManager,
}

impl Who {
    const ALL: &[Self] = &[Self::Wpsd, Self::WpaCli, Self::Iwd, Self::NetworkManager];
    /// Those that can be told where to look.
    const TOLD: &[Self] = &[Self::Wpsd, Self::WpaCli];

    const fn name(self) -> &'static str {
        match self {
            Self::Wpsd => "wpsd",
            Self::WpaCli => "wpa_cli",
            Self::Iwd => "iwd",
            Self::NetworkManager => "NetworkManager",
        }
    }

    /// Starts it, and is back when it is at rest: joined to the old network if there is one.
    fn boot(self, scene: &TestContext, bands: Bands) -> Box<dyn Contender> {
        match self {
            Self::Wpsd => ours::boot(scene, bands),
            Self::WpaCli => wpa_cli::boot(scene, bands),
            Self::Iwd => iwd::boot(scene),
            Self::NetworkManager => network_manager::boot(scene),
        }
    }
}

trait Contender {
    /// Begins to pair.
    fn start(&mut self);

    /// wpa_supplicant's events, if they can be had.
    fn events(&self) -> Option<&Events> {
        None
    }
}

struct Case {
    bands: Bands,
    /// Whether the station is joined to another network meanwhile.
    joined: bool,
    button: Button,
    contenders: &'static [Who],
}

/// The routers: the one to pair with, and the old one.
struct TestContext {
    old: Option<Router>,
    home: Router,
}

impl TestContext {
    fn set(case: &Case) -> Self {
        let country = if case.bands == Bands::TwoOnly { "YE" } else { "US" };
        run(&format!("iw reg set {country}"));
        radios_idle();
        let old = case.joined.then(|| Router::setup(2, "old").channel(11).address(OLD).start());
        let home = Router::setup(0, "home").channel(6).start();
        Self { old, home }
    }
}

/// Seconds, or that there are none.
struct Seconds(Option<Duration>);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => write!(f, "{:.3}", time.as_secs_f64()),
            None => write!(f, "-"),
        }
    }
}

fn measure(case: &Case, who: Who, run: u32) {
    let scene = TestContext::set(case);
    let witness = Witness::begin();
    let mut contender = who.boot(&scene, case.bands);
    sleep(Duration::from_secs(2)); // what follows a join, such as one more scan, is over
    let Case { joined, button, .. } = case;

    let ping = (scene.old.is_some() && *button == Button::Never).then(|| Ping::start(OLD));
    let mark = scene.home.events().mark();
    let mark_of_station = contender.events().map_or(0, Events::mark);
    if *button == Button::Before {
        scene.home.press_button();
        sleep(Duration::from_millis(500));
    }
    let started = Instant::now();
    contender.start();
    let mut pressed = started;
    if let Button::After(time) = button {
        // A virtual clock repeats everything exactly: so each run presses a little later.
        sleep(*time + Duration::from_millis(137) * run - started.elapsed());
        pressed = Instant::now();
        scene.home.press_button();
    }
    let connected = match button {
        Button::Before | Button::After(_) => let_in_for_good(&scene.home, mark, started),
        Button::Never => {
            sleep(WALK - started.elapsed());
            None
        }
    };
    let end = connected.unwrap_or_else(Instant::now);
    let routers: Vec<&Router> = scene.old.iter().chain([&scene.home]).collect();
    let offline = joined.then(|| witness.offline(&routers, started, end));
    let gap = ping.map(|ping| ping.stop().longest_gap);
    print!(
        "versus: case={} who={} run={run} connected={} offline={} gap={}",
        case.name(),
        who.name(),
        Seconds(connected.map(|at| at - pressed)),
        Seconds(offline),
        Seconds(gap),
    );
    if let (Some(events), Some(connected)) = (contender.events(), connected) {
        print_phases(events, mark_of_station, pressed, connected);
    }
    println!();
}

/// When the router let the station in and did not throw it out again.
fn let_in_for_good(router: &Router, mark: usize, started: Instant) -> Option<Instant> {
    while started.elapsed() < WALK {
        sleep(Duration::from_millis(500));
        let left =
            router.events().since(mark, "AP-STA-DISCONNECTED").into_iter().map(|(at, _)| at).max();
        let let_in = entrances(router, mark).into_iter().max().filter(|at| Some(*at) > left);
        if let_in.is_some_and(|at| at.elapsed() > Duration::from_secs(1)) {
            return let_in;
        }
    }
    None
}

/// Where the time went, as far as wpa_supplicant tells it.
fn print_phases(events: &Events, mark: usize, pressed: Instant, connected: Instant) {
    let first = |pattern: &str, from: Instant| {
        let found = events.since(mark, pattern).into_iter().map(|(at, _)| at);
        found.into_iter().find(|at| *at >= from)
    };
    let mut from = pressed;
    for (phase, end) in [
        ("look", "Trying to authenticate with"),
        ("associate", "CTRL-EVENT-EAP-STARTED"),
        ("exchange", "WPS-SUCCESS"),
        ("goodbye", "Trying to authenticate with"),
    ] {
        let Some(at) = first(end, from) else { return };
        print!(" {phase}={}", Seconds(Some(at - from)));
        from = at;
    }
    print!(" join={}", Seconds(connected.checked_duration_since(from)));
}

fn cases() -> Vec<Case> {
    use Bands::{All, BothListed, TwoListed, TwoOnly};
    use Button::{After, Before, Never};
    const SOON: Button = After(Duration::from_secs(5));
    const LATE: Button = After(Duration::from_secs(60));
    let mut cases = Vec::new();
    for joined in [true, false] {
        for (bands, contenders, buttons) in [
            (All, Who::ALL, &[Before, SOON, LATE][..]),
            (TwoOnly, Who::ALL, &[Before, SOON]),
            (TwoListed, Who::TOLD, &[Before, SOON]),
            (BothListed, Who::TOLD, &[Before, SOON]),
        ] {
            let case = |button: &_| Case { bands, joined, button: *button, contenders };
            cases.extend(buttons.iter().map(case));
        }
    }
    // Without a network there is none to lose.
    cases.push(Case { bands: All, joined: true, button: Never, contenders: Who::ALL });
    cases
}

impl Case {
    fn name(&self) -> String {
        let joined = if self.joined { "joined" } else { "free" };
        format!("{}/{joined}/{}", self.bands.name(), self.button)
    }
}

/// Whether a word is in a list from the environment; yes if that is not set.
fn listed(variable: &str, word: &str) -> bool {
    std::env::var(variable).map_or(true, |list| list.split_whitespace().any(|it| it == word))
}

fn main() {
    let runs = std::env::var("RADIO_TEST_RUNS").unwrap_or_else(|_| "1".into());
    for run in runs.split_whitespace().map(|run| run.parse().expect("numbers of runs")) {
        for case in cases().iter().filter(|case| listed("RADIO_TEST_CASES", &case.name())) {
            for who in case.contenders.iter().filter(|who| listed("RADIO_TEST_WHO", who.name())) {
                // One that goes wrong does not end the others: it is missing then.
                if panic::catch_unwind(|| measure(case, *who, run)).is_err() {
                    eprintln!("not measured: {} {} {run}", case.name(), who.name());
                }
            }
        }
    }
}
