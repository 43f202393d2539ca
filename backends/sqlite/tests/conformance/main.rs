//! The adapters on SQLite keep the contracts of their ports, and promises of their own.

mod adapter;
mod bound;
mod directory;
mod queue;
mod ticks;
