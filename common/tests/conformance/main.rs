//! Every adapter keeps the contract of its port.
//!
//! [`suite`] holds one suite per port. A suite knows an adapter only by [`subject::Subject`], so that a new technology joins
//! by one file like [`memory`] or [`sqlite`]. What only SQLite promises stands in [`directory`], [`ticks`] and
//! [`sqlite_queue`].

mod directory;
mod memory;
mod nats;
mod nats_log;
mod nats_provision;
mod nats_queue;
mod nats_queue_cancelled;
mod nats_queue_dead;
mod nats_queue_limits;
mod nats_queue_shares;
mod nats_registry;
mod redis;
mod redis_cluster;
mod redis_faults;
mod redis_rights;
mod redis_secured;
mod redis_sentinel;
mod sample;
mod sqlite;
mod sqlite_queue;
mod subject;
mod suite;
mod ticks;
