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
mod form;
mod pattern;
mod preset;
mod request;
mod settings;

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

use model::channel::{ChannelClass, ChannelKind};

pub use answer::{AnswerRules, Judgement, Moved};
pub use form::Form;
pub use preset::{Preset, STORM_WINDOW_SECS};
pub use request::{PresetRequest, RequestError, RequestTemplate};
pub use settings::{Field, FieldError, FieldKind, Settings, masked_url};

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
