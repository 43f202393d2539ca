//! The management API: everything under `/api/v1`.
//!
//! - `api`: the routes, one resource per file, and the OpenAPI document made from them.
//! - `auth`, `request`, `paging`, `problem`: who asks, what, for which page, and what went wrong.
//! - `draft`: what clients ask for, validated. Pure.
//! - `monitors`, `tokens`, `definitions`: writing monitors so that a crash leaves nothing half done.
//! - `situation`: how a monitor stands. Pure.
//! - `directory`, `labels`: the registry in memory.
//! - `replay`: reading the past.
//! - `selection`: which monitors a stream is about.
//! - `export`, `import`: the past on its way elsewhere, and from there.
//! - `tail`: what happens, as it happens.
//! - `public_url`: where push URLs lead. Pure.
//! - `admin_key`, `mint`: the first key; new ids, keys, tokens and secrets.
//! - `service`: the role.

mod admin_key;
mod api;
mod app;
mod auth;
mod config;
mod definitions;
mod directory;
mod draft;
mod error;
mod export;
mod import;
mod labels;
mod metrics;
mod mint;
mod monitors;
mod paging;
mod precondition;
mod problem;
mod public_url;
mod reach;
mod refusal;
mod replay;
mod request;
mod request_metrics;
mod selection;
mod service;
mod situation;
mod tail;
mod tokens;

pub use admin_key::{AdminKey, KeyError, check_admin_key, ensure_admin_key};
pub use config::Config;
pub use error::Error;
pub use service::{Deps, Service};

#[cfg(test)]
mod tests;
