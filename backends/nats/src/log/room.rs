//! Whether the server has room for the log, as far as it says so.

use std::time::Duration;

use parking_lot::Mutex;
use ports::heartbeat_log::LogRoom;
use tokio::time::Instant;

/// How long a server that had no room is spared the outputs of jobs. It refuses a frame that does not fit and
/// says nothing before.
const SPARED_FOR: Duration = Duration::from_secs(60);

/// Remembers that a server had no room.
#[derive(Debug, Default)]
pub(super) struct Room {
    full_at: Mutex<Option<Instant>>,
}

impl Room {
    /// The server refused an append because it has no room.
    pub(super) fn full(&self, now: Instant) {
        if self.full_at.lock().replace(now).is_none() {
            tracing::warn!("NATS has no room for the heartbeat log; outputs of jobs are not kept");
        }
    }

    /// The server took an append.
    pub(super) fn taken(&self, now: Instant) {
        let mut full_at = self.full_at.lock();
        if full_at.is_some_and(|at| now.saturating_duration_since(at) >= SPARED_FOR) {
            *full_at = None;
            tracing::info!(
                "NATS has had room for the heartbeat log for a minute; outputs of jobs are kept again"
            );
        }
    }

    pub(super) fn now(&self) -> LogRoom {
        if self.full_at.lock().is_some() { LogRoom::Short } else { LogRoom::Enough }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_left_out_until_appends_were_taken_for_a_minute() {
        let (room, began) = (Room::default(), Instant::now());
        let at = |secs| began + Duration::from_secs(secs);
        room.taken(at(0));
        assert_eq!(room.now(), LogRoom::Enough);
        room.full(at(1));
        room.taken(at(2));
        assert_eq!(room.now(), LogRoom::Short);
        room.full(at(40));
        room.taken(at(99));
        assert_eq!(room.now(), LogRoom::Short, "a minute from the last time");
        room.taken(at(100));
        assert_eq!(room.now(), LogRoom::Enough);
    }
}
