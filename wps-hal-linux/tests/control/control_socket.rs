//! The control socket without the driver: requests, replies, events, and its errors.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::sync::Mutex;

use tokio::time::advance;
use wps_hal_linux::{ControlSocket, ControlSocketError, Event, Events};

use super::*;
use crate::fake::{INTERFACE, Override};

#[test]
fn one_request_has_one_reply() {
    run(async || {
        let fake = Fake::start(&CHANNELS);
        let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
        assert_eq!(control.request("PING").await.unwrap().as_str(), "PONG\n");
        assert_eq!(control.command("ADD_NETWORK").await.unwrap().as_str(), "0\n");
        assert_eq!(control.request("GET_NETWORK 7 ssid").await.unwrap().as_str(), "FAIL\n");
    });
}

#[test]
fn a_reply_to_a_dropped_request_is_not_taken_for_that_of_another() {
    run(async || {
        let fake = Fake::start(&CHANNELS);
        let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
        assert_eq!(control.request("PING").await.unwrap().as_str(), "PONG\n"); // it is writable
        for _ in 0..3 {
            let _held = fake.state(); // no reply before this is dropped
            assert!(embassy_futures::poll_once(control.request("PING")).is_pending());
        }
        fake.settle().await;
        assert_eq!(fake.state().requests_with_prefix("PING").len(), 4, "they were sent");
        assert_eq!(control.command("ADD_NETWORK").await.unwrap().as_str(), "0\n");
        assert_eq!(control.request("GET_NETWORK 7 ssid").await.unwrap().as_str(), "FAIL\n");
    });
}

#[test]
fn a_refusal_names_the_request_and_never_the_value() {
    run(async || {
        let fake = Fake::start(&CHANNELS);
        let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
        let error = control.command("SET_NETWORK 3 psk \"correct horse\"").await.unwrap_err();
        assert_eq!(error.to_string(), "wpa_supplicant refused SET_NETWORK 3 psk: FAIL");
        let error = control.command("NONSENSE correct horse").await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("horse"));
    });
}

#[test]
fn no_reply_is_reported_as_no_response() {
    run(async || {
        let fake = Fake::start(&CHANNELS);
        fake.script(|_, _| Some(Override::NoReply));
        let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
        let time = async {
            fake.wait_for_request("PING").await;
            advance(Duration::from_secs(5)).await;
        };
        let (reply, ()) = tokio::join!(control.request("PING"), time);
        assert!(matches!(reply, Err(ControlSocketError::NoResponse)));
        let driver = fake.driver();
        let (check, ()) = tokio::join!(driver.check(), async {
            fake.wait_for_request("ATTACH").await;
            advance(Duration::from_secs(5)).await;
        });
        assert_eq!(kind(check), ErrorKind::NoResponse);
    });
}

/// Held while a child process is spawned. A new child briefly holds copies of all sockets, so
/// no socket is stale at that moment.
static SPAWN_LOCK: Mutex<()> = Mutex::new(());

#[test]
fn a_missing_and_a_stale_socket_say_what_to_do() {
    let _guard = SPAWN_LOCK.lock();
    run(async || {
        let directory = tempfile::tempdir().unwrap();
        let missing = ControlSocket::connect(directory.path(), "wlan0").unwrap_err();
        drop(UnixDatagram::bind(directory.path().join("wlan1")).unwrap());
        let stale = ControlSocket::connect(directory.path(), "wlan1").unwrap_err();
        for error in [missing, stale] {
            assert!(matches!(error, ControlSocketError::Unreachable { .. }));
            assert!(error.to_string().contains("start it with a control socket"), "{error}");
            assert_eq!(LinuxError::from(error).kind(), ErrorKind::NoDevice);
        }
    });
}

/// The test runs itself again in a child process: as user "nobody" if it is root, because root
/// has every permission.
#[test]
fn no_permission_says_what_to_do() {
    const DIRECTORY_VARIABLE: &str = "WPS_HAL_LINUX_TEST_DIRECTORY";
    if let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) {
        let error = run(async || ControlSocket::connect(directory.as_ref(), "wlan0").unwrap_err());
        assert!(
            matches!(error, ControlSocketError::Permission { group: Some(_), .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("run as root, or as a member of the group"));
        assert_eq!(LinuxError::from(error).kind(), ErrorKind::NotPermitted);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(directory.path().join("wlan0")).unwrap();
    let mode = |mode| PermissionsExt::from_mode(mode);
    std::fs::set_permissions(directory.path(), mode(0o755)).unwrap();
    std::fs::set_permissions(directory.path().join("wlan0"), mode(0o000)).unwrap();
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "control_socket::no_permission_says_what_to_do"]);
    again.env(DIRECTORY_VARIABLE, directory.path());
    if rustix::process::geteuid().is_root() {
        again.uid(65_534).gid(65_534);
    }
    let _guard = SPAWN_LOCK.lock();
    match again.output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        // The user "nobody" may not read the directory of the test binary.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
    drop(socket);
}

#[test]
fn events_arrive_in_order_and_dropping_a_wait_loses_none() {
    run(async || {
        let fake = Fake::start(&CHANNELS);
        let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
        let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
        let waiting = async {
            let _ = events.next().await;
        };
        assert!(matches!(select(waiting, async {}).await, Either::Second(())));
        fake.script(|_, state| {
            state.emit_before_reply("WPS-OVERLAP-DETECTED PBC session overlap");
            state.emit_before_reply("WPS-SUCCESS ");
            None
        });
        control.request("PING").await.unwrap();
        assert_eq!(events.next().await.unwrap(), Event::WpsOverlap);
        assert_eq!(events.next().await.unwrap(), Event::WpsSuccess);
    });
}

#[test]
fn events_before_a_reply_can_be_discarded() {
    run(async || {
        let fake = Fake::start(&CHANNELS);
        let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
        let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
        fake.script(|request, state| {
            match request {
                "PING" => state.emit_before_reply("WPS-FAIL msg=8 config_error=18"),
                _ => state.emit_before_reply("WPS-SUCCESS "),
            }
            None
        });
        control.request("PING").await.unwrap();
        events.discard_pending();
        control.request("STATUS").await.unwrap();
        assert_eq!(events.next().await.unwrap(), Event::WpsSuccess);
    });
}

/// A reply may arrive before tokio's reactor has run again. To reproduce this, another client
/// sends the request and reads the reply.
#[test]
fn events_before_an_immediate_reply_can_be_discarded_too() {
    run(async || {
        let fake = Fake::start(&CHANNELS);
        let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
        let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
        fake.script(|request, state| {
            match request {
                "PING" => state.emit_before_reply("WPS-FAIL msg=8 config_error=18"),
                _ => state.emit_before_reply("WPS-SUCCESS "),
            }
            None
        });
        events.discard_pending();
        let blocking = UnixDatagram::bind(fake.directory().join("blocking")).unwrap();
        blocking.send_to(b"PING", fake.directory().join(INTERFACE)).unwrap();
        assert_eq!(blocking.recv(&mut [0; 16]).unwrap(), b"PONG\n".len());
        events.discard_pending();
        control.request("STATUS").await.unwrap();
        assert_eq!(events.next().await.unwrap(), Event::WpsSuccess);
    });
}

#[test]
fn the_end_of_wpa_supplicant_is_an_error() {
    run(async || {
        let fake = Fake::start(&CHANNELS);
        let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
        let control = ControlSocket::connect(fake.directory(), INTERFACE).unwrap();
        fake.script(|_, state| {
            state.emit_before_reply("CTRL-EVENT-TERMINATING ");
            Some(Override::Crash)
        });
        let reply = control.request("PING").await;
        assert!(
            matches!(reply, Err(ControlSocketError::Gone(_) | ControlSocketError::NoResponse)),
            "{reply:?}"
        );
        assert!(matches!(events.next().await, Err(ControlSocketError::Closed)));
        let again = ControlSocket::connect(fake.directory(), INTERFACE).unwrap_err();
        assert!(matches!(again, ControlSocketError::Unreachable { .. }));
    });
}
