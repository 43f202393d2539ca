//! Pure. What clients ask for, read from JSON strictly: every refused field is named, all of them at once.

mod change;
pub mod channel;
pub mod fields;
pub mod key;
pub mod maintenance;
pub mod monitor;
pub mod rebuild;
pub mod replay;
mod schedule;

pub use change::Change;
