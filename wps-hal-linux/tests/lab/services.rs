//! NetworkManager, wpa_supplicant and polkit as Debian's packages run them: by systemd.

use std::fs;
use std::ops::Deref;

use super::guest::run_ignoring_failure;
use super::{NetworkManager, run};

/// What Debian's packages enable when they are installed. The bus starts polkit.
const ENABLED: &str = "NetworkManager wpa_supplicant";
/// The folder of additions to NetworkManager's configuration.
const CONFIGURATION: &str = "/etc/NetworkManager/conf.d";

/// The running services. Dropping this stops them.
pub struct Services(NetworkManager);

impl Services {
    /// Installs the services: enables them, and leaves the routers' radios to the lab.
    #[track_caller]
    pub fn install(interface: &str) {
        fs::create_dir_all(CONFIGURATION).expect("a folder");
        let others = format!("[keyfile]\nunmanaged-devices=except:interface-name:{interface}\n");
        fs::write(format!("{CONFIGURATION}/lab.conf"), others).expect("a configuration");
        run(&format!("systemctl -q enable {ENABLED}"));
    }

    /// Starts the services, and waits until NetworkManager manages the interface.
    #[track_caller]
    pub fn start(interface: &str) -> Self {
        run(&format!("systemctl --no-ask-password start {ENABLED}"));
        Self::booted(interface)
    }

    /// Waits until the services that the boot has started manage the interface.
    #[track_caller]
    pub fn booted(interface: &str) -> Self {
        let services = Self(NetworkManager::of_others(interface));
        services.wait_managed();
        services
    }
}

impl Deref for Services {
    type Target = NetworkManager;

    fn deref(&self) -> &NetworkManager {
        &self.0
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        run_ignoring_failure(&format!("systemctl --no-ask-password stop {ENABLED} polkit"));
    }
}
