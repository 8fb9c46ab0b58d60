//! The conformance suite on the driver for NetworkManager, in the radio lab: real NetworkManager,
//! wpa_supplicant and hostapd, and simulated radios.
//!
//! `lab/test` runs it in virtual time. `RADIO_TEST_CHECK="any order"` runs only the check of that
//! name, and `a|b` several.

mod lab;
mod routers;

use std::time::Duration;

use lab::{Disk, NetworkManager as Manager, network_manager, reset_radios, run};
use routers::{INTERFACE, Routers};
use wps_core::conformance::{
    self, Check, CheckResult, Limits, ObservedState, PlatformNetwork, TestBed, Unavailable, run_all,
};
use wps_core::wsc::Bssid;
use wps_core::{Credentials, KeptId, Passphrase, Secret, Ssid};
use wps_hal_linux::{BootClock, NetworkManager};

/// The radios of the routers, and their channels.
const RADIOS: [(usize, u32); 3] = [(0, 6), (2, 11), (3, 1)];
/// A country with only the 2.4 GHz band: all bands would take 14 s for each scan of NetworkManager.
const COUNTRY: &str = "YE";
/// The start of the UUIDs of the driver.
const PREFIX: &str = "7770732d-6e6d-8001-";

/// The lab as a test bed.
struct Lab {
    /// Starts NetworkManager and its wpa_supplicant.
    start: fn(&str) -> Manager,
    manager: Option<Manager>,
    routers: Routers,
    /// The disk with the profiles.
    disk: Option<Disk>,
}

impl Lab {
    fn new(start: fn(&str) -> Manager) -> Self {
        Self { start, manager: None, routers: Routers::new(RADIOS), disk: None }
    }

    fn manager(&mut self) -> &mut Manager {
        self.manager.as_mut().expect("NetworkManager")
    }
}

impl TestBed for Lab {
    type Driver = NetworkManager;
    type Clock = BootClock;

    fn clock(&self) -> BootClock {
        BootClock
    }

    fn limits(&self) -> Limits {
        // Waiting costs nothing in virtual time, but starting daemons does.
        Limits { watch_window: Duration::from_secs(2), max_drops: 5, ..Limits::default() }
    }

    async fn reset(&mut self, platform: Option<&Credentials>) -> Result<(), Unavailable> {
        *self = Self::new(self.start);
        reset_radios();
        run(&format!("iw reg set {COUNTRY}"));
        Manager::clear();
        self.disk = Some(Manager::mount_profiles(Disk::new));
        if let Some(network) = platform {
            let key = std::str::from_utf8(wps_testkit::key(network)).expect("text");
            Manager::add_user_profile("platform", &network.ssid.to_string(), key, "");
        }
        self.manager = Some((self.start)(INTERFACE));
        Ok(())
    }

    async fn driver(&mut self) -> NetworkManager {
        NetworkManager::new("/run/wpa_supplicant", INTERFACE)
    }

    async fn start_router(&mut self, network: &Credentials) -> Result<(), Unavailable> {
        self.routers.start(network)
    }

    async fn stop_router(&mut self, ssid: &Ssid) {
        self.routers.stop(ssid);
    }

    async fn press_button(&mut self, ssid: &Ssid) {
        self.routers.press_button(ssid);
    }

    async fn bssid(&mut self, ssid: &Ssid) -> Result<Bssid, Unavailable> {
        Ok(self.routers.bssid(ssid))
    }

    async fn observe(&mut self) -> Result<ObservedState, Unavailable> {
        let info = run(&format!("iw dev {INTERFACE} info"));
        Ok(self.routers.observe(!info.contains("type AP")))
    }

    async fn restart_platform(&mut self) -> Result<(), Unavailable> {
        self.manager().reboot();
        Ok(())
    }

    fn supports_independent_restart(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn stores_credentials(&mut self, network: &Credentials) -> Result<bool, Unavailable> {
        let mut on_disk = Manager::profiles().into_iter().filter(|it| it.is_on_disk);
        Ok(on_disk.any(|it| it.ssid() == network.ssid.as_bytes()))
    }

    fn keeps_networks(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn platform_networks(
        &mut self,
        mut on_network: impl FnMut(PlatformNetwork),
    ) -> Result<(), Unavailable> {
        for profile in Manager::profiles() {
            let (Some(uuid), Ok(ssid)) =
                (profile.value("connection", "uuid"), Ssid::new(&profile.ssid()))
            else {
                continue;
            };
            if profile.value("wifi", "mode") == Some("ap") {
                continue;
            }
            let key = profile.value("wifi-security", "psk");
            let secret = key.map_or(Secret::Open, |key| {
                Secret::Key(Passphrase::new(key.as_bytes()).expect("a key"))
            });
            on_network(PlatformNetwork {
                id: uuid.starts_with(PREFIX).then(|| id_of(uuid)),
                network: Credentials { ssid, secret },
                is_on_disk: profile.is_on_disk,
            });
        }
        Ok(())
    }

    async fn remove_kept(&mut self, id: KeptId) -> Result<(), Unavailable> {
        let mut profiles = Manager::profiles().into_iter();
        let uuid = profiles.find_map(|it| {
            let uuid = it.value("connection", "uuid")?;
            (uuid.starts_with(PREFIX) && id_of(uuid) == id).then(|| uuid.to_owned())
        });
        run(&format!("nmcli connection delete uuid {}", uuid.expect("a profile")));
        Ok(())
    }

    async fn cut_power(&mut self) -> Result<(), Unavailable> {
        let disk = self.disk.as_ref().expect("a disk");
        self.manager.as_mut().expect("NetworkManager").cut_power(disk);
        Ok(())
    }

    async fn set_platform_responsive(&mut self, is_responsive: bool) -> Result<(), Unavailable> {
        self.manager().set_responsive(is_responsive);
        Ok(())
    }
}

/// Returns the identifier in the text of a UUID.
fn id_of(uuid: &str) -> KeptId {
    let digits = uuid.replace('-', "");
    let number = u128::from_str_radix(&digits, 16).expect("a UUID");
    KeptId(number.to_be_bytes())
}

#[test]
fn the_network_manager_driver_keeps_the_contract() {
    run_on_main_stack(|| keeps_the_contract(network_manager));
}

#[test]
fn without_a_control_socket_it_keeps_the_contract_too() {
    run_on_main_stack(|| keeps_the_contract(Manager::start_without_socket));
}

/// Runs a test in a thread with the stack that the main thread of a program has. The stack of a
/// test's thread is a quarter of that, which is too little for unoptimized futures in one another.
fn run_on_main_stack<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    const MAIN_STACK: usize = 8 << 20;
    let thread = std::thread::Builder::new().stack_size(MAIN_STACK).spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(test());
    });
    if let Err(panic) = thread.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}

/// Returns the checks that `RADIO_TEST_CHECK` names, or `None` if it is not set.
fn named_checks() -> Option<Vec<Check>> {
    let names = std::env::var("RADIO_TEST_CHECK").ok()?;
    let check = |name| Check::ALL.into_iter().find(|check| check.name() == name);
    Some(names.split('|').map(|name| check(name).expect("the name of a check")).collect())
}

/// Runs the named checks, or all if none are named.
async fn keeps_the_contract(start: fn(&str) -> Manager) {
    let (mut lab, mut results) = (Lab::new(start), Vec::new());
    let mut on_result = |result: &CheckResult| {
        println!("{result}");
        results.push((result.check, result.outcome.to_string()));
    };
    match named_checks() {
        None => drop(run_all(&mut lab, on_result).await),
        Some(checks) => {
            for check in checks {
                let result = conformance::run(check, &mut lab).await;
                if result.outcome.to_string() != "passed" {
                    println!("{}", lab.manager().log());
                }
                on_result(&result);
            }
        }
    }
    for (check, outcome) in results {
        assert_eq!(outcome, "passed", "{}", check.name());
    }
}
