//! The flags for the factory settings: the settings of a device that was never set up.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use wps_core::{AccessPoint, Credentials, Passphrase, Secret, Settings, Ssid};

use crate::secret::first_line;

#[derive(Args)]
#[command(next_help_heading = "Factory settings")]
pub(crate) struct FactorySettings {
    /// The factory settings: the platform's own Wi-Fi settings, an access point, or Wi-Fi off. They
    /// apply until settings are saved. [default: platform; off with a simulated radio]
    #[arg(long = "blank", value_name = "MODE")]
    mode: Option<Mode>,

    /// The name of the access point
    #[arg(long, value_name = "NAME", required_if_eq("mode", "access-point"))]
    access_point_name: Option<String>,

    /// The file with the key of the access point in its first line. Other users must not be able to
    /// read it
    #[arg(long, value_name = "FILE", conflicts_with = "access_point_open")]
    access_point_key_file: Option<PathBuf>,

    /// Make the access point open, without a key
    #[arg(long)]
    access_point_open: bool,

    /// The channel of the access point. Without this flag the radio chooses
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=177))]
    access_point_channel: Option<u8>,

    /// What follows a failed pairing if the device was an access point: Wi-Fi off, as is usual for
    /// WPS devices, or the access point again, for a device that is not reachable in any other way
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
    /// Returns the factory settings, or `None` if the flags name none. Reads the file with the key.
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

    /// Returns what a failed pairing does to an access point.
    pub(crate) fn after_failure(&self) -> wps_core::AfterFailure {
        match self.after_failure {
            AfterFailure::Off => wps_core::AfterFailure::AccessPointOff,
            AfterFailure::AccessPoint => wps_core::AfterFailure::AccessPointBack,
        }
    }

    fn access_point(&self) -> anyhow::Result<Settings> {
        let name = self.access_point_name.as_deref().unwrap_or_default();
        let ssid = Ssid::new(name.as_bytes()).context("see --access-point-name")?;
        let secret = match &self.access_point_key_file {
            Some(file) => Secret::Key(key(file)?),
            None if self.access_point_open => Secret::Open,
            None => bail!(
                "an access point needs a key: give --access-point-key-file FILE, or \
                 --access-point-open for one without a key"
            ),
        };
        let network = Credentials { ssid, secret };
        let access_point = AccessPoint { network, channel: self.access_point_channel };
        Ok(Settings::AccessPoint { access_point, remembered: None })
    }
}

fn key(path: &Path) -> anyhow::Result<Passphrase> {
    let line = first_line(path, "--access-point-key-file")?;
    let error = || format!("the first line of {} is not a Wi-Fi password", path.display());
    Passphrase::new(&line).with_context(error)
}
