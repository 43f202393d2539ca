//! Finds what a person names: by id, or by a name that only one has.

use anyhow::bail;
use model::ids::MonitorId;
use serde::Deserialize;

use super::api::Api;

/// The most items that are searched for a name.
const SEARCHED: usize = 100_000;

/// The kinds of things that a person can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Monitor,
    Channel,
    Key,
    Window,
}

impl Kind {
    /// The collection's name in the API.
    pub(super) const fn collection(self) -> &'static str {
        match self {
            Self::Monitor => "monitors",
            Self::Channel => "channels",
            Self::Key => "keys",
            Self::Window => "maintenance-windows",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Channel => "channel",
            Self::Key => "key",
            Self::Window => "maintenance window",
        }
    }

    /// The word that its commands begin with.
    const fn command(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Channel => "channel",
            Self::Key => "key",
            Self::Window => "maintenance",
        }
    }
}

/// A thing with an id and a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Named {
    /// The id.
    pub(super) id: String,
    /// The name.
    pub(super) name: String,
}

/// The id of what a person named.
///
/// # Errors
/// Nothing or several things have that name, or the server could not be asked.
pub(super) async fn id_of(api: &Api, kind: Kind, wanted: &str) -> anyhow::Result<String> {
    if is_id(wanted) {
        return Ok(wanted.to_owned());
    }
    // The server can search monitors only; there are few of the other things.
    let search = (kind == Kind::Monitor).then_some(wanted);
    let listing = api.list(&[kind.collection()], &[("q", search)], SEARCHED).await?;
    let mut candidates = Vec::new();
    for item in &listing.items {
        candidates.push(api.view::<Named>(item)?);
    }
    Ok(choose(kind, &candidates, wanted)?.id.clone())
}

/// The ids of what a person named, each once.
///
/// # Errors
/// See [`id_of`].
pub(super) async fn ids_of(api: &Api, kind: Kind, wanted: &[String]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for wanted in wanted {
        let id = id_of(api, kind, wanted).await?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// Everything of a kind, with its name.
pub(super) async fn names(api: &Api, kind: Kind) -> anyhow::Result<Vec<Named>> {
    let listing = api.list(&[kind.collection()], &[], SEARCHED).await?;
    Ok(listing.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?)
}

/// The name that goes with an id; the id itself if there is none any more.
pub(super) fn name_of<'a>(all: &'a [Named], id: &'a str) -> &'a str {
    all.iter().find(|named| named.id == id).map_or(id, |named| &named.name)
}

/// The one thing of that name, or of that id.
pub(super) fn choose<'a>(kind: Kind, all: &'a [Named], wanted: &str) -> anyhow::Result<&'a Named> {
    if let Some(found) = all.iter().find(|named| named.id == wanted) {
        return Ok(found);
    }
    let found: Vec<&Named> = all.iter().filter(|named| named.name == wanted).collect();
    match found.as_slice() {
        [only] => Ok(only),
        [] => bail!(
            "there is no {noun} named {wanted:?}: see `lubdub {command} list`",
            noun = kind.noun(),
            command = kind.command()
        ),
        several => {
            let ids: Vec<&str> = several.iter().map(|named| named.id.as_str()).collect();
            bail!(
                "{} {}s are named {wanted:?}: say which one by its id\n  {}",
                ids.len(),
                kind.noun(),
                ids.join("\n  ")
            )
        }
    }
}

/// Whether a text is an id. All ids are UUIDs in their usual form.
fn is_id(text: &str) -> bool {
    text.len() == 36 && text.parse::<MonitorId>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str, name: &str) -> Named {
        Named { id: id.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_name_is_enough_while_only_one_has_it() {
        let all = [named("1", "backup"), named("2", "backup 2"), named("3", "sync"), named("4", "sync")];
        assert_eq!(choose(Kind::Monitor, &all, "backup").expect("one"), &all[0]);
        assert_eq!(choose(Kind::Monitor, &all, "4").expect("one"), &all[3]);
        let none = choose(Kind::Channel, &all, "Backup").expect_err("none").to_string();
        assert_eq!(none, "there is no channel named \"Backup\": see `lubdub channel list`");
        let several = choose(Kind::Monitor, &all, "sync").expect_err("two").to_string();
        assert_eq!(several, "2 monitors are named \"sync\": say which one by its id\n  3\n  4");
    }

    #[test]
    fn only_a_whole_uuid_is_an_id() {
        assert!(is_id("0199a3c4-7d2e-7000-8000-000000000001"));
        for name in ["backup", "0199a3c47d2e70008000000000000001", ""] {
            assert!(!is_id(name), "{name}");
        }
    }
}
