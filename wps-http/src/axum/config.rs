//! The configuration of the router.

use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use crate::{Addresses, AllowedHosts, Device, DigestAuth, Password, Scheme};

/// What the router needs to know from the application.
#[derive(Clone, Default)]
pub struct Config {
    /// The names under which the API can be reached: see [`AllowedHosts::names`].
    pub names: Vec<String>,
    /// The scheme under which the API is served.
    pub scheme: Scheme,
    /// The device's name, shown by `/api/v1/system`.
    pub name: Option<String>,
    /// The model name that is printed on the device.
    pub model: Option<String>,
    /// The version of its software.
    pub version: Option<String>,
    /// The program that manages its Wi-Fi interface.
    pub manager: Option<String>,
    /// Whether the platform has its own networks: see [`View::has_platform`](crate::View).
    pub has_platform: bool,
    /// The password of the API. Without one, everyone on the network can use it.
    pub password: Option<Password>,
    /// Returns the IP settings of the Wi-Fi interface. `None` if they are unknown, or there is no
    /// link. Must not block for long.
    pub addresses: Option<Arc<dyn Fn() -> Option<Addresses> + Send + Sync>>,
}

impl Config {
    /// Creates the authentication, if a password is set.
    pub(super) fn digest_auth(&self) -> Option<DigestAuth> {
        let password = self.password.clone()?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("an operating system with random numbers");
        let realm = self.names.first().map_or("device", String::as_str);
        Some(DigestAuth::new(password, realm, key))
    }

    /// Returns the current IP settings, if they are known.
    pub(super) fn addresses(&self) -> Option<Addresses> {
        self.addresses.as_ref().and_then(|addresses| addresses())
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    pub(super) fn allowed_hosts<'a>(&self, names: &'a [&'a str]) -> AllowedHosts<'a> {
        AllowedHosts { names, scheme: self.scheme }
    }

    pub(super) fn device(&self) -> Device<'_> {
        Device {
            name: self.name.as_deref(),
            model: self.model.as_deref(),
            version: self.version.as_deref(),
            manager: self.manager.as_deref(),
        }
    }
}
