//! Cards and networks with limits.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use wps_core::{Phase, Settings};
use wps_testkit::network;

use crate::context::{INTERFACE, OLD, Rest, TestContext};
use crate::lab::{Security, run};

#[test]
fn explore_sae() {
    let context = TestContext::new(true);
    let device = context.boot();
    let home = TestContext::home().security(Security::Wpa3Transition).line("sae_groups=19").start();
    println!("{:?}", context.manager.request_supplicant("SET sae_groups 20"));
    device.start().expect("started");
    home.press_button();
    device.notice_status("joining", |status| matches!(status.phase, Phase::Joining { .. }));
    for _ in 0..12 {
        sleep(Duration::from_millis(300));
        println!(
            "{:?} {:?} {:?}",
            device.status().phase,
            context.manager.device(),
            context.manager.request_supplicant("LIST_NETWORKS")
        );
        for id in 0..12 {
            let r = |v: &str| {
                context
                    .manager
                    .request_supplicant(&format!("GET_NETWORK {id} {v}"))
                    .unwrap_or_default()
            };
            if !r("ssid").starts_with("FAIL") {
                println!("  {id} {} {} {}", r("ssid"), r("key_mgmt"), r("ieee80211w"));
            }
        }
    }
    println!("{:?}", device.wait_result());
    println!("{}", context.manager.log());
    for line in std::fs::read_to_string("/run/lab/wpa_supplicant.log")
        .unwrap_or_default()
        .lines()
        .rev()
        .take(150)
    {
        println!("{line}");
    }
    println!("{}", run("ls /run/lab"));
}

#[test]
fn explore_pmf() {
    let context = TestContext::new(true);
    let home = TestContext::home().security(Security::Wpa3Transition).line("sae_groups=19").start();
    println!("{:?}", context.manager.request_supplicant("SET sae_groups 20"));
    for (pmf, mgmt) in
        [("1", "wpa-psk"), ("2", "wpa-psk"), ("3", "wpa-psk"), ("0", "wpa-psk"), ("0", "sae")]
    {
        run(&format!(
            "nmcli connection add type wifi ifname wlan1 con-name t{pmf}{mgmt} autoconnect no ssid home wifi-sec.key-mgmt {mgmt} wifi-sec.psk correct\\ horse wifi-sec.pmf {pmf} ipv4.method disabled ipv6.method disabled"
        ));
    }
    let _ = home;
}

#[test]
fn explore_hidden() {
    let context = TestContext::new(true);
    let device = context.boot();
    let _home = TestContext::home().wps(false).line("ignore_broadcast_ssid=1").start();
    let network = network(b"home", b"correct horse");
    println!("{:?}", device.configure(Settings::Station { network }));
    println!("{:?}", context.manager.request_supplicant("BSS RANGE=ALL MASK=0x1003"));
    println!("{}", context.manager.log());
}

#[test]
fn explore_busy() {
    let context = TestContext::new(true);
    let device = context.boot();
    run(&format!("iw dev {INTERFACE} interface add busy0 type managed"));
    run("ip link set busy0 up");
    let mut child = Command::new("sh")
        .args(["-c", "while :; do iw dev busy0 scan >/dev/null 2>&1; done"])
        .spawn()
        .unwrap();
    sleep(Duration::from_secs(2));
    device.start().expect("started");
    let start = Instant::now();
    for _ in 0..40 {
        sleep(Duration::from_millis(500));
        let s = device.status();
        println!(
            "{:?} {:?} {:?} off air {} {:?}",
            start.elapsed(),
            s.phase,
            s.progress,
            s.off_air,
            context.manager.device()
        );
    }
    child.kill().unwrap();
    let _ = child.wait();
    run("pkill -x iw || true");
    for _ in 0..10 {
        sleep(Duration::from_millis(500));
        let s = device.status();
        println!(
            "{:?} {:?} {:?} off air {} {:?}",
            start.elapsed(),
            s.phase,
            s.progress,
            s.off_air,
            context.manager.device()
        );
    }
    device.cancel();
    println!("{:?}", device.wait_result());
    run("iw dev busy0 del");
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
}
