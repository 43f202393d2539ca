//! The owner of a partition among faults, and schedulers that share partitions.

mod loss;
mod naming;
mod owner;
mod rebuild;
mod sharing;
mod watchdog;
mod world;
