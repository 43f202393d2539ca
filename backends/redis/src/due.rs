//! Due monitors: the fronts of a partition's sorted sets, merged.

use uuid::Uuid;

use super::keys::DUE_SETS;
use model::ids::MonitorId;

/// A set's earliest entries, at most as many as were asked for.
pub(super) type Front = Vec<(Uuid, f64)>;

/// How many entries each set is asked for at first: slightly more than its share.
pub(super) fn first_share(limit: usize) -> usize {
    (limit / DUE_SETS as usize).saturating_mul(2).saturating_add(16).min(limit)
}

/// The earliest `limit` of all sets, if the fronts, of at most `share` each, are enough to tell.
pub(super) fn merge(fronts: &[Front], share: usize, limit: usize) -> Option<Vec<MonitorId>> {
    // Behind the last entry of a full front there may be more.
    let known_until =
        fronts.iter().filter(|front| front.len() >= share && share < limit).filter_map(|front| front.last());
    let known_until = known_until.min_by(|a, b| by_time(a, b));
    let mut entries: Vec<&(Uuid, f64)> = fronts.iter().flatten().collect();
    entries.sort_unstable_by(|a, b| by_time(a, b));
    if let Some(until) = known_until {
        let known = entries.partition_point(|entry| by_time(entry, until).is_le());
        if known < limit {
            return None;
        }
    }
    Some(entries.into_iter().take(limit).map(|(id, _)| MonitorId::from_uuid(*id)).collect())
}

fn by_time(a: &(Uuid, f64), b: &(Uuid, f64)) -> std::cmp::Ordering {
    a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gives_exactly_the_earliest_or_asks_for_more(
            sets in proptest::collection::vec(proptest::collection::vec((0_u8..20, any::<u128>()), 0..30), 4),
            (share, limit) in (1_usize..20, 1_usize..60),
        ) {
            let share = share.min(limit);
            let sorted = |set: &[(u8, u128)]| {
                let mut set: Front = set.iter().map(|(at, id)| (Uuid::from_u128(*id), f64::from(*at))).collect();
                set.sort_by(by_time);
                set
            };
            let sets: Vec<Front> = sets.iter().map(|set| sorted(set)).collect();
            let mut all: Front = sets.concat();
            all.sort_by(by_time);
            let expected: Vec<_> = all.iter().take(limit).map(|(id, _)| MonitorId::from_uuid(*id)).collect();
            let front = |share: usize| -> Vec<Front> { sets.iter().map(|set| set[..share.min(set.len())].to_vec()).collect() };
            if let Some(merged) = merge(&front(share), share, limit) {
                prop_assert_eq!(&merged, &expected);
            }
            prop_assert_eq!(merge(&front(limit), limit, limit), Some(expected));
        }
    }
}
