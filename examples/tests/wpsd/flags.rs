//! Flags that are wrong, or that ask for what cannot be done.

use std::process::Command;

use crate::{demo, error_of, run_with_error, start, wpsd};

#[test]
fn a_port_or_address_that_cannot_be_used_is_one_sentence() {
    let daemon = start();
    let (code, message) = run_with_error(&["--listen", &daemon.address().to_string()]);
    assert_eq!((code, message.lines().count()), (Some(1), 1), "{message}");
    assert!(message.contains("another program") && message.contains("--listen"), "{message}");

    let (code, message) = run_with_error(&["--listen", "192.0.2.1:8080"]);
    assert_eq!((code, message.lines().count()), (Some(1), 1), "{message}");
    assert!(message.contains("no such address"), "{message}");
}

#[test]
fn the_cause_of_an_error_is_printed_once() {
    let access_point = ["--blank", "access-point", "--access-point-name", "Device"];
    let access_point = [&access_point[..], &["--access-point-key-file", "/nowhere"]].concat();
    let failing: [(&[&str], &str); 2] = [
        (&["--password-file", "/nowhere"], "cannot read /nowhere; see --password-file"),
        (&access_point, "cannot read /nowhere; see --access-point-key-file"),
    ];
    for (flags, expected) in failing {
        let (code, message) = run_with_error(flags);
        assert_eq!((code, message.lines().count()), (Some(1), 1), "{message}");
        assert!(message.contains(expected), "{message}");
        let cause = "No such file or directory (os error 2)";
        assert_eq!(message.matches(cause).count(), 1, "{message}");
    }
}

#[test]
fn an_interface_that_cannot_be_paired_is_one_sentence() {
    for (interface, expected) in [
        ("none0", "there is no network interface none0: "),
        ("../lo", "there is no network interface ../lo: "),
        ("lo", "lo is not a Wi-Fi interface: "),
    ] {
        let (code, message) = error_of(wpsd(&["--interface", interface]));
        assert_eq!((code, message.lines().count()), (Some(1), 1), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn wrong_flags_are_reported() {
    let wrong: [(Command, &str); 11] = [
        (wpsd(&["--platform-keeps-networks"]), "--platform-keeps-networks"),
        (demo(&["--interface", "wlan0"]), "--interface"),
        (demo(&["--state-dir", "/tmp"]), "--state-dir"),
        (wpsd(&["--interface", "wlan0", "demo"]), "demo"),
        (wpsd(&["--freq-list", "2412 2.4"]), "give frequencies in MHz"),
        (wpsd(&["--freq-list", " "]), "give frequencies in MHz"),
        (
            wpsd(&["--control-dir", "DIR= GROUP=netdev"]),
            "give the directory of the control sockets",
        ),
        (wpsd(&["--manager", "iwd"]), "[possible values: wpa-supplicant, network-manager]"),
        (wpsd(&["--listen", "8080"]), "give an IP address and a port"),
        (demo(&["--listen", "8080"]), "give an IP address and a port"),
        (demo(&["--speed", "9"]), "--speed"),
    ];
    for (command, expected) in wrong {
        let (code, message) = error_of(command);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn wrong_button_and_lamp_flags_are_reported() {
    let wrong: [(&[&str], &str); 9] = [
        (&["--button-line", "17"], "is not a GPIO line: give the chip and the line"),
        (&["--lamp-line", "../tmp:1"], "is not a GPIO line"),
        (&["--button-active-low"], "--button-line"),
        (&["--lamp-active-low"], "--lamp-line"),
        (&["--button-key-code", "30"], "--button-key"),
        (&["--button-key", "x", "--button-key-code", "KEY_NOBODY"], "a key's name or number"),
        (&["--short-press", "cancels"], "[possible values: ignored, starts]"),
        (&["--lamp-led", "../etc"], "is not an LED name"),
        (&["--led-dir", "/tmp"], "--lamp-led"),
    ];
    for (flags, expected) in wrong {
        let (code, message) = run_with_error(flags);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}
