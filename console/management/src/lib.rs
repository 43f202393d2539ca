//! The rules of an installation. They know no HTTP: routes call them, and pages will.
//!
//! - [`app`]: what every rule holds: the ports, the registry in memory.
//! - [`limits`], [`slots`]: what is admitted at a time, and for whom.
//! - [`draft`]: what clients ask for, validated. Pure.
//! - [`monitors`], [`tokens`], [`definitions`]: writing monitors so that a crash leaves nothing half done.
//! - [`parents`]: which monitor may depend on which. `names`: names that no two monitors have.
//!   `in_turn`: changes that are made one at a time.
//! - [`channels`], [`deliveries`], [`windows`], [`keys`], [`rebuilds`]: changes of these records.
//!   [`records`]: reading and compare-and-set for all.
//! - [`precondition`], [`refusal`]: which revision a change is meant for, and why a rule refuses.
//! - [`situation`]: how a monitor stands. Pure.
//! - [`directory`], [`labels`]: the registry in memory. `dependents`: what depends on what in it.
//!   `scan`: looking through every monitor of it.
//! - [`replay`]: reading the past. [`export`], [`import`]: the past on its way elsewhere, and from there.
//! - [`selection`]: which monitors a stream is about. [`tail`]: what happens, as it happens.
//! - [`admin_key`], [`mint`]: the first key; new ids, keys, tokens and secrets.
//! - [`reach`]: whether a user-given URL may be called.

pub mod admin_key;
pub mod app;
pub mod channels;
pub mod definitions;
pub mod deliveries;
mod dependents;
pub mod directory;
pub mod draft;
pub mod export;
pub mod import;
mod in_turn;
pub mod keys;
pub mod labels;
pub mod limits;
pub mod metrics;
pub mod mint;
pub mod monitors;
mod names;
pub mod parents;
pub mod precondition;
pub mod reach;
pub mod rebuilds;
pub mod records;
pub mod refusal;
pub mod replay;
mod scan;
pub mod selection;
pub mod situation;
pub mod slots;
pub mod tail;
pub mod tokens;
pub mod windows;

pub use admin_key::{AdminKey, KeyError, check_admin_key, ensure_admin_key};
