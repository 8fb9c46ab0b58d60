//! Joining the offered network: odd keys and names, and failures.

use wps_core::Settings;

use super::*;
use crate::fake::Override;

/// Joins "home" with this key and returns the `psk` that the driver sends.
async fn joined_with(key: &[u8]) -> Vec<u8> {
    let fake = connected_station();
    // No key is accepted. Only what the driver sends counts.
    fake.state().reachable.clear();
    let network = network(b"home", key);
    let joined = fake.driver().join(&network, &Snapshot::default()).await;
    assert_eq!(kind(joined), ErrorKind::NotFound);
    let state = fake.state();
    let ours: Vec<_> = state.networks.iter().filter_map(|it| it.variables.get("psk")).collect();
    ours.last().copied().cloned().unwrap_or_default()
}

#[test]
fn odd_passphrases_arrive_as_they_are() {
    let keys = [
        "eight ch",
        "\"quoted\"",
        "a\"b\"c\"d\"",
        "back\\slash\\",
        "  blanks  ",
        "ärger mit ümlaut",
        "\"\"\"\"\"\"\"\"",
    ];
    for key in keys {
        let quoted = [b"\"", key.as_bytes(), b"\""].concat();
        assert_eq!(run(async || joined_with(key.as_bytes()).await), quoted, "{key}");
    }
}

#[test]
fn a_raw_psk_is_not_quoted() {
    let key = [b'a'; 64];
    assert_eq!(run(async || joined_with(&key).await), key);
}

/// Some routers are older than UTF-8. A passphrase is bytes.
#[test]
fn a_passphrase_in_latin_1_arrives_as_it_is() {
    let key = b"\xe4rger mit \xfcmlaut";
    assert_eq!(run(async || joined_with(key).await), [b"\"", &key[..], b"\""].concat());
}

#[test]
fn names_of_any_bytes_arrive_as_they_are() {
    run(async || {
        let fake = connected_station();
        let name = b"\"a\\b\n\xff\0";
        fake.state().reachable.insert(hex(name), b"\"correct horse\"".into());
        let network = network(name, SECRET.as_bytes());
        fake.driver().join(&network, &Snapshot::default()).await.unwrap();
        assert_eq!(fake.driver().link().await.unwrap().ssid, Some(network.ssid));
    });
}

/// wpa_supplicant first looks for the network in the results of its last scan.
#[test]
fn a_network_that_is_missing_in_old_scan_results_is_joined_after_the_next_scan() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            if request.starts_with("SELECT") {
                state.emit_before_reply("CTRL-EVENT-NETWORK-NOT-FOUND ");
            }
            None
        });
        fake.driver().join(&home(), &Snapshot::default()).await.unwrap();
    });
}

#[test]
fn a_wrong_key_and_a_missing_network_are_told_apart() {
    run(async || {
        let fake = connected_station();
        let wrong = network(b"home", b"wrong horse");
        let joined = fake.driver().join(&wrong, &Snapshot::default()).await;
        assert_eq!(kind(joined), ErrorKind::WrongKey);
        let missing = network(b"nowhere", b"wrong horse");
        let joined = fake.driver().join(&missing, &Snapshot::default()).await;
        assert_eq!(kind(joined), ErrorKind::NotFound);
    });
}

/// SAE has no handshake that breaks: the access point says so itself.
#[test]
fn a_key_that_a_wpa3_access_point_refuses_is_wrong() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            request.starts_with("SELECT").then(|| {
                state.emit_after_reply(
                    "CTRL-EVENT-AUTH-REJECT 02:00:00:00:00:10 auth_type=3 auth_transaction=2 \
                     status_code=1",
                );
                Override::Reply(b"OK\n".into())
            })
        });
        let joined = fake.driver().join(&home(), &Snapshot::default()).await;
        assert_eq!(kind(joined), ErrorKind::WrongKey);
    });
}

#[test]
fn a_radio_switched_off_during_the_join_is_blocked() {
    run(async || {
        for event in [Some("CTRL-EVENT-SCAN-FAILED ret=-100"), None] {
            let fake = connected_station();
            fake.script(move |request, state| {
                request.starts_with("SELECT").then(|| {
                    state.blocked = true;
                    event.into_iter().for_each(|event| state.emit_after_reply(event));
                    Override::Reply(b"OK\n".into())
                })
            });
            let (mut driver, snapshot) = (fake.driver(), Snapshot::default());
            let timeout = Duration::from_secs(if event.is_some() { 1 } else { 4 });
            let joined = fake.with_timeout(timeout, driver.join(&home(), &snapshot)).await;
            assert_eq!(kind(joined.expect("an end")), ErrorKind::Blocked);
        }
    });
}

/// A scan of wpa_supplicant may fail for another reason, after which it scans again.
#[test]
fn a_failed_scan_does_not_end_the_join() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            if request.starts_with("SELECT") {
                state.emit_before_reply("CTRL-EVENT-SCAN-FAILED ret=-16");
            }
            None
        });
        fake.driver().join(&home(), &Snapshot::default()).await.unwrap();
    });
}

#[test]
fn a_late_deauthentication_restarts_the_join() {
    run(async || {
        let fake = connected_station();
        fake.script(|request, state| {
            if request.starts_with("SELECT") && state.requests_with_prefix("SELECT").len() < 3 {
                let id = request.split(' ').nth(1).unwrap_or_default();
                state.emit_after_reply(format!(
                    "CTRL-EVENT-SSID-TEMP-DISABLED id={id} ssid=\"home\" auth_failures=1 duration=10 reason=AUTH_FAILED"
                ));
                return Some(Override::Reply(b"OK\n".into()));
            }
            None
        });
        fake.driver().join(&home(), &Snapshot::default()).await.unwrap();
        assert_eq!(fake.state().requests_with_prefix("SELECT").len(), 3);
    });
}

#[test]
fn a_new_key_for_the_current_network_is_used() {
    run(async || {
        let fake = connected_station();
        let station = |key: &[u8]| Settings::Station { network: network(b"home", key) };
        let snapshot = take_snapshot(&fake).await;
        fake.driver().apply(&station(SECRET.as_bytes()), &snapshot).await.unwrap();
        fake.driver().apply(&station(b"the new key"), &snapshot).await.unwrap();
        let (networks, _) = fake.networks_and_current();
        assert_eq!(networks.last().map(|it| it.text("psk")), Some("\"the new key\"".into()));
    });
}
