//! Accepts heartbeats over HTTP and appends them to the heartbeat log.
//!
//! - `accept`: what a request says (pure)
//! - `body`: reads a body of any size in little memory
//! - `tokens`: token → monitor, in memory, with each token's rate limit
//! - `group_commit`: what arrives while a frame is being appended is the next frame
//! - `http`: the routes; `answer`: the answers to a push
//! - `own_push`: pushes of the node to itself, which show that others can get in
//! - `health`: whether the node can do its job
//! - [`Service`]: puts them together and runs them

mod accept;
mod answer;
mod body;
mod clock_offset;
mod config;
mod error;
mod group_commit;
mod health;
mod http;
mod metrics;
mod outputs;
mod own_push;
mod service;
mod tokens;

#[cfg(test)]
mod black_box;
#[cfg(test)]
mod doubles;

pub use config::{Config, Limits};
pub use error::Error;
pub use service::{Deps, Service};
