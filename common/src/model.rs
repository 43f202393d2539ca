//! What Lubdub talks about. Nothing here reads a clock, a random source or the world.

pub mod channel;
pub mod deadline;
pub mod delivery;
pub mod flip;
pub mod gaps;
pub mod heartbeat;
pub mod ids;
pub mod imported;
pub mod key;
pub mod mail_address;
pub mod maintenance;
pub mod monitor;
pub mod monitor_state;
pub mod networks;
pub mod rebuild;
pub mod schedule;
pub mod time;
pub mod trace;
pub mod validation;
