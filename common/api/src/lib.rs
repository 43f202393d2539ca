//! What the management API says over HTTP, shared by the server and its clients.
//!
//! - [`export`]: exported histories, line by line. Pure.
//! - [`limits`]: bounds of what requests may say. Pure.

pub mod export;
pub mod limits;
