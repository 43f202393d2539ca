//! Being one of the nodes that work on a queue: saying so every second, and noticing when the others gave us up.
//!
//! Every beat replaces the beat before by compare-and-set. Whoever takes the shards of a silent node first writes its entry over
//! in the same way. So a beat that lands proves that nobody has taken anything from us, nor will for a lease time.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use bytes::Bytes;

use super::state::Shared;
use super::table::{Table, Write, Written};
use crate::request::RequestError;

/// How often a node says that it is there.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// After a beat that came to nothing the next one follows after this.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long the entries of those who left or died are kept as gone.
const GONE_KEPT: Duration = Duration::from_secs(3_600);
/// What the server calls an entry that was deleted.
const OPERATION: &str = "KV-Operation";
const DELETED: &str = "DEL";

/// Whether an entry of the bucket is there, or only the sign that it was.
pub(super) fn is_there(headers: Option<&HeaderMap>) -> bool {
    headers.and_then(|headers| headers.get(OPERATION)).is_none()
}

/// An entry of the bucket is to be there, with this text.
pub(super) fn put(subject: String, replaces: u64, text: &str) -> Write {
    let body = Bytes::copy_from_slice(text.as_bytes());
    Write { subject, replaces, headers: HeaderMap::new(), body, kept: None }
}

/// An entry of the bucket is to be there no longer.
pub(super) fn delete(subject: String, replaces: u64, kept: Option<Duration>) -> Write {
    let mut headers = HeaderMap::new();
    headers.insert(OPERATION, DELETED);
    Write { subject, replaces, headers, body: Bytes::new(), kept }
}

/// Where a node's entry is.
pub(super) fn member_subject(bucket: &str, queue: &str, node: &str) -> String {
    format!("$KV.{bucket}.member.{queue}.{node}")
}

/// Declares a node dead, unless it beats meanwhile; whether it is dead now.
pub(super) async fn bury(shares: &Table, subject: String) -> Result<bool, RequestError> {
    let found = shares.read(&subject).await?;
    match found {
        Some(entry) if is_there(Some(&entry.headers)) => Ok(false),
        None => Ok(shares.write(&delete(subject, 0, Some(GONE_KEPT))).await? != Written::Conflict),
        Some(entry) => {
            Ok(shares.write(&delete(subject, entry.sequence, Some(GONE_KEPT))).await? != Written::Conflict)
        }
    }
}

/// Declares a node dead that has not beaten since `revision`.
pub(super) async fn bury_at(shares: &Table, subject: String, revision: u64) -> Result<bool, RequestError> {
    Ok(shares.write(&delete(subject, revision, Some(GONE_KEPT))).await? != Written::Conflict)
}

/// This node's entry.
pub(super) struct Membership {
    shared: Arc<Shared>,
    subject: String,
    /// Of our entry; `None`: we have none.
    revision: Option<u64>,
}

impl Membership {
    pub(super) const fn new(shared: Arc<Shared>, subject: String) -> Self {
        Self { shared, subject, revision: None }
    }

    /// Beats until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let next = match self.beat().await {
                Ok(true) => BEAT_EVERY,
                Ok(false) => AGAIN_AFTER,
                Err(error) => {
                    let queue = self.shared.name.as_str();
                    tracing::debug!(%error, queue, "failed to say that this node is there");
                    AGAIN_AFTER
                }
            };
            tokio::time::sleep(next).await;
        }
    }

    /// Whether it landed.
    async fn beat(&mut self) -> Result<bool, RequestError> {
        // Whatever happens meanwhile, nobody counts from an earlier moment than this.
        let began = self.shared.clock.elapsed();
        let replaces = match self.revision {
            Some(revision) => revision,
            None => self.entry().await?.map_or(0, |entry| entry.sequence),
        };
        let beat = put(self.subject.clone(), replaces, &self.shared.node);
        match self.shared.shares.write(&beat).await? {
            Written::As(revision) => {
                self.revision = Some(revision);
                self.shared.state.lock().confirmed(began);
                Ok(true)
            }
            Written::Conflict => {
                self.look_again().await?;
                Ok(false)
            }
        }
    }

    /// Another entry than ours is there: a beat of ours that was thought lost, or somebody declared us dead.
    async fn look_again(&mut self) -> Result<(), RequestError> {
        let entry = self.entry().await?;
        let ours = entry.filter(|entry| is_there(Some(&entry.headers)));
        if let (Some(_), Some(entry)) = (self.revision, &ours) {
            self.revision = Some(entry.sequence);
            return Ok(());
        }
        if self.revision.take().is_some() {
            let claims = self.shared.state.lock().lose_everything();
            let queue = self.shared.name.as_str();
            tracing::warn!(queue, claims, "others took this node for dead; joining again");
        }
        Ok(())
    }

    async fn entry(&self) -> Result<Option<StreamMessage>, RequestError> {
        self.shared.shares.read(&self.subject).await
    }
}
