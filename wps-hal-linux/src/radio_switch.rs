//! Turning a radio on and off, by rfkill or by taking its network interface up and down.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rtnetlink::LinkUnspec;

use crate::error::LinuxError;

/// The power state of a radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    /// The radio is on.
    On,
    /// Software has turned it off: rfkill's soft block.
    SoftBlocked,
    /// It is off because the interface is down.
    InterfaceDown,
    /// A switch or key that software cannot change has turned it off: rfkill's hard block.
    HardBlocked,
}

/// The power switch of one interface's radio. It looks up the radio for each operation, since the
/// radio may have been unplugged and plugged in again.
pub(crate) struct RadioSwitch<'a> {
    interface: &'a str,
    /// The path of `/sys`.
    sys: PathBuf,
    /// The path of `/dev/rfkill`.
    rfkill: PathBuf,
}

/// `RFKILL_OP_CHANGE` of the kernel's `linux/rfkill.h`: changes the soft block of one radio.
const RFKILL_OP_CHANGE: u8 = 2;
/// `RFKILL_TYPE_WLAN` of the same file.
const RFKILL_TYPE_WLAN: u8 = 1;
/// How many times [`RadioSwitch::wait_until_up`] reads the state of the interface: for 2 s in all.
const MAX_LINK_UP_POLLS: u32 = 40;
/// The time between two of these reads.
const LINK_UP_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// `IFF_UP` of `linux/if.h`.
const IFF_UP: u32 = 1;

impl<'a> RadioSwitch<'a> {
    pub(crate) fn new(interface: &'a str) -> Self {
        Self { interface, sys: "/sys".into(), rfkill: "/dev/rfkill".into() }
    }

    /// Returns the directory of the interface in `/sys`.
    fn interface_dir(&self) -> PathBuf {
        self.sys.join("class/net").join(self.interface)
    }

    /// Returns the number and the directory of this radio's rfkill entry, or `None` if it has none.
    fn rfkill_entry(&self) -> Option<(u32, PathBuf)> {
        let entries = fs::read_dir(self.interface_dir().join("phy80211")).ok()?.flatten();
        let mut entries = entries.filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("rfkill")?.parse().ok()?;
            Some((number, entry.path()))
        });
        entries.next()
    }

    /// Returns the power state of the radio.
    pub(crate) fn power(&self) -> Power {
        let is_set = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.trim() == "1");
        let entry = self.rfkill_entry();
        let blocked = |kind| entry.as_ref().is_some_and(|(_, path)| is_set(&path.join(kind)));
        if blocked("hard") {
            Power::HardBlocked
        } else if blocked("soft") {
            Power::SoftBlocked
        } else if !self.is_up() {
            Power::InterfaceDown
        } else {
            Power::On
        }
    }

    /// Returns whether the interface is up. Returns `true` if its state is unknown, so that nothing
    /// is done to it.
    fn is_up(&self) -> bool {
        let flags = fs::read_to_string(self.interface_dir().join("flags")).unwrap_or_default();
        let flags =
            flags.trim().strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
        flags.is_none_or(|flags| flags & IFF_UP != 0)
    }

    /// Turns the radio off: by rfkill if that is permitted, otherwise by taking the interface down.
    /// Does nothing if it is off already.
    pub(crate) async fn turn_off(&self) -> Result<(), LinuxError> {
        self.require_wireless()?;
        if self.power() != Power::On {
            return Ok(());
        }
        match self.set_soft_block(true) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => self.set_interface_up(false).await,
        }
    }

    /// Turns the radio off again in the way in which it was `previously` off. Does nothing if it
    /// was on.
    pub(crate) async fn turn_off_as(&self, previously: Power) -> Result<(), LinuxError> {
        match previously {
            Power::On => Ok(()),
            Power::InterfaceDown => self.set_interface_up(false).await,
            Power::SoftBlocked | Power::HardBlocked => self.turn_off().await,
        }
    }

    /// Turns the radio on, no matter how it was turned off.
    pub(crate) async fn turn_on(&self) -> Result<(), LinuxError> {
        let power = self.power();
        match power {
            Power::On => return Ok(()),
            Power::HardBlocked => return Err(LinuxError::HardBlocked(self.interface.into())),
            Power::SoftBlocked | Power::InterfaceDown => self.require_wireless()?,
        }
        self.set_soft_block(false)
            .map_err(|_| LinuxError::SwitchNotPermitted(self.interface.into()))?;
        if self.is_up() {
            return Ok(());
        }
        match self.set_interface_up(true).await {
            Err(_) if power == Power::SoftBlocked && self.wait_until_up().await => Ok(()),
            done => done,
        }
    }

    /// Waits until the interface is up: wpa_supplicant takes it up after the radio was unblocked.
    /// Returns `false` if that has not happened after 2 s.
    async fn wait_until_up(&self) -> bool {
        for _ in 0..MAX_LINK_UP_POLLS {
            if self.is_up() {
                return true;
            }
            tokio::time::sleep(LINK_UP_POLL_INTERVAL).await;
        }
        false
    }

    /// Returns an error if the interface is not a Wi-Fi interface.
    fn require_wireless(&self) -> Result<(), LinuxError> {
        if self.interface_dir().join("phy80211").exists() {
            Ok(())
        } else {
            Err(LinuxError::NotWireless(self.interface.into()))
        }
    }

    /// Sets or clears rfkill's soft block of this radio. Returns `false` if rfkill does not know
    /// the radio.
    fn set_soft_block(&self, block: bool) -> io::Result<bool> {
        let Some((number, path)) = self.rfkill_entry() else { return Ok(false) };
        let [current, wanted] =
            [fs::read_to_string(path.join("soft"))?, u8::from(block).to_string()];
        if current.trim() == wanted {
            return Ok(true);
        }
        let mut event = number.to_ne_bytes().to_vec();
        event.extend([RFKILL_TYPE_WLAN, RFKILL_OP_CHANGE, block.into(), 0]);
        fs::OpenOptions::new().write(true).open(&self.rfkill)?.write_all(&event)?;
        Ok(true)
    }

    /// Takes the interface up, or down if `up` is `false`.
    async fn set_interface_up(&self, up: bool) -> Result<(), LinuxError> {
        let request = async {
            let (connection, handle, _) = rtnetlink::new_connection().ok()?;
            let link = LinkUnspec::new_with_name(self.interface);
            let link = if up { link.up() } else { link.down() };
            tokio::select! {
                done = handle.link().set(link.build()).execute() => done.ok(),
                () = connection => None,
            }
        };
        request.await.ok_or_else(|| LinuxError::SwitchNotPermitted(self.interface.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a `/sys` with the interface `radio0`, which is rfkill entry 7, with these blocks and
    /// interface flags. Returns its directory and that of the rfkill entry.
    fn fake_sys(soft: &str, hard: &str, flags: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let net = directory.path().join("class/net/radio0");
        let entry = net.join("phy80211/rfkill7");
        fs::create_dir_all(&entry).unwrap();
        fs::write(entry.join("soft"), soft).unwrap();
        fs::write(entry.join("hard"), hard).unwrap();
        fs::write(net.join("flags"), flags).unwrap();
        fs::write(directory.path().join("rfkill"), "").unwrap();
        (directory, entry)
    }

    /// Returns the switch of `radio0` in this directory.
    fn switch(directory: &tempfile::TempDir) -> RadioSwitch<'static> {
        let sys = directory.path().to_owned();
        RadioSwitch { interface: "radio0", rfkill: sys.join("rfkill"), sys }
    }

    #[test]
    fn power_is_read_from_rfkill_and_the_interface() {
        let cases = [
            (("0\n", "0\n", "0x1003\n"), Power::On),
            (("1\n", "0\n", "0x1002\n"), Power::SoftBlocked),
            (("0\n", "0\n", "0x1002\n"), Power::InterfaceDown),
            (("0\n", "1\n", "0x1003\n"), Power::HardBlocked),
            (("1\n", "1\n", "0x1002\n"), Power::HardBlocked),
        ];
        for ((soft, hard, flags), expected) in cases {
            let (directory, _) = fake_sys(soft, hard, flags);
            assert_eq!(switch(&directory).power(), expected, "{soft}{hard}{flags}");
        }
    }

    #[tokio::test]
    async fn a_soft_block_is_written_in_the_kernel_format() {
        let (directory, _) = fake_sys("0\n", "0\n", "0x1003\n");
        switch(&directory).turn_off().await.unwrap();
        let written = fs::read(directory.path().join("rfkill")).unwrap();
        assert_eq!(written, [&7_u32.to_ne_bytes()[..], &[1, 2, 1, 0]].concat());

        let (directory, _) = fake_sys("1\n", "0\n", "0x1003\n");
        switch(&directory).turn_on().await.unwrap();
        let written = fs::read(directory.path().join("rfkill")).unwrap();
        assert_eq!(written, [&7_u32.to_ne_bytes()[..], &[1, 2, 0, 0]].concat());
    }

    #[tokio::test]
    async fn nothing_is_written_if_the_power_is_right_already() {
        for (soft, off) in [("1\n", true), ("0\n", false)] {
            let (directory, _) = fake_sys(soft, "0\n", "0x1003\n");
            let switch = switch(&directory);
            if off {
                switch.turn_off().await.unwrap()
            } else {
                switch.turn_on().await.unwrap()
            }
            assert_eq!(fs::read(directory.path().join("rfkill")).unwrap(), b"");
        }
    }

    #[tokio::test]
    async fn a_hard_block_is_reported_as_such() {
        let (directory, _) = fake_sys("0\n", "1\n", "0x1003\n");
        let error = switch(&directory).turn_on().await.unwrap_err();
        assert!(error.to_string().contains("a switch on the machine"), "{error}");
        switch(&directory).turn_off().await.unwrap(); // it is off already
    }

    #[tokio::test]
    async fn missing_permission_errors_name_what_is_needed() {
        // Taking the interface down fails too: this name does not exist.
        let (directory, _) = fake_sys("0\n", "0\n", "0x1003\n");
        fs::remove_file(directory.path().join("rfkill")).unwrap();
        let error = switch(&directory).turn_off().await.unwrap_err();
        assert!(error.to_string().contains("/dev/rfkill"), "{error}");
        let (directory, _) = fake_sys("1\n", "0\n", "0x1003\n");
        fs::remove_file(directory.path().join("rfkill")).unwrap();
        let error = switch(&directory).turn_on().await.unwrap_err();
        assert!(error.to_string().contains("/dev/rfkill"), "{error}");
    }

    #[tokio::test]
    async fn an_interface_that_is_not_wireless_is_left_alone() {
        assert!(matches!(RadioSwitch::new("lo").turn_off().await, Err(LinuxError::NotWireless(_))));
    }
}
