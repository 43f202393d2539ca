//! The partition machine (timelines by hand, random histories against a reference model, replay) and its owner among faults.

mod driver;
mod faulty;
mod histories;
mod model;
mod owner;
mod random;
mod timelines;
mod watchdog;
