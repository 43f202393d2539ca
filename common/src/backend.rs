//! The adapters behind the ports: one per port and technology.

pub mod nats;
pub mod redis;
pub mod sqlite;
