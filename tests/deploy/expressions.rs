//! The metrics and labels that an expression of PromQL names.

use std::collections::{BTreeMap, BTreeSet};

/// Words of the language that stand where a metric could.
const KEYWORDS: [&str; 12] = [
    "and",
    "or",
    "unless",
    "offset",
    "bool",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "inf",
];

/// The words after which labels stand in parentheses.
const TAKE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// A metric of an expression, and what it asks of its labels: pairs of a name and a pattern.
pub(crate) type Selectors = BTreeMap<String, BTreeSet<(String, String)>>;

/// The metrics of an expression that is valid.
pub(crate) fn selectors(expression: &str) -> Selectors {
    let mut found = Selectors::new();
    let mut rest = expression;
    let mut last_word = "";
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_alphabetic() || first == '_' || first == ':' {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after.trim_start();
            last_word = word;
            // An aggregation may be followed by its labels instead of its argument.
            let groups = rest.starts_with("by ") || rest.starts_with("without ");
            if !KEYWORDS.contains(&word) && !rest.starts_with('(') && !groups {
                let (asked, after) = matchers(rest);
                found.entry(word.to_owned()).or_default().extend(asked);
                rest = after;
            }
        } else if first == '(' && TAKE_LABELS.contains(&last_word) {
            rest = after(rest, ')');
            last_word = "";
        } else if first == '[' {
            rest = after(rest, ']');
        } else if first.is_ascii_digit() {
            // A number or a duration.
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else {
            if !first.is_whitespace() {
                last_word = "";
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    found
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).expect("what is opened is closed").1
}

/// The matchers in braces, if there are any, and what comes after them.
fn matchers(text: &str) -> (Vec<(String, String)>, &str) {
    let Some(mut rest) = text.strip_prefix('{') else { return (Vec::new(), text) };
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return (found, after);
        }
        let (name, after) = rest.split_once(['=', '!']).expect("a matcher");
        let (_, after) = after.split_once('"').expect("a pattern");
        let (pattern, after) = after.split_once('"').expect("its end");
        found.push((name.trim().to_owned(), pattern.to_owned()));
        rest = after;
    }
}

/// The labels by which an expression groups and matches.
pub(crate) fn grouping_labels(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let words = expression.match_indices('(');
    for (at, _) in words {
        let before = expression[..at].trim_end();
        let word = before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next();
        if word.is_some_and(|word| TAKE_LABELS.contains(&word)) {
            let (labels, _) = expression[at + 1..].split_once(')').expect("what is opened is closed");
            found.extend(labels.split(',').map(|label| label.trim().to_owned()));
        }
    }
    found.remove("");
    found
}

#[test]
fn metrics_are_told_from_the_rest() {
    let expression = r#"sum by (le, job) (rate(a_total{x="1", y=~"b|c"}[2m])) > 0.05 * max(d:e offset 10m) unless on () absent(f{x!="g"} == 1)"#;
    let asked = |pairs: &[(&str, &str)]| -> BTreeSet<(String, String)> {
        pairs.iter().map(|(name, pattern)| ((*name).to_owned(), (*pattern).to_owned())).collect()
    };
    let expected = [
        ("a_total".to_owned(), asked(&[("x", "1"), ("y", "b|c")])),
        ("d:e".to_owned(), asked(&[])),
        ("f".to_owned(), asked(&[("x", "g")])),
    ];
    assert_eq!(selectors(expression), expected.into());
    assert_eq!(grouping_labels(expression), ["le", "job"].map(str::to_owned).into());
}
