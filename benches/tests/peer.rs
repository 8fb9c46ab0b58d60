//! Checks that the statig machine behaves like ours for any inputs. Otherwise comparing their cost
//! would be meaningless.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use wps_benches::pairing::{ours, pair, peer};
use wps_benches::peer::Peer;
use wps_core::command::{Command, Input};
use wps_core::driver::Offer;
use wps_core::wsc::Bssid;
use wps_core::{
    AccessPoint, AfterFailure, Cause, Credentials, ErrorKind, Instant, KeptBy, KeptId, Loaded,
    Machine, Record, Secret, Settings, Snapshot,
};
use wps_testkit::network;

const KEPT_ID: KeptId = KeptId([7; 16]);

fn net(name: &[u8]) -> Credentials {
    network(name, b"correct horse")
}

fn kept(name: &[u8]) -> Credentials {
    Credentials { secret: Secret::Kept(KEPT_ID), ..net(name) }
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let access_point = AccessPoint { network: net(b"device"), channel: None };
    prop::sample::select(vec![
        Settings::Platform,
        Settings::Station { network: net(b"old") },
        Settings::AccessPoint { access_point, remembered: Some(net(b"old")) },
        Settings::Off { remembered: None },
        Settings::Station { network: kept(b"kept") },
        Settings::Off { remembered: Some(kept(b"kept")) },
    ])
}

fn failure() -> impl Strategy<Value = ErrorKind> {
    use ErrorKind::{NoDevice, NotFound, Other, Overlap, Refused, RouterLost, WrongKey};
    prop::sample::select(vec![NoDevice, NotFound, Other, Overlap, Refused, RouterLost, WrongKey])
}

fn any_input() -> impl Strategy<Value = Input> {
    let done = || prop_oneof![3 => Just(Ok(())), 1 => failure().prop_map(Err)];
    let reply_grace = || (0_u64..3).prop_map(|it| Duration::from_millis(it * 300));
    let kept_by = prop_oneof![
        Just(Ok(KeptBy::Record)),
        Just(Ok(KeptBy::Platform(KEPT_ID))),
        failure().prop_map(Err),
    ];
    let offer = Offer::new([net(b"guest"), net(b"home")]).expect("two");
    prop_oneof![
        (reply_grace(), prop::option::of(Just(Bssid([2, 0, 0, 0, 0, 1]))))
            .prop_map(|(reply_grace, only)| Input::Start { reply_grace, only }),
        (any_settings(), reply_grace())
            .prop_map(|(settings, reply_grace)| Input::Configure { settings, reply_grace }),
        Just(Input::Cancel),
        Just(Input::Elapsed),
        prop::sample::select(vec![Cause::TimedOut, Cause::NotPressed])
            .prop_map(Input::SearchElapsed),
        Just(Input::WaitElapsed),
        Just(Input::ConfigLost),
        Just(Input::KeyRefused),
        Just(Input::KeyAccepted),
        Just(Input::NetworkRemoved),
        failure().prop_map(|kind| Input::SnapshotTaken(Err(kind))),
        Just(Input::SnapshotTaken(Ok(Snapshot::new(b"snapshot").expect("short")))),
        Just(Input::Saved(Ok(()))),
        Just(Input::Saved(Err(()))),
        done().prop_map(Input::Applied),
        done().prop_map(Input::Joined),
        kept_by.prop_map(Input::Kept),
        Just(Input::Offered(Ok(offer))),
        failure().prop_map(|kind| Input::Offered(Err(kind))),
        // These are counted if they come twice in a row.
        Just(Input::Offered(Err(ErrorKind::Refused))),
        Just(Input::Joined(Err(ErrorKind::WrongKey))),
    ]
}

/// Returns whether the input answers the command. Most inputs of a test do, so that the machine
/// makes progress.
fn answers(command: &Command, input: &Input) -> bool {
    match input {
        Input::Start { .. }
        | Input::Configure { .. }
        | Input::ConfigLost
        | Input::KeyRefused
        | Input::KeyAccepted
        | Input::NetworkRemoved => matches!(command, Command::Idle(_)),
        Input::Cancel | Input::WaitElapsed => false,
        Input::SearchElapsed(_) => matches!(command, Command::Pair { .. }),
        Input::Elapsed => matches!(command, Command::Pause(_)),
        Input::SnapshotTaken(_) => matches!(command, Command::Snapshot { .. }),
        Input::Saved(_) => matches!(command, Command::Save(..)),
        Input::Applied(_) => matches!(command, Command::Apply(..)),
        Input::Offered(_) => matches!(command, Command::Pair { .. }),
        Input::Joined(_) => matches!(command, Command::Join(..)),
        Input::Kept(_) => matches!(command, Command::Keep(..)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_statig_machine_behaves_like_ours(
        settings in any_settings(),
        access_point_back in any::<bool>(),
        steps in vec((0_u64..30_000, any_input(), any::<bool>()), 0..200),
    ) {
        let after_failure = if access_point_back { AfterFailure::AccessPointBack } else { AfterFailure::AccessPointOff };
        let mut now = Instant::from_millis(0);
        let loaded = Loaded::Record(Record::Settled(settings.clone()));
        let mut ours = Machine::boot(now, loaded, Settings::Platform, after_failure);
        let mut peer = Peer::boot(settings, after_failure);
        for (quarter_ms, input, unfiltered) in steps {
            if !unfiltered && !answers(&ours.command(), &input) {
                continue;
            }
            now = now.after(Duration::from_millis(quarter_ms / 4));
            let (our_reply, peer_reply) = (ours.handle(now, input.clone()), peer.handle(now, input.clone()));
            prop_assert_eq!(our_reply, peer_reply, "to {:?}", input);
            prop_assert_eq!(ours.request_waits_until(), peer.request_waits_until(), "{:?}", input);
            prop_assert_eq!(ours.command(), peer.command(), "after {:?}", input);
            let status = ours.status();
            prop_assert_eq!((status.phase, status.last, status.trouble), peer.status(), "{:?}", input);
        }
    }
}

#[test]
fn both_machines_pair_in_the_same_number_of_steps() {
    let (mut ours, mut peer) = (ours(), peer());
    let steps = pair(&mut ours);
    assert_eq!(pair(&mut peer), steps);
    assert!(matches!(ours.command(), Command::Idle(_)));
    assert_eq!(ours.status().last.map(|last| last.result), Some(Ok(())));
    assert_eq!(peer.status().1.map(|last| last.result), Some(Ok(())));
}
