//! Revisions over the incarnations of a stream.
//!
//! The numbers of a stream begin at 1 when it is made anew, and definitions of its former life are in the
//! heartbeat log. So that an edit of today is newer than all of them, a revision is the number of the message
//! added to the time at which the stream was made, in microseconds. A later stream has greater revisions,
//! because no stream takes a million messages a second.

use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::jetstream::stream::Info;

use model::ids::Revision;

/// When the present stream was made, microseconds since the epoch; 0 = not known.
#[derive(Debug, Default)]
pub(super) struct Incarnation(AtomicU64);

impl Incarnation {
    pub(super) fn note(&self, info: &Info) {
        let micros = info.created.unix_timestamp_nanos() / 1_000;
        self.0.store(u64::try_from(micros).unwrap_or(0), Ordering::Release);
    }

    pub(super) fn is_known(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }

    /// The revision of a message's number.
    pub(super) fn revision(&self, sequence: u64) -> Revision {
        Revision(self.0.load(Ordering::Acquire).saturating_add(sequence))
    }

    /// The number of the message of a revision; `None` for one of an earlier stream.
    pub(super) fn sequence(&self, revision: Revision) -> Option<u64> {
        revision.0.checked_sub(self.0.load(Ordering::Acquire)).filter(|sequence| *sequence > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_was_made_later_has_greater_revisions() {
        let (first, second) =
            (Incarnation(AtomicU64::new(1_000_000)), Incarnation(AtomicU64::new(9_000_000)));
        assert!(second.revision(1) > first.revision(7_000_000));
        assert_eq!(second.sequence(second.revision(5)), Some(5));
        assert_eq!(second.sequence(first.revision(5)), None, "it is no revision of this stream");
        assert_eq!(second.sequence(second.revision(0)), None, "no message has the number 0");
    }
}
