//! The real radio: wpa_supplicant, a file, and the clock that runs through suspend.

use std::path::PathBuf;

use crate::serve::Door;

/// What the flags say.
#[expect(dead_code, reason = "the driver is not there yet")]
pub(crate) struct Options {
    pub(crate) interface: String,
    pub(crate) state_dir: PathBuf,
    pub(crate) control_dir: PathBuf,
    pub(crate) door: Door,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let Options { interface, .. } = options;
    anyhow::bail!(
        "the driver for {interface} is not built yet; leave --interface away to try the simulated radio"
    )
}
