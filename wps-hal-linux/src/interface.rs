//! The network interfaces of this machine.

use std::path::Path;
use std::{fs, io};

use crate::error::LinuxError;

const INTERFACES: &str = "/sys/class/net";

/// Returns the names of this machine's Wi-Fi interfaces, in alphabetical order.
///
/// # Errors
/// Returns the error of the operating system if the interfaces cannot be listed.
pub fn wifi_interfaces() -> io::Result<Vec<String>> {
    let names = fs::read_dir(INTERFACES)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
    let names: io::Result<Vec<_>> = names.collect();
    let mut names: Vec<_> = names?.into_iter().flatten().filter(|it| has_radio(it)).collect();
    names.sort_unstable();
    Ok(names)
}

/// Checks that there is a Wi-Fi interface of this name.
///
/// # Errors
/// Returns [`LinuxError::NoInterface`] or [`LinuxError::NotWireless`].
pub(crate) fn require_wifi(interface: &str) -> Result<(), LinuxError> {
    require_interface(interface)?;
    has_radio(interface).then_some(()).ok_or_else(|| LinuxError::NotWireless(interface.into()))
}

/// Checks that there is an interface of this name.
///
/// # Errors
/// Returns [`LinuxError::NoInterface`].
pub(crate) fn require_interface(interface: &str) -> Result<(), LinuxError> {
    let exists = is_interface_name(interface) && Path::new(INTERFACES).join(interface).exists();
    exists.then_some(()).ok_or_else(|| LinuxError::NoInterface(interface.into()))
}

/// Returns whether this can be the name of a network interface. The name becomes part of a path.
fn is_interface_name(interface: &str) -> bool {
    !matches!(interface, "" | "." | "..") && !interface.contains('/')
}

fn has_radio(interface: &str) -> bool {
    // Some drivers outside the kernel have only the second one.
    let directory = Path::new(INTERFACES).join(interface);
    ["phy80211", "wireless"].iter().any(|it| directory.join(it).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_must_exist_and_have_a_radio() {
        for name in ["", ".", "..", "../lo", "none0", "lo/.."] {
            assert!(matches!(require_wifi(name), Err(LinuxError::NoInterface(_))), "{name}");
        }
        assert!(matches!(require_wifi("lo"), Err(LinuxError::NotWireless(_))));
        assert!(!wifi_interfaces().expect("a list").contains(&"lo".into()));
    }
}
