//! The profile that stays after a pairing is an ordinary one.

use std::collections::BTreeMap;

use crate::context::{OLD, Rest, TestContext};
use crate::lab::{NetworkManager, Router, nmcli, run};

/// A profile of the user with an SSID, a priority and more lines for its section `connection`.
fn add_profile(id: &str, ssid: &str, lines: &str) {
    NetworkManager::add_file(
        id,
        &format!(
            "[connection]\nid={id}\nuuid=22222222-2222-3333-4444-{:0>12}\ntype=wifi\n{lines}\n\n\
             [wifi]\nssid={ssid}\n\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=some other key\n",
            id.len()
        ),
    );
}

/// Returns the properties of a profile, without those that NetworkManager adds while it is active.
fn properties(profile: &str) -> BTreeMap<String, String> {
    let output = nmcli(&["-s", "-t", "connection", "show", profile]).expect("a profile");
    let lines = output.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter(|(name, _)| name.starts_with(char::is_lowercase) || name.starts_with("802"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_profile_that_stays_is_an_ordinary_one_with_the_highest_priority() {
    let context = TestContext::with(true, |interface| {
        add_profile("elsewhere", "nowhere", "autoconnect-priority=7");
        add_profile("other", "nowhere", "autoconnect-priority=50\ninterface-name=wlan9");
        NetworkManager::start_without_dhcp(interface)
    });
    let home = TestContext::home().start();
    let device = context.boot();
    context.pair(&device, &home);
    let kept = context.expect_kept(&device, &home);
    let value = |section, property| kept.value(section, property);
    assert_eq!(value("connection", "id"), Some("home"));
    assert_eq!(value("connection", "type"), Some("wifi"));
    assert_eq!(value("connection", "interface-name"), Some("wlan1"));
    assert_eq!(value("connection", "autoconnect-priority"), Some("8"));
    assert_eq!(value("user", "wps-hal-linux.interface"), Some("wlan1"), "{}", kept.text);
    assert_eq!(value("wifi-security", "key-mgmt"), Some("wpa-psk"));
    assert_eq!(value("wifi-security", "psk"), Some("correct horse"));
    let ours = properties(kept.uuid());
    let get = |name: &str| ours.get(name).map(String::as_str);
    assert_eq!(get("connection.autoconnect"), Some("yes"));
    assert_eq!(get("connection.autoconnect-retries"), Some("-1"), "the default");
    assert_eq!(get("802-11-wireless-security.wps-method"), Some("0x1"));

    // What nmcli makes for the same network.
    let arguments = ["device", "wifi", "connect", "home", "password", "correct horse"];
    nmcli(&[&["--wait", "0"], &arguments[..], &["name", "reference"]].concat());
    let reference = properties("reference");
    let differences = reference.iter().filter(|(name, value)| get(name) != Some(value));
    let mut differences: Vec<_> = differences.map(|(name, _)| name.clone()).collect();
    println!("other than nmcli's: {differences:?}");
    differences.retain(|name| name.starts_with("ipv4.") || name.starts_with("ipv6."));
    assert_eq!(differences, Vec::<String>::new());
    run("nmcli connection delete reference");
    nmcli(&["connection", "up", kept.uuid()]);
    context.expect_kept(&device, &home);
}

#[test]
fn after_a_reboot_networkmanager_joins_the_new_network_by_itself() {
    let mut context = TestContext::new(true);
    let home = TestContext::home().start();
    let device = context.boot();
    context.pair(&device, &home);
    let kept = context.expect_kept(&device, &home);
    device.crash();
    context.manager.reboot();
    context.wait(&Rest::Joined(kept.uuid().into()));
    // The device has nothing to do when it boots.
    let device = context.boot();
    context.expect_kept(&device, &home);
}

#[test]
fn a_pairing_with_a_changed_key_replaces_our_profile_and_not_the_users() {
    // The user has a profile for this network, with an older key.
    let context = TestContext::with(true, |interface| {
        add_profile("home", "home", "autoconnect=false");
        NetworkManager::start_without_dhcp(interface)
    });
    let mut home = TestContext::home().start();
    let device = context.boot();
    context.pair(&device, &home);
    let first = context.expect_kept(&device, &home);
    home.change_passphrase("another horse");
    context.pair(&device, &home);
    let second = context.expect_kept(&device, &home);
    assert_ne!(first.uuid(), second.uuid());
    assert_eq!(second.value("wifi-security", "psk"), Some("another horse"));
}

#[test]
fn a_network_that_the_user_deletes_is_forgotten() {
    let context = TestContext::new(true);
    let home = TestContext::home().start();
    let device = context.boot();
    context.pair(&device, &home);
    let kept = context.expect_kept(&device, &home);
    run(&format!("nmcli connection delete uuid {}", kept.uuid()));
    device.wait_status("the network is forgotten", |status| status.network.is_none());
    device.wait_idle();
    context.expect(&device.saved_settings(), &Rest::Joined(OLD.into()));
}

#[test]
fn two_networks_paired_one_after_the_other_leave_one_profile() {
    let context = TestContext::new(true);
    let home = TestContext::home().start();
    let second = Router::setup(3, "second").channel(1).start();
    let device = context.boot();
    context.pair(&device, &home);
    context.expect_kept(&device, &home);
    context.pair(&device, &second);
    context.expect_kept(&device, &second);
}
