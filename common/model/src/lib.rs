//! The model: the things that Lubdub deals with. No code here reads a clock, a random source or the world.
//!
//! - One module for each kind of thing: monitors, heartbeats, schedules, flips, channels, ids, times,
//!   networks.
//! - [`wire`]: their stored forms, versioned MessagePack, with golden bytes beside them.
//! - [`role`]: the parts of a cluster, by name.
//! - [`duration`], [`natural`]: durations in words, and the order of names.
//! - [`chain`]: shows an error with its sources in one line.

pub mod byte_size;
pub mod chain;
pub mod channel;
pub mod deadline;
pub mod delivery;
pub mod duration;
pub mod flip;
pub mod gaps;
pub mod heartbeat;
pub mod ids;
pub mod imported;
pub mod key;
pub mod maintenance;
pub mod monitor;
pub mod monitor_state;
pub mod natural;
pub mod networks;
pub mod notice;
pub mod prefix;
pub mod queue_ids;
pub mod rebuild;
pub mod role;
pub mod schedule;
pub mod time;
pub mod trace;
pub mod validation;
pub mod wire;
