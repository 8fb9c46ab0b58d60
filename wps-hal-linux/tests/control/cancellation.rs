//! Futures dropped at each of their requests: the next restore leaves no trace of them.

use wps_core::Settings;

use super::*;

/// Drops `work` at its `nth` request, which the fake still executes. Returns `false` if `work`
/// finished before.
async fn drop_at_request<T>(fake: &Fake, nth: usize, work: impl Future<Output = T>) -> bool {
    fake.freeze_at(nth);
    let dropped = matches!(select(work, fake.wait_frozen()).await, Either::Second(()));
    fake.thaw();
    dropped
}

/// Drops `method` at each of its requests in turn, and then restores with `apply`. Returns the
/// requests after which something was not restored, and what was left.
async fn find_traces(pair_first: bool, method: impl AsyncFn(&Fake, &Snapshot)) -> Vec<String> {
    let mut traces = Vec::new();
    for nth in 1.. {
        let fake = connected_station();
        let before = fake.networks_and_current();
        let snapshot = take_snapshot(&fake).await;
        if pair_first {
            pair(&fake).await.0.unwrap();
        }
        if !drop_at_request(&fake, nth, method(&fake, &snapshot)).await {
            break;
        }
        let last = fake.state().requests.last().cloned().unwrap_or_default();
        fake.driver().apply(&Settings::Platform, &snapshot).await.unwrap();
        if fake.networks_and_current() != before {
            let last = String::from_utf8_lossy(&last);
            traces.push(format!("{nth}: {last} left {:?}", flags(&fake)));
        }
    }
    traces
}

async fn pairing(fake: &Fake, snapshot: &Snapshot) {
    let offer = pair(fake).await.0.unwrap();
    fake.driver().join(offer.at(0), snapshot).await.unwrap();
}

#[test]
fn a_pairing_dropped_anywhere_leaves_no_trace() {
    let traces = run(async || find_traces(false, pairing).await);
    assert!(traces.is_empty(), "{traces:#?}");
}

#[test]
fn a_restore_dropped_anywhere_is_completed_by_the_next_one() {
    let traces = run(async || {
        find_traces(true, async |fake: &Fake, snapshot: &Snapshot| {
            fake.driver().apply(&Settings::Platform, snapshot).await.unwrap();
        })
        .await
    });
    assert!(traces.is_empty(), "{traces:#?}");
}

/// At boot there is no snapshot: the record is `Record::Settled`.
#[test]
fn a_station_applied_at_boot_and_dropped_changes_no_flags() {
    let lost = run(async || {
        let mut lost = Vec::new();
        for nth in 1.. {
            let fake = connected_station();
            let before = flags(&fake).0;
            let settings = Settings::Station { network: home() };
            let (mut first, mut second) = (fake.driver(), fake.driver());
            let nothing = Snapshot::default();
            if !drop_at_request(&fake, nth, first.apply(&settings, &nothing)).await {
                break;
            }
            let last = fake.state().requests.last().cloned().unwrap_or_default();
            second.apply(&settings, &nothing).await.unwrap();
            if flags(&fake).0.get(..3) != Some(&before[..]) {
                let last = String::from_utf8_lossy(&last);
                lost.push(format!("{nth}: {last} left {:?}", flags(&fake)));
            }
        }
        lost
    });
    assert!(lost.is_empty(), "{lost:#?}");
}
