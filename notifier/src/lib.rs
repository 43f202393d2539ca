//! Turns flips into deliveries and carries them to their channels.
//!
//! - [`Config`], [`Deps`], [`Service`]: the face that the root package composes.
//! - `fanout`: alert → one delivery for each channel of its monitor.
//! - `giving_up`: what becomes of an alert whose handling panics or ends the process.
//! - `delivery`: carrying one; `delivery::phases` as types, `delivery::dispatcher` claims and attempts,
//!   `delivery::lanes` (pure) shares the room among channels, `delivery::recorder` writes down what came of
//!   it, many at a time.
//! - `defects` (pure): counts panics, so that nothing that panics is tried for ever.
//! - `in_hand`: notes what is in hand, so that nothing that ends the process is tried for ever.
//! - `dead_letters`: puts the records of dead letters back where the history lost them.
//! - `facts`: what a message tells besides its alert, looked up for each attempt.
//! - `event` (pure): the body that receivers of plain webhooks see; `message` (pure): what people and
//!   templates see. `retry` (pure): when to try again.
//! - `transport`: how each kind of channel is reached. A further kind is a variant of `ChannelKind` and a
//!   file there.
//! - `gate`: whether an alert is told at all: maintenance windows, dependencies.
//! - `desk`: what a channel is told, and when: digests, storms, flapping.
//! - `standing` (pure): whether a channel works. `trouble`: reports one that does not over the others.
//! - `disabling`: a channel that its owner disables where no notifier runs.
//! - `directory`: the channels, as the registry tells of them.

mod config;
mod dead_letters;
mod defects;
mod delivery;
mod desk;
mod directory;
mod disabling;
mod error;
mod event;
mod facts;
mod fanout;
mod gate;
mod giving_up;
mod health;
mod in_hand;
mod message;
mod metrics;
mod retry;
#[cfg(test)]
mod sample;
mod service;
mod standing;
#[cfg(test)]
mod tests;
mod transport;
mod trouble;
mod waiting;

pub use config::{Config, UnknownZone, Zone};
pub use disabling::{DisableError, Disabled, disable};
pub use error::Error;
pub use service::{Deps, Service};
