//! Membership among the nodes that work on a queue: a beat every second, and noticing when the others
//! declared this node dead.
//!
//! Every beat replaces the beat before by compare-and-set. A node that takes the shards of a silent node
//! overwrites its entry first, in the same way. So a landed beat proves that no node has taken our shards,
//! nor will within a lease time.

use model::chain::Chain;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use bytes::Bytes;

use super::state::QueueCore;
use super::table::{Table, Write, Written};
use crate::request::RequestError;

/// How often a node beats.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Pause after a failed beat.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long the deletion marker of a node that left or died is kept.
const GONE_KEPT: Duration = Duration::from_secs(3_600);
/// The header that marks a deleted entry, and its value.
const OPERATION: &str = "KV-Operation";
const DELETED: &str = "DEL";

/// Whether an entry of the bucket is present, and not a deletion marker.
pub(super) fn is_there(headers: Option<&HeaderMap>) -> bool {
    headers.and_then(|headers| headers.get(OPERATION)).is_none()
}

/// A write that sets an entry of the bucket to this text.
pub(super) fn put(subject: String, replaces: u64, text: &str) -> Write {
    let body = Bytes::copy_from_slice(text.as_bytes());
    Write { subject, replaces, headers: HeaderMap::new(), body, kept: None }
}

/// A write that deletes an entry of the bucket.
pub(super) fn delete(subject: String, replaces: u64, kept: Option<Duration>) -> Write {
    let mut headers = HeaderMap::new();
    headers.insert(OPERATION, DELETED);
    Write { subject, replaces, headers, body: Bytes::new(), kept }
}

/// The subject of a node's entry.
pub(super) fn member_subject(bucket: &str, queue: &str, node: &str) -> String {
    format!("$KV.{bucket}.member.{queue}.{node}")
}

/// Declares a node dead, unless it beats meanwhile; answers whether it is dead now.
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

/// Declares a node dead, unless it has beaten since `revision`; answers whether it is dead now.
pub(super) async fn bury_at(shares: &Table, subject: String, revision: u64) -> Result<bool, RequestError> {
    Ok(shares.write(&delete(subject, revision, Some(GONE_KEPT))).await? != Written::Conflict)
}

/// This node's entry.
pub(super) struct Membership {
    shared: Arc<QueueCore>,
    subject: String,
    /// Revision of our entry; `None` if there is none.
    revision: Option<u64>,
}

impl Membership {
    pub(super) const fn new(shared: Arc<QueueCore>, subject: String) -> Self {
        Self { shared, subject, revision: None }
    }

    /// Beats until the task is aborted.
    pub(super) async fn run(mut self) {
        loop {
            let next = match self.beat().await {
                Ok(true) => BEAT_EVERY,
                Ok(false) => AGAIN_AFTER,
                Err(error) => {
                    let queue = self.shared.name.as_str();
                    tracing::debug!(error = %Chain(&error), queue, "failed to beat");
                    AGAIN_AFTER
                }
            };
            tokio::time::sleep(next).await;
        }
    }

    /// Sends a beat; answers whether it landed.
    async fn beat(&mut self) -> Result<bool, RequestError> {
        // No other node counts from an earlier moment than this.
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

    /// Another entry is in the place of ours: a beat of ours that was thought lost, or another node declared
    /// us dead.
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
            tracing::warn!(queue, claims, "another node declared this one dead; joining again");
        }
        Ok(())
    }

    async fn entry(&self) -> Result<Option<StreamMessage>, RequestError> {
        self.shared.shares.read(&self.subject).await
    }
}
