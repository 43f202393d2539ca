//! The adapters on Redis keep the contracts of their ports, and promises of their own.

mod adapter;
mod cluster;
mod faults;
mod rights;
mod secured;
mod sentinel;
