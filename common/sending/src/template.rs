//! Templates of users and presets, in the language of Jinja: they read nothing but what they are given,
//! end soon, and make little.
//!
//! There is no loader, so nothing can be included; what can be called is [a list](filter_names) of what is
//! bounded; every step and every byte costs fuel; what is not there is an error, not a gap. Templates of
//! users are read and filled in by [`fill_in`], a few at a time, on threads of their own whose stacks the
//! deepest of them fits on: never on a thread that others wait for. Those of presets are [`Template`]s, read
//! once. What a template makes is escaped by what it is for: in JSON, `{{ title }}` becomes a whole JSON
//! value, quotes included, so that no name of a monitor can break out of it.

mod allowed;
mod bounded;
mod filters;
mod sample;
mod untrusted;

use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Semaphore, oneshot};

pub use allowed::{filter_names, test_names};
pub use bounded::{Escape, MAX_OUTPUT_BYTES, MAX_SOURCE_BYTES, Template, TemplateError};
pub use sample::{sample, samples};

/// Enough for the deepest nesting that fits into [`MAX_SOURCE_BYTES`]; what is not used takes no memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Most templates that are filled in at the same time. Each may take 100 MB.
const AT_ONCE: usize = 2;

/// Longest that a template is waited for, its turn included. Fuel ends the slowest of them long before.
const TIME_LIMIT: Duration = Duration::from_secs(5);

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// A template that cannot be used, as it is told to the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The template cannot be read.
    #[error("{0}")]
    Source(TemplateError),
    /// The template cannot be filled in with one of the [`samples`].
    #[error("tried on {sample:?}: {error}")]
    Sample {
        /// The name of the sample.
        sample: &'static str,
        /// What is wrong.
        error: TemplateError,
    },
}

/// Fills in a template of a user's, which may use less than one of a preset: see [`untrusted`]. It takes some
/// milliseconds, on another thread.
///
/// # Errors
/// Every one of [`TemplateError`].
pub async fn fill_in(
    source: &str,
    escape: Escape,
    variables: &impl Serialize,
) -> Result<String, TemplateError> {
    // What is filled in has text keys only.
    let variables = serde_json::to_value(variables).unwrap_or_default();
    let source = source.to_owned();
    apart(move || untrusted::read(&source, escape)?.render(&variables)).await?
}

/// Fills in a template with every one of the [`samples`]: what would go wrong later goes wrong now.
///
/// # Errors
/// What is wrong, and with which sample.
pub async fn check(source: &str, escape: Escape) -> Result<(), CheckError> {
    let source = source.to_owned();
    apart(move || try_samples(&source, escape)).await.map_err(CheckError::Source)?
}

fn try_samples(source: &str, escape: Escape) -> Result<(), CheckError> {
    let template = untrusted::read(source, escape).map_err(CheckError::Source)?;
    for (sample, variables) in samples() {
        template.render(variables).map_err(|error| CheckError::Sample { sample, error })?;
    }
    Ok(())
}

/// Does work with a template on a thread of its own when it is its turn. The turn ends with the thread, also
/// if nobody waits for it any more.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, TemplateError> {
    let done = async {
        let turn = TURNS.acquire().await.map_err(|_| TemplateError::NoRoom)?;
        let (answer, answered) = oneshot::channel();
        std::thread::Builder::new()
            .name("template".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let _turn = turn;
                // Whoever waited may have gone.
                let _ = answer.send(work());
            })
            .map_err(|_| TemplateError::NoRoom)?;
        answered.await.map_err(|_| TemplateError::Defect)
    };
    tokio::time::timeout(TIME_LIMIT, done).await.unwrap_or(Err(TemplateError::TooLong(TIME_LIMIT)))
}

#[cfg(test)]
mod tests;
