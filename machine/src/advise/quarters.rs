//! In which quarters of an hour a monitor was heard, in bounded memory: a bit for each.

use std::collections::VecDeque;

use model::time::EventTime;

const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;

/// The most words of 64 bits: 92 days.
const MOST_WORDS: usize = 138;

/// The quarters of an hour in which a monitor was heard, of the newest three months.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Quarters {
    /// The number of the first word, counted since the epoch.
    first: i64,
    words: VecDeque<u64>,
}

impl Quarters {
    pub(super) fn add(&mut self, at: EventTime) {
        let quarter = at.as_micros().div_euclid(QUARTER_MICROS);
        let word = quarter.div_euclid(64);
        if self.words.is_empty() {
            self.first = word;
        }
        let Ok(mut place) = usize::try_from(word - self.first) else { return };
        if place >= MOST_WORDS {
            let gone = place - MOST_WORDS + 1;
            self.words.drain(..gone.min(self.words.len()));
            self.first = word - (MOST_WORDS as i64 - 1);
            place = MOST_WORDS - 1;
        }
        if place >= self.words.len() {
            self.words.resize(place + 1, 0);
        }
        if let Some(bits) = self.words.get_mut(place) {
            *bits |= 1 << quarter.rem_euclid(64);
        }
    }

    /// The beginnings of the quarters, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = EventTime> {
        let of_word = |(place, bits): (usize, u64)| {
            let first = (self.first + place as i64) * 64;
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| first + bit)
        };
        let quarters = self.words.iter().copied().enumerate().flat_map(of_word);
        quarters.map(|quarter| EventTime::from_micros(quarter * QUARTER_MICROS))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_quarters_are_those_of_the_times_of_the_newest_months(
            steps in prop::collection::vec(0_i64..200_000, 1..200), far in 0_i64..40_000_000,
        ) {
            let mut at = 1_795_000_000;
            let (mut quarters, mut expected) = (Quarters::default(), BTreeSet::new());
            for (index, step) in steps.iter().enumerate() {
                at += step + if index == steps.len() / 2 { far } else { 0 };
                quarters.add(EventTime::from_secs(at));
                expected.insert(at - at % 900);
            }
            let words = |secs: i64| secs / 900 / 64;
            expected.retain(|secs| words(at) - words(*secs) < MOST_WORDS as i64);
            let found: Vec<i64> = quarters.iter().map(|at| at.as_micros() / 1_000_000).collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
