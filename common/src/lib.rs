//! The words, messages, ports and backends that every role of Lubdub shares.
//!
//! - [`model`]: monitors, heartbeats, schedules, flips, channels, times. Pure.
//! - [`export`]: exported histories, line by line. Pure.
//! - [`wire`]: versioned MessagePack messages.
//! - [`presets`]: services that Lubdub knows how to speak to, described by files.
//! - [`template`]: templates of users and presets, bounded. Pure.
//! - [`ports`]: what a role needs from a backend, as traits.
//! - [`backend`]: the adapters behind the ports.
//! - [`chain`]: errors with their sources in one line.
//! - [`clock`]: the clocks a role may read.
//! - [`mail`]: e-mail to channels and to the operator, by SMTP.
//! - [`role`]: the parts of a cluster, by name.
//! - [`shares`]: how the nodes of a role share partitions and shards. Pure.
//! - [`address_guard`]: which addresses user-given URLs may lead to. Pure.
//! - [`http`]: the listener every role serves from, with `/healthz`, `/readyz` and `/metrics`.

pub mod address_guard;
pub mod backend;
pub mod chain;
pub mod clock;
pub mod export;
pub mod http;
pub mod mail;
pub mod model;
pub mod ports;
pub mod presets;
pub mod role;
pub mod shares;
pub mod template;
pub mod wire;
