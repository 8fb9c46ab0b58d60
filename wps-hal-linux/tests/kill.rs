//! `kill -9` of `wpsd` and of wpa_supplicant at random moments of a pairing, in the radio lab.
//!
//! After the killed program was restarted, either the settings from before or the new network are
//! in force, and the record says which. `lab/kills` kills each program fifty times, `lab/test` five
//! times.
//!
//! The moments come from a seed, which is printed. `RADIO_TEST_SEED=… RADIO_TEST_KILLS=…` repeats
//! them.

mod lab;
mod wpsd;

use std::thread::sleep;

use lab::{Random, Router, number, until};
use wps_core::command::PAIRING_WINDOW;
use wps_core::{Record, Settings};
use wpsd::{Daemon, Host, STEP_TIMEOUT, WPS, curl, host, record, status, wait_for};

/// How often each of the two programs is killed, unless `RADIO_TEST_KILLS` is set.
const DEFAULT_KILLS: u64 = 5;
/// The phases of a pairing: the event with which each begins, and the longest delay after it in
/// milliseconds. They reach from the first pass over all channels to the moment after the new
/// network was saved.
const PHASES: [(&str, u64); 4] = [
    ("CTRL-EVENT-SCAN-STARTED", 8_000),
    ("CTRL-EVENT-EAP-STARTED", 400),
    ("WPS-SUCCESS", 500),
    ("Key negotiation completed", 100),
];
/// The longest time in milliseconds that a supervisor needs to restart wpa_supplicant.
const RESTART_DELAY_MAX_MS: u64 = 3_000;

/// A host connected to its old network, and two routers to pair with in turn.
struct TestContext {
    host: Host,
    routers: [(&'static str, Router); 2],
    random: Random,
}

impl TestContext {
    fn new() -> Self {
        let host = host();
        let routers = [(0, "home", 6), (3, "second", 1)];
        let routers = routers.map(|(radio, ssid, channel)| {
            (ssid, Router::setup(radio, ssid).channel(channel).start())
        });
        Self { host, routers, random: Random::seeded() }
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

        let mark = self.host.station.events().mark();
        let response = curl(&format!("-X POST {WPS}"));
        assert!(response.starts_with("HTTP/1.1 204"), "{response}");
        router.press_button();
        self.host.station.events().wait(mark, phase, PAIRING_WINDOW);
        sleep(delay);
        (before, new)
    }

    /// Asserts that `settings` are in force besides the platform's own network, and that nothing
    /// else is left of the pairing.
    #[track_caller]
    fn expect(&self, settings: &Settings) {
        assert_eq!(record(), Some(Record::Settled(settings.clone())));
        let station = &self.host.station;
        station.wait_connected(&name(settings), STEP_TIMEOUT);
        let networks = station.networks();
        let names: Vec<_> = networks.iter().map(|network| network.ssid.clone()).collect();
        let mut expected = vec!["old".to_owned(), name(settings)];
        expected.dedup();
        assert_eq!(names, expected);
        // A network in `TEMP-DISABLED` is fine: it was being joined when our network was selected,
        // and wpa_supplicant leaves it alone for ten seconds.
        let disabled = networks.iter().find(|network| network.flags.contains("[DISABLED]"));
        assert_eq!(disabled, None);
        assert_eq!(station.request("GET wps_cred_processing"), "0");
    }

    /// Cancels all button presses and waits until scan results show none. Scanning works then.
    fn cancel_buttons(&self) {
        for (_, router) in &self.routers {
            router.request("WPS_CANCEL");
        }
        let station = &self.host.station;
        until(STEP_TIMEOUT, "no button pressed", || {
            station.request("SCAN TYPE=ONLY freq=2412,2437");
            let flags = station.request("BSS RANGE=ALL MASK=0x800");
            (!flags.contains("[WPS-PBC]")).then_some(())
        });
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
        Record::Pairing { .. } | Record::Configuring { .. } => {
            panic!("an open journal: {record:?}")
        }
    }
}

/// Returns the network that these settings join.
fn name(settings: &Settings) -> String {
    match settings {
        Settings::Platform => "old".to_owned(),
        Settings::Station { network } => network.ssid.to_string(),
        Settings::AccessPoint { .. } | Settings::Off { .. } => panic!("not here: {settings:?}"),
    }
}

#[test]
fn wpsd_killed_at_random_moments() {
    let mut context = TestContext::new();
    let mut daemon = Daemon::start();
    for turn in 1..=kill_count() {
        let (before, new) = context.wait_inside_a_pairing("wpsd", turn);
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
        daemon = Daemon::start();
        assert_eq!(status("cause").as_deref(), cause);
        context.expect(&settings);
        context.cancel_buttons();
    }
}

#[test]
fn wpa_supplicant_killed_at_random_moments() {
    let mut context = TestContext::new();
    // The daemon keeps running, and configures the restarted wpa_supplicant again.
    let _daemon = Daemon::start();
    for turn in 1..=kill_count() {
        let (before, new) = context.wait_inside_a_pairing("wpa_supplicant", turn);
        context.host.station.kill();
        sleep(context.random.millis(RESTART_DELAY_MAX_MS));
        context.host.station.restart();
        // If the window is still open, the first press may be used up. Press the button again.
        let (_, router) =
            context.routers.iter().find(|(ssid, _)| *ssid == new).expect("the router");
        router.press_button();
        wait_for("state", "idle");
        let settings = settled(record().expect("a record"));
        println!("  left: {}, {:?}", name(&settings), status("cause"));
        let paired = status("result").as_deref() == Some("ok");
        assert_eq!(name(&settings), if paired { new.to_owned() } else { name(&before) });
        context.expect(&settings);
        context.cancel_buttons();
    }
}
