//! Rebuilds: a partition's state computed again from its log, beside the live one.
//!
//! - [`requests`]: which rebuilds the registry asks for.
//! - [`ticket`]: writes the progress of a rebuild to the registry.
//! - [`replay`]: reads the log again.
//! - [`compare`]: what differs.

mod compare;
mod replay;
mod requests;
mod ticket;

pub(crate) use compare::{Sides, head_differences, monitor_differences};
pub(crate) use replay::{RebuiltPartition, Stopped};
pub(crate) use requests::Requests;
pub(crate) use ticket::Ticket;
