//! Pure. Filters of our own: escaping by service, cutting on character boundaries, and times.
//!
//! A filter that escapes takes the longest result as its argument, since services count what they are sent:
//! `{{ text|html(3000) }}`.

use std::time::Duration;

use minijinja::{Error, ErrorKind, Value};

use model::time::EventTime;

const ELLIPSIS: &str = "…";

/// Keeps a name apart from the sign that would make a mention of it, and is not seen.
const WORD_JOINER: char = '\u{2060}';

pub(super) fn all() -> [(&'static str, Value); 7] {
    [
        ("cut", Value::from_function(|text: &str, most: usize| cut(text, most, utf16, plain))),
        ("cut_bytes", Value::from_function(|text: &str, most: usize| cut(text, most, str::len, plain))),
        (
            "html",
            Value::from_function(|text: &str, most: Option<usize>| cut(text, or_all(most), utf16, html)),
        ),
        (
            "markdown",
            Value::from_function(|text: &str, most: Option<usize>| cut(text, or_all(most), utf16, markdown)),
        ),
        ("unmention", Value::from_function(unmention)),
        ("plus", Value::from_function(plus)),
        ("unix", Value::from_function(unix)),
    ]
}

fn or_all(most: Option<usize>) -> usize {
    most.unwrap_or(usize::MAX)
}

/// The length as most services count it, an emoji as two. Services that count otherwise count less.
fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Escapes character by character for as long as it fits, so that no escaped character is cut in two.
fn cut(text: &str, most: usize, size: fn(&str) -> usize, escape: fn(char, &mut String)) -> String {
    let mut result = String::with_capacity(text.len());
    // The length at which there is still room for the ellipsis.
    let mut fits = 0;
    let mut used = 0;
    let mut one = String::new();
    for letter in text.chars() {
        one.clear();
        escape(letter, &mut one);
        used += size(&one);
        if used > most {
            result.truncate(fits);
            if size(ELLIPSIS) <= most {
                result.push_str(ELLIPSIS);
            }
            return result;
        }
        result.push_str(&one);
        if used + size(ELLIPSIS) <= most {
            fits = result.len();
        }
    }
    result
}

fn plain(letter: char, result: &mut String) {
    result.push(letter);
}

/// Slack, Telegram and Google Chat require this form, too.
fn html(letter: char, result: &mut String) {
    match letter {
        '&' => result.push_str("&amp;"),
        '<' => result.push_str("&lt;"),
        '>' => result.push_str("&gt;"),
        other => result.push(other),
    }
}

fn markdown(letter: char, result: &mut String) {
    let means_something =
        matches!(letter, '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '~' | '|' | '<' | '>' | '!');
    if means_something {
        result.push('\\');
    }
    result.push(letter);
}

/// Makes `@all` and `@name` mention no user.
fn unmention(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for letter in text.chars() {
        result.push(letter);
        if letter == '@' {
            result.push(WORD_JOINER);
        }
    }
    result
}

/// A time, moved later by `seconds`.
fn plus(time: &str, seconds: u32) -> Result<String, Error> {
    Ok((parsed(time)? + Duration::from_secs(seconds.into())).to_rfc3339())
}

fn unix(time: &str) -> Result<i64, Error> {
    Ok(parsed(time)?.as_millis().div_euclid(1_000))
}

fn parsed(time: &str) -> Result<EventTime, Error> {
    EventTime::parse_rfc3339(time)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "it is not a time of the form RFC 3339"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_on_character_boundaries_after_escaping() {
        for (text, most, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("", 0, ""),
            ("a", 0, ""),
            ("ab", 1, "…"),
            ("a&b", 7, "a&amp;b"),
            ("a&bc", 7, "a&amp;…"),
            ("a&b", 6, "a…"),
            ("äöü€", 3, "äö…"),
            // Two units each.
            ("🚨🚨", 4, "🚨🚨"),
            ("🚨🚨", 3, "🚨…"),
        ] {
            assert_eq!(cut(text, most, utf16, html), expected, "{text} in {most}");
        }
        assert_eq!(cut("äöü", 6, str::len, plain), "äöü");
        assert_eq!(cut("äöüx", 6, str::len, plain), "ä…");
    }

    #[test]
    fn no_cut_is_longer_than_allowed() {
        let text = "a&<>b*_[x](y)\\`é€🚨".repeat(3);
        for most in 0..200 {
            for escape in [plain, html, markdown] {
                assert!(utf16(&cut(&text, most, utf16, escape)) <= most);
                assert!(cut(&text, most, str::len, escape).len() <= most);
            }
        }
    }

    #[test]
    fn markup_and_mentions_lose_their_meaning() {
        assert_eq!(cut("*a* [b](c) @x <t:1>", 99, utf16, markdown), "\\*a\\* \\[b\\](c) @x \\<t:1\\>");
        assert_eq!(unmention("@all a@b"), "@\u{2060}all a@\u{2060}b");
    }

    #[test]
    fn times_are_moved_and_counted() {
        assert_eq!(plus("2026-11-22T10:00:00.000Z", 90).expect("a time"), "2026-11-22T10:01:30.000Z");
        assert!(plus("soon", 1).is_err());
    }
}
