//! Real servers for tests and benches, on free ports below 32768 and in temporary folders. They end with their handle.
//!
//! - [`NatsServer`], [`NatsCluster`]: nats-server with JetStream.
//! - [`RedisServer`]: redis-server, or whatever speaks for it.
//! - [`Process`]: a child that is killed when it is dropped, and can be frozen.

mod nats;
mod ports;
mod process;
mod redis;

pub use nats::{NatsCluster, NatsServer};
pub use ports::free_port;
pub use process::{Process, find_program};
pub use redis::RedisServer;
