//! Pure. Which channel of the target stands for which one of the export.
//!
//! A channel is taken for another only if no other pair is possible and nothing that both sides show differs:
//! a wrong pair sends alerts to the wrong receiver.

use std::collections::{BTreeSet, HashMap, HashSet};

use api::export::{ChannelLine, SECRET};
use sending::target;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::matching::Mapped;
use crate::harmless::harmless;

/// Part of a value in place of a secret, as the API shows it.
const MASK: &str = "***";

/// What is compared of two channels.
const COMPARED: [&str; 9] =
    ["url", "to", "settings", "headers", "method", "template", "content_type", "digest", "timezone"];

/// A channel of the target.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct KnownChannel {
    pub(super) id: String,
    pub(super) name: String,
    kind: String,
    #[serde(default)]
    pub(super) default: bool,
    #[serde(flatten)]
    shown: Map<String, Value>,
}

/// How channels were paired.
#[derive(Debug, Default)]
pub(super) struct Paired {
    /// Channel of the target by channel of the export.
    pub(super) pairs: HashMap<String, String>,
    /// Why a channel cannot be paired.
    pub(super) troubles: Vec<String>,
    /// What a person should know of the pairs.
    pub(super) told: Vec<String>,
}

/// What two channels have in common.
#[derive(Debug, Default, PartialEq, Eq)]
struct Compared {
    differ: Vec<String>,
    /// A side does not show it.
    unseen: Vec<String>,
}

impl Paired {
    /// Takes what a person said with `--map-channel`, and what an earlier run noted. `used` are the ids that
    /// monitors name: the export of a read key has no lines of channels.
    pub(super) fn given(
        (lines, used): (&[ChannelLine], &HashSet<&str>),
        known: &[KnownChannel],
        mapped: &[Mapped],
        noted: &[(String, String)],
    ) -> Self {
        let mut paired = Self::default();
        for (index, Mapped { old, new }) in mapped.iter().enumerate() {
            let flag = format!("--map-channel {}={}", harmless(old), harmless(new));
            if mapped.iter().take(index).any(|before| before.old == *old) {
                paired.troubles.push(format!("{flag}: {} is mapped twice", harmless(old)));
                continue;
            }
            let mut of_export = named(lines.iter().map(|line| (line.id.as_str(), line.name.as_str())), old);
            if of_export.is_empty() && used.contains(old.as_str()) {
                of_export.push(old.as_str());
            }
            let of_target = named(known.iter().map(|known| (known.id.as_str(), known.name.as_str())), new);
            match (of_export.as_slice(), of_target.as_slice()) {
                ([from], [to]) => {
                    paired.pairs.insert((*from).to_owned(), (*to).to_owned());
                }
                ([], _) => {
                    paired.troubles.push(format!("{flag}: the export has no channel {}", harmless(old)))
                }
                (_, []) => {
                    paired.troubles.push(format!("{flag}: the target has no channel {}", harmless(new)))
                }
                (from, [_]) => paired.troubles.push(format!(
                    "{flag}: the export has {} such channels, give an id: {}",
                    from.len(),
                    from.join(", ")
                )),
                (_, to) => paired.troubles.push(format!(
                    "{flag}: the target has {} such channels, give an id: {}",
                    to.len(),
                    to.join(", ")
                )),
            }
        }
        for (from, to) in noted {
            if known.iter().any(|known| known.id == *to) {
                paired.pairs.entry(from.clone()).or_insert_with(|| to.clone());
            }
        }
        paired
    }

    /// Pairs the other channels by name and kind. `secret` finds a secret by its name.
    pub(super) fn add(
        &mut self,
        lines: &[ChannelLine],
        known: &[KnownChannel],
        mut secret: impl FnMut(&str) -> Option<String>,
    ) {
        let taken: HashSet<String> = self.pairs.values().cloned().collect();
        let open: Vec<&ChannelLine> =
            lines.iter().filter(|line| !self.pairs.contains_key(&line.id)).collect();
        let groups: BTreeSet<(&str, &str)> =
            open.iter().map(|line| (line.name.as_str(), line.kind.as_str())).collect();
        for (name, kind) in groups {
            let from: Vec<&ChannelLine> =
                open.iter().filter(|line| line.name == name && line.kind == kind).copied().collect();
            let to: Vec<&KnownChannel> = known
                .iter()
                .filter(|known| known.name == name && known.kind == kind && !taken.contains(&known.id))
                .collect();
            match (from.as_slice(), to.as_slice()) {
                (_, []) => {}
                ([line], [known]) => self.pair(line, known, &mut secret),
                (from, to) => {
                    let ids = |ids: Vec<&str>| ids.into_iter().map(harmless).collect::<Vec<_>>().join(", ");
                    self.troubles.push(format!(
                        "{} channels of the export and {} of the target are named {} and of the kind {}: say with --map-channel \
                         OLD-ID=NEW-ID which stands for which, or rename them\n    export: {}\n    target: {}",
                        from.len(),
                        to.len(),
                        harmless(name),
                        harmless(kind),
                        ids(from.iter().map(|line| line.id.as_str()).collect()),
                        ids(to.iter().map(|known| known.id.as_str()).collect()),
                    ));
                }
            }
        }
    }

    fn pair(
        &mut self,
        line: &ChannelLine,
        known: &KnownChannel,
        secret: &mut impl FnMut(&str) -> Option<String>,
    ) {
        let name = harmless(&line.name);
        let Compared { differ, unseen } = compare(&line.fields, &known.shown, secret);
        if !differ.is_empty() {
            self.troubles.push(format!(
                "the channel {name} of the target is another one than that of the export, it differs in {}: rename one of the \
                 two, or let it stand for the other with --map-channel {}={}",
                differ.join(", "),
                harmless(&line.id),
                harmless(&known.id)
            ));
            return;
        }
        if !unseen.is_empty() {
            self.told.push(format!(
                "the channel {name} is there: the target's own is used. Whether its {} is that of the export cannot be seen",
                unseen.join(", ")
            ));
        }
        self.pairs.insert(line.id.clone(), known.id.clone());
    }

    /// Refuses secrets that several new channels name: the exports are of several installations, and one name
    /// may mean another secret in each.
    pub(super) fn refuse_shared_secrets(&mut self, lines: &[ChannelLine]) {
        let mut owners: HashMap<&str, &ChannelLine> = HashMap::new();
        let mut shared: BTreeSet<(&str, &str)> = BTreeSet::new();
        for line in lines.iter().filter(|line| !self.pairs.contains_key(&line.id)) {
            let mut names = Vec::new();
            for field in ["url", "secret", "headers", "settings"] {
                secrets_in(line.fields.get(field), &mut names);
            }
            for name in names {
                if owners.insert(name, line).is_some_and(|other| other.id != line.id) {
                    shared.insert((name, line.name.as_str()));
                }
            }
        }
        let troubles = shared.into_iter().map(|(name, channel)| {
            format!(
                "two channels, one of them {}, name the secret {}, and it may be another one for each: import the exports one by \
                 one",
                harmless(channel),
                harmless(name)
            )
        });
        self.troubles.extend(troubles);
    }
}

/// The ids of what has this id, or else this name.
fn named<'a>(all: impl Iterator<Item = (&'a str, &'a str)> + Clone, wanted: &str) -> Vec<&'a str> {
    let by_id: Vec<&str> = all.clone().filter(|(id, _)| *id == wanted).map(|(id, _)| id).collect();
    if !by_id.is_empty() {
        return by_id;
    }
    all.filter(|(_, name)| *name == wanted).map(|(id, _)| id).collect()
}

fn secrets_in<'a>(value: Option<&'a Value>, names: &mut Vec<&'a str>) {
    match value {
        Some(Value::String(text)) => names.extend(text.strip_prefix(SECRET)),
        Some(Value::Object(fields)) => fields.values().for_each(|value| secrets_in(Some(value), names)),
        Some(Value::Array(_) | Value::Bool(_) | Value::Null | Value::Number(_)) | None => {}
    }
}

/// Compares the fields of an export's line with what the target shows.
fn compare(
    line: &Map<String, Value>,
    shown: &Map<String, Value>,
    secret: &mut impl FnMut(&str) -> Option<String>,
) -> Compared {
    let mut compared = Compared::default();
    for name in COMPARED {
        let (one, other) = (field(line, name), field(shown, name));
        compared.add(name, &one, &other, secret);
    }
    compared
}

/// A field; one that is not there is null, as an empty list of headers or settings is.
fn field(fields: &Map<String, Value>, name: &str) -> Value {
    match fields.get(name) {
        None => Value::Null,
        Some(Value::Object(entries)) if entries.is_empty() => Value::Null,
        Some(Value::Bool(false)) => Value::Null,
        Some(Value::Array(items)) => {
            let mut items = items.clone();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Some(value) => value.clone(),
    }
}

impl Compared {
    fn add(
        &mut self,
        name: &str,
        line: &Value,
        shown: &Value,
        secret: &mut impl FnMut(&str) -> Option<String>,
    ) {
        match (line, shown) {
            (Value::Object(line), Value::Object(shown)) => {
                let names: BTreeSet<&String> = line.keys().chain(shown.keys()).collect();
                for entry in names {
                    let name = format!("{name}.{}", harmless(entry));
                    self.add(&name, &field(line, entry), &field(shown, entry), secret);
                }
            }
            (Value::String(line), Value::String(shown)) => {
                let told = match line.strip_prefix(SECRET) {
                    Some(name) => secret(name),
                    None => Some(line.clone()),
                };
                match told {
                    Some(told) if shown.contains(MASK) => match may_be_shown_as(&told, shown) {
                        true => self.unseen.push(name.to_owned()),
                        false => self.differ.push(name.to_owned()),
                    },
                    Some(told) if !is_same_text(&told, shown) => self.differ.push(name.to_owned()),
                    Some(_) => {}
                    None => self.unseen.push(name.to_owned()),
                }
            }
            (line, shown) if line != shown => self.differ.push(name.to_owned()),
            (_, _) => {}
        }
    }
}

/// Whether the API may show a text like this. Of a URL, the API shows the host at least.
fn may_be_shown_as(told: &str, shown: &str) -> bool {
    match (target::parse(told), target::parse(shown)) {
        (Ok(told), Ok(shown)) => {
            (told.scheme(), told.host_str(), told.port()) == (shown.scheme(), shown.host_str(), shown.port())
        }
        (Ok(_), Err(_)) | (Err(_), _) => true,
    }
}

/// Whether two texts are the same, or the same URL: a server may add the slash behind the host.
fn is_same_text(one: &str, other: &str) -> bool {
    let parsed = |text: &str| target::parse(text).ok();
    one == other || parsed(one).is_some_and(|one| Some(one) == parsed(other))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(id: &str, name: &str, fields: Value) -> ChannelLine {
        let Value::Object(fields) = fields else { panic!("an object") };
        ChannelLine {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: "webhook".to_owned(),
            default: false,
            fields,
        }
    }

    fn known(id: &str, name: &str, mut fields: Value) -> KnownChannel {
        fields["id"] = json!(id);
        fields["name"] = json!(name);
        fields["kind"] = json!("webhook");
        serde_json::from_value(fields).expect("a channel")
    }

    fn paired(lines: &[ChannelLine], target: &[KnownChannel], mapped: &[&str]) -> Paired {
        let mapped: Vec<Mapped> = mapped.iter().map(|text| text.parse().expect("good")).collect();
        let mut paired = Paired::given((lines, &HashSet::from(["9"])), target, &mapped, &[]);
        paired.add(lines, target, |name| (name == "OPS_URL").then(|| "https://a.example/".to_owned()));
        paired
    }

    #[test]
    fn two_of_a_name_are_never_paired_with_one() {
        let lines = [line("1", "ops", json!({})), line("2", "ops", json!({})), line("3", "new", json!({}))];
        let one = [known("11", "ops", json!({}))];
        let refused = paired(&lines, &one, &[]);
        assert!(refused.pairs.is_empty(), "{refused:?}");
        assert!(refused.troubles.concat().contains("export: 1, 2\n    target: 11"), "{refused:?}");
        let two = [known("11", "ops", json!({})), known("12", "ops", json!({}))];
        let refused = paired(&lines[..1], &two, &[]);
        assert!(refused.pairs.is_empty() && refused.troubles.len() == 1, "{refused:?}");
        let said = paired(&lines, &two, &["2=11"]);
        let pairs: HashMap<String, String> =
            [("1", "12"), ("2", "11")].map(|(from, to)| (from.to_owned(), to.to_owned())).into();
        assert_eq!((said.pairs, said.troubles), (pairs, Vec::new()), "the other two are left");
        assert!(paired(&lines, &[], &[]).troubles.is_empty(), "both are made");
    }

    #[test]
    fn what_a_person_maps_must_be_there_and_be_one() {
        let lines = [line("1", "ops", json!({})), line("2", "ops", json!({}))];
        let target = [known("11", "a", json!({})), known("12", "b", json!({})), known("13", "b", json!({}))];
        for (mapped, said) in [
            (&["nope=a"][..], "the export has no channel nope"),
            (&["1=nope"], "the target has no channel nope"),
            (&["ops=a"], "the export has 2 such channels, give an id: 1, 2"),
            (&["1=b"], "the target has 2 such channels, give an id: 12, 13"),
            (&["1=11", "1=12"], "1 is mapped twice"),
        ] {
            assert!(paired(&lines, &target, mapped).troubles.concat().contains(said), "{mapped:?}");
        }
        assert_eq!(paired(&lines, &target, &["9=a"]).pairs["9"], "11", "a monitor names it");
        assert!(paired(&lines, &target, &["1=a", "2=a"]).troubles.is_empty(), "a person may join two");
    }

    #[test]
    fn a_channel_that_shows_other_settings_is_another_one() {
        for (fields, shown, differ, unseen) in [
            (json!({"url": "secret:OPS_URL"}), json!({"url": "https://a.example"}), "", ""),
            (json!({"url": "secret:OPS_URL"}), json!({"url": "https://b.example/"}), "url", ""),
            (json!({"url": "secret:OPS_URL"}), json!({"url": "https://a.example/***"}), "", "url"),
            (json!({"url": "secret:OPS_URL"}), json!({"url": "https://b.example/***"}), "url", ""),
            (json!({"url": "secret:NOT_GIVEN"}), json!({"url": "https://b.example/"}), "", "url"),
            (
                json!({"to": ["a@x.example", "b@x.example"]}),
                json!({"to": ["b@x.example", "a@x.example"]}),
                "",
                "",
            ),
            (json!({"to": ["a@x.example"]}), json!({"to": ["b@x.example"]}), "to", ""),
            (
                json!({"headers": {"X-Key": "secret:K"}}),
                json!({"headers": {"X-Key": "***"}}),
                "",
                "headers.X-Key",
            ),
            (json!({"headers": {"X-Key": "secret:K"}}), json!({"headers": {}}), "headers", ""),
            (
                json!({"settings": {"topic": "ops"}}),
                json!({"settings": {"topic": "dev"}}),
                "settings.topic",
                "",
            ),
            (json!({"method": "PUT", "digest": false}), json!({"method": "PUT", "template": null}), "", ""),
            (json!({"template": "a"}), json!({"template": "b", "digest": true}), "template, digest", ""),
        ] {
            let (fields, shown) = (fields, shown);
            let found = paired(&[line("1", "ops", fields.clone())], &[known("11", "ops", shown)], &[]);
            assert_eq!(found.pairs.len(), usize::from(differ.is_empty()), "{fields}");
            let (troubles, told) = (found.troubles.concat(), found.told.concat());
            assert_eq!(troubles.is_empty(), differ.is_empty(), "{fields}: {troubles}");
            assert_eq!(told.is_empty(), unseen.is_empty(), "{fields}: {told}");
            assert!(troubles.contains(differ) && told.contains(unseen), "{fields}: {troubles} {told}");
        }
    }

    #[test]
    fn a_secret_that_two_installations_name_is_not_given_to_both() {
        let lines = [
            line("1", "ops", json!({"url": "secret:OPS_URL"})),
            line("2", "Ops", json!({"url": "secret:OPS_URL"})),
        ];
        let mut both = paired(&lines, &[], &[]);
        both.refuse_shared_secrets(&lines);
        assert!(both.troubles.concat().contains("name the secret OPS_URL"), "{both:?}");
        let mut one = paired(&lines, &[known("11", "a", json!({}))], &["2=a"]);
        one.refuse_shared_secrets(&lines);
        assert!(one.troubles.is_empty(), "{one:?}");
    }
}
