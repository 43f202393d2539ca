//! Labels: a part of the stored monitor, read without its schedule, which is costly to parse.

use model::monitor::Monitor;
use model::wire::Message;
use serde::{Deserialize, Serialize};

/// Name, description and tags.
#[derive(Debug, Serialize, Deserialize)]
pub struct Labels {
    /// Its name.
    pub name: String,
    /// The description.
    #[serde(default)]
    pub description: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
}

impl Message for Labels {
    const NAME: &'static str = Monitor::NAME;
    const VERSION: u8 = Monitor::VERSION;
    const NAMED: bool = Monitor::NAMED;
}
