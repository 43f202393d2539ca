//! The words, messages, ports and backends that every role of Lubdub shares.
//!
//! - [`export`]: exported histories, line by line. Pure.
//! - [`backend`]: the adapters behind the ports.
//! - [`http`]: the listener every role serves from, with `/healthz`, `/readyz` and `/metrics`.

pub mod backend;
pub mod export;
pub mod http;
