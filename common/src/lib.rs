//! The words, messages, ports and backends that every role of Lubdub shares.
//!
//! - [`backend`]: the adapters behind the ports.

pub mod backend;
