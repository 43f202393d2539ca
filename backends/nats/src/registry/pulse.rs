//! Pulses: messages that a follower of the registry sends through the stream to itself.
//!
//! A pulse passes through the stream's leader: when it comes back, everything that was acknowledged before it
//! was sent has come, too. A consumer's heartbeats do not prove this, for they come from a server that may be
//! cut off.

use model::chain::Chain;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::client::Request;
use async_nats::connection::State;
use async_nats::header::NATS_MESSAGE_TTL;
use async_nats::jetstream::publish::PublishAck;
use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use super::store::Store;
use crate::follow::Followed;
use crate::request::RequestError;
use crate::timeouts::REQUEST_TIMEOUT;
use ports::clock::Clock;

/// Header with a pulse's number, for followers that ask for headers only.
const NUMBER: &str = "Lubdub-Pulse";
/// How long the server keeps the pulse of a follower that has ended.
const TTL: &str = "60s";
const EVERY: Duration = Duration::from_millis(700);
/// Pause before a pulse is sent again.
const PAUSE: Duration = Duration::from_millis(50);

/// The pulses of one follower, on a subject of their own.
pub(super) struct Pulses {
    store: Store,
    clock: Arc<dyn Clock>,
    subject: String,
    last: AtomicU64,
}

impl Pulses {
    pub(super) fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        let subject = store.keys.pulse(store.kind, &Uuid::new_v4().simple().to_string());
        Self { store, clock, subject, last: AtomicU64::new(0) }
    }

    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// Microseconds on a clock that runs on through a freeze.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The number of a new pulse: the present time, and greater than all numbers before.
    fn number(&self) -> u64 {
        let now = self.now();
        let next = |last: u64| Some(now.max(last + 1));
        self.last
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next)
            .map_or(now, |last| now.max(last + 1))
    }

    /// The number of the last pulse.
    pub(super) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// How long ago a pulse was sent.
    pub(super) fn age(&self, number: u64) -> Duration {
        Duration::from_micros(self.now().saturating_sub(number))
    }

    /// The number in a message, if it is one of our pulses.
    pub(super) fn read(&self, message: &Followed) -> Option<u64> {
        if message.subject != self.subject {
            return None;
        }
        message.headers.as_ref()?.get(NUMBER)?.as_str().parse().ok()
    }

    fn headers(number: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(NUMBER, number.to_string());
        headers.insert(NATS_MESSAGE_TTL, TTL);
        headers
    }

    /// Sends a pulse and does not wait for it. Without a connection none is sent: it would only be late.
    pub(super) async fn send(&self) {
        let client = &self.store.nats.client;
        if client.connection_state() != State::Connected {
            return;
        }
        let headers = Self::headers(self.number());
        if let Err(error) = client.publish_with_headers(self.subject.clone(), headers, Bytes::new()).await {
            tracing::debug!(error = %Chain(&error), "could not send a pulse");
        }
    }

    /// Sends a pulse and waits until it is stored; answers its number.
    pub(super) async fn send_stored(&self) -> Result<u64, RequestError> {
        let began = Instant::now();
        loop {
            let number = self.number();
            let request = Request::new().headers(Self::headers(number)).payload(Bytes::new());
            let request = request.timeout(Some(REQUEST_TIMEOUT));
            match self.store.nats.send::<PublishAck>(self.subject.clone(), request).await {
                Ok(_) => return Ok(number),
                // The stream has no leader at the moment.
                Err(RequestError::NoResponder) if began.elapsed() < REQUEST_TIMEOUT => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends pulses for ever.
    pub(super) async fn run(&self) {
        let mut beat = tokio::time::interval(EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            self.send().await;
        }
    }
}
