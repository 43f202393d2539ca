//! The management API, as the commands use it.

mod client;
pub(crate) mod stream;

pub(crate) use client::{Api, ApiError, Listing, below, failure, http_client};
