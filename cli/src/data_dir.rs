//! The folder of the data, if none is named: the same one from wherever a command is typed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Of the machine, for a service and for root.
const OF_THE_MACHINE: &str = "/var/lib/lubdub";

/// The given folder, or else the one that is used by default.
pub fn data_dir(given: Option<&Path>) -> PathBuf {
    // An empty variable counts as not set.
    match given {
        Some(given) if !given.as_os_str().is_empty() => given.to_owned(),
        Some(_) | None => default_data_dir(),
    }
}

/// The folder that is used if none is named.
///
/// systemd gives a service its own (`STATE_DIRECTORY`). A person has `lubdub` in `XDG_DATA_HOME`, which is
/// `~/.local/share` unless it is set ([XDG](https://specifications.freedesktop.org/basedir-spec/latest/)).
/// Root, and an account without a home, has `/var/lib/lubdub`.
pub fn default_data_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    place(
        variable("STATE_DIRECTORY"),
        rustix::process::geteuid().is_root(),
        variable("XDG_DATA_HOME"),
        std::env::home_dir(),
    )
}

fn place(
    service: Option<OsString>,
    is_root: bool,
    xdg_data_home: Option<OsString>,
    home: Option<PathBuf>,
) -> PathBuf {
    if let Some(folders) = service {
        // Several are separated by colons.
        let text = folders.to_string_lossy();
        return PathBuf::from(text.split(':').next().unwrap_or_default());
    }
    if is_root {
        return PathBuf::from(OF_THE_MACHINE);
    }
    // By the standard, a relative path is to be ignored.
    let data_home = xdg_data_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.filter(|home| home.is_absolute() && home != Path::new("/"));
    match data_home.or_else(|| home.map(|home| home.join(".local/share"))) {
        Some(data_home) => data_home.join("lubdub"),
        None => PathBuf::from(OF_THE_MACHINE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_a_service_and_root_have_a_folder_that_does_not_move() {
        for (service, is_root, xdg, home, expected) in [
            (None, false, None, Some("/home/ann"), "/home/ann/.local/share/lubdub"),
            (None, false, Some("/data/ann"), Some("/home/ann"), "/data/ann/lubdub"),
            (None, false, Some("data"), Some("/home/ann"), "/home/ann/.local/share/lubdub"),
            (None, true, Some("/root/data"), Some("/root"), "/var/lib/lubdub"),
            (Some("/var/lib/beats"), true, None, Some("/root"), "/var/lib/beats"),
            (Some("/var/lib/a:/var/lib/b"), false, None, None, "/var/lib/a"),
            (None, false, None, None, "/var/lib/lubdub"),
            (None, false, None, Some("/"), "/var/lib/lubdub"),
        ] {
            let found =
                place(service.map(OsString::from), is_root, xdg.map(OsString::from), home.map(PathBuf::from));
            assert_eq!(found, Path::new(expected));
        }
    }

    #[test]
    fn a_folder_that_is_named_is_used() {
        assert_eq!(data_dir(Some(Path::new("here"))), Path::new("here"));
        assert_eq!(data_dir(Some(Path::new(""))), default_data_dir());
    }
}
