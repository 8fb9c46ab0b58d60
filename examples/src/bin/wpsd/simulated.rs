//! The simulated radio, and the router that a person plays: by keys in the terminal, or in the page.

use std::io::{BufRead, IsTerminal, Read, stdin};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use axum::Router as Routes;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{self, sleep};
use wps_core::command::PAIRING_WINDOW;
use wps_core::sim::{Air, Disk, Router, RouterKind};
use wps_core::{Clock, Instant, Settings};

use crate::serve::{self, Device, Door, Parts};

static AIR: Air<CriticalSectionRawMutex> = Air::new();
static DISK: Disk<CriticalSectionRawMutex> = Disk::new();

const ROUTER: &str = "Home";
const ROUTER_KEY: &str = "correct horse";
const SECOND: &str = "Neighbour";
const SECOND_KEY: &str = "battery staple";

const KEYS: &str = "p presses its WPS button, o takes it away or brings it back, 2 lets a second \
                    router press too, w gives it a wrong key, n switches its WPS off, \
                    m lets a minute pass, h helps";
/// Nobody types a line that long.
const LONGEST_LINE: u64 = 80;

pub(crate) async fn run(door: Door, device: Device) -> anyhow::Result<()> {
    let door = door.open().await?;
    let clock = PlayClock::begin();
    let play = Arc::new(Play::begin(clock.clone()));

    println!(
        "Open http://{} and choose \"Connect by WPS\"; the radio is simulated.",
        door.address()
    );
    println!("Then play the router, in the page or by a key and Enter: {KEYS}.");
    println!("Ctrl+C ends it. For a real radio: wpsd --interface wlan0 (see wpsd --help).");
    if !is_in_background() {
        let play = play.clone();
        thread::spawn(move || obey_keys(&play));
    }

    let parts = Parts {
        driver: AIR.radio(clock.clone()),
        store: DISK.store(),
        clock,
        device: device.or(Settings::Off { remembered: None }),
        addresses: None,
        routes: routes(play),
    };
    serve::run(door, parts).await
}

/// What a person can do to the routers.
#[derive(Clone, Copy)]
enum Move {
    Press,
    Power,
    Second,
    WrongKey,
    WpsOff,
    /// Nobody wants to wait two minutes to see a window close.
    Minute,
}

struct Play {
    clock: PlayClock,
    runtime: Handle,
    /// Routers stop pairing by themselves after the walk time.
    release: Mutex<Option<AbortHandle>>,
}

impl Play {
    fn begin(clock: PlayClock) -> Self {
        AIR.add(Router::new(ROUTER.as_bytes(), ROUTER_KEY.as_bytes()));
        AIR.add(Router::new(SECOND.as_bytes(), SECOND_KEY.as_bytes()));
        AIR.power(SECOND.as_bytes(), false);
        Self { clock, runtime: Handle::current(), release: Mutex::new(None) }
    }

    /// Does it, and says what happened.
    fn play(&self, wanted: Move) -> &'static str {
        let router = ObservedState::of(ROUTER);
        match wanted {
            Move::Press if !router.on => "The router is away: bring it back first.",
            Move::Press if router.kind == RouterKind::WithoutWps => {
                "The router's WPS is switched off: pressing its button does nothing."
            }
            Move::Press => {
                AIR.press(ROUTER.as_bytes());
                self.release_later();
                "The router's WPS button is pressed: it pairs for two minutes."
            }
            Move::Power => {
                AIR.power(ROUTER.as_bytes(), !router.on);
                if router.on { "The router is away." } else { "The router is back." }
            }
            Move::Second if ObservedState::of(SECOND).on => {
                AIR.power(SECOND.as_bytes(), false);
                "The second router is away."
            }
            Move::Second => {
                AIR.power(SECOND.as_bytes(), true);
                AIR.press(SECOND.as_bytes());
                if router.on {
                    AIR.press(ROUTER.as_bytes());
                }
                self.release_later();
                "A second router came, and the buttons of all routers were pressed."
            }
            Move::WrongKey if router.kind == RouterKind::WrongKey => {
                AIR.set_kind(ROUTER.as_bytes(), RouterKind::Ordinary);
                "The router hands over its right key again."
            }
            Move::WrongKey => {
                AIR.set_kind(ROUTER.as_bytes(), RouterKind::WrongKey);
                "The router will hand over a wrong key."
            }
            Move::WpsOff if router.kind == RouterKind::WithoutWps => {
                AIR.set_kind(ROUTER.as_bytes(), RouterKind::Ordinary);
                "The router's WPS is switched on again."
            }
            Move::WpsOff => {
                AIR.release(ROUTER.as_bytes());
                AIR.set_kind(ROUTER.as_bytes(), RouterKind::WithoutWps);
                "The router's WPS is switched off."
            }
            Move::Minute => {
                self.clock.skip(Duration::from_secs(60));
                "A minute passed."
            }
        }
    }

    fn release_later(&self) {
        let clock = self.clock.clone();
        let task = self.runtime.spawn(async move {
            clock.sleep_until(clock.now().after(PAIRING_WINDOW)).await;
            AIR.release(ROUTER.as_bytes());
            AIR.release(SECOND.as_bytes());
        });
        let mut release = self.release.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = release.replace(task.abort_handle()) {
            earlier.abort();
        }
    }
}

/// A router as it is now.
struct ObservedState {
    kind: RouterKind,
    on: bool,
    pressed: bool,
}

impl ObservedState {
    fn of(name: &str) -> Self {
        let routers = AIR.routers();
        let called = routers.iter().find(|(ssid, ..)| ssid.as_bytes() == name.as_bytes());
        let &(_, kind, on, pressed) = called.expect("both routers are on the air from the start");
        Self { kind, on, pressed }
    }
}

/// The panel in the page.
fn routes(play: Arc<Play>) -> Routes {
    let key = |wanted| {
        let play = play.clone();
        post(async move || {
            play.play(wanted);
            StatusCode::NO_CONTENT
        })
    };
    Routes::new()
        .route("/api/v1/sim", get(async || shown()))
        .route("/api/v1/sim/press", key(Move::Press))
        .route("/api/v1/sim/power", key(Move::Power))
        .route("/api/v1/sim/second", key(Move::Second))
        .route("/api/v1/sim/wrong-key", key(Move::WrongKey))
        .route("/api/v1/sim/wps-off", key(Move::WpsOff))
        .route("/api/v1/sim/minute", key(Move::Minute))
}

fn shown() -> impl IntoResponse {
    let router = |name, key| {
        let ObservedState { kind, on, pressed } = ObservedState::of(name);
        serde_json::json!({
            "ssid": name,
            "key": key,
            "on": on,
            "pressed": pressed,
            "wps": kind != RouterKind::WithoutWps,
            "wrong_key": kind == RouterKind::WrongKey,
        })
    };
    let routers =
        serde_json::json!({ "routers": [router(ROUTER, ROUTER_KEY), router(SECOND, SECOND_KEY)] });
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], routers.to_string())
}

/// Ends when standard input does, as a daemon's does at once.
fn obey_keys(play: &Play) {
    let mut keyboard = stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match keyboard.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(1..) if line.ends_with(b"\n") => {}
            Ok(_) | Err(_) => return,
        }
        let wanted = match line.trim_ascii() {
            b"p" => Move::Press,
            b"o" => Move::Power,
            b"2" => Move::Second,
            b"w" => Move::WrongKey,
            b"n" => Move::WpsOff,
            b"m" => Move::Minute,
            b"" => continue,
            _ => {
                println!("A key and Enter: {KEYS}.");
                continue;
            }
        };
        println!("{}", play.play(wanted));
    }
}

/// A job in the background that reads from its terminal would be stopped.
fn is_in_background() -> bool {
    let terminal = stdin();
    terminal.is_terminal()
        && rustix::termios::tcgetpgrp(&terminal)
            .is_ok_and(|foreground| foreground != rustix::process::getpgrp())
}

/// Good enough where nothing is at stake, and it can be moved on; a device takes a clock that runs
/// through suspend.
#[derive(Clone)]
struct PlayClock {
    begin: time::Instant,
    skipped: Arc<watch::Sender<Duration>>,
}

impl PlayClock {
    fn begin() -> Self {
        Self { begin: time::Instant::now(), skipped: Arc::new(watch::Sender::default()) }
    }

    fn skip(&self, time: Duration) {
        self.skipped.send_modify(|skipped| *skipped += time);
    }
}

impl Clock for PlayClock {
    fn now(&self) -> Instant {
        let passed = self.begin.elapsed() + *self.skipped.borrow();
        Instant::from_millis(passed.as_millis().try_into().unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, at: Instant) {
        let mut skipped = self.skipped.subscribe();
        loop {
            let left = at.since(self.now());
            tokio::select! {
                () = sleep(left) => return,
                // It is moved on: there is less left. The sender is our own, and stays.
                _ = skipped.changed() => {}
            }
        }
    }
}
