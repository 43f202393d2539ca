//! Carrying deliveries to their channels.
//!
//! - `phases`: the phases of carrying one, as types, and `settled`, their outcome. `carrying`: one through
//!   all of them. `dispatcher`: claims and attempts. `lanes` (pure), `pace`: whose turn it is. `recorder`:
//!   writes down what came of attempts. `surplus`: takes out what a channel has too much of. `catching_up`:
//!   what a channel hears that is enabled again, or has room again; `owed`, `owing`: which ones are to.
//!   `looking_after`: incidents that stand for many flips are closed. `teller`: whether a delivery that tells
//!   of others is known. `reading`: what bodies say. `context`: what they share.

mod carrying;
mod catching_up;
pub(crate) mod context;
pub(crate) mod dispatcher;
pub(crate) mod lanes;
mod looking_after;
mod owed;
mod owing;
pub(crate) mod pace;
mod phases;
pub(crate) mod reading;
pub(crate) mod recorder;
mod settled;
pub(crate) mod surplus;
mod teller;

pub(crate) use settled::bury;
