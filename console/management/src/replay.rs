//! Reading the past: replays of partitions, and what is asked of them.
//!
//! - `source`: where a replay of a partition begins, and its log from there on.
//! - `sweep`: one replay after another, for one question. `chosen`: the monitors that it is about.
//! - `comparison`: what would be with other settings. `habits`: which settings a monitor's past asks for.

pub mod chosen;
pub mod comparison;
pub mod habits;
pub(crate) mod source;
pub mod sweep;

pub use source::{Known, Reading, ReplayError, Replays, Start};
