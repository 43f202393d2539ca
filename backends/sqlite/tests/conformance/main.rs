//! The adapters on SQLite keep the contracts of their ports, and promises of their own.

mod adapter;
mod directory;
mod queue;
mod ticks;
