//! The adapters on Redis keep the contracts of their ports, and what only they promise.

mod adapter;
mod cluster;
mod faults;
mod rights;
mod secured;
mod sentinel;
