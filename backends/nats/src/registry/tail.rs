//! Follows the registry for ever: past lost consumers, restarts, and other streams of the same name.

use model::chain::Chain;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::stream::Info;

use super::store::Store;
use crate::follow::{Followed, Follower, Start};
use ports::BackendError;
use ports::clock::Clock;

/// Longest gap before a tail starts from all records: deletion markers are kept for 24 h only.
const AWAY_AT_MOST: Duration = Duration::from_secs(12 * 3_600);
/// Pause before another attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// The events of a tail.
#[derive(Debug)]
pub(super) enum Heard {
    /// All records come now. A record that was heard before and does not come again is gone.
    Anew {
        /// Whether the stream was replaced: its numbers are unrelated to the earlier ones.
        other_stream: bool,
    },
    Message(Followed),
    /// No message for half a second.
    Nothing,
}

pub(super) struct Tail {
    store: Store,
    clock: Arc<dyn Clock>,
    filters: Vec<String>,
    headers_only: bool,
    follower: Option<Follower>,
    place: Option<StreamCursor>,
    /// The event to answer first.
    anew: Option<Heard>,
}

/// The position in the stream.
#[derive(Debug, Clone, Copy)]
struct StreamCursor {
    /// When the stream was made, by the server.
    stream: i128,
    /// Number of the last message.
    last: u64,
    heard_at: Duration,
}

fn made_at(info: &Info) -> i128 {
    info.created.unix_timestamp_nanos()
}

impl Tail {
    /// Begins with all records.
    pub(super) async fn begin(
        store: Store,
        clock: Arc<dyn Clock>,
        filters: Vec<String>,
        headers_only: bool,
    ) -> Result<Self, BackendError> {
        let mut tail = Self { store, clock, filters, headers_only, follower: None, place: None, anew: None };
        tail.begin_anew().await?;
        Ok(tail)
    }

    /// The next event.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            if let Some(anew) = self.anew.take() {
                return anew;
            }
            let Some(follower) = &mut self.follower else {
                self.go_on().await;
                continue;
            };
            match follower.next().await {
                Ok(Some(message)) => {
                    if let Some(place) = &mut self.place {
                        place.last = message.sequence;
                        place.heard_at = self.clock.elapsed();
                    }
                    return Heard::Message(message);
                }
                Ok(None) => return Heard::Nothing,
                Err(error) => {
                    tracing::info!(error = %Chain(error.as_ref()), stream = self.store.stream_name, "following the registry again");
                    self.follower = None;
                }
            }
        }
    }

    async fn go_on(&mut self) {
        let begun = match self.place {
            Some(place) if self.clock.elapsed().saturating_sub(place.heard_at) < AWAY_AT_MOST => {
                self.resume(place).await
            }
            Some(_) | None => self.begin_anew().await,
        };
        if let Err(error) = begun {
            tracing::debug!(error = %Chain(error.as_ref()), stream = self.store.stream_name, "failed to follow the registry");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Follows what comes after the last message, if the stream is still the same.
    async fn resume(&mut self, place: StreamCursor) -> Result<(), BackendError> {
        let follower = self.follow(Start::At(place.last + 1)).await?;
        // Checked after the beginning: if the stream is the same now, the consumer is on it.
        let info = self.info().await?;
        if made_at(&info) == place.stream && info.state.last_sequence >= place.last {
            self.follower = Some(follower);
            return Ok(());
        }
        tracing::warn!(stream = self.store.stream_name, "the registry was replaced by another one");
        self.begin_anew().await
    }

    async fn begin_anew(&mut self) -> Result<(), BackendError> {
        let before = self.info().await?;
        let follower = self.follow(Start::Newest).await?;
        let stream = made_at(&self.info().await?);
        if stream != made_at(&before) {
            return Err("the stream was made anew at this moment".into());
        }
        let other_stream =
            self.place.is_some_and(|place| place.stream != stream || before.state.last_sequence < place.last);
        self.place = Some(StreamCursor { stream, last: 0, heard_at: self.clock.elapsed() });
        self.follower = Some(follower);
        self.anew = Some(Heard::Anew { other_stream });
        Ok(())
    }

    async fn follow(&self, start: Start) -> Result<Follower, BackendError> {
        let (store, filters) = (&self.store, self.filters.clone());
        Follower::begin(&store.nats, &store.stream_name, filters, start, self.headers_only).await
    }

    async fn info(&self) -> Result<Info, BackendError> {
        self.store.info().await
    }
}
