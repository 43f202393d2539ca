//! Pure. The settings of a preset's channel.

use std::collections::BTreeMap;

use api::limits::{MAX_SETTING_CHARS, MAX_SETTINGS};
use model::channel::{PresetChannel, Secret};
use model::validation::FieldError;
use sending::presets::{self, Preset};
use serde_json::{Map, Value};

use super::super::change::Change;
use super::super::fields::Fields;
use super::mask::MASK;

/// The setting that stands beside the others.
pub const URL: &str = "url";

/// Settings as a request names them; `Reset` = back to its default, or none.
pub(crate) type Settings = BTreeMap<String, Change<String>>;

/// Reads `settings`.
pub(crate) fn read(fields: &mut Fields) -> Change<Settings> {
    let allowed = format!("must be an object of at most {MAX_SETTINGS} texts, numbers, true, false or null");
    let given = match fields.read("settings", &allowed, |value| match value {
        Value::Object(map) => (map.len() <= MAX_SETTINGS).then_some(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }) {
        Change::Keep => return Change::Keep,
        Change::Reset => return Change::Reset,
        Change::Set(given) => given,
    };
    Change::Set(read_each(fields, given))
}

fn read_each(fields: &mut Fields, given: Map<String, Value>) -> Settings {
    let mut settings = Settings::new();
    for (name, value) in given {
        let change = match value {
            Value::Null => Change::Reset,
            Value::String(text) if text.chars().count() <= MAX_SETTING_CHARS => Change::Set(text),
            Value::Number(number) => Change::Set(number.to_string()),
            Value::Bool(yes) => Change::Set(yes.to_string()),
            Value::String(_) | Value::Array(_) | Value::Object(_) => {
                fields.refuse(
                    &path(&name),
                    format!("must be a text of at most {MAX_SETTING_CHARS} characters"),
                );
                continue;
            }
        };
        if name == URL {
            fields.refuse(&path(&name), "is given as url, beside settings");
            continue;
        }
        settings.insert(name, change);
    }
    settings
}

fn path(name: &str) -> String {
    let shown: String = name.chars().take(100).collect();
    format!("settings.{shown}")
}

/// The field of a request that gives this setting.
fn field_of(name: &str) -> String {
    if name == URL { URL.to_owned() } else { path(name) }
}

/// Whether the preset has a setting named `url`.
pub fn takes_url(preset: &Preset) -> bool {
    preset.fields.iter().any(|field| field.name == URL)
}

/// The settings after a change of `old`, as the preset stores them; or what is wrong, by the request's
/// fields.
pub(crate) fn changed(
    preset: &Preset,
    old: &BTreeMap<String, Secret>,
    url: &Change<String>,
    settings: &Change<Settings>,
) -> Result<presets::Settings, Vec<FieldError>> {
    let old: presets::Settings =
        old.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    let masked = preset.masked(&old);
    let mut merged = old.clone();
    if matches!(settings, Change::Reset) {
        merged.retain(|name, _| name == URL);
    }
    let mut errors = Vec::new();
    let mut apply = |name: &str, change: &Change<String>| match change {
        Change::Keep => {}
        Change::Reset => {
            merged.remove(name);
        }
        // The value as it is shown keeps the stored one.
        Change::Set(value) if masked.get(name) == Some(value) => {}
        Change::Set(value) if value == MASK => {
            if !masked.contains_key(name) {
                let message = format!("there is no value to keep; {MASK} stands for the stored one");
                errors.push(FieldError { field: field_of(name), message });
            }
        }
        Change::Set(value) => {
            merged.insert(name.to_owned(), value.clone());
        }
    };
    apply(URL, url);
    if let Change::Set(settings) = settings {
        settings.iter().for_each(|(name, change)| apply(name, change));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let of_request =
        |error: presets::FieldError| FieldError { field: field_of(&error.field), message: error.message };
    let checked = preset
        .check_change(&merged, &old)
        .map_err(|errors| errors.into_iter().map(of_request).collect::<Vec<_>>())?;
    match preset.urls(&checked) {
        Ok(_) => Ok(checked),
        Err(error) => Err(vec![of_request(error)]),
    }
}

/// The channel of a preset after a change; `None` if something is wrong with it, which is noted.
pub(crate) fn onto(
    fields: &mut Fields,
    old: &PresetChannel,
    url: &Change<String>,
    settings: &Change<Settings>,
) -> Option<PresetChannel> {
    if matches!((url, settings), (Change::Keep, Change::Keep)) {
        return Some(old.clone());
    }
    let Some(preset) = presets::find(&old.preset) else {
        fields.refuse("settings", format!("this server does not know the preset {}", old.preset));
        return None;
    };
    put(fields, preset, &old.settings, url, settings)
}

/// A new channel of a preset; `None` if something is wrong with it, which is noted.
pub(crate) fn put(
    fields: &mut Fields,
    preset: &Preset,
    old: &BTreeMap<String, Secret>,
    url: &Change<String>,
    settings: &Change<Settings>,
) -> Option<PresetChannel> {
    match changed(preset, old, url, settings) {
        Ok(settings) => {
            let settings = settings.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
            Some(PresetChannel { preset: preset.name.clone(), settings })
        }
        Err(errors) => {
            for error in errors {
                // A setting that cannot be read is already named.
                if !fields.is_refused(&error.field) {
                    fields.refuse(&error.field, error.message);
                }
            }
            None
        }
    }
}
