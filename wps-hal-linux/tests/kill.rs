//! `kill -9` of `wpsd`, and of wpa_supplicant, at random moments of a pairing, in the radio lab. After a
//! restart of who was killed either what was before is in force or the new network is, and the record says
//! which. `lab/kills` runs both fifty times, `lab/test` five times.
//!
//! The moments come from a seed, which is printed: `RADIO_TEST_SEED=… RADIO_TEST_KILLS=…` repeats them.

mod lab;
mod wpsd;

use std::env;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use lab::{Router, until};
use wps_core::command::PAIRING_WINDOW;
use wps_core::{Record, Settings};
use wpsd::{Daemon, Machine, SHORT, WPS, curl, machine, record, status, wait_for};

/// How often each of the two is killed if nothing else is said.
const KILLS: u64 = 5;
/// The stages of a pairing, by the event that each begins with, and how long to wait at most: from the
/// first sweep over all channels to the moment after the new network was saved.
const STAGES: [(&str, u64); 4] = [
    ("CTRL-EVENT-SCAN-STARTED", 8_000),
    ("CTRL-EVENT-EAP-STARTED", 400),
    ("WPS-SUCCESS", 500),
    ("Key negotiation completed", 100),
];
/// A supervisor takes up to this long to start wpa_supplicant again.
const ABSENCE: u64 = 3_000;

/// SplitMix64: the same seed gives the same moments.
struct Random(u64);

impl Random {
    /// From `RADIO_TEST_SEED`, else another one each time.
    fn seeded() -> Self {
        let clock = || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            now.as_micros().try_into().unwrap_or_default()
        };
        let seed = number("RADIO_TEST_SEED").unwrap_or_else(clock);
        println!("RADIO_TEST_SEED={seed} repeats this");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }

    fn millis(&mut self, limit: u64) -> Duration {
        Duration::from_millis(self.below(limit))
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// A machine connected to its old network, and two routers to pair with in turn.
struct Street {
    machine: Machine,
    routers: [(&'static str, Router); 2],
    random: Random,
}

impl Street {
    fn new() -> Self {
        let machine = machine();
        let routers = [(0, "home", 6), (3, "second", 1)];
        let routers = routers.map(|(radio, ssid, channel)| {
            (ssid, Router::setup(radio, ssid).channel(channel).start())
        });
        Self { machine, routers, random: Random::seeded() }
    }

    /// Starts a pairing with the router whose network is not in force, and is back at a random moment of
    /// it. Gives the settings before and the name of the new network.
    fn somewhere_in_a_pairing(&mut self, victim: &str, turn: u64) -> (Settings, &'static str) {
        let before = record().map_or(Settings::Platform, settled);
        let in_force = name(&before);
        let new = self.routers.iter().find(|(ssid, _)| *ssid != in_force);
        let (new, router) = new.expect("one of two");
        let (stage, longest) = STAGES[self.random.below(4) as usize];
        let delay = self.random.millis(longest);
        println!("kill {turn} of {victim}: {in_force} to {new}, {delay:?} after {stage}");

        let mark = self.machine.station.events().mark();
        let answer = curl(&format!("-X POST {WPS}"));
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        router.press_button();
        self.machine.station.events().wait(mark, stage, PAIRING_WINDOW);
        sleep(delay);
        (before, new)
    }

    /// `settings` are in force, alone with the platform's own network, and nothing is left of the
    /// pairing.
    #[track_caller]
    fn expect(&self, settings: &Settings) {
        assert_eq!(record(), Some(Record::Settled(settings.clone())));
        let station = &self.machine.station;
        station.wait_connected(&name(settings), SHORT);
        let networks = station.networks();
        let names: Vec<_> = networks.iter().map(|network| network.ssid.clone()).collect();
        let mut expected = vec!["old".to_owned(), name(settings)];
        expected.dedup();
        assert_eq!(names, expected);
        // Left alone for ten seconds, because it was being joined when ours took its place, is no such.
        let disabled = networks.iter().find(|network| network.flags.contains("[DISABLED]"));
        assert_eq!(disabled, None);
        assert_eq!(station.request("GET wps_cred_processing"), "0");
    }

    /// Nobody's button is pressed any more, and the station has heard so: scanning works.
    fn forget_buttons(&self) {
        for (_, router) in &self.routers {
            router.request("WPS_CANCEL");
        }
        let station = &self.machine.station;
        until(SHORT, "no button pressed", || {
            station.request("SCAN TYPE=ONLY freq=2412,2437");
            let heard = station.request("BSS RANGE=ALL MASK=0x800");
            (!heard.contains("[WPS-PBC]")).then_some(())
        });
    }
}

fn kills() -> u64 {
    number("RADIO_TEST_KILLS").unwrap_or(KILLS)
}

#[track_caller]
fn settled(record: Record) -> Settings {
    match record {
        Record::Settled(settings) => settings,
        Record::Pairing { .. } | Record::Configuring { .. } => {
            panic!("an open journal: {record:?}")
        }
    }
}

/// The network that these settings join.
fn name(settings: &Settings) -> String {
    match settings {
        Settings::Platform => "old".to_owned(),
        Settings::Station { network } => network.ssid.to_string(),
        Settings::AccessPoint { .. } | Settings::Off { .. } => panic!("not here: {settings:?}"),
    }
}

#[test]
fn wpsd_killed_at_random_moments() {
    let mut street = Street::new();
    let mut daemon = Daemon::start();
    for turn in 1..=kills() {
        let (before, new) = street.somewhere_in_a_pairing("wpsd", turn);
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
            record @ Record::Configuring { .. } => panic!("nobody configures: {record:?}"),
        };
        println!("  left: {}", name(&settings));
        daemon = Daemon::start();
        assert_eq!(status("cause").as_deref(), cause);
        street.expect(&settings);
        street.forget_buttons();
    }
}

#[test]
fn wpa_supplicant_killed_at_random_moments() {
    let mut street = Street::new();
    // It runs on: what a new wpa_supplicant does not know it is told.
    let _daemon = Daemon::start();
    for turn in 1..=kills() {
        let (before, new) = street.somewhere_in_a_pairing("wpa_supplicant", turn);
        street.machine.station.kill();
        sleep(street.random.millis(ABSENCE));
        street.machine.station.restart();
        // If the window is still open, the one press may be used up: once more.
        let (_, router) = street.routers.iter().find(|(ssid, _)| *ssid == new).expect("it");
        router.press_button();
        wait_for("state", "idle");
        let settings = settled(record().expect("a record"));
        println!("  left: {}, {:?}", name(&settings), status("cause"));
        let paired = status("result").as_deref() == Some("ok");
        assert_eq!(name(&settings), if paired { new.to_owned() } else { name(&before) });
        street.expect(&settings);
        street.forget_buttons();
    }
}
