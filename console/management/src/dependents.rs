//! Which monitors depend on which, seen from above.

use std::collections::{BTreeSet, HashMap};

use model::ids::MonitorId;

/// The monitors that depend on each monitor. Those without a parent take no room.
#[derive(Debug, Default)]
pub(crate) struct Dependents {
    parents: HashMap<MonitorId, MonitorId>,
    children: HashMap<MonitorId, BTreeSet<MonitorId>>,
}

impl Dependents {
    /// Makes a monitor depend on this parent, and on no other.
    pub(crate) fn set(&mut self, child: MonitorId, parent: Option<MonitorId>) {
        let before = match parent {
            Some(parent) => self.parents.insert(child, parent),
            None => self.parents.remove(&child),
        };
        if let Some(before) = before
            && let Some(children) = self.children.get_mut(&before)
        {
            children.remove(&child);
            if children.is_empty() {
                self.children.remove(&before);
            }
        }
        if let Some(parent) = parent {
            self.children.entry(parent).or_default().insert(child);
        }
    }

    /// How many monitors in a row depend on this one, one through the other; counted up to `most`.
    pub(crate) fn levels_below(&self, monitor: MonitorId, most: usize) -> usize {
        let mut level = BTreeSet::from([monitor]);
        for levels in 0..most {
            level = level.iter().filter_map(|id| self.children.get(id)).flatten().copied().collect();
            if level.is_empty() {
                return levels;
            }
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> MonitorId {
        MonitorId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn the_longest_row_below_a_monitor_is_counted() {
        let mut dependents = Dependents::default();
        for (child, parent) in [(2, 1), (3, 2), (4, 3), (5, 1), (6, 9), (7, 1)] {
            dependents.set(id(child), Some(id(parent)));
        }
        let levels = |dependents: &Dependents| [1, 2, 4, 9, 8].map(|n| dependents.levels_below(id(n), 10));
        assert_eq!(levels(&dependents), [3, 2, 0, 1, 0]);
        assert_eq!(dependents.levels_below(id(1), 2), 2, "no further than asked");
        dependents.set(id(3), Some(id(9)));
        dependents.set(id(6), None);
        assert_eq!(levels(&dependents), [1, 0, 0, 2, 0]);
        for child in [2, 3, 4, 5, 7] {
            dependents.set(id(child), None);
        }
        assert!(dependents.children.is_empty() && dependents.parents.is_empty(), "nothing is left behind");
    }

    #[test]
    fn a_circle_has_an_end() {
        let mut dependents = Dependents::default();
        dependents.set(id(1), Some(id(2)));
        dependents.set(id(2), Some(id(1)));
        assert_eq!(dependents.levels_below(id(1), 10), 10);
    }
}
