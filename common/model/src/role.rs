//! The parts of a cluster, by name.

use std::fmt;

/// A part that meets the servers under a name and with rights of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sets an installation up on NATS.
    Init,
    /// Accepts pushes.
    Ingest,
    /// Decides who is up and who is down.
    Scheduler,
    /// Carries alerts to their channels.
    Notifier,
    /// Serves the management API.
    Console,
}

impl Role {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Init, Self::Ingest, Self::Scheduler, Self::Notifier, Self::Console];

    /// The word for it in commands, folders, users and subjects.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Ingest => "ingest",
            Self::Scheduler => "scheduler",
            Self::Notifier => "notifier",
            Self::Console => "console",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
