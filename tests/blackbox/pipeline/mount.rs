//! Small disks of one's own, where the system allows that.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted disk. It is unmounted when it is dropped.
#[derive(Debug)]
pub(super) struct Mount(PathBuf);

impl Mount {
    /// A disk of that size, or nothing for want of permission.
    #[track_caller]
    pub(super) fn of_size(at: &Path, megabytes: u32) -> Option<Self> {
        Self::new(at, &format!("size={megabytes}m"))
    }

    /// A disk that cannot be written to, or nothing for want of permission.
    #[track_caller]
    pub(super) fn read_only(at: &Path) -> Option<Self> {
        Self::new(at, "ro")
    }

    #[track_caller]
    fn new(at: &Path, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        let output = output.expect("mount is there");
        if output.status.success() {
            return Some(Self(at.to_owned()));
        }
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        assert!(!rustix::process::getuid().is_root(), "root may mount: {why}");
        println!("not root, so no disk is mounted: {why}");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a process may still be at its end there.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
