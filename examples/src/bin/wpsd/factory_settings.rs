//! Flags for the factory settings: those of a device that was never set up.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use wps_core::{AccessPoint, Credentials, Passphrase, Settings, Ssid};

use crate::secret::first_line;

#[derive(Args)]
#[command(next_help_heading = "A device that was never set up")]
pub(crate) struct FactorySettings {
    /// What it begins with: Wi-Fi as the platform has it, an access point of its own, or Wi-Fi off.
    /// Once something is saved, that counts. [default: platform; off with a simulated radio]
    #[arg(long = "blank", value_name = "MODE")]
    mode: Option<Mode>,

    /// The name of its access point
    #[arg(long, value_name = "NAME", required_if_eq("mode", "access-point"))]
    access_point_name: Option<String>,

    /// The file with the key of its access point in its first line, readable by nobody else
    #[arg(long, value_name = "FILE", conflicts_with = "access_point_open")]
    access_point_key_file: Option<PathBuf>,

    /// Let its access point be open to everybody, without a key
    #[arg(long)]
    access_point_open: bool,

    /// The channel of its access point, else the radio chooses
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=177))]
    access_point_channel: Option<u8>,

    /// What a failed pairing does to a device that was an access point: Wi-Fi off, as WPS devices do,
    /// or the access point again, for a device that nobody can reach otherwise
    #[arg(long, value_name = "MODE", value_enum, default_value_t = AfterFailure::Off)]
    after_failure: AfterFailure,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Platform,
    AccessPoint,
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
enum AfterFailure {
    Off,
    AccessPoint,
}

impl FactorySettings {
    /// The settings, if any were asked for. Reads the key.
    pub(crate) fn settings(&self) -> anyhow::Result<Option<Settings>> {
        if self.mode == Some(Mode::AccessPoint) {
            return self.access_point().map(Some);
        }
        ensure!(
            self.access_point_name.is_none()
                && self.access_point_key_file.is_none()
                && !self.access_point_open
                && self.access_point_channel.is_none(),
            "the --access-point flags describe the access point of a new device: \
             give --blank access-point with them, or leave them out"
        );
        Ok(self.mode.map(|mode| match mode {
            Mode::Platform => Settings::Platform,
            Mode::Off | Mode::AccessPoint => Settings::Off { remembered: None },
        }))
    }

    pub(crate) fn after_failure(&self) -> wps_core::AfterFailure {
        match self.after_failure {
            AfterFailure::Off => wps_core::AfterFailure::AccessPointOff,
            AfterFailure::AccessPoint => wps_core::AfterFailure::AccessPointBack,
        }
    }

    fn access_point(&self) -> anyhow::Result<Settings> {
        let name = self.access_point_name.as_deref().unwrap_or_default();
        let ssid = Ssid::new(name.as_bytes()).context("see --access-point-name")?;
        let passphrase = match &self.access_point_key_file {
            Some(file) => Some(key(file)?),
            None if self.access_point_open => None,
            None => bail!(
                "an access point needs a key: give --access-point-key-file FILE, or \
                 --access-point-open if everybody may use it"
            ),
        };
        let network = Credentials { ssid, passphrase };
        let access_point = AccessPoint { network, channel: self.access_point_channel };
        Ok(Settings::AccessPoint { access_point, remembered: None })
    }
}

fn key(path: &Path) -> anyhow::Result<Passphrase> {
    let line = first_line(path, "--access-point-key-file")?;
    let no_key = || format!("the first line of {} is no Wi-Fi password", path.display());
    Passphrase::new(&line).with_context(no_key)
}
