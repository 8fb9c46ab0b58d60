//! Disks that lose what is not synced when their power is cut. The guest's own files are in memory.

use std::path::PathBuf;

use super::guest::run_ignoring_failure;
use super::{RUN_DIR, run};

/// The disk of the guest (`RADIO_LAB_DISK`).
const DISK_OF_GUEST: &str = "/dev/vda";

/// A file system of its own at a folder.
pub struct Disk {
    folder: PathBuf,
    image: String,
}

impl Disk {
    /// Mounts a new, empty disk at the folder, which must exist.
    #[track_caller]
    pub fn new(folder: &str) -> Self {
        let image = format!("{RUN_DIR}/disk");
        run(&format!("rm -f {image}"));
        run(&format!("truncate -s 16M {image}"));
        run("modprobe loop");
        Self::format(folder, image)
    }

    /// Mounts the guest's disk at the folder, and removes everything on it.
    #[track_caller]
    pub fn of_guest_cleared(folder: &str) -> Self {
        run("modprobe virtio_blk");
        Self::format(folder, DISK_OF_GUEST.into())
    }

    /// Mounts the guest's disk at the folder, with what an earlier guest has synced to it.
    #[track_caller]
    pub fn of_guest(folder: &str) -> Self {
        run("modprobe virtio_blk");
        Self::mounted(folder, DISK_OF_GUEST.into())
    }

    fn format(folder: &str, image: String) -> Self {
        run(&format!("/usr/sbin/mke2fs -q -F -t ext4 {image}"));
        Self::mounted(folder, image)
    }

    fn mounted(folder: &str, image: String) -> Self {
        run("modprobe ext4");
        let disk = Self { folder: folder.into(), image };
        disk.mount();
        disk
    }

    #[track_caller]
    fn mount(&self) {
        run(&format!("mount -t ext4 {} {}", self.image, self.folder.display()));
    }

    /// Cuts the power and restores it: discards what is not synced. No program may have a file of
    /// the disk open.
    #[track_caller]
    pub fn cut_power(&self) {
        let folder = self.folder.display();
        run(&format!("xfs_io -x -c shutdown {folder}"));
        run(&format!("umount {folder}"));
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run_ignoring_failure(&format!("umount {}", self.folder.display()));
    }
}
