//! The adapters on NATS JetStream: heartbeat log, registry, queues, checkpoints.
//!
//! - `connection`: the client, its options and the names of everything that is kept on the server.
//! - `follow`: a stream's messages in order, over restarts noticed and never skipped. Every reader stands on it.
//! - `provision`: makes what is to be on the server, once, and knows it again.

mod connection;
mod follow;

use std::time::Duration;

pub use connection::{NatsError, NatsOptions};

use connection::Nats;

/// Requests are given up after this.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
