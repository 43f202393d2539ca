//! The rules of the layout, checked.
//!
//! - [`arrows`]: which member may depend on which, by the manifests.
//! - [`circles`]: no two files of a member import each other, not even through others.
//! - [`purity`]: what crates and files that call themselves pure must not use.
//! - [`layout`]: lengths, names, and the face that the roles share.
//! - [`modules`], [`source`]: the members, their manifests, and their files as syntax trees.

mod arrows;
mod circles;
mod layout;
mod modules;
mod purity;
mod source;
