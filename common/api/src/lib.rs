//! Pure. What the management API says over HTTP, shared by the server and its clients.
//!
//! Each resource has a module with its views, which are answers, and the bodies of its requests. The structs
//! derive serde and the schemas of the OpenAPI document. The server reads bodies field by field, so that it
//! names every refused field at once.
//!
//! - [`channels`], [`deliveries`], [`flips`], [`heartbeats`], [`import`], [`keys`], [`maintenance`],
//!   [`monitors`], [`rebuilds`], [`replay`], [`status`]: the resources.
//! - [`page`], [`problem`], [`time`]: what they have in common.
//! - [`export`]: exported histories, line by line.
//! - [`limits`]: bounds of what requests may say.

pub mod channels;
pub mod deliveries;
pub mod export;
pub mod flips;
pub mod heartbeats;
pub mod import;
pub mod keys;
pub mod limits;
pub mod maintenance;
pub mod monitors;
pub mod page;
pub mod problem;
pub mod rebuilds;
pub mod replay;
pub mod status;
pub mod time;
