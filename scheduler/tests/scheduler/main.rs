//! The partition machine (timelines by hand, random histories against a reference model, replay) its owner among faults, and schedulers
//! that share partitions.

mod driver;
mod faulty;
mod histories;
mod model;
mod owner;
mod random;
mod sharing;
mod timelines;
mod watchdog;
