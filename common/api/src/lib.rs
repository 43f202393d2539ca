//! What the management API says over HTTP, shared by the server and its clients.
//!
//! - [`export`]: exported histories, line by line. Pure.

pub mod export;
