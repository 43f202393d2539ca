//! Limits: what the system allows the process, and what the process allows others.

use model::chain::Chain;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// Makes the files that the process makes from now on its owner's only: the databases hold push tokens and
/// signing secrets, and the data folder may have been made by another user, readable by all.
pub(crate) fn keep_files_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Keeps the process from leaving a core, which would hold every secret: neither in a file nor to a program
/// that collects them, and no other process of the same user may look into its memory.
pub(crate) fn leave_no_core() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        // A service manager that forbids the call has set the limit itself.
        tracing::debug!(error = %Chain(&error), "failed to set the limit of cores");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(error = %Chain(&error), "failed to forbid cores; one would hold every secret");
    }
}

/// Raises the number of open files to what the system allows, because every connection is one; how many they
/// are.
pub(crate) fn raise_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(error = %Chain(&error), current = limit.current, "failed to raise the number of open files");
    }
    let open = getrlimit(Resource::Nofile).current;
    open.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_process_that_must_leave_no_core_has_a_limit_of_zero() {
        leave_no_core();
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
    }

    #[test]
    fn files_made_from_now_on_are_private() {
        keep_files_private();
        let path = std::env::temp_dir().join(format!("lubdub-private-{}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}
