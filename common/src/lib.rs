//! The words, messages, ports and backends that every role of Lubdub shares.
//!
//! - [`export`]: exported histories, line by line. Pure.
//! - [`presets`]: services that Lubdub knows how to speak to, described by files.
//! - [`template`]: templates of users and presets, bounded. Pure.
//! - [`ports`]: what a role needs from a backend, as traits.
//! - [`backend`]: the adapters behind the ports.
//! - [`clock`]: the clocks a role may read.
//! - [`mail`]: e-mail to channels and to the operator, by SMTP.
//! - [`shares`]: how the nodes of a role share partitions and shards. Pure.
//! - [`address_guard`]: which addresses user-given URLs may lead to. Pure.
//! - [`http`]: the listener every role serves from, with `/healthz`, `/readyz` and `/metrics`.

pub mod address_guard;
pub mod backend;
pub mod clock;
pub mod export;
pub mod http;
pub mod mail;
pub mod ports;
pub mod presets;
pub mod shares;
pub mod template;
