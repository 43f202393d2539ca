//! Finds what a person names: by id, or by a name that only one has.

use anyhow::bail;
use model::ids::MonitorId;
use serde::Deserialize;

use super::api::{Api, ApiError};
use super::names::kept;
use super::near::did_you_mean;

/// The most items that are searched for a name.
pub(super) const SEARCHED: usize = 100_000;

/// The shortest beginning of an id that stands for the id.
const SHORT_ID: usize = 8;

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

    /// The word for one of it.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Channel => "channel",
            Self::Key => "key",
            Self::Window => "maintenance window",
        }
    }

    /// The word that its commands begin with.
    pub(super) const fn command(self) -> &'static str {
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
    let wanted = wanted.trim();
    // A whole id is taken as it is: the request that follows says whether there is such a thing.
    if is_id(wanted) {
        return Ok(wanted.to_owned());
    }
    Ok(find(api, kind, wanted).await?.id)
}

/// What a person named, which is there.
///
/// # Errors
/// Nothing or several things have that name, or the server could not be asked.
pub(super) async fn find(api: &Api, kind: Kind, wanted: &str) -> anyhow::Result<Named> {
    if is_id(wanted) {
        return by_id(api, kind, wanted).await;
    }
    if kind != Kind::Monitor {
        return choose(kind, &names(api, kind).await?, wanted).cloned();
    }
    // The server searches names and ids, so a beginning of an id is found too. There are few of the other
    // things, and no search for them.
    let found = search(api, kind, Some(&kept(wanted))).await?;
    let called = found.iter().filter(|named| named.is_called(wanted)).count();
    let begun = found.iter().filter(|named| named.id_begins(wanted)).count();
    if called > 1 || called + begun == 0 {
        // How much of an id tells it from the others, and which names are near, is known only with all of
        // them.
        return choose(kind, &names(api, kind).await?, wanted).cloned();
    }
    choose(kind, &found, wanted).cloned()
}

/// What a person named, each once, in the order in which it was named.
///
/// # Errors
/// See [`find`].
pub(super) async fn find_each(api: &Api, kind: Kind, wanted: &[String]) -> anyhow::Result<Vec<Named>> {
    let all = if wanted.len() > 1 { Some(names(api, kind).await?) } else { None };
    let mut found: Vec<Named> = Vec::new();
    for wanted in wanted {
        let one = match &all {
            Some(all) if !is_id(wanted) => choose(kind, all, wanted)?.clone(),
            Some(_) | None => find(api, kind, wanted).await?,
        };
        if !found.contains(&one) {
            found.push(one);
        }
    }
    Ok(found)
}

async fn by_id(api: &Api, kind: Kind, id: &str) -> anyhow::Result<Named> {
    // Keys cannot be asked for one by one.
    if kind == Kind::Key {
        return choose(kind, &names(api, kind).await?, id).cloned();
    }
    match api.get(&[kind.collection(), id]).await {
        Ok(item) => Ok(api.view(&item)?),
        Err(ApiError::Refused(problem)) if problem.status() == 404 => {
            bail!("there is no {} with the id {id}", kind.noun())
        }
        // One that cannot be read can still be deleted.
        Err(ApiError::Refused(problem)) if problem.status() == 500 => {
            Ok(Named { id: id.to_owned(), name: id.to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}

/// The ids of what a person named, each once.
///
/// # Errors
/// See [`find`].
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
    search(api, kind, None).await
}

async fn search(api: &Api, kind: Kind, text: Option<&str>) -> anyhow::Result<Vec<Named>> {
    let listing = api.list(&[kind.collection()], &[("q", text)], SEARCHED).await?;
    Ok(listing.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?)
}

/// The name that goes with an id; the id itself if there is none any more.
pub(super) fn name_of<'a>(all: &'a [Named], id: &'a str) -> &'a str {
    all.iter().find(|named| named.id == id).map_or(id, |named| &named.name)
}

/// The one thing of that name, or of that id or beginning of an id. A name wins over the beginning of an id.
pub(super) fn choose<'a>(kind: Kind, all: &'a [Named], wanted: &str) -> anyhow::Result<&'a Named> {
    let wanted = &*kept(wanted);
    if let Some(found) = all.iter().find(|named| named.id == wanted) {
        return Ok(found);
    }
    let (noun, command) = (kind.noun(), kind.command());
    let called: Vec<&Named> = all.iter().filter(|named| named.is_called(wanted)).collect();
    let begun: Vec<&Named> = all.iter().filter(|named| named.id_begins(wanted)).collect();
    match (called.as_slice(), begun.as_slice()) {
        ([only], _) | ([], [only]) => Ok(only),
        ([], []) => match did_you_mean(wanted, all.iter().map(|named| named.name.as_str())) {
            near if near.is_empty() => {
                bail!("there is no {noun} named {wanted:?}: see `lubdub {command} list`")
            }
            near => bail!("there is no {noun} named {wanted:?}{near}"),
        },
        ([], several) => bail!(
            "{} {noun}s have an id that begins with {wanted}: give more of it\n  {}",
            several.len(),
            candidates(all, several)
        ),
        (several, _) => bail!(
            "{} {noun}s are named {wanted:?}: say which one by its id\n  {}",
            several.len(),
            candidates(all, several)
        ),
    }
}

/// The things, a line each: as much of the id as tells it from all others, and the name.
fn candidates(all: &[Named], several: &[&Named]) -> String {
    let line = |named: &&Named| format!("{}  {}", short_id(all, &named.id), named.name);
    several.iter().map(line).collect::<Vec<_>>().join("\n  ")
}

/// As much of an id as tells it from all others.
fn short_id<'a>(all: &[Named], id: &'a str) -> &'a str {
    let others = all.iter().filter(|named| named.id != id);
    let common = |other: &Named| other.id.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
    let needed = others.map(|other| common(other) + 1).max().unwrap_or(0).max(SHORT_ID);
    id.get(..needed).unwrap_or(id)
}

impl Named {
    /// Whether a person means it by this name.
    fn is_called(&self, wanted: &str) -> bool {
        self.name == kept(wanted)
    }

    fn id_begins(&self, wanted: &str) -> bool {
        wanted.len() >= SHORT_ID && self.id.starts_with(&wanted.to_ascii_lowercase())
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
        assert_eq!(choose(Kind::Monitor, &all, " backup ").expect("blanks do not count"), &all[0]);
        let none = choose(Kind::Channel, &all, "Backup").expect_err("none").to_string();
        assert_eq!(none, "there is no channel named \"Backup\"; did you mean backup or 'backup 2'?");
        let none = choose(Kind::Channel, &all, "mail").expect_err("none").to_string();
        assert_eq!(none, "there is no channel named \"mail\": see `lubdub channel list`");
        let several = choose(Kind::Monitor, &all, "sync").expect_err("two").to_string();
        assert_eq!(several, "2 monitors are named \"sync\": say which one by its id\n  3  sync\n  4  sync");
    }

    #[test]
    fn the_beginning_of_an_id_is_enough_while_it_tells_it_from_all_others() {
        let all = [
            named("0199a3c4-7d2e-7000-8000-000000000001", "sync"),
            named("0199a3c4-7d2f-7000-8000-000000000002", "sync"),
            named("0199ffff-7d2f-7000-8000-000000000003", "0199a3c4"),
        ];
        let error = |wanted| choose(Kind::Monitor, &all, wanted).expect_err("refused").to_string();
        assert_eq!(
            error("sync"),
            "2 monitors are named \"sync\": say which one by its id\n  0199a3c4-7d2e  sync\n  0199a3c4-7d2f  sync"
        );
        assert_eq!(choose(Kind::Monitor, &all, "0199A3C4-7d2e").expect("one"), &all[0]);
        assert_eq!(choose(Kind::Monitor, &all, "0199a3c4").expect("a name wins"), &all[2]);
        assert!(
            error("0199a3c4-7d").starts_with("2 monitors have an id that begins with 0199a3c4-7d: give more")
        );
        assert!(error("0199fff").starts_with("there is no monitor named"), "7 characters are not enough");
    }

    #[test]
    fn only_a_whole_uuid_is_an_id() {
        assert!(is_id("0199a3c4-7d2e-7000-8000-000000000001"));
        for name in ["backup", "0199a3c47d2e70008000000000000001", ""] {
            assert!(!is_id(name), "{name}");
        }
    }
}
