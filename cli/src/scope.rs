//! The monitors that a command acts on: named one by one, or chosen by what they are like.

use super::api::Api;
use super::lookup::{Kind, Named, SEARCHED, find_each};
use super::names::kept;
use super::tag;
use crate::bad_usage::BadUsage;

const NONE: BadUsage = BadUsage("say which monitors: by name or id, or by --tag or --state, or --all");
const NAMES_AND_CHOICE: BadUsage =
    BadUsage("either name the monitors, or choose them by --tag, --state or --all, not both");
const NO_TAG: BadUsage = BadUsage("--tag is empty: give a tag, or --all for every monitor");
const ALL_AND_SOME: BadUsage =
    BadUsage("--all means every monitor: leave it out to choose by --tag or --state, or leave those out");

/// The arguments that say which monitors a command acts on.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct ScopeArguments {
    /// Monitors, by name or id; the beginning of an id will do, from 8 characters
    #[arg(value_name = "MONITOR")]
    monitors: Vec<String>,
    /// Monitors with this tag; comma separated, may be repeated: one of the tags is enough
    #[arg(long = "tag", value_name = "TAGS", value_delimiter = ',', help_heading = "Which monitors")]
    tags: Vec<String>,
    /// Monitors in this state; may be repeated: one of the states is enough; with --tag, those with both
    #[arg(long = "state", value_name = "STATE", value_parser = STATES, help_heading = "Which monitors")]
    states: Vec<String>,
    /// Every monitor
    #[arg(long, help_heading = "Which monitors")]
    all: bool,
}

/// The states by which monitors are chosen.
pub(super) const STATES: [&str; 5] = ["new", "up", "late", "down", "paused"];

/// The monitors that a command acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// These, by name or id.
    Named(Vec<String>),
    /// Those with one of the tags, if there are any, in one of the states, if there are any.
    Like {
        /// Tags.
        tags: Vec<String>,
        /// States.
        states: Vec<String>,
    },
    /// Every monitor.
    All,
}

impl ScopeArguments {
    /// The scope that they say.
    ///
    /// # Errors
    /// They say none, or contradict each other.
    pub(super) fn read(self) -> Result<Scope, BadUsage> {
        Scope::new(self.monitors, self.tags, self.states, self.all)
    }

    /// Whether monitors are named and tags given: what sets tags has other flags.
    pub(super) const fn has_names_and_tags(&self) -> bool {
        !self.monitors.is_empty() && !self.tags.is_empty()
    }
}

impl Scope {
    /// The scope that these say together.
    ///
    /// # Errors
    /// They say none, or contradict each other.
    pub(super) fn new(
        names: Vec<String>,
        tags: Vec<String>,
        states: Vec<String>,
        all: bool,
    ) -> Result<Self, BadUsage> {
        let given = !tags.is_empty();
        let tags = trimmed(&tags);
        if given && tags.is_empty() {
            // A variable of a script that is not set must not choose more than it was to.
            return Err(NO_TAG);
        }
        let chooses = !tags.is_empty() || !states.is_empty();
        match (names.is_empty(), chooses, all) {
            (true, false, false) => Err(NONE),
            (false, true, _) | (false, _, true) => Err(NAMES_AND_CHOICE),
            (true, true, true) => Err(ALL_AND_SOME),
            (false, false, false) => Ok(Self::Named(names)),
            (true, true, false) => Ok(Self::Like { tags, states }),
            (true, false, true) => Ok(Self::All),
        }
    }

    /// Whether they are chosen by what they are like, and not named.
    pub(super) const fn is_choice(&self) -> bool {
        match self {
            Self::Named(_) => false,
            Self::Like { .. } | Self::All => true,
        }
    }

    /// Whether a person has to say yes to a change of them. It is known before the server is asked, so that a
    /// script fails always or never.
    pub(super) const fn is_bulk(&self) -> bool {
        match self {
            Self::Named(names) => names.len() > 1,
            Self::Like { .. } | Self::All => true,
        }
    }

    /// The monitors, each once.
    ///
    /// # Errors
    /// A name is not found or is that of several, nothing is chosen, or the server could not be asked.
    pub(super) async fn monitors(&self, api: &Api) -> anyhow::Result<Vec<Named>> {
        let found = match self {
            Self::Named(names) => find_each(api, Kind::Monitor, names).await?,
            Self::Like { tags, states } => like(api, tags, states).await?,
            Self::All => list(api, None, None).await?,
        };
        anyhow::ensure!(!found.is_empty(), "{}", self.nothing());
        Ok(found)
    }

    fn nothing(&self) -> String {
        match self {
            Self::Named(_) | Self::All => "there are no monitors yet".to_owned(),
            Self::Like { tags, states } => {
                let tags = (!tags.is_empty()).then(|| format!("has the tag {}", tags.join(" or ")));
                let states = (!states.is_empty()).then(|| format!("is {}", states.join(" or ")));
                let both: Vec<String> = tags.into_iter().chain(states).collect();
                format!("no monitor {}", both.join(" and "))
            }
        }
    }
}

/// Tags as the server keeps them, for `--tag 'a, b'`, and without what is then empty, for `--tag a,`.
pub(super) fn trimmed(tags: &[String]) -> Vec<String> {
    tags.iter().map(|tag| kept(tag)).filter(|tag| !tag.is_empty()).collect()
}

async fn like(api: &Api, tags: &[String], states: &[String]) -> anyhow::Result<Vec<Named>> {
    // The server takes one of each at a time.
    let each = |given: &[String]| {
        if given.is_empty() { vec![None] } else { given.iter().cloned().map(Some).collect() }
    };
    let mut found: Vec<Named> = Vec::new();
    for tag in each(tags) {
        let before = found.len();
        for state in each(states) {
            found.extend(list(api, tag.as_deref(), state.as_deref()).await?);
        }
        if let Some(tag) = tag.filter(|_| found.len() == before) {
            tag::check(api, &tag).await?;
        }
    }
    // Ids begin with the time of creation.
    found.sort_by(|one, other| one.id.cmp(&other.id));
    found.dedup_by(|one, other| one.id == other.id);
    Ok(found)
}

async fn list(api: &Api, tag: Option<&str>, state: Option<&str>) -> anyhow::Result<Vec<Named>> {
    let listing = api.list(&["monitors"], &[("tag", tag), ("state", state)], SEARCHED).await?;
    anyhow::ensure!(!listing.is_cut(), "there are more than {SEARCHED} such monitors: choose fewer");
    Ok(listing.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(given: &[&str]) -> Vec<String> {
        given.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_scope_is_names_or_a_choice_or_everything() {
        let scope = |names: &[&str], tags: &[&str], states: &[&str], all| {
            Scope::new(words(names), words(tags), words(states), all).map_err(|error| error.to_string())
        };
        assert_eq!(scope(&["a", "b"], &[], &[], false), Ok(Scope::Named(words(&["a", "b"]))));
        assert_eq!(scope(&[], &[], &[], true), Ok(Scope::All));
        let chosen = Scope::Like { tags: words(&["db"]), states: words(&["down", "late"]) };
        assert_eq!(scope(&[], &["db", " ", ""], &["down", "late"], false), Ok(chosen));
        for (names, tags, states, all, why) in [
            (&[][..], &[][..], &[][..], false, "say which"),
            (&["a"], &["db"], &[], false, "not both"),
            (&["a"], &[], &["down"], false, "not both"),
            (&["a"], &[], &[], true, "not both"),
            (&[], &["db"], &[], true, "--all means every"),
            (&[], &[], &["down"], true, "--all means every"),
            (&[], &[""], &[], false, "--tag is empty"),
            (&[], &[" "], &["paused"], false, "--tag is empty"),
            (&[], &[""], &[], true, "--tag is empty"),
        ] {
            let refused = scope(names, tags, states, all).expect_err("refused");
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn one_name_alone_is_no_bulk() {
        let like = |tags: &[&str]| Scope::Like { tags: words(tags), states: Vec::new() };
        for (scope, expected) in [
            (Scope::Named(words(&["a"])), false),
            (Scope::Named(words(&["a", "b"])), true),
            (like(&["db"]), true),
            (Scope::All, true),
        ] {
            assert_eq!(scope.is_bulk(), expected, "{scope:?}");
        }
    }

    #[test]
    fn a_choice_of_nothing_is_told_as_it_was_made() {
        let told = |tags: &[&str], states: &[&str]| {
            Scope::Like { tags: words(tags), states: words(states) }.nothing()
        };
        assert_eq!(told(&["db", "eu"], &[]), "no monitor has the tag db or eu");
        assert_eq!(told(&["db"], &["down"]), "no monitor has the tag db and is down");
    }
}
