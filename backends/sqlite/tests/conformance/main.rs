//! The adapters on SQLite keep the contracts of their ports, and what only they promise.

mod adapter;
mod directory;
mod queue;
mod ticks;
