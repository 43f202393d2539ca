//! The desks, alone, with a receiver that works or does not, and a queue and a clock that are only numbers.

mod chat;
mod forgotten;
mod pager;
mod play;
mod random;
mod stored;
