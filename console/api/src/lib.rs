//! The management API: everything under `/api/v1`. Handlers read requests, call the rules of `management`,
//! and show the results.
//!
//! - `api`: the routes, one resource per file, and the OpenAPI document made from them.
//! - `auth`, `request`, `paging`, `problem`: who asks, what, for which page, and what went wrong.
//! - `public_url`: where push URLs lead. Pure.
//! - `request_metrics`: what operators see of requests.
//! - `service`: the role.

mod api;
mod auth;
mod config;
mod error;
mod paging;
mod parameters;
mod problem;
mod public_url;
mod request;
mod request_metrics;
mod service;
mod sight;

pub use config::Config;
pub use error::Error;
pub use service::{Deps, Service};

#[cfg(test)]
mod tests;
