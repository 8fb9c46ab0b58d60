//! What the application tells the front.

use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use crate::{Addresses, Device, Door, Password, Scheme, Site};

/// What the application knows.
#[derive(Clone, Default)]
pub struct Config {
    /// Names under which the API answers: see [`Site::names`].
    pub names: Vec<String>,
    /// How it is served.
    pub scheme: Scheme,
    /// The device's name, shown by `/api/v1/system`.
    pub name: Option<String>,
    /// What is printed on the device.
    pub model: Option<String>,
    /// The version of its software.
    pub version: Option<String>,
    /// Whether the platform has networks of its own: see [`View::has_platform`](crate::View).
    pub has_platform: bool,
    /// Who calls must know it; without one everybody on the network may.
    pub password: Option<Password>,
    /// Tells the IP settings of the Wi-Fi interface; must not block for long.
    pub addresses: Option<Arc<dyn Fn() -> Addresses + Send + Sync>>,
}

impl Config {
    /// The door, if there is one.
    pub(super) fn door(&self) -> Option<Door> {
        let password = self.password.clone()?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("an operating system with random numbers");
        let realm = self.names.first().map_or("device", String::as_str);
        Some(Door::new(password, realm, key))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    pub(super) fn site<'a>(&self, names: &'a [&'a str]) -> Site<'a> {
        Site { names, scheme: self.scheme }
    }

    pub(super) fn device(&self) -> Device<'_> {
        Device {
            name: self.name.as_deref(),
            model: self.model.as_deref(),
            version: self.version.as_deref(),
        }
    }
}
