//! The options: what the library gets, when, and what is refused.

use wps_core::{AccessPoint, DriverError, ErrorKind};
use wps_hal_esp::{Country, DeviceInfo, Options, Protocol};

use super::*;
use crate::fake::{RadioOptions, fresh_library, options, with_library};

fn driver_with_options(options: Options) -> Driver<(), TestClock> {
    let driver = Driver::new((), TestClock::new(), options).unwrap();
    take_calls();
    driver
}

fn error_of(options: Options) -> EspError {
    Driver::new((), TestClock::new(), options).err().expect("an error")
}

fn radio_options() -> RadioOptions {
    with_library(|library| library.radio_options.clone())
}

/// esp-radio sets 5 dBm and the country CN once. The fake forgets all options at each start.
#[test]
fn the_radios_options_are_set_after_each_start() {
    let _guard = fresh_library();
    let mut options = options();
    options.max_tx_power_dbm = 15;
    options.country = Country { code: *b"DE", follow_access_point: false };
    options.newest_protocol = Some(Protocol::G);
    let mut driver = driver_with_options(options);
    let expected = |interface| RadioOptions {
        country: Some((*b"DE\0", false)),
        protocol: Some((interface, 3)),
        max_tx_power: Some(60),
    };
    let after_start = [
        "esp_wifi_start",
        "esp_wifi_set_country_code",
        "esp_wifi_set_protocol",
        "esp_wifi_set_max_tx_power", // after the country, which limits it
    ];
    let expect_options = |interface, calls: &[&str]| {
        assert_eq!(radio_options(), expected(interface));
        let start = calls.iter().position(|call| *call == "esp_wifi_start").expect("a start");
        assert_eq!(calls[start..][..4], after_start);
    };

    let snapshot = Snapshot::default();
    expect_ready(driver.apply(&station(home()), &snapshot)).unwrap();
    expect_options(0, &take_calls());
    let access_point = AccessPoint { network: network(b"device", b"on the label"), channel: None };
    let settings = Settings::AccessPoint { access_point, remembered: None };
    expect_ready(driver.apply(&settings, &snapshot)).unwrap();
    expect_options(1, &take_calls());
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &on_event);
    assert!(poll_once(driver.pair(&mut context)).is_pending());
    expect_options(0, &take_calls());
    assert!(poll_once(driver.join(&home(), &snapshot)).is_pending());
    expect_options(0, &take_calls());
}

#[test]
fn the_defaults_are_those_of_esp_idf() {
    let _guard = fresh_library();
    let mut driver = driver();
    expect_ready(driver.apply(&station(home()), &Snapshot::default())).unwrap();
    let expected =
        RadioOptions { country: Some((*b"01\0", true)), protocol: None, max_tx_power: Some(80) };
    assert_eq!(radio_options(), expected);
}

#[test]
fn each_protocol_includes_the_older_ones() {
    for (protocol, bitmap) in
        [(Protocol::B, 1), (Protocol::G, 3), (Protocol::N, 7), (Protocol::Ax, 71)]
    {
        let _guard = fresh_library();
        let mut options = options();
        options.newest_protocol = Some(protocol);
        let mut driver = driver_with_options(options);
        expect_ready(driver.apply(&station(home()), &Snapshot::default())).unwrap();
        assert_eq!(radio_options().protocol, Some((0, bitmap)));
    }
}

#[test]
fn invalid_options_are_refused_before_the_library_is_called() {
    let _guard = fresh_library();
    let country = |code| set(|it| it.country.code = code);
    let power = |dbm| set(|it| it.max_tx_power_dbm = dbm);
    let device = |device| set(|it| it.device = device);
    let long = "123456789012345678901234567890123";
    let none = DeviceInfo::default();
    for (options, words) in [
        (power(1), "max_tx_power_dbm must be between 2 and 20"),
        (power(21), "max_tx_power_dbm must be between 2 and 20"),
        (country(*b"de"), "two capital letters"),
        (country(*b"D\0"), "two capital letters"),
        (country(*b"02"), "two capital letters"),
        (device(DeviceInfo { device_name: long, ..none }), "32 printable ASCII characters"),
        (device(DeviceInfo { model_name: "caf\u{e9}", ..none }), "32 printable ASCII characters"),
        (device(DeviceInfo { model_number: "a\nb", ..none }), "32 printable ASCII characters"),
        // The library would use it as the format of `snprintf`.
        (device(DeviceInfo { manufacturer: "100%s", ..none }), "no %"),
    ] {
        let error = error_of(options);
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(take_calls().is_empty());
    }
}

fn set(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = options();
    change(&mut options);
    options
}

#[test]
fn a_country_that_the_library_does_not_know_is_an_error_with_its_code() {
    let _guard = fresh_library();
    with_library(|library| library.failures.insert("esp_wifi_set_country_code", 0x102));
    let error = error_of(set(|it| it.country.code = *b"ZZ"));
    assert_eq!(error.to_string(), "esp_wifi_set_country_code: 0x102 ESP_ERR_INVALID_ARG");
}

/// A device that is online with less power is better than one that is not.
#[test]
fn an_option_that_the_library_refuses_later_does_not_keep_the_device_offline() {
    for call in ["esp_wifi_set_country_code", "esp_wifi_set_protocol", "esp_wifi_set_max_tx_power"]
    {
        let _guard = fresh_library();
        let mut driver = driver_with_options(set(|it| it.newest_protocol = Some(Protocol::N)));
        with_library(|library| library.failures.insert(call, 0x102));
        expect_ready(driver.apply(&station(home()), &Snapshot::default())).unwrap();
        let calls = take_calls();
        assert_eq!(calls.last(), Some(&"esp_wifi_connect_internal"));
        for other in ["country_code", "protocol", "max_tx_power"] {
            assert!(calls.contains(&format!("esp_wifi_set_{other}").as_str()), "{other}");
        }
    }
}

#[test]
fn the_router_gets_the_names_of_the_device() {
    let _guard = fresh_library();
    let device = DeviceInfo {
        manufacturer: "Example GmbH",
        model_name: "Lamp",
        model_number: "L-1",
        device_name: "12345678901234567890123456789012",
    };
    let mut driver = driver_with_options(set(|it| it.device = device));
    let (mut overlap_detector, on_event) = (OverlapDetector::new(), |_| {});
    let mut context = PairContext::new(&mut overlap_detector, &on_event);
    assert!(poll_once(driver.pair(&mut context)).is_pending());
    let config = with_library(|library| library.wps_config.clone());
    // `esp_wps_config_t`: manufacturer, model number, model name, device name.
    for (start, len, text) in [
        (4, 65, device.manufacturer),
        (69, 33, device.model_number),
        (102, 33, device.model_name),
        (135, 33, device.device_name),
    ] {
        let field = &config[start..start + len];
        assert_eq!(&field[..text.len()], text.as_bytes());
        assert!(field[text.len()..].iter().all(|byte| *byte == 0) && field[len - 1] == 0, "{text}");
    }
}
