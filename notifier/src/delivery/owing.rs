//! The messages of channels to themselves that are owed because deliveries were given up for lack of room.

use model::chain::Chain;
use model::ids::ChannelId;

use super::context::Context;
use super::owed::NO_ROOM;

/// Puts a message to itself into the lane of a channel, unless there is one: it will be told then of what is
/// given up. If the queue refuses the message, [`owe_again`] tries again.
pub(super) async fn owe(context: &Context, channel: ChannelId) {
    let Some(known) = context.directory.known(channel) else {
        context.owed.lock().refused.remove(&channel);
        return;
    };
    if !context.owed.lock().queued.insert(channel) {
        return;
    }
    let told = context.trouble.tell_later(&known, NO_ROOM, context.clock.now()).await;
    let mut owed = context.owed.lock();
    match told {
        Ok(()) => {
            owed.refused.remove(&channel);
        }
        Err(error) => {
            tracing::debug!(error = %Chain(&error), "failed to note that a channel must catch up; trying again");
            owed.queued.remove(&channel);
            owed.refused.insert(channel);
        }
    }
}

/// Tries again to put messages into the queue that it refused.
pub(super) async fn owe_again(context: &Context) {
    let refused: Vec<ChannelId> = context.owed.lock().refused.iter().copied().collect();
    for channel in refused {
        owe(context, channel).await;
    }
}
