//! Measures the embedded installation, `lubdub up`.
//!
//! - [`ingest`]: pushes a second, beside a bare axum handler in the same run
//! - [`apply`]: heartbeats a second through the scheduler, without and with its commits
//! - [`alert`]: from a deadline to the webhook, one at a time and 10,000 at once
//! - [`deliver`]: webhooks a second to one receiver
//! - [`hanging`]: the same over ten channels, one of which hangs
//! - [`flood`]: the messages that a channel that gathers gets for 10,000 flips
//! - [`past`] (`what-if`): heartbeats a second through a replay with other settings
//! - [`million`]: what a million monitors cost while nothing happens
//! - [`transfer`]: heartbeats a second out of the log (`export`) and into another (`import`)
//!
//! What they stand on: [`up`] (the real program as a child), [`scene`] (it with receivers), [`seed`] (a data
//! directory made beforehand), [`child`] (roles that run alone).

mod alert;
mod apply;
pub(crate) mod child;
mod ingest;
mod million;
mod past;
mod scene;
mod seed;
mod transfer;
mod up;

use scene::EmbeddedScene;

use crate::sections::Sections;
use crate::{deliver, flood, hanging};

/// The sections, in the order in which they are measured.
pub(crate) const SECTIONS: [&str; 10] =
    ["ingest", "apply", "alert", "deliver", "hanging", "flood", "what-if", "million", "export", "import"];

/// Measures what is wanted.
pub(crate) async fn measure(sections: &Sections) -> anyhow::Result<()> {
    let size = sections.size;
    if sections.wants("ingest") {
        ingest::measure(size).await?;
    }
    if sections.wants("apply") {
        apply::measure(size).await?;
    }
    if sections.wants("alert") {
        alert::measure(size).await?;
    }
    if sections.wants("deliver") {
        deliver::measure::<EmbeddedScene>(size).await?;
    }
    if sections.wants("hanging") {
        hanging::measure::<EmbeddedScene>(size).await?;
    }
    if sections.wants("flood") {
        flood::measure::<EmbeddedScene>(size).await?;
    }
    if sections.wants("what-if") {
        past::measure(size).await?;
    }
    if sections.wants("million") {
        million::measure(size).await?;
    }
    if sections.wants("export") || sections.wants("import") {
        transfer::measure(size, |section| sections.wants(section)).await?;
    }
    Ok(())
}
