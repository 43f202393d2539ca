//! The words, messages, ports and backends that every role of Lubdub shares.
//!
//! - [`export`]: exported histories, line by line. Pure.
//! - [`presets`]: services that Lubdub knows how to speak to, described by files.
//! - [`template`]: templates of users and presets, bounded. Pure.
//! - [`backend`]: the adapters behind the ports.
//! - [`mail`]: e-mail to channels and to the operator, by SMTP.
//! - [`address_guard`]: which addresses user-given URLs may lead to. Pure.
//! - [`http`]: the listener every role serves from, with `/healthz`, `/readyz` and `/metrics`.

pub mod address_guard;
pub mod backend;
pub mod export;
pub mod http;
pub mod mail;
pub mod presets;
pub mod template;
