//! The radio's switch: rfkill, and the interface itself.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rtnetlink::LinkUnspec;

use crate::error::LinuxError;

/// Whether a radio is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    On,
    /// Off by software: rfkill's soft block.
    Blocked,
    /// Off because the interface is down.
    Down,
    /// Off by a switch that software cannot move.
    Locked,
}

/// The switch of one interface. It is looked up each time: a radio may be plugged in anew.
pub(crate) struct Switch<'a> {
    interface: &'a str,
    /// `/sys`
    sys: PathBuf,
    /// `/dev/rfkill`
    rfkill: PathBuf,
}

/// `struct rfkill_event` of the kernel's `linux/rfkill.h`: this radio's soft block changes.
const CHANGE: u8 = 2;
const TYPE_WLAN: u8 = 1;
/// How often, and after how long again, to look whether the interface is up: 2 s in all.
const RAISE_GLANCES: u32 = 40;
const RAISE_GLANCE: Duration = Duration::from_millis(50);
/// `IFF_UP` of `linux/if.h`.
const UP: u32 = 1;

impl<'a> Switch<'a> {
    pub(crate) fn of(interface: &'a str) -> Self {
        Self { interface, sys: "/sys".into(), rfkill: "/dev/rfkill".into() }
    }

    fn net(&self) -> PathBuf {
        self.sys.join("class/net").join(self.interface)
    }

    /// This radio's entry in rfkill, with its number.
    fn entry(&self) -> Option<(u32, PathBuf)> {
        let entries = fs::read_dir(self.net().join("phy80211")).ok()?.flatten();
        let mut entries = entries.filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("rfkill")?.parse().ok()?;
            Some((number, entry.path()))
        });
        entries.next()
    }

    pub(crate) fn power(&self) -> Power {
        let is_set = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.trim() == "1");
        let entry = self.entry();
        let blocked = |how| entry.as_ref().is_some_and(|(_, path)| is_set(&path.join(how)));
        if blocked("hard") {
            Power::Locked
        } else if blocked("soft") {
            Power::Blocked
        } else if !self.is_up() {
            Power::Down
        } else {
            Power::On
        }
    }

    fn is_up(&self) -> bool {
        let flags = fs::read_to_string(self.net().join("flags")).unwrap_or_default();
        let flags =
            flags.trim().strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
        // One that does not tell is taken for up: nothing is done to it.
        flags.is_none_or(|flags| flags & UP != 0)
    }

    /// Switches it off: by rfkill where that is allowed, else by taking the interface down.
    pub(crate) async fn off(&self) -> Result<(), LinuxError> {
        self.is_wireless()?;
        if self.power() != Power::On {
            return Ok(());
        }
        match self.block(true) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => self.set_link(false).await,
        }
    }

    /// Switches it off again in the way it was off before.
    pub(crate) async fn off_as(&self, before: Power) -> Result<(), LinuxError> {
        match before {
            Power::On => Ok(()),
            Power::Down => self.set_link(false).await,
            Power::Blocked | Power::Locked => self.off().await,
        }
    }

    /// Switches it on, whatever had switched it off.
    pub(crate) async fn on(&self) -> Result<(), LinuxError> {
        let power = self.power();
        match power {
            Power::On => return Ok(()),
            Power::Locked => return Err(LinuxError::Locked(self.interface.into())),
            Power::Blocked | Power::Down => self.is_wireless()?,
        }
        self.block(false).map_err(|_| LinuxError::MayNotSwitch(self.interface.into()))?;
        if self.is_up() {
            return Ok(());
        }
        match self.set_link(true).await {
            Err(_) if power == Power::Blocked && self.is_raised().await => Ok(()),
            done => done,
        }
    }

    /// Whether wpa_supplicant raises the interface of a radio that was unblocked, as it does.
    async fn is_raised(&self) -> bool {
        for _ in 0..RAISE_GLANCES {
            if self.is_up() {
                return true;
            }
            tokio::time::sleep(RAISE_GLANCE).await;
        }
        false
    }

    /// Never an interface that is no radio.
    fn is_wireless(&self) -> Result<(), LinuxError> {
        if self.net().join("phy80211").exists() {
            Ok(())
        } else {
            Err(LinuxError::NoRadio(self.interface.into()))
        }
    }

    /// Whether rfkill knows this radio, and its soft block is now so.
    fn block(&self, block: bool) -> io::Result<bool> {
        let Some((number, path)) = self.entry() else { return Ok(false) };
        let [soft_now, soft] =
            [fs::read_to_string(path.join("soft"))?, u8::from(block).to_string()];
        if soft_now.trim() == soft {
            return Ok(true);
        }
        let mut event = number.to_ne_bytes().to_vec();
        event.extend([TYPE_WLAN, CHANGE, block.into(), 0]);
        fs::OpenOptions::new().write(true).open(&self.rfkill)?.write_all(&event)?;
        Ok(true)
    }

    /// Takes the interface up or down.
    async fn set_link(&self, up: bool) -> Result<(), LinuxError> {
        let set = async {
            let (connection, handle, _) = rtnetlink::new_connection().ok()?;
            let link = LinkUnspec::new_with_name(self.interface);
            let link = if up { link.up() } else { link.down() };
            tokio::select! {
                done = handle.link().set(link.build()).execute() => done.ok(),
                () = connection => None,
            }
        };
        set.await.ok_or_else(|| LinuxError::MayNotSwitch(self.interface.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with `radio0`, known to rfkill as number 7, with these blocks and interface flags.
    fn machine(soft: &str, hard: &str, flags: &str) -> (tempfile::TempDir, PathBuf) {
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

    fn switch(directory: &tempfile::TempDir) -> Switch<'static> {
        let sys = directory.path().to_owned();
        Switch { interface: "radio0", rfkill: sys.join("rfkill"), sys }
    }

    #[test]
    fn rfkill_and_the_interface_tell_whether_it_is_on() {
        let cases = [
            (("0\n", "0\n", "0x1003\n"), Power::On),
            (("1\n", "0\n", "0x1002\n"), Power::Blocked),
            (("0\n", "0\n", "0x1002\n"), Power::Down),
            (("0\n", "1\n", "0x1003\n"), Power::Locked),
            (("1\n", "1\n", "0x1002\n"), Power::Locked),
        ];
        for ((soft, hard, flags), power) in cases {
            let (directory, _) = machine(soft, hard, flags);
            assert_eq!(switch(&directory).power(), power, "{soft}{hard}{flags}");
        }
    }

    #[tokio::test]
    async fn a_block_is_written_as_the_kernel_reads_it() {
        let (directory, _) = machine("0\n", "0\n", "0x1003\n");
        switch(&directory).off().await.unwrap();
        let written = fs::read(directory.path().join("rfkill")).unwrap();
        assert_eq!(written, [&7_u32.to_ne_bytes()[..], &[1, 2, 1, 0]].concat());

        let (directory, _) = machine("1\n", "0\n", "0x1003\n");
        switch(&directory).on().await.unwrap();
        let written = fs::read(directory.path().join("rfkill")).unwrap();
        assert_eq!(written, [&7_u32.to_ne_bytes()[..], &[1, 2, 0, 0]].concat());
    }

    #[tokio::test]
    async fn nothing_is_done_twice() {
        for (soft, off) in [("1\n", true), ("0\n", false)] {
            let (directory, _) = machine(soft, "0\n", "0x1003\n");
            let switch = switch(&directory);
            if off {
                switch.off().await.unwrap()
            } else {
                switch.on().await.unwrap()
            }
            assert_eq!(fs::read(directory.path().join("rfkill")).unwrap(), []);
        }
    }

    #[tokio::test]
    async fn a_switch_that_software_cannot_move_is_told() {
        let (directory, _) = machine("0\n", "1\n", "0x1003\n");
        let error = switch(&directory).on().await.unwrap_err();
        assert!(error.to_string().contains("a switch on the machine"), "{error}");
        switch(&directory).off().await.unwrap(); // it is
    }

    #[tokio::test]
    async fn without_permission_it_says_what_is_needed() {
        // Nor is there an interface of this name to take down.
        let (directory, _) = machine("0\n", "0\n", "0x1003\n");
        fs::remove_file(directory.path().join("rfkill")).unwrap();
        let error = switch(&directory).off().await.unwrap_err();
        assert!(error.to_string().contains("/dev/rfkill"), "{error}");
        let (directory, _) = machine("1\n", "0\n", "0x1003\n");
        fs::remove_file(directory.path().join("rfkill")).unwrap();
        let error = switch(&directory).on().await.unwrap_err();
        assert!(error.to_string().contains("/dev/rfkill"), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_radio_is_left_alone() {
        assert!(matches!(Switch::of("lo").off().await, Err(LinuxError::NoRadio(_))));
    }
}
