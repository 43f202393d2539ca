//! Pure. Which monitor of the target stands for which one of the export.

use std::collections::HashMap;

use api::export::{Labels, MonitorLine};
use model::ids::MonitorId;
use serde::Deserialize;

/// A monitor of the target.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Known {
    pub(super) id: MonitorId,
    pub(super) name: String,
    #[serde(default)]
    pub(super) token: Option<String>,
    pub(super) state: String,
    #[serde(default)]
    pub(super) tags: Vec<String>,
}

/// The monitors of the target, by what they are found by.
#[derive(Debug, Default)]
pub(super) struct Index {
    known: HashMap<MonitorId, Known>,
    by_token: HashMap<String, MonitorId>,
    by_name: HashMap<String, Vec<MonitorId>>,
}

/// The match for a monitor of the export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Match {
    One(MonitorId),
    /// Several have its name.
    Several(Vec<MonitorId>),
    None,
}

impl Index {
    pub(super) fn add(&mut self, known: Known) {
        self.by_token.extend(known.token.clone().map(|token| (token, known.id)));
        self.by_name.entry(known.name.clone()).or_default().push(known.id);
        self.known.insert(known.id, known);
    }

    /// Every monitor.
    pub(super) fn ids(&self) -> impl Iterator<Item = MonitorId> {
        self.known.keys().copied()
    }

    /// The monitors with one of these tags.
    pub(super) fn with_tags(&self, tags: &[String]) -> impl Iterator<Item = MonitorId> {
        let tagged = |known: &&Known| known.tags.iter().any(|tag| tags.contains(tag));
        self.known.values().filter(tagged).map(|known| known.id)
    }

    /// Finds a monitor by id, then by token, then by name.
    pub(super) fn find(&self, id: MonitorId, labels: &Labels) -> Match {
        if self.known.contains_key(&id) {
            return Match::One(id);
        }
        if let Some(found) = labels.token.as_ref().and_then(|token| self.by_token.get(token)) {
            return Match::One(*found);
        }
        self.named(&labels.name)
    }

    pub(super) fn with_token(&self, token: &str) -> Option<MonitorId> {
        self.by_token.get(token).copied()
    }

    fn named(&self, name: &str) -> Match {
        match self.by_name.get(name).map(Vec::as_slice) {
            None | Some([]) => Match::None,
            Some([only]) => Match::One(*only),
            Some(several) => Match::Several(several.to_vec()),
        }
    }

    /// The monitor that a person named, by id or name.
    pub(super) fn named_by_person(&self, text: &str) -> Match {
        match text.parse() {
            Ok(id) if self.known.contains_key(&id) => Match::One(id),
            Ok(_) | Err(_) => self.named(text),
        }
    }

    pub(super) fn state(&self, id: MonitorId) -> Option<&str> {
        self.known.get(&id).map(|known| known.state.as_str())
    }

    pub(super) fn name(&self, id: MonitorId) -> Option<&str> {
        self.known.get(&id).map(|known| known.name.as_str())
    }
}

/// `OLD=NEW`: which monitor of the target a person wants for which one of the export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapped {
    pub(super) old: String,
    pub(super) new: String,
}

impl std::str::FromStr for Mapped {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((old, new)) if !old.is_empty() && !new.is_empty() => {
                Ok(Self { old: old.to_owned(), new: new.to_owned() })
            }
            Some(_) | None => Err("write it like OLD=NEW, each a name or an id"),
        }
    }
}

impl Mapped {
    fn is_of(&self, id: MonitorId, labels: &Labels) -> bool {
        self.old == labels.name || self.old == id.to_string()
    }
}

/// How the monitors of an export were matched.
#[derive(Debug, Default)]
pub(super) struct Matching {
    /// Target by source.
    pub(super) pairs: HashMap<MonitorId, MonitorId>,
    /// Monitors of the export without a match.
    pub(super) missing: Vec<MonitorLine>,
    /// Matches that cannot be decided.
    pub(super) troubles: Vec<String>,
    taken: HashMap<MonitorId, String>,
}

impl Matching {
    /// Refuses what a person mapped and is not in the export, and what is mapped twice.
    pub(super) fn check(&mut self, mapped: &[Mapped], lines: &[MonitorLine]) {
        for (index, one) in mapped.iter().enumerate() {
            let Mapped { old, new } = one;
            let is_meant = |line: &MonitorLine| {
                line.id.zip(line.labels.as_ref()).is_some_and(|(id, labels)| one.is_of(id, labels))
            };
            if !lines.iter().any(is_meant) {
                self.troubles.push(format!("--map {old}={new}: the export has no monitor {old}"));
            } else if mapped.iter().take(index).any(|before| before.old == *old) {
                self.troubles.push(format!("--map {old}={new}: {old} is mapped twice"));
            }
        }
    }

    /// Finds what stands for a monitor.
    pub(super) fn add(&mut self, index: &Index, mapped: &[Mapped], line: MonitorLine) {
        let (Some(id), Some(labels)) = (line.id, &line.labels) else { return };
        let wanted = mapped.iter().find(|mapped| mapped.is_of(id, labels));
        let found = match wanted {
            Some(mapped) => match index.named_by_person(&mapped.new) {
                Match::None => {
                    self.troubles
                        .push(format!("--map {}={}: there is no such monitor", mapped.old, mapped.new));
                    return;
                }
                found @ (Match::One(_) | Match::Several(_)) => found,
            },
            None => index.find(id, labels),
        };
        match found {
            Match::One(target) => {
                let name = labels.name.clone();
                if let Some(other) = self.taken.insert(target, name.clone()) {
                    self.troubles.push(format!(
                        "{other:?} and {name:?} would both go to {target}: say which with --map OLD-ID=NEW-ID"
                    ));
                }
                self.pairs.insert(id, target);
            }
            Match::Several(targets) => {
                let ids: Vec<String> = targets.iter().take(5).map(ToString::to_string).collect();
                self.troubles.push(format!(
                    "{} monitors are named {:?}: say which with --map {id}=NEW-ID\n    {}",
                    targets.len(),
                    labels.name,
                    ids.join("\n    ")
                ));
            }
            Match::None => self.missing.push(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> MonitorId {
        MonitorId::from_uuid(Uuid::from_u128(number))
    }

    fn known(number: u128, name: &str, token: &str) -> Known {
        Known {
            id: id(number),
            name: name.to_owned(),
            token: Some(token.to_owned()),
            state: "up".to_owned(),
            tags: Vec::new(),
        }
    }

    fn line(number: u128, name: &str, token: Option<&str>) -> MonitorLine {
        let labels = Labels { name: name.to_owned(), token: token.map(str::to_owned), ..Labels::default() };
        MonitorLine { id: Some(id(number)), labels: Some(labels), ..MonitorLine::default() }
    }

    #[test]
    fn by_id_then_token_then_name() {
        let mut index = Index::default();
        for known in [known(1, "a", "t1"), known(2, "b", "t2"), known(3, "c", "t3"), known(4, "c", "t4")] {
            index.add(known);
        }
        let mut matching = Matching::default();
        let mapped =
            ["d=c".parse().expect("good"), "e=b".parse().expect("good"), "f=x".parse().expect("good")];
        matching.add(&index, &mapped, line(1, "b", Some("t2")));
        matching.add(&index, &mapped, line(11, "x", Some("t3")));
        matching.add(&index, &mapped, line(12, "b", None));
        matching.add(&index, &mapped, line(13, "c", None));
        matching.add(&index, &mapped, line(14, "nobody", Some("t9")));
        for (number, name) in [(15, "d"), (16, "e"), (17, "f")] {
            matching.add(&index, &mapped, line(number, name, None));
        }
        let pairs = [(id(1), id(1)), (id(11), id(3)), (id(12), id(2)), (id(16), id(2))];
        assert_eq!(matching.pairs, pairs.into());
        assert_eq!(matching.missing.len(), 1);
        let troubles = matching.troubles.join("\n");
        assert_eq!(matching.troubles.len(), 4, "{troubles}");
        for said in ["2 monitors are named \"c\"", "--map f=x", "\"b\" and \"e\" would both go to"] {
            assert!(troubles.contains(said), "{said}: {troubles}");
        }
        assert!("=a".parse::<Mapped>().is_err());
    }

    #[test]
    fn what_is_mapped_must_be_in_the_export_and_be_mapped_once() {
        let mapped = ["nope=x", "a=x", "a=y"].map(|text| text.parse::<Mapped>().expect("good"));
        let mut matching = Matching::default();
        matching.check(&mapped, &[line(1, "a", None)]);
        let said = ["--map nope=x: the export has no monitor nope", "--map a=y: a is mapped twice"];
        assert_eq!(matching.troubles, said);
    }
}
