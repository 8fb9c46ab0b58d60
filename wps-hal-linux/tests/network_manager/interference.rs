//! What other programs do while the device is idle.

use std::time::Duration;

use wps_core::{AccessPoint, Cause, Phase, Settings};
use wps_testkit::{network, off};

use crate::context::{OLD, Rest, TestContext, block, joined, settle};
use crate::lab::{NetworkManager, run};
use crate::settings::{AES, WPA2_PSK};

fn hotspot() -> Settings {
    let network = network(b"hotspot", b"hotspot key");
    let access_point = AccessPoint { network, channel: Some(1) };
    Settings::AccessPoint { access_point, remembered: None }
}

#[test]
fn after_off_networkmanager_joins_the_users_network_again() {
    let context = TestContext::new(true);
    let device = context.boot();
    assert_eq!(device.configure(off(None)), Ok(()));
    context.expect(&off(None), &Rest::Off);
    assert_eq!(device.configure(Settings::Platform), Ok(()));
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
    // The same if the device is removed, and the user turns the radio on.
    assert_eq!(device.configure(off(None)), Ok(()));
    context.expect(&off(None), &Rest::Off);
    device.crash();
    block(false);
    context.wait(&Rest::Joined(OLD.into()));
}

#[test]
fn a_pairing_that_fails_while_off_does_not_keep_networkmanager_from_joining_later() {
    let context = TestContext::new(true);
    let device = context.boot();
    assert_eq!(device.configure(off(None)), Ok(()));
    context.expect(&off(None), &Rest::Off);
    device.start().expect("started");
    device.wait_status("searching", |status| status.phase == Phase::Searching);
    std::thread::sleep(Duration::from_secs(1)); // the radio is on
    device.cancel();
    assert_eq!(device.wait_result(), Err(Cause::Cancelled));
    context.expect(&off(None), &Rest::Off);
    assert!(context.manager.device().autoconnect);
    assert_eq!(device.configure(Settings::Platform), Ok(()));
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
}

#[test]
fn a_radio_that_is_off_is_turned_off_again() {
    let context = TestContext::new(true);
    let device = context.boot();
    assert_eq!(device.configure(off(None)), Ok(()));
    block(false);
    context.expect(&off(None), &Rest::Off);
}

#[test]
fn the_access_point_returns_after_networkmanager_was_restarted() {
    let mut context = TestContext::new(true);
    let device = context.boot();
    assert_eq!(device.configure(hotspot()), Ok(()));
    context.expect(&hotspot(), &Rest::Serving);
    context.manager.restart();
    context.expect(&hotspot(), &Rest::Serving);
    context.manager.reboot();
    context.expect(&hotspot(), &Rest::Serving);
}

#[test]
fn the_access_point_starts_once_a_user_turns_the_radio_on() {
    let context = TestContext::new(true);
    context.save(&hotspot());
    block(true);
    let _device = context.boot();
    context.wait(&Rest::Off);
    block(false);
    context.expect(&hotspot(), &Rest::Serving);
}

#[test]
fn a_kept_profile_that_a_user_has_changed_for_now_is_not_removed() {
    let context = TestContext::new(true);
    let home = TestContext::home().start();
    let device = context.boot();
    let paired = context.pair(&device, &home);
    let kept = context.expect_kept(&device, &home);
    run(&format!("nmcli connection modify --temporary {} ipv4.route-metric 77", kept.uuid()));
    let remembered = paired.network().cloned();
    let off = off(remembered);
    assert_eq!(device.configure(off.clone()), Ok(()));
    context.wait(&Rest::Off);
    assert!(kept.path.exists(), "the profile is on the disk");
    assert_eq!(device.configure(paired.clone()), Ok(()));
    context.wait(&joined(&paired.network().expect("a network").secret));
    assert!(kept.path.exists(), "the profile is on the disk");
}

/// After its restart, NetworkManager has the profile in memory and on the disk. It hides the one on
/// the disk when the other is removed.
#[test]
fn a_networkmanager_that_ends_while_it_saves_hides_what_it_has_saved() {
    let mut context = TestContext::new(true);
    // The wrong key keeps the profile in memory for seconds: time enough to stop NetworkManager.
    let home = TestContext::home().hands_over(&[("home", WPA2_PSK, AES, "wrong horse")]).start();
    let device = context.boot();
    device.start().expect("started");
    home.press_button();
    settle(
        || match NetworkManager::own_profiles().len() {
            1 => Ok(()),
            other => Err(format!("{other} profiles")),
        },
        || context.manager.log(),
    );
    context.manager.set_responsive(false);
    let [profile] = &*NetworkManager::own_profiles() else { panic!("one profile") };
    NetworkManager::add_file("home", &profile.text);
    context.manager.kill_manager();
    context.manager.start_manager();
    device.cancel();
    assert_eq!(device.wait_result(), Err(Cause::Cancelled));
    context.wait(&Rest::Joined(OLD.into()));
    assert_eq!(NetworkManager::remove_hidden_profiles(), 1);
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
}
