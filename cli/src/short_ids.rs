//! The beginnings of ids, as long as it takes to tell them apart.

/// The shortest beginning that is shown.
const SHORTEST: usize = 8;

/// How much of each id is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShortIds {
    length: usize,
}

impl ShortIds {
    /// For ids that are shown together.
    pub(super) fn of<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let mut ids: Vec<&str> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let common = |pair: &[&str]| match pair {
            [one, other] => one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count(),
            _ => 0,
        };
        let longest = ids.windows(2).map(common).max().unwrap_or(0);
        Self { length: SHORTEST.max(longest + 1) }
    }

    /// The beginning of one of them. It does not end in a hyphen.
    pub(super) fn shown<'a>(&self, id: &'a str) -> &'a str {
        let end = id.char_indices().nth(self.length).map_or(id.len(), |(end, _)| end);
        id.get(..end).unwrap_or(id).trim_end_matches('-')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_as_far_as_they_differ() {
        let ids = ["5c1f09ab-7d2e-5000-8000-000000000001", "a7000000-7d2e-5000-8000-000000000001"];
        let short = ShortIds::of(ids);
        assert_eq!(ids.map(|id| short.shown(id)), ["5c1f09ab", "a7000000"]);
        let alike = ["0199a3c4-7d2e-7000-8000-000000000001", "0199a3c4-7d3e-7000-8000-000000000001"];
        let short = ShortIds::of(alike.into_iter().chain(alike));
        assert_eq!(alike.map(|id| short.shown(id)), ["0199a3c4-7d2", "0199a3c4-7d3"]);
        assert_eq!(short.shown("ä"), "ä");
        assert_eq!(ShortIds::of([]).shown("12345678-9"), "12345678");
    }
}
