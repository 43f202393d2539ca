//! Desks: what a channel is told, and when: digests, storms, flapping, order.
//!
//! A channel that people read, or that pages them, has a desk. Every alert for it passes there before its
//! first attempt and before each further one: the desk lets it go out, or folds it into another message. What
//! the desk knows is in the ledger before anything follows from it (I12), so the notifier that takes the
//! channel over goes on where the last one stopped.
//!
//! - `chat`, `pager` (pure): the rules, one machine for each class of channel.
//! - `gather` (pure): the changes of a monitor that a chat has not been told yet. `digest` (pure): many of
//!   them in one message.
//! - `forgotten` (pure): messages that a desk does not remember. `flaps` (pure): when a monitor flaps.
//! - `timing` (pure): when a desk has to be looked at again.
//! - `incidents` (pure): what a pager's desk opened for many flips, and may have forgotten.
//! - `machine` (pure): the desk of one channel, a chat's or a pager's. `storm` (pure): a pager's incident for
//!   all monitors beyond its limit.
//! - `outcome`: what a desk decides. `state`: what it knows. `rows`: its state in the ledger. `keeper`: the
//!   desks of all channels, with what is around them.

mod chat;
mod digest;
mod flaps;
mod forgotten;
mod gather;
mod incidents;
pub(crate) mod keeper;
mod machine;
mod outcome;
mod pager;
mod rows;
mod state;
mod storm;
#[cfg(test)]
mod tests;
mod timing;

pub(crate) use machine::{Note, Question};
pub(crate) use outcome::{
    Admission, FoundDown, IncidentNews, IncidentStanding, MonitorNow, closing_delivery,
};
pub(crate) use timing::storm_goes_back_to;
