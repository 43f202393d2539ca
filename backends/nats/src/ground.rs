//! Which installation a connection must lead to. A server that comes back may hold another one than before,
//! or none: its disk was lost, or replaced. Until that is looked at, nothing is asked or written over a new
//! connection.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::jetstream::stream::Info;
use tokio::sync::Mutex;

/// What an installation is recognised by.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Its identity.
    pub(super) installation: String,
    /// For each heartbeat stream what tells it from another one of the same name. Any of them is enough, for
    /// a stream without a leader does not answer.
    pub(super) streams: HashMap<String, Option<String>>,
}

/// Where a stream keeps what it is recognised by.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarkNames {
    /// Metadata key of the identity.
    pub(super) installation: &'static str,
    /// Metadata key of what tells a stream from another one of its name.
    pub(super) incarnation: &'static str,
}

impl Marks {
    /// Whether a stream is one of the installation's.
    pub(super) fn has(&self, names: MarkNames, stream: &Info) -> bool {
        let said = |name: &str| stream.config.metadata.get(name);
        if said(names.installation).is_some_and(|said| *said == self.installation) {
            return true;
        }
        let known = self.streams.get(&stream.config.name).and_then(Option::as_ref);
        known.is_some() && known == said(names.incarnation)
    }
}

/// Whether the present connection is known to lead to the installation.
#[derive(Debug, Default)]
pub(super) struct Ground {
    marks: OnceLock<(MarkNames, Marks)>,
    /// The number of the connection that was looked at last.
    known: AtomicU64,
    /// Held while one looks for all.
    pub(super) looking: Mutex<()>,
}

impl Ground {
    /// Says what every connection must lead to from now on; that of this number does.
    pub(super) fn set(&self, names: MarkNames, marks: Marks, connection: u64) {
        if self.marks.set((names, marks)).is_ok() {
            self.found(connection);
        }
    }

    /// The connection leads to the installation.
    pub(super) fn found(&self, connection: u64) {
        self.known.store(connection, Ordering::Release);
    }

    /// What must be looked at before this connection is used; `None`: nothing.
    pub(super) fn unknown(&self, connection: u64) -> Option<&(MarkNames, Marks)> {
        self.marks.get().filter(|_| self.known.load(Ordering::Acquire) != connection)
    }
}
