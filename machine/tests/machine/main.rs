//! The machine: timelines by hand, random histories against a reference model, replay, other settings,
//! histories from elsewhere.

mod imports;
mod random;
mod replay;
mod timelines;
mod what_if;
