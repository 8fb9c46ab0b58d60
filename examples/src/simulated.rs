//! The daemon on a simulated radio. The user controls the simulated routers with keys in the
//! terminal or with the controls in the page.

use std::io::{BufRead, IsTerminal, Read, stdin};
use std::sync::atomic::{AtomicBool, Ordering};
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
use wps_core::sim::{Air, Disk, Place, Router, RouterKind};
use wps_core::{Clock, Instant, Settings};

use crate::panel;
use crate::serve::{self, DeviceOptions, HttpOptions, Parts};

static AIR: Air<CriticalSectionRawMutex> = Air::new();
static DISK: Disk<CriticalSectionRawMutex> = Disk::new();

const ROUTER: &str = "Home";
const ROUTER_KEY: &str = "correct horse";
const CHANGED_ROUTER_KEY: &str = "changed horse";
const SECOND_ROUTER: &str = "Neighbour";
const SECOND_ROUTER_KEY: &str = "battery staple";

const HELP: &str = "p presses its WPS button, o takes it away or brings it back, 2 adds a second \
                    router and presses both buttons, w gives it a wrong key, k changes its \
                    password, n switches its WPS off, r removes the network that the platform keeps, \
                    m skips a minute, h shows this help";
/// A longer line ends the keyboard input.
const LINE_MAX: u64 = 80;

/// Runs the daemon until a signal ends it.
///
/// Neither the record nor what the platform keeps is on a disk, so each start is that of a new
/// device, and the two never disagree.
pub(crate) async fn run(
    http: HttpOptions,
    device: DeviceOptions,
    platform_keeps_networks: bool,
) -> anyhow::Result<()> {
    let listener = http.bind().await?;
    let clock = SimulatedClock::start();
    let simulator = Arc::new(Simulator::start(clock.clone(), platform_keeps_networks));

    println!(
        "Open http://{} and choose \"Connect by WPS\"; the radio is simulated.",
        listener.address()
    );
    println!("Then control the router in the page, or with a key and Enter: {HELP}.");
    println!("Ctrl+C ends it. For a real radio: wpsd --interface wlan0 (see wpsd --help).");
    if !is_in_background() {
        let simulator = simulator.clone();
        thread::spawn(move || read_keys(&simulator));
    }

    let parts = Parts {
        driver: AIR.radio(clock.clone()),
        store: DISK.store(),
        clock,
        device: device.with_default_settings(Settings::Off { remembered: None }),
        manager: None,
        addresses: None,
        routes: routes(simulator),
    };
    serve::run(listener, parts).await
}

/// An action of the user on the routers or the clock.
#[derive(Clone, Copy)]
enum UserAction {
    Press,
    Power,
    Second,
    WrongKey,
    /// Changes the password of the router's network, or changes it back.
    ChangeKey,
    WpsOff,
    /// Removes what the platform keeps, as another program would.
    RemoveKept,
    /// Skips a minute, so that nobody has to wait two minutes until the window closes.
    SkipMinute,
}

/// The simulated routers and the clock.
struct Simulator {
    clock: SimulatedClock,
    platform_keeps_networks: bool,
    has_changed_key: AtomicBool,
    runtime: Handle,
    /// The task that ends the pairing mode of the routers after the walk time.
    end_of_pairing: Mutex<Option<AbortHandle>>,
}

impl Simulator {
    fn start(clock: SimulatedClock, platform_keeps_networks: bool) -> Self {
        if platform_keeps_networks {
            AIR.keep_networks();
        }
        AIR.add_router(Router::new(ROUTER.as_bytes(), ROUTER_KEY.as_bytes()));
        AIR.add_router(Router::new(SECOND_ROUTER.as_bytes(), SECOND_ROUTER_KEY.as_bytes()));
        AIR.set_power(SECOND_ROUTER.as_bytes(), false);
        Self {
            clock,
            platform_keeps_networks,
            has_changed_key: AtomicBool::new(false),
            runtime: Handle::current(),
            end_of_pairing: Mutex::new(None),
        }
    }

    /// Returns the present key of the first router.
    fn router_key(&self) -> &'static str {
        let has_changed = self.has_changed_key.load(Ordering::Relaxed);
        if has_changed { CHANGED_ROUTER_KEY } else { ROUTER_KEY }
    }

    /// Performs the action and returns a sentence on what happened.
    fn perform(&self, action: UserAction) -> &'static str {
        let router = RouterState::of(ROUTER);
        match action {
            UserAction::Press if !router.on => "The router is away: bring it back first.",
            UserAction::Press if router.kind == RouterKind::WithoutWps => {
                "The router's WPS is switched off: pressing its button does nothing."
            }
            UserAction::Press => {
                AIR.press_button(ROUTER.as_bytes());
                self.schedule_end_of_pairing();
                "The router's WPS button is pressed: it pairs for two minutes."
            }
            UserAction::Power => {
                AIR.set_power(ROUTER.as_bytes(), !router.on);
                if router.on { "The router is away." } else { "The router is back." }
            }
            UserAction::Second if RouterState::of(SECOND_ROUTER).on => {
                AIR.set_power(SECOND_ROUTER.as_bytes(), false);
                "The second router is away."
            }
            UserAction::Second => {
                AIR.set_power(SECOND_ROUTER.as_bytes(), true);
                AIR.press_button(SECOND_ROUTER.as_bytes());
                if router.on {
                    AIR.press_button(ROUTER.as_bytes());
                }
                self.schedule_end_of_pairing();
                "A second router is in range, and the buttons of all routers were pressed."
            }
            UserAction::WrongKey if router.kind == RouterKind::WrongKey => {
                AIR.set_kind(ROUTER.as_bytes(), RouterKind::Ordinary);
                "The router will send the right key again."
            }
            UserAction::WrongKey => {
                AIR.set_kind(ROUTER.as_bytes(), RouterKind::WrongKey);
                "The router will send a wrong key."
            }
            UserAction::ChangeKey => {
                let had_changed = self.has_changed_key.fetch_not(Ordering::Relaxed);
                AIR.set_key(ROUTER.as_bytes(), self.router_key().as_bytes());
                if had_changed {
                    "The router has its first password again."
                } else {
                    "The password of the router's network is changed."
                }
            }
            UserAction::WpsOff if router.kind == RouterKind::WithoutWps => {
                AIR.set_kind(ROUTER.as_bytes(), RouterKind::Ordinary);
                "The router's WPS is switched on again."
            }
            UserAction::WpsOff => {
                AIR.stop_pairing(ROUTER.as_bytes());
                AIR.set_kind(ROUTER.as_bytes(), RouterKind::WithoutWps);
                "The router's WPS is switched off."
            }
            UserAction::RemoveKept if !self.platform_keeps_networks => {
                "This platform does not keep networks: see --platform-keeps-networks."
            }
            UserAction::RemoveKept => {
                let kept = AIR.kept_networks();
                kept.iter().for_each(|it| AIR.remove_kept(it.id));
                if kept.is_empty() {
                    "The platform keeps no network."
                } else {
                    "The network is removed from the platform."
                }
            }
            UserAction::SkipMinute => {
                self.clock.skip(Duration::from_secs(60));
                "A minute passed."
            }
        }
    }

    fn schedule_end_of_pairing(&self) {
        let clock = self.clock.clone();
        let task = self.runtime.spawn(async move {
            clock.sleep_until(clock.now().after(PAIRING_WINDOW)).await;
            AIR.stop_pairing(ROUTER.as_bytes());
            AIR.stop_pairing(SECOND_ROUTER.as_bytes());
        });
        let mut scheduled = self.end_of_pairing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = scheduled.replace(task.abort_handle()) {
            earlier.abort();
        }
    }
}

/// The current state of a router.
struct RouterState {
    kind: RouterKind,
    on: bool,
    pressed: bool,
}

impl RouterState {
    fn of(name: &str) -> Self {
        let routers = AIR.routers();
        let router = routers.iter().find(|(ssid, ..)| ssid.as_bytes() == name.as_bytes());
        let &(_, kind, on, pressed) = router.expect("both routers exist from the start");
        Self { kind, on, pressed }
    }
}

/// The HTTP routes of the page with the panel, and of its controls.
fn routes(simulator: Arc<Simulator>) -> Routes {
    let action = |action| {
        let simulator = simulator.clone();
        post(async move || {
            simulator.perform(action);
            StatusCode::NO_CONTENT
        })
    };
    let shown = simulator.clone();
    panel::routes()
        .route("/api/v1/sim", get(async move || state_as_json(&shown)))
        .route("/api/v1/sim/press", action(UserAction::Press))
        .route("/api/v1/sim/power", action(UserAction::Power))
        .route("/api/v1/sim/second", action(UserAction::Second))
        .route("/api/v1/sim/wrong-key", action(UserAction::WrongKey))
        .route("/api/v1/sim/change-key", action(UserAction::ChangeKey))
        .route("/api/v1/sim/wps-off", action(UserAction::WpsOff))
        .route("/api/v1/sim/remove-kept", action(UserAction::RemoveKept))
        .route("/api/v1/sim/minute", action(UserAction::SkipMinute))
}

fn state_as_json(simulator: &Simulator) -> impl IntoResponse + use<> {
    let router = |name, key| {
        let RouterState { kind, on, pressed } = RouterState::of(name);
        serde_json::json!({
            "ssid": name,
            "key": key,
            "on": on,
            "pressed": pressed,
            "wps": kind != RouterKind::WithoutWps,
            "wrong_key": kind == RouterKind::WrongKey,
            "changed_key": key == CHANGED_ROUTER_KEY,
        })
    };
    let kept = AIR.kept_networks();
    let on_disk = kept.iter().filter(|it| it.place == Place::Disk);
    let on_disk: Vec<_> = on_disk.map(|it| it.network.ssid.to_string()).collect();
    let state = serde_json::json!({
        "routers": [router(ROUTER, simulator.router_key()), router(SECOND_ROUTER, SECOND_ROUTER_KEY)],
        // `null` on a platform that keeps no networks.
        "kept": simulator.platform_keeps_networks.then_some(on_disk),
    });
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], state.to_string())
}

/// Reads keys until the end of standard input. For a daemon in the background that is at once.
fn read_keys(simulator: &Simulator) {
    let mut keyboard = stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match keyboard.by_ref().take(LINE_MAX).read_until(b'\n', &mut line) {
            Ok(1..) if line.ends_with(b"\n") => {}
            Ok(_) | Err(_) => return,
        }
        let action = match line.trim_ascii() {
            b"p" => UserAction::Press,
            b"o" => UserAction::Power,
            b"2" => UserAction::Second,
            b"w" => UserAction::WrongKey,
            b"k" => UserAction::ChangeKey,
            b"n" => UserAction::WpsOff,
            b"r" => UserAction::RemoveKept,
            b"m" => UserAction::SkipMinute,
            b"" => continue,
            _ => {
                println!("Type a key and Enter: {HELP}.");
                continue;
            }
        };
        println!("{}", simulator.perform(action));
    }
}

/// Returns whether this process is a background job of its terminal. Reading from the terminal
/// would stop it.
fn is_in_background() -> bool {
    let terminal = stdin();
    terminal.is_terminal()
        && rustix::termios::tcgetpgrp(&terminal)
            .is_ok_and(|foreground| foreground != rustix::process::getpgrp())
}

/// A clock that can skip time. It stands still in suspend, which is good enough for a simulation. A
/// device needs a clock that keeps running in suspend.
#[derive(Clone)]
struct SimulatedClock {
    start: time::Instant,
    skipped: Arc<watch::Sender<Duration>>,
}

impl SimulatedClock {
    fn start() -> Self {
        Self { start: time::Instant::now(), skipped: Arc::new(watch::Sender::default()) }
    }

    fn skip(&self, time: Duration) {
        self.skipped.send_modify(|skipped| *skipped += time);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Instant {
        let passed = self.start.elapsed() + *self.skipped.borrow();
        Instant::from_millis(passed.as_millis().try_into().unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, at: Instant) {
        let mut skipped = self.skipped.subscribe();
        loop {
            let left = at.since(self.now());
            tokio::select! {
                () = sleep(left) => return,
                // Time was skipped, so less is left. `self` owns the sender, so this never fails.
                _ = skipped.changed() => {}
            }
        }
    }
}
