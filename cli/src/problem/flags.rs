//! Which flag sets which field of the API.

use crate::channel::presets::TAKEN;

/// How the value of a field is shown again when it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// A duration.
    Seconds,
    /// A text.
    Text,
    /// Texts, one after the other.
    Texts,
}

/// Every field of a request's body, and every parameter of a query: the flag, the argument or the words that
/// say it, and how its value is shown. Without the latter it is not shown: it may be a secret, or long.
const FLAGS: &[(&str, &str, Option<Shown>)] = &[
    ("name", "NAME", Some(Shown::Text)),
    ("description", "--description", None),
    ("tags", "--tag", Some(Shown::Texts)),
    ("tag", "--tag", Some(Shown::Text)),
    ("timeout", "--timeout", Some(Shown::Seconds)),
    ("cron", "--cron", Some(Shown::Text)),
    ("timezone", "--timezone", Some(Shown::Text)),
    ("grace", "--grace", Some(Shown::Seconds)),
    ("interval", "--interval", Some(Shown::Seconds)),
    ("remind_every", "--remind-every", Some(Shown::Seconds)),
    ("channels", "--channel", None),
    ("channel", "--channel", None),
    ("parent", "--parent", None),
    ("paused", "paused", None),
    ("token", "--token", None),
    ("unique_name", "--allow-same-name", None),
    ("overlap", "--overlap", Some(Shown::Seconds)),
    ("kind", "KIND", Some(Shown::Text)),
    ("url", "--url", None),
    ("secret", "--secret", None),
    ("secret_overlap", "--secret-overlap", Some(Shown::Seconds)),
    ("headers", "--header", None),
    ("method", "--method", Some(Shown::Text)),
    ("template", "--template", None),
    ("content_type", "--content-type", Some(Shown::Text)),
    ("digest", "--digest", None),
    ("to", "--to", None),
    ("settings", "settings", None),
    ("default", "--default", None),
    ("state", "--state", Some(Shown::Text)),
    ("monitors", "--monitor", None),
    ("monitor", "--monitor", None),
    ("from", "--from", Some(Shown::Text)),
    ("duration", "--for", Some(Shown::Seconds)),
    ("scope", "--read", None),
    ("verify", "--verify", None),
    ("history", "--history", None),
    ("partition", "--partition", None),
    ("since", "--since", None),
    ("until", "--until", None),
    ("limit", "--limit", None),
    ("q", "--q", None),
    ("all", "--all", None),
    ("alarms_per_month", "--alarms-per-month", None),
];

/// The flag that sets a field: `remind_every` is `--remind-every`, `channels[0]` is `--channel`. A field that
/// no flag sets is called by its name.
pub(crate) fn flag(field: &str) -> String {
    if let Some(setting) = field.strip_prefix("settings.") {
        let flag = setting.replace('_', "-");
        // The flag of such a setting has its preset's name in front, which is not known here.
        return if TAKEN.contains(&flag.as_str()) { setting.to_owned() } else { format!("--{flag}") };
    }
    let name = root(field);
    let known = FLAGS.iter().find(|(known, _, _)| *known == name);
    known.map_or(name, |(_, flag, _)| flag).to_owned()
}

/// How the value of a field is shown again.
pub(super) fn shown(field: &str) -> Option<Shown> {
    FLAGS.iter().find(|(known, _, _)| *known == field)?.2
}

/// `channels` of `channels[0]`.
fn root(field: &str) -> &str {
    field.split(['.', '[', '/']).find(|part| !part.is_empty()).unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use api::channels::{ChannelChange, ChannelCreate};
    use api::keys::KeyCreate;
    use api::maintenance::{WindowChange, WindowCreate};
    use api::monitors::{MonitorChange, MonitorCreate, TokenRotation};
    use api::rebuilds::RebuildCreate;
    use clap::Subcommand as _;
    use utoipa::PartialSchema;
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::Schema;

    use super::*;
    use crate::ClientCommand;

    fn fields<T: PartialSchema>() -> Vec<String> {
        let RefOr::T(Schema::Object(object)) = T::schema() else { panic!("a body is an object") };
        object.properties.keys().cloned().collect()
    }

    #[test]
    fn every_field_of_a_request_has_a_flag() {
        let bodies = [
            fields::<MonitorCreate>(),
            fields::<MonitorChange>(),
            fields::<TokenRotation>(),
            fields::<ChannelCreate>(),
            fields::<ChannelChange>(),
            fields::<WindowCreate>(),
            fields::<WindowChange>(),
            fields::<KeyCreate>(),
            fields::<RebuildCreate>(),
        ];
        let all: BTreeSet<String> = bodies.into_iter().flatten().collect();
        assert!(all.len() > 30, "{all:?}");
        for field in all {
            assert!(FLAGS.iter().any(|(known, _, _)| *known == field), "{field} is not in the table");
        }
    }

    #[test]
    fn every_flag_of_the_table_is_one_of_the_command_line() {
        fn collect(command: &clap::Command, longs: &mut BTreeSet<String>) {
            longs.extend(
                command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_owned),
            );
            command.get_subcommands().for_each(|subcommand| collect(subcommand, longs));
        }
        let mut longs = BTreeSet::new();
        collect(&ClientCommand::augment_subcommands(clap::Command::new("lubdub")), &mut longs);
        for (field, flag, _) in FLAGS {
            if let Some(long) = flag.strip_prefix("--") {
                assert!(longs.contains(long), "{field} is told by {flag}, which no command has");
            }
        }
    }
}
