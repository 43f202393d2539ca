//! Keeps the messages of a channel apart, if its service asks for that.

use std::collections::HashMap;
use std::time::Duration;

use model::ids::ChannelId;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Channels that are remembered; then those whose time has passed are forgotten.
const REMEMBERED: usize = 1_024;

/// When the next message of each channel may go out.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    next: Mutex<HashMap<ChannelId, Instant>>,
}

impl Pace {
    /// Waits for the turn of a message. No more wait than may be attempted at once.
    pub(crate) async fn turn(&self, channel: ChannelId, interval: Duration) {
        if interval.is_zero() {
            return;
        }
        let at = self.take(channel, interval, Instant::now());
        tokio::time::sleep_until(at).await;
    }

    fn take(&self, channel: ChannelId, interval: Duration, now: Instant) -> Instant {
        let mut next = self.next.lock();
        if next.len() >= REMEMBERED {
            next.retain(|_, at| *at > now);
        }
        let entry = next.entry(channel).or_insert(now);
        let at = (*entry).max(now);
        *entry = at + interval;
        at
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_takes_the_turn_after_the_last_and_none_waits_for_the_past() {
        let pace = Pace::default();
        let channel = |number| ChannelId::from_uuid(Uuid::from_u128(number));
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let take = |number, secs| {
            let now = start + Duration::from_secs(secs);
            pace.take(channel(number), second, now).duration_since(now).as_secs()
        };
        assert_eq!([take(1, 0), take(1, 0), take(1, 0)], [0, 1, 2]);
        assert_eq!(take(2, 0), 0, "channels do not wait for each other");
        assert_eq!([take(1, 1), take(1, 100), take(1, 100)], [2, 0, 1]);
    }
}
