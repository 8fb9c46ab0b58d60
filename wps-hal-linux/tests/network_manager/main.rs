//! The driver for NetworkManager in the radio lab: real NetworkManager, wpa_supplicant and hostapd,
//! and simulated radios. `lab/test` runs it.

#[path = "../device/mod.rs"]
mod device;
#[path = "../lab/mod.rs"]
mod lab;
#[path = "../wpsd/mod.rs"]
mod wpsd;

mod bus;
mod context;
mod interference;
mod kills;
mod limits;
mod networks;
mod profile;
mod settings;
mod table;
