//! Measures a cluster, on nats-server and redis-server of its own.
//!
//! - [`ingest`]: pushes a second, beside a bare axum handler and one append per push in the same run, on one
//!   and three servers
//! - [`nodes`] (`ingest-nodes`): processor time of a push with 1, 2 and 4 ingest nodes
//! - [`apply`]: heartbeats a second from the log to Redis, and what they cost Redis
//! - [`backlog`]: how long a million waiting heartbeats take
//! - [`failover`]: from a scheduler's death to its successor's first commit
//! - [`alert`]: from a deadline, or a push that says down, to the webhook
//! - [`deliver`]: webhooks a second to one receiver
//! - [`hanging`]: the same over ten channels, one of which hangs
//! - [`flood`]: the messages that a channel that gathers gets for 10,000 flips
//! - [`replay`] (`what-if`): heartbeats a second when the past is replayed with other settings
//! - [`million`]: how an ingest starts with a million monitors
//!
//! What they stand on: [`site`] (the servers, and the roles as children), [`scene`] (with receivers),
//! [`seed`] and [`past`] (monitors and heartbeats written beforehand), [`steady`] (clients that push at a
//! fixed rate), [`child`] (a handler to compare with).

mod alert;
mod apply;
mod backlog;
pub(crate) mod child;
mod failover;
mod ingest;
mod million;
mod nodes;
mod past;
mod replay;
mod scene;
mod seed;
mod site;
mod steady;

use scene::ClusterScene;

use crate::sections::Sections;
use crate::{deliver, flood, hanging};

/// The sections, in the order in which they are measured.
pub(crate) const SECTIONS: [&str; 11] = [
    "ingest",
    "ingest-nodes",
    "apply",
    "backlog",
    "failover",
    "alert",
    "deliver",
    "hanging",
    "flood",
    "what-if",
    "million",
];

/// Measures what is wanted.
pub(crate) async fn measure(sections: &Sections) -> anyhow::Result<()> {
    let size = sections.size;
    if sections.wants("ingest") {
        ingest::measure(size).await?;
    }
    if sections.wants("ingest-nodes") {
        nodes::measure(size).await?;
    }
    if sections.wants("apply") {
        apply::measure(size).await?;
    }
    if sections.wants("backlog") {
        backlog::measure(size).await?;
    }
    if sections.wants("failover") {
        failover::measure(size).await?;
    }
    if sections.wants("alert") {
        Box::pin(alert::measure(size)).await?;
    }
    if sections.wants("deliver") {
        deliver::measure::<ClusterScene>(size).await?;
    }
    if sections.wants("hanging") {
        hanging::measure::<ClusterScene>(size).await?;
    }
    if sections.wants("flood") {
        flood::measure::<ClusterScene>(size).await?;
    }
    if sections.wants("what-if") {
        replay::measure(size).await?;
    }
    if sections.wants("million") {
        million::measure(size).await?;
    }
    Ok(())
}
