//! The words, messages, ports and backends that every role of Lubdub shares.
//!
//! - [`export`]: exported histories, line by line. Pure.
//! - [`backend`]: the adapters behind the ports.

pub mod backend;
pub mod export;
