//! Pure. Decides who is up and who is down, and what follows from a history: time, entries of the log and
//! settings come in as arguments, so that the scheduler decides and others replay by the very same code.
//!
//! - [`advise`]: finds settings in what monitors did.
//! - [`partition`]: the state machine.
//! - [`replayer`]: runs one over entries of the log, with a sorted set in memory.
//! - [`unnoticed`]: how long a job that stops goes unnoticed by its settings.
//! - [`what_if`]: runs two, one of them with other settings, and compares.

pub mod advise;
pub mod partition;
pub mod replayer;
pub mod unnoticed;
pub mod what_if;

pub use partition::{Effects, Partition};
pub use replayer::Replayer;
