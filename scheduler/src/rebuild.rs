//! Rebuilds: a partition's state computed again from its log, beside the live one.
//!
//! - [`requests`]: which are asked for; the registry tells.
//! - [`ticket`]: says in the registry how far one came.
//! - [`replay`]: reads the log again.
//! - [`compare`]: what differs.

mod compare;
mod replay;
mod requests;
mod ticket;

pub(crate) use compare::{Sides, head_differences, monitor_differences};
pub(crate) use replay::{Rebuilt, Stopped};
pub(crate) use requests::Requests;
pub(crate) use ticket::Ticket;
