//! Sending: what goes out to people and other services.
//!
//! - [`address_guard`]: which addresses user-given URLs may lead to. Pure.
//! - [`mail`]: e-mail to channels and to the operator, by SMTP. [`mail_address`]: e-mail addresses. Pure.
//! - [`presets`]: services that Lubdub knows how to speak to, described by files. Pure.
//! - [`target`]: URLs that people give, and the credentials in them. Pure.
//! - [`template`]: templates of users and presets, bounded. Pure.
//! - [`this_host`]: which addresses belong to this host.
//! - [`words`]: flips in words. Pure.

pub mod address_guard;
pub mod mail;
pub mod mail_address;
pub mod presets;
pub mod target;
pub mod template;
pub mod this_host;
pub mod words;
