//! The partition machine: timelines written by hand, random histories against a reference model, replay.

#![expect(missing_docs, reason = "tests speak by their names")]

mod driver;
mod histories;
mod model;
mod random;
mod timelines;
