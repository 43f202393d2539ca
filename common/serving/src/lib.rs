//! The listener every role serves from, with `/healthz`, `/readyz` and `/metrics`; and whose requests they
//! are.

mod client;
mod ops;
mod proxies;
mod server;
mod strangers;
mod write_limit;

pub use client::ClientConnection;
pub use ops::{Readiness, metrics_router, ops_router, probes_router};
pub use proxies::{Scheme, TrustedProxies};
pub use server::{ServerLimits, serve};
pub use strangers::{Change, Strangers};
