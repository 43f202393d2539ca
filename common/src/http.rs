//! The listener every role serves from, with `/healthz`, `/readyz` and `/metrics`.

mod ops;
mod server;

pub use ops::{Readiness, ops_router};
pub use server::{ServerLimits, serve};
