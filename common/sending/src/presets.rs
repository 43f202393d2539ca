//! Pure. Services that Lubdub knows how to speak to, each described by one file in `presets/`.
//!
//! A file says what a channel of it needs (`[[field]]`), what is sent for which message (`[[request]]`), and
//! how answers are read (`[answer]`). Adding one needs no code.
//!
//! Every `[[request]]` whose `on` names the message's action or event is sent, in the order of the file,
//! until one fails. Its texts are templates. Their variables are the message's (see `docs/channels.md`), and
//! besides: `settings`, what the fields were set to, by name, `""` for what was left out; `now`, the time of
//! the attempt; `webhook`, what a plain webhook would get.

mod answer;
mod request;
mod settings;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use model::channel::{ChannelClass, ChannelKind};

pub use answer::{AnswerRules, Judgement};
pub use request::{PresetRequest, RequestError, RequestTemplate};
pub use settings::{FieldError, FieldKind, MAX_URL_CHARS, masked_url};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/presets");

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    let files = FILES.files().filter(|file| file.path().extension().is_some_and(|end| end == "toml"));
    let mut presets: Vec<Preset> = files
        .filter_map(|file| {
            let name = file.path().file_stem()?.to_str()?;
            // The files are a part of the program, and a test reads them all.
            Preset::read(name, file.contents_utf8()?).ok()
        })
        .collect();
    presets.sort_by(|a, b| a.name.cmp(&b.name));
    presets
});

/// A service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// What it is called.
    pub title: String,
    /// How it wants to be told.
    pub class: ChannelClass,
    /// What a channel of it needs.
    #[serde(rename = "field", default)]
    pub fields: Vec<Field>,
    /// Least time between two messages to one channel, milliseconds.
    #[serde(default)]
    pub min_interval_ms: u64,
    /// What is down is told again so often, seconds; for services that would forget it.
    pub repost_every: Option<u32>,
    /// For pagers: most incidents that are opened in [`STORM_WINDOW_SECS`]; what goes beyond becomes one
    /// incident. 0 = as many as there are.
    #[serde(default = "default_storm_limit")]
    storm_limit: u32,
    /// What is sent.
    #[serde(rename = "request")]
    requests: Vec<RequestTemplate>,
    /// How answers are read.
    #[serde(default)]
    pub answer: AnswerRules,
}

/// What a channel of a preset needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Of `a–z 0–9 _`.
    pub name: String,
    /// One line for people.
    pub help: String,
    /// What it may hold.
    #[serde(default)]
    pub kind: FieldKind,
    /// For a token, characters that it may have besides letters, digits, `-` and `_`. For a choice, what
    /// there is to choose from, with blanks between.
    #[serde(default)]
    pub allowed: String,
    /// What it is if nothing is given; without one it must be given, unless it is optional.
    pub default: Option<String>,
    /// Whether it may be left out.
    #[serde(default)]
    pub optional: bool,
    /// Whether it is shown to admins. What is not is shown as `***`.
    #[serde(default)]
    pub shown: bool,
}

/// What the fields of a preset were set to, by name.
pub type Settings = BTreeMap<String, String>;

/// What [`Preset::storm_limit`] counts in, seconds.
pub const STORM_WINDOW_SECS: u32 = 30;

const fn default_storm_limit() -> u32 {
    20
}

impl Preset {
    fn read(name: &str, text: &str) -> Result<Self, toml::de::Error> {
        let preset: Self = toml::from_str(text)?;
        Ok(Self { name: name.to_owned(), ..preset })
    }

    /// For pagers: most incidents that are opened in [`STORM_WINDOW_SECS`]; what goes beyond becomes one
    /// incident. `None` = as many as there are.
    pub fn storm_limit(&self) -> Option<u32> {
        (self.storm_limit > 0).then_some(self.storm_limit)
    }
}

/// Every preset, by name.
pub fn all() -> &'static [Preset] {
    &PRESETS
}

/// The preset of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// How a channel of this kind wants to be told. A preset that this program does not know is told each flip.
pub fn class_of(kind: &ChannelKind) -> ChannelClass {
    match kind {
        ChannelKind::Webhook(webhook) if webhook.digest => ChannelClass::Chat,
        ChannelKind::Webhook(_) => ChannelClass::Webhook,
        ChannelKind::Email(_) => ChannelClass::Chat,
        ChannelKind::Preset(channel) => {
            find(&channel.preset).map_or(ChannelClass::Webhook, |preset| preset.class)
        }
    }
}

#[cfg(test)]
mod tests;
