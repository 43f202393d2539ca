//! A command for each preset, made of its file: a new preset needs no code here.

use std::sync::LazyLock;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command};
use sending::presets::{self, Field, FieldKind, Preset};
use serde_json::{Map, Value, json};

/// Flags of the commands around: a setting of that name is set by a flag that begins with the preset's.
pub(crate) const TAKEN: [&str; 13] = [
    "api-key",
    "data-dir",
    "json",
    "default",
    "no-default",
    "if-missing",
    "or-update",
    "allow-same-name",
    "timezone",
    "no-timezone",
    "name",
    "help",
    "version",
];

/// The preset's setting that the API takes beside the others.
const URL: &str = "url";

static FLAGS: LazyLock<Vec<(&'static Preset, Vec<Flag>)>> = LazyLock::new(|| {
    let flags =
        |preset: &'static Preset| preset.fields.iter().map(|field| Flag::new(preset, field)).collect();
    presets::all().iter().map(|preset| (preset, flags(preset))).collect()
});

/// The flags of one setting. The names live as long as the program, which is what clap takes.
#[derive(Debug)]
struct Flag {
    field: &'static Field,
    long: String,
    /// For settings that may be left out: the flag that resets the setting.
    off: String,
    placeholder: String,
}

impl Flag {
    fn new(preset: &Preset, field: &'static Field) -> Self {
        let plain = field.name.replace('_', "-");
        let long = if TAKEN.contains(&plain.as_str()) { format!("{}-{plain}", preset.name) } else { plain };
        Self { off: format!("no-{long}"), placeholder: field.name.to_uppercase(), field, long }
    }

    fn is_needed(&self) -> bool {
        !self.field.optional && self.field.default.is_none()
    }

    fn argument(&'static self) -> Arg {
        let default = self.field.default.as_ref().filter(|default| !default.is_empty());
        let default = default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        Arg::new(self.long.as_str())
            .long(self.long.as_str())
            .value_name(self.placeholder.as_str())
            .help(format!("{}{default}", capitalised(&self.help())))
            .allow_hyphen_values(true)
            .value_parser(self.values())
    }

    /// Clap says by itself what there is to choose from.
    fn help(&self) -> String {
        match self.field.kind {
            FieldKind::Choice => self.field.help.clone(),
            FieldKind::Token | FieldKind::Url | FieldKind::Text => self.field.described(),
        }
    }

    fn values(&'static self) -> ValueParser {
        match self.field.kind {
            FieldKind::Choice => PossibleValuesParser::new(self.field.allowed.split(' ')).into(),
            FieldKind::Token | FieldKind::Url | FieldKind::Text => ValueParser::string(),
        }
    }

    fn argument_to_take_back(&'static self) -> Arg {
        let help = match &self.field.default {
            Some(_) => format!("Back to what --{} is by default", self.long),
            None => format!("Without --{}", self.long),
        };
        Arg::new(self.off.as_str())
            .long(self.off.as_str())
            .help(help)
            .action(ArgAction::SetTrue)
            .conflicts_with(self.long.as_str())
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The commands that make channels.
pub(super) fn to_create() -> impl Iterator<Item = Command> {
    FLAGS.iter().map(|(preset, flags)| {
        let needed = flags.iter().filter(|flag| flag.is_needed());
        let example: String = needed.map(|flag| format!(" --{} {}", flag.long, flag.placeholder)).collect();
        Command::new(preset.name.as_str())
            .about(preset.title.as_str())
            .after_help(format!("Examples:\n  lubdub channel create ops {}{example}", preset.name))
            .args(flags.iter().map(|flag| flag.argument().required(flag.is_needed())))
    })
}

/// The commands that change channels.
pub(super) fn to_edit() -> impl Iterator<Item = Command> {
    FLAGS.iter().map(|(preset, flags)| {
        let example = flags.first().map(|flag| format!(" --{} {}", flag.long, flag.placeholder));
        let optional = flags.iter().filter(|flag| !flag.is_needed());
        Command::new(preset.name.as_str())
            .about(format!("Change what only channels to {} have", preset.title))
            .after_help(format!(
                "Examples:\n  lubdub channel edit ops {}{}\n\nWhat is not named stays as it is.",
                preset.name,
                example.unwrap_or_default()
            ))
            .args(flags.iter().map(Flag::argument))
            .args(optional.map(Flag::argument_to_take_back))
    })
}

/// Whether a command is one of a preset.
pub(super) fn knows(name: &str) -> bool {
    presets::find(name).is_some()
}

/// The flags that the command of a preset was given.
pub(super) struct Given {
    preset: &'static str,
    url: Option<Value>,
    settings: Map<String, Value>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Given({}, …)", self.preset)
    }
}

impl Given {
    /// Reads the flags of the command of this name; `None` if there is no such preset.
    pub(super) fn read(name: &str, matches: &ArgMatches) -> Option<Self> {
        let (preset, flags) = FLAGS.iter().find(|(preset, _)| preset.name == name)?;
        let mut given = Self { preset: &preset.name, url: None, settings: Map::new() };
        for flag in flags {
            let taken_back = !flag.is_needed() && matches!(matches.try_get_one(&flag.off), Ok(Some(true)));
            let value = match matches.get_one::<String>(&flag.long) {
                Some(text) => json!(text),
                None if taken_back => Value::Null,
                None => continue,
            };
            if flag.field.name == URL {
                given.url = Some(value);
            } else {
                given.settings.insert(flag.field.name.clone(), value);
            }
        }
        Some(given)
    }

    /// The preset's name.
    pub(super) const fn preset(&self) -> &'static str {
        self.preset
    }

    /// Puts it into a request's body, unless it is nothing.
    pub(super) fn fill_change(self, body: &mut Map<String, Value>) {
        if self.url.is_some() || !self.settings.is_empty() {
            self.fill_new(body);
        }
    }

    /// Puts it into a request's body.
    pub(super) fn fill_new(self, body: &mut Map<String, Value>) {
        body.insert("kind".to_owned(), json!(self.preset));
        if let Some(url) = self.url {
            body.insert(URL.to_owned(), url);
        }
        if !self.settings.is_empty() {
            body.insert("settings".to_owned(), Value::Object(self.settings));
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Subcommand as _;

    use super::*;

    fn around(kinds: impl Iterator<Item = Command>) -> Command {
        let mut command = Command::new("lubdub").subcommands(kinds);
        for flag in TAKEN.iter().filter(|flag| !["help", "version"].contains(flag)) {
            command = command.arg(Arg::new(*flag).long(*flag).global(true).action(ArgAction::SetTrue));
        }
        command
    }

    #[test]
    fn every_flag_of_the_commands_around_is_taken() {
        // The URL of a preset is told from that of the server by its place.
        let root = crate::ClientCommand::augment_subcommands(Command::new("lubdub"));
        let channel = root.find_subcommand("channel").expect("a command");
        for name in ["create", "edit"] {
            let command = channel.find_subcommand(name).expect("a command");
            for flag in command.get_arguments().filter_map(Arg::get_long).filter(|flag| *flag != "url") {
                assert!(
                    TAKEN.contains(&flag),
                    "a setting --{flag} of a preset would clash with the command's"
                );
            }
        }
    }

    fn given(kinds: impl Iterator<Item = Command>, arguments: &[&str]) -> Result<Given, clap::Error> {
        let all = ["lubdub"].iter().chain(arguments);
        let matches = around(kinds).try_get_matches_from(all)?;
        let (name, its) = matches.subcommand().expect("a command");
        Ok(Given::read(name, its).expect("a preset's"))
    }

    fn body(given: Given) -> Value {
        let mut body = Map::new();
        given.fill_change(&mut body);
        Value::Object(body)
    }

    #[test]
    fn every_preset_is_a_command_with_help_and_an_example() {
        around(to_create()).debug_assert();
        around(to_edit()).debug_assert();
        let create: Vec<String> = to_create().map(|command| command.get_name().to_owned()).collect();
        let names: Vec<&str> = presets::all().iter().map(|preset| preset.name.as_str()).collect();
        assert!(names.contains(&"slack"));
        assert_eq!(create, names);
        for mut command in to_create() {
            let help = command.render_long_help().to_string();
            assert!(help.contains(&format!("lubdub channel create ops {}", command.get_name())), "{help}");
        }
    }

    #[test]
    fn the_url_stands_beside_the_settings() {
        let url = "https://hooks.slack.com/services/a/b/c";
        let slack = given(to_create(), &["slack", "--url", url]).expect("good");
        assert_eq!(body(slack), json!({"kind": "slack", "url": url}));
        let chat = ["telegram", "--token", "1:a", "--chat-id", "-100123"];
        let telegram = given(to_create(), &chat).expect("good");
        assert_eq!(
            body(telegram),
            json!({"kind": "telegram", "settings": {"token": "1:a", "chat_id": "-100123"}})
        );
        let error = given(to_create(), &["telegram", "--token", "1:a"]).expect_err("the chat is missing");
        assert!(error.to_string().contains("--chat-id"), "{error}");
    }

    #[test]
    fn only_what_is_named_changes() {
        assert_eq!(body(given(to_edit(), &["telegram"]).expect("good")), json!({}));
        let chat = given(to_edit(), &["telegram", "--chat-id", "@ops"]).expect("good");
        assert_eq!(body(chat), json!({"kind": "telegram", "settings": {"chat_id": "@ops"}}));
    }
}
