//! The figures of the README, measured in the radio lab by `lab/figures`: ours beside plain
//! wpa_supplicant (`wpa_cli wps_pbc`) in the same run. They are printed, never asserted.

mod device;
mod lab;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use device::{Device, state};
use lab::{Ping, PingReport, Router, Supplicant, radios_idle, until};

const SHORT: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(120);
const RUNS: usize = 5;
/// All of 2.4 and 5 GHz that the card has, for both.
const BOTH_BANDS: &str = "freq_list=2412 2417 2422 2427 2432 2437 2442 2447 2452 2457 2462 5180 5200 \
     5220 5240 5260 5280 5300 5320 5500 5520 5540 5560 5580 5600 5620 5640 5660 5680 5700 5745 5765 \
     5785 5805 5825";
const OLD: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const STATION: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

struct Scene {
    _old: Router,
    home: Router,
    station: Supplicant,
}

/// A station connected to its old router, which can be pinged, and another router.
fn scene() -> Scene {
    radios_idle();
    let old = Router::setup(2, "old").channel(11).address(OLD).start();
    let home = Router::setup(0, "home").channel(6).start();
    let config = format!("{BOTH_BANDS}\n{}", old.network_block());
    let station = Supplicant::start(1, &config);
    station.wait_connected("old", SHORT);
    station.set_address(STATION);
    Scene { _old: old, home, station }
}

/// Seconds from the button to connected, and seconds off-line.
type Figures = (f64, f64);

fn measure(scene: &Scene, start: impl FnOnce()) -> Figures {
    let mark = scene.station.events().mark();
    start();
    std::thread::sleep(Duration::from_secs(5)); // a person walks to the router
    let pressed = Instant::now();
    scene.home.press_button();
    let events = scene.station.events();
    // The exchange itself is an association, too: joined is what comes after it.
    let (exchanged, _) = events.wait(mark, "WPS-SUCCESS", LONG);
    let joined = until(LONG, "the new network joined", || {
        let joined = events.since(mark, "CTRL-EVENT-CONNECTED");
        joined.into_iter().map(|(at, _)| at).find(|at| *at > exchanged)
    });
    let (left, _) = events.wait(mark, "CTRL-EVENT-DISCONNECTED", SHORT);
    ((joined - pressed).as_secs_f64(), (joined - left).as_secs_f64())
}

fn ours() -> Figures {
    let (scene, state) = (scene(), state());
    let device = Device::boot(1, state.path());
    measure(&scene, || device.start().expect("started"))
}

fn plain() -> Figures {
    let scene = scene();
    measure(&scene, || {
        scene.station.request("WPS_PBC");
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn button_pressed_five_seconds_after_the_start() {
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        us.push(ours());
        them.push(plain());
    }
    println!("figures: button to connected and off-line, seconds, {RUNS} runs each: medians (all)");
    for (name, figures) in [("ours", us), ("wpa_cli wps_pbc", them)] {
        let (button, offline): (Vec<_>, Vec<_>) = figures.into_iter().unzip();
        println!(
            "figures: {name:16} {:6.2} {:6.2}   {button:.2?} {offline:.2?}",
            median(button.clone()),
            median(offline.clone()),
        );
    }
}

#[test]
fn nobody_presses() {
    const PERIOD: Duration = Duration::from_secs(30);
    let (scene, state) = (scene(), state());
    let device = Device::boot(1, state.path());
    let watch = |what: &str| {
        let mark = scene.station.events().mark();
        let ping = Ping::start(OLD);
        std::thread::sleep(PERIOD);
        let PingReport { replies, longest_gap } = ping.stop();
        let left = scene.station.events().since(mark, "CTRL-EVENT-DISCONNECTED").len();
        println!(
            "figures: {what:8} disconnects {left}, longest gap of a 100 ms ping {:.2} s, {replies} replies in {PERIOD:?}",
            longest_gap.as_secs_f64(),
        );
    };
    watch("resting");
    device.start().expect("started");
    watch("looking");
    device.cancel();
}
