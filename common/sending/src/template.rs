//! Templates of users and presets, in the language of Jinja: they read nothing but what they are given,
//! end soon, and make little.
//!
//! There is no loader, so nothing can be included; every step and every byte costs fuel; what is not there is
//! an error, not a gap. Templates of users are read and filled in by [`fill_in`], on a stack that the deepest
//! of them fits on; those of presets are [`Template`]s, read once. What a template makes is escaped by what
//! it is for: in JSON, `{{ title }}` becomes a whole JSON value, quotes included, so that no name of a
//! monitor can break out of it.

mod bounded;
mod filters;
mod sample;
mod untrusted;

use serde::Serialize;

pub use bounded::{Escape, MAX_OUTPUT_BYTES, MAX_SOURCE_BYTES, Template, TemplateError};
pub use sample::sample;

/// Enough for the deepest nesting that fits into [`MAX_SOURCE_BYTES`]; what is not used takes no memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Fills in a template of a user's, which may use less than one of a preset: see [`untrusted`]. It takes some
/// milliseconds.
///
/// # Errors
/// Every one of [`TemplateError`].
pub fn fill_in(
    source: &str,
    escape: Escape,
    variables: &(impl Serialize + Sync),
) -> Result<String, TemplateError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("template".to_owned()).stack_size(STACK_BYTES);
        let thread = thread
            .spawn_scoped(scope, || untrusted::read(source, escape)?.render(variables))
            .map_err(|_| TemplateError::NoRoom)?;
        thread.join().unwrap_or(Err(TemplateError::NoRoom))
    })
}

/// Fills in a template with [`sample()`]: what would go wrong later goes wrong now.
///
/// # Errors
/// Every one of [`TemplateError`].
pub fn check(source: &str, escape: Escape) -> Result<(), TemplateError> {
    fill_in(source, escape, sample()).map(drop)
}

#[cfg(test)]
mod tests;
