//! The order in which people look for names: `web2` before `web10`, letters of any case together.

use std::cmp::Ordering;

/// Compares two names in natural order: numbers by their value, everything else character by character
/// without regard to case. Names that are equal in all that are in the order of their characters.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    loop {
        let (Some(a), Some(b)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| one.cmp(other));
        };
        let order = if a.is_ascii_digit() && b.is_ascii_digit() {
            let (number, after) = number(left);
            let (other_number, other_after) = self::number(right);
            (left, right) = (after, other_after);
            // The number with more digits is greater, once zeros in front are gone.
            number.len().cmp(&other_number.len()).then_with(|| number.cmp(other_number))
        } else {
            left = left.strip_prefix(a).unwrap_or_default();
            right = right.strip_prefix(b).unwrap_or_default();
            a.to_lowercase().cmp(b.to_lowercase())
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The digits that a text begins with, without zeros in front, and what follows them.
fn number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, after) = text.split_at(end);
    (digits.trim_start_matches('0'), after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_compared_by_their_value() {
        let sorted = [
            "",
            "1",
            "01",
            "2",
            "10",
            "Api",
            "api",
            "API 2",
            "db-1-a",
            "db-1-b",
            "db-02-a",
            "db-10-a",
            "web",
            "web2",
            "web10",
            "web10a",
            "web99999999999999999998",
            "web99999999999999999999",
            "Web 1",
            "ä",
        ];
        let mut names = sorted;
        names.reverse();
        names.sort_by(|one, other| compare(one, other));
        let mut by_hand = sorted.to_vec();
        by_hand.sort_by(|one, other| compare(one, other));
        assert_eq!(names.to_vec(), by_hand);
        let place = |name: &str| names.iter().position(|other| *other == name).expect("it is there");
        for (first, second) in [
            ("web2", "web10"),
            ("2", "10"),
            ("db-02-a", "db-10-a"),
            ("db-1-b", "db-02-a"),
            ("api", "API 2"),
            ("API 2", "db-1-a"),
            ("web", "web2"),
            ("web99999999999999999998", "web99999999999999999999"),
            ("1", "2"),
        ] {
            assert!(place(first) < place(second), "{first} before {second} in {names:?}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_total(one in "[aAb0-2 ä]{0,6}", two in "[aAb0-2 ä]{0,6}", three in "[aAb0-2 ä]{0,6}") {
            prop_assert_eq!(compare(&one, &two), compare(&two, &one).reverse());
            prop_assert_eq!(compare(&one, &two).is_eq(), one == two);
            if compare(&one, &two).is_le() && compare(&two, &three).is_le() {
                prop_assert!(compare(&one, &three).is_le());
            }
        }
    }
}
