//! Every adapter keeps the contract of its port.
//!
//! [`suite`] holds one suite per port. A suite knows an adapter only by [`subject::Subject`], so that a new technology joins
//! by one file like [`memory`] or [`sqlite`].

mod eventually;
mod memory;
mod sample;
mod sqlite;
mod subject;
mod suite;
