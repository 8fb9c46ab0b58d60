//! Refuses what would be the same in every device, and passes on what the linker needs.

use std::env;

/// As `wps_label::SHORTEST_SECRET`.
const SHORTEST_SECRET: usize = 16;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["WPS_AP_PASSPHRASE", "WPS_MAKER_SECRET"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if env::var_os("WPS_AP_PASSPHRASE").is_some() {
        println!(
            "cargo::error=every device would have the same access point key: unset \
             WPS_AP_PASSPHRASE; each device makes its own, and WPS_MAKER_SECRET mixes yours in"
        );
    }
    if env::var("WPS_MAKER_SECRET").is_ok_and(|secret| secret.len() < SHORTEST_SECRET) {
        println!(
            "cargo::error=WPS_MAKER_SECRET can be guessed: give at least {SHORTEST_SECRET} characters"
        );
    }
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo::rustc-link-arg=-Tdefmt.x");
    }
}
