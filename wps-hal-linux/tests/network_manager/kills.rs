//! `kill -9` of `wpsd` and of NetworkManager at random moments of a pairing.
//!
//! After the killed program was restarted, either the settings from before or the new network are
//! in force, and the record says which. `lab/kills` kills each program fifty times, `lab/test` five
//! times.

use std::thread::sleep;
use std::time::Duration;

use wps_core::{Record, Settings};

use crate::context::{OLD, Rest, TestContext, joined};
use crate::lab::{NetworkManager, Random, Router, number};
use crate::wpsd::{Daemon, WPS, curl, record, status, wait_for};

/// How often each of the two programs is killed, unless `RADIO_TEST_KILLS` is set.
const DEFAULT_KILLS: u64 = 5;
/// The phases of a pairing: the router's event with which each begins, and the longest delay after
/// it in milliseconds. They reach from the first pass over all channels to the moment after the new
/// network was saved.
const PHASES: [(&str, u64); 4] = [
    ("WPS-PBC-ACTIVE", 2_000),
    ("CTRL-EVENT-EAP-STARTED", 400),
    ("WPS-SUCCESS", 500),
    ("AP-STA-CONNECTED", 300),
];
/// The longest time in milliseconds that a supervisor needs to restart NetworkManager.
const RESTART_DELAY_MAX_MS: u64 = 3_000;
/// How long a phase of a pairing may take to begin.
const PHASE_TIMEOUT: Duration = Duration::from_secs(60);
const FLAGS: &str = "--manager network-manager";

/// A managed interface, and two routers to pair with in turn.
struct Killing {
    context: TestContext,
    routers: [(&'static str, Router); 2],
    random: Random,
}

impl Killing {
    fn new() -> Self {
        let context = TestContext::new(true);
        let routers = [(0, "home", 6), (3, "second", 1)];
        let routers = routers.map(|(radio, ssid, channel)| {
            (ssid, Router::setup(radio, ssid).channel(channel).start())
        });
        Self { context, routers, random: Random::seeded() }
    }

    /// Starts a pairing with the router whose network is not in force, and waits until a random
    /// moment of it. Returns the settings from before and the name of the new network.
    fn wait_inside_a_pairing(&mut self, victim: &str, turn: u64) -> (Settings, &'static str) {
        let before = record().map_or(Settings::Platform, settled);
        let in_force = name(&before);
        let new = self.routers.iter().find(|(ssid, _)| *ssid != in_force);
        let (new, router) = new.expect("one of two");
        let (phase, delay_max) = PHASES[self.random.below(4) as usize];
        let delay = self.random.millis(delay_max);
        println!("kill {turn} of {victim}: {in_force} to {new}, {delay:?} after {phase}");

        let mark = router.events().mark();
        let response = curl(&format!("-X POST {WPS}"));
        assert!(response.starts_with("HTTP/1.1 204"), "{response}");
        router.press_button();
        router.events().wait(mark, phase, PHASE_TIMEOUT);
        sleep(delay);
        (before, new)
    }

    /// Asserts that `settings` are in force, and that nothing else is left of the pairing.
    #[track_caller]
    fn expect(&self, settings: &Settings) {
        assert_eq!(record(), Some(Record::Settled(settings.clone())));
        self.context.expect(settings, &rest(settings));
    }

    /// Cancels all button presses and waits until scan results show none. Scanning works then.
    fn cancel_buttons(&self) {
        for (_, router) in &self.routers {
            router.request("WPS_CANCEL");
        }
        self.context.wait_no_button();
    }
}

/// Returns how often each of the two programs is killed.
fn kill_count() -> u64 {
    number("RADIO_TEST_KILLS").unwrap_or(DEFAULT_KILLS)
}

/// Returns the settings of a closed record. Panics if the journal is open.
#[track_caller]
fn settled(record: Record) -> Settings {
    match record {
        Record::Settled(settings) => settings,
        journal @ (Record::Pairing { .. } | Record::Configuring { .. }) => {
            panic!("an open journal: {journal:?}")
        }
    }
}

/// Returns what the interface does with these settings.
fn rest(settings: &Settings) -> Rest {
    let kept = settings.network().map(|network| joined(&network.secret));
    kept.unwrap_or_else(|| Rest::Joined(OLD.into()))
}

/// Returns the network that these settings join.
fn name(settings: &Settings) -> String {
    settings.network().map_or("old".to_owned(), |network| network.ssid.to_string())
}

#[test]
fn wpsd_killed_at_random_moments_beside_networkmanager() {
    let mut killing = Killing::new();
    let mut daemon = Daemon::start_with(FLAGS);
    for turn in 1..=kill_count() {
        let (before, new) = killing.wait_inside_a_pairing("wpsd", turn);
        daemon.kill();
        let (settings, cause) = match record().expect("a journal, at least") {
            Record::Pairing { before: journalled, .. } => {
                assert_eq!(journalled, before);
                (before, Some("interrupted"))
            }
            Record::Settled(after) => {
                assert_eq!(name(&after), new);
                (after, None)
            }
            record @ Record::Configuring { .. } => {
                panic!("no settings were changed by hand: {record:?}")
            }
        };
        println!("  left: {}", name(&settings));
        daemon = Daemon::start_with(FLAGS);
        assert_eq!(status("cause").as_deref(), cause);
        killing.expect(&settings);
        killing.cancel_buttons();
    }
}

#[test]
fn networkmanager_killed_at_random_moments() {
    let mut killing = Killing::new();
    // The daemon keeps running.
    let _daemon = Daemon::start_with(FLAGS);
    for turn in 1..=kill_count() {
        let (before, new) = killing.wait_inside_a_pairing("NetworkManager", turn);
        killing.context.manager.kill_manager();
        sleep(killing.random.millis(RESTART_DELAY_MAX_MS));
        killing.context.manager.start_manager();
        // If the window is still open, the first press may be used up. Press the button again.
        let (_, router) = killing.routers.iter().find(|(ssid, _)| *ssid == new).expect("one");
        router.press_button();
        wait_for("state", "idle");
        let settings = settled(record().expect("a record"));
        println!("  left: {}, {:?}", name(&settings), status("cause"));
        let paired = status("result").as_deref() == Some("ok");
        assert_eq!(name(&settings), if paired { new.to_owned() } else { name(&before) });
        killing.context.wait(&rest(&settings));
        // A NetworkManager that ends while it saves has the profile twice after its restart, and
        // hides the one on the disk when ours is removed. No request to it removes that file.
        let hidden = NetworkManager::remove_hidden_profiles();
        if hidden > 0 {
            println!("  hidden by NetworkManager: {hidden}");
        }
        killing.expect(&settings);
        killing.cancel_buttons();
    }
}
