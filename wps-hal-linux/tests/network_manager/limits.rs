//! Cards and networks with limits.

use std::process::{Child, Command};

use wps_core::driver::SearchProgress;
use wps_core::{Cause, Phase, Settings};
use wps_testkit::network;

use crate::context::{INTERFACE, OLD, Rest, TestContext, joined};
use crate::lab::{Router, Security, run};

/// Another interface of the same radio that scans all the time, so that all other scans fail.
struct OtherScans(Child);

impl OtherScans {
    const INTERFACE: &str = "other";

    fn start() -> Self {
        run(&format!("iw dev {INTERFACE} interface add {} type managed", Self::INTERFACE));
        run(&format!("ip link set {} up", Self::INTERFACE));
        let script = format!(
            "while iw dev {0} scan >/dev/null || [ -e /sys/class/net/{0} ]; do :; done",
            Self::INTERFACE
        );
        Self(Command::new("sh").args(["-c", &script]).spawn().expect("a shell"))
    }

    fn stop(mut self) {
        run(&format!("iw dev {} del", Self::INTERFACE));
        self.0.wait().expect("the shell ends with its interface");
    }
}

#[test]
fn if_scans_fail_for_five_seconds_the_connection_ends_for_the_search_and_is_back_afterwards() {
    let context = TestContext::new(true);
    let device = context.boot();
    let home = TestContext::home().start();
    let others = OtherScans::start();
    device.start().expect("started");
    device.wait_status("a search without the network", |status| status.off_air);
    context.wait(&Rest::Disconnected);
    assert_eq!(device.status().phase, Phase::Searching);
    others.stop();
    device.wait_status("a scan", |status| status.progress == SearchProgress::NotPressed);
    device.cancel();
    assert_eq!(device.wait_result(), Err(Cause::Cancelled));
    context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));

    let others = OtherScans::start();
    context.wait_no_button();
    device.start().expect("started");
    device.wait_status("a search without the network", |status| status.off_air);
    others.stop();
    home.press_button();
    assert_eq!(device.wait_result(), Ok(()), "{}", context.manager.log());
    context.expect_kept(&device, &home);
}

/// A router with WPA3. The card cannot do the only group that the router takes for it.
fn router_whose_wpa3_fails(context: &TestContext, security: Security) -> Router {
    let set = context.manager.request_supplicant("SET sae_groups 20");
    assert_eq!(set.as_deref(), Some("OK\n"));
    TestContext::home().security(security).line("sae_groups=19").start()
}

/// No setting of NetworkManager keeps it from offering WPA3 (`docs/design.md`).
#[test]
fn a_network_that_refuses_this_card_with_wpa3_is_not_tried_for_ever_and_the_ending_names_the_join()
{
    for security in [Security::Wpa3Transition, Security::SaeOnly] {
        let context = TestContext::new(true);
        let device = context.boot();
        let home = router_whose_wpa3_fails(&context, security);
        context.wait_no_button();
        device.start().expect("started");
        home.press_button();
        assert_eq!(device.wait_result(), Err(Cause::JoinRefused));
        context.expect(&Settings::Platform, &Rest::Joined(OLD.into()));
    }
}

#[test]
fn a_hidden_network_by_hand() {
    let mut context = TestContext::new(true);
    let device = context.boot();
    let home = TestContext::home().wps(false).line("ignore_broadcast_ssid=1").start();
    let network = network(b"home", b"correct horse");
    let joined_by_hand = device.configure(Settings::Station { network });
    assert_eq!(joined_by_hand, Ok(()), "{}", context.manager.log());
    let kept = context.expect_kept(&device, &home);
    assert_eq!(kept.value("wifi", "hidden"), Some("true"));
    let settings = device.saved_settings();
    context.manager.reboot();
    context.wait(&joined(&settings.network().expect("a network").secret));
}
