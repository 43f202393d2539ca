//! The tags that an edit leads to.

use super::super::scope::trimmed;
use super::super::view::Monitor;

/// The flags that set tags.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct TagChanges {
    /// Replace its tags by these; comma separated, may be repeated
    #[arg(long, value_name = "TAGS", value_delimiter = ',', conflicts_with_all = ["add_tag", "remove_tag", "no_tags"])]
    set_tags: Vec<String>,
    /// Add these tags; comma separated, may be repeated
    #[arg(long, value_name = "TAGS", value_delimiter = ',', conflicts_with = "no_tags")]
    add_tag: Vec<String>,
    /// Remove these tags; comma separated, may be repeated
    #[arg(long, value_name = "TAGS", value_delimiter = ',', conflicts_with = "no_tags")]
    remove_tag: Vec<String>,
    /// Remove all its tags
    #[arg(long)]
    no_tags: bool,
}

impl TagChanges {
    /// Whether nothing was given.
    pub(super) const fn is_empty(&self) -> bool {
        self.set_tags.is_empty() && self.add_tag.is_empty() && self.remove_tag.is_empty() && !self.no_tags
    }

    /// The tags after the change; `None` if the change is not about tags.
    pub(super) fn onto(&self, monitor: &Monitor) -> Option<Vec<String>> {
        if self.is_empty() {
            return None;
        }
        if !self.set_tags.is_empty() || self.no_tags {
            return Some(trimmed(&self.set_tags));
        }
        let (added, removed) = (trimmed(&self.add_tag), trimmed(&self.remove_tag));
        let mut tags: Vec<String> =
            monitor.tags.iter().filter(|tag| !removed.contains(tag)).cloned().collect();
        for tag in added {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Some(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_replaced_added_and_removed() {
        let words = |given: &[&str]| -> Vec<String> { given.iter().map(|word| (*word).to_owned()).collect() };
        let monitor = Monitor { tags: words(&["prod", "eu"]), ..Monitor::default() };
        let none = TagChanges::default;
        for (changes, expected) in [
            (none(), None),
            (TagChanges { set_tags: words(&["a", " b"]), ..none() }, Some(&["a", "b"][..])),
            (TagChanges { add_tag: words(&["eu", "db", ""]), ..none() }, Some(&["prod", "eu", "db"])),
            (TagChanges { remove_tag: words(&["prod", "x"]), ..none() }, Some(&["eu"])),
            (
                TagChanges { add_tag: words(&["db"]), remove_tag: words(&["eu"]), ..none() },
                Some(&["prod", "db"]),
            ),
            (TagChanges { no_tags: true, ..none() }, Some(&[])),
        ] {
            assert_eq!(changes.onto(&monitor), expected.map(words), "{changes:?}");
        }
    }
}
