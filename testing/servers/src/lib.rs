//! Real servers for tests and benches, on free ports below 32768 and in temporary folders. They end with
//! their handle.
//!
//! - [`NatsServer`], [`NatsCluster`]: nats-server with JetStream.
//! - [`RedisServer`]: redis-server, or a server that speaks its protocol; [`WatchedRedis`]: two of them, and
//!   Sentinels.
//! - [`SmtpSink`]: a mail server that writes down what it gets, and refuses, stalls and hangs up as the
//!   addresses say.
//! - [`Authority`] certifies servers.
//! - [`Process`]: a child that is killed when it is dropped, and can be frozen.

mod authority;
mod free_port;
mod mail;
mod nats;
mod process;
mod redis;
mod watched;

pub use authority::Authority;
pub use free_port::free_port;
pub use mail::{Received, SinkOptions, SmtpSink};
pub use nats::{NatsCluster, NatsServer};
pub use process::{Process, find_program, stands_still};
pub use redis::RedisServer;
pub use watched::{WatchedLogins, WatchedRedis};
