//! Rejects a key that would be the same in every device, and passes arguments to the linker.

use std::env;

/// The same as `wps_label::MIN_SECRET_LEN`.
const MIN_SECRET_LEN: usize = 16;

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
    if env::var("WPS_MAKER_SECRET").is_ok_and(|secret| secret.len() < MIN_SECRET_LEN) {
        println!(
            "cargo::error=WPS_MAKER_SECRET can be guessed: give at least {MIN_SECRET_LEN} characters"
        );
    }
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo::rustc-link-arg=-Tdefmt.x");
    }
}
