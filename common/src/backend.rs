//! The adapters behind the ports: one per port and technology.

pub mod memory;
pub mod nats;
mod queue_index;
pub mod redis;
pub mod sqlite;
