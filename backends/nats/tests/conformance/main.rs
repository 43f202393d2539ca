//! The adapters on NATS keep the contracts of their ports, and promises of their own.

mod adapter;
mod log;
mod provision;
mod queue;
mod queue_cancelled;
mod queue_dead;
mod queue_limits;
mod queue_shares;
mod registry;
