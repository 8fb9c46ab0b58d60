//! A pairing survives a reboot of the machine, in the radio lab. `lab/test` runs the first test in
//! one guest and the second in another one with the same disk. No `wpsd` runs in the second guest.

#[path = "../network_manager/context.rs"]
#[allow(dead_code)] // only a part is used here
mod context;
#[path = "../device/mod.rs"]
mod device;
#[path = "../lab/mod.rs"]
mod lab;

use context::{COUNTRY, INTERFACE, STEP_TIMEOUT, TestContext};
use lab::{Disk, NetworkManager, Router, network_manager, nmcli, reset_radios, run, until};

#[test]
fn before_the_reboot() {
    let disk = NetworkManager::mount_profiles(Disk::of_guest_cleared);
    let context = TestContext::new(true);
    let home = TestContext::home().start();
    let device = context.boot();
    context.pair(&device, &home);
    // The guest ends without unmounting the disk: as by a power cut, what is not synced is lost.
    std::mem::forget((disk, device, context, home));
}

#[test]
fn after_the_reboot() {
    let _disk = NetworkManager::mount_profiles(Disk::of_guest);
    reset_radios();
    run(&format!("iw reg set {COUNTRY}"));
    let _old = Router::setup(2, "old").channel(11).start();
    let home = TestContext::home().start();
    let manager = network_manager(INTERFACE);
    let is_joined = || (manager.linked_to()? == home.bssid()).then_some(());
    until(STEP_TIMEOUT, "NetworkManager joins the new network by itself", is_joined);
    let profiles = nmcli(&["-t", "-f", "NAME,DEVICE", "connection", "show"]).expect("profiles");
    assert!(profiles.lines().any(|line| line == format!("home:{INTERFACE}")), "{profiles}");
}
