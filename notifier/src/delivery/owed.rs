//! Which channels are to catch up because deliveries were given up for lack of room.

use std::collections::HashSet;

use model::ids::ChannelId;

/// Why a delivery was given up.
pub(crate) const NO_ROOM: &str = "too many deliveries waited for this channel";

/// The channels. No more than there are.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    /// Those that have a message to themselves in the queue.
    pub(super) queued: HashSet<ChannelId>,
    /// Those of which the queue refused it.
    pub(super) refused: HashSet<ChannelId>,
}

impl Owed {
    /// The channel catches up: what is given up from now on has a message of its own.
    pub(super) fn is_catching_up(&mut self, channel: ChannelId) {
        self.queued.remove(&channel);
    }

    /// Forgets the messages of other channels than these.
    pub(super) fn keep_only(&mut self, channels: &HashSet<ChannelId>) {
        self.queued.retain(|channel| channels.contains(channel));
    }
}
