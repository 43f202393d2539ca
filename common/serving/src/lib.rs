//! The listener every role serves from, with `/healthz`, `/readyz` and `/metrics`; and whose requests they
//! are.

mod behind;
mod client;
mod connections;
mod door;
mod entrance;
mod exchange;
mod listen;
mod node;
mod ops;
mod proxies;
mod readiness;
mod routes;
mod server;
mod strangers;
mod wire;
mod write_limit;

pub use client::ClientConnection;
pub use entrance::{Entrance, KnownLapses};
pub use listen::{ListenAddress, ListenError};
pub use node::register_node;
pub use ops::{metrics_router, ops_router, probes_router};
pub use proxies::{Scheme, TrustedProxies};
pub use readiness::{Cause, Readiness, tell_reasons};
pub use routes::Routes;
pub use server::{ServerLimits, serve};
pub use strangers::{Change, Strangers};
