//! Pure. A small part of regular expressions: rows of characters, and several of them with `|` between.
//!
//! It has literals, `\` before a sign that means something else otherwise, sets such as `[A-Za-z0-9_]` and
//! `[^/]`, and behind each of these `?`, `*`, `+`, `{3}` or `{1,32}`. A pattern describes the whole text.

use std::ops::RangeInclusive;

use serde::Deserialize;

/// A pattern of a text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pattern {
    alternatives: Vec<Vec<Item>>,
}

/// Characters of one kind, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    among: Vec<RangeInclusive<char>>,
    /// Every character but those.
    negated: bool,
    least: usize,
    most: Option<usize>,
}

impl Item {
    fn takes(&self, letter: char) -> bool {
        self.among.iter().any(|range| range.contains(&letter)) != self.negated
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut reader = Reader { left: text.chars().collect(), text: &text };
        reader.left.reverse();
        let mut alternatives = vec![Vec::new()];
        while let Some(letter) = reader.left.pop() {
            if letter == '|' {
                alternatives.push(Vec::new());
                continue;
            }
            let (negated, among) = reader.characters(letter)?;
            let (least, most) = reader.repeats()?;
            if let Some(row) = alternatives.last_mut() {
                row.push(Item { among, negated, least, most });
            }
        }
        Ok(Self { alternatives })
    }
}

impl Pattern {
    /// Whether it describes the text.
    pub(super) fn describes(&self, text: &str) -> bool {
        let letters: Vec<char> = text.chars().collect();
        self.alternatives.iter().any(|row| describes(row, &letters))
    }
}

/// Goes from item to item with every place at which the items before may have ended.
fn describes(row: &[Item], letters: &[char]) -> bool {
    let mut places: Vec<bool> = (0..=letters.len()).map(|place| place == 0).collect();
    for item in row {
        let mut next = vec![false; places.len()];
        for (start, _) in places.iter().enumerate().filter(|(_, reached)| **reached) {
            let run = letters.iter().skip(start).take_while(|letter| item.takes(**letter)).count();
            let longest = item.most.map_or(run, |most| most.min(run));
            for place in next.iter_mut().take(start + longest + 1).skip(start + item.least) {
                *place = true;
            }
        }
        places = next;
    }
    places.last().is_some_and(|reached| *reached)
}

struct Reader<'a> {
    /// The letters that are not read yet, the next one last.
    left: Vec<char>,
    text: &'a str,
}

impl Reader<'_> {
    fn error(&self, what: &str) -> String {
        format!("the pattern `{}` {what}", self.text)
    }

    fn next(&mut self) -> Result<char, String> {
        self.left.pop().ok_or_else(|| self.error("ends too early"))
    }

    /// The characters that begin with `letter`, and whether all others are meant.
    fn characters(&mut self, letter: char) -> Result<(bool, Vec<RangeInclusive<char>>), String> {
        match letter {
            '[' => {
                let negated = self.left.last() == Some(&'^');
                if negated {
                    self.left.pop();
                }
                Ok((negated, self.set()?))
            }
            '\\' => {
                let letter = self.next()?;
                if letter.is_ascii_punctuation() {
                    Ok((false, vec![letter..=letter]))
                } else {
                    Err(self.error("has a `\\` before a letter, which no pattern here knows"))
                }
            }
            '(' | ')' | ']' | '{' | '}' | '?' | '*' | '+' | '.' | '^' | '$' => {
                Err(self.error(&format!("has a `{letter}` that needs a `\\` before it")))
            }
            plain => Ok((false, vec![plain..=plain])),
        }
    }

    /// A set behind its `[`.
    fn set(&mut self) -> Result<Vec<RangeInclusive<char>>, String> {
        let mut among = Vec::new();
        loop {
            let first = match self.next()? {
                ']' if among.is_empty() => return Err(self.error("has an empty set")),
                ']' => return Ok(among),
                '\\' => self.next()?,
                letter => letter,
            };
            // A hyphen at the end is itself.
            let is_range = self.left.last() == Some(&'-') && self.left.iter().nth_back(1) != Some(&']');
            let last = if is_range {
                self.left.pop();
                self.next()?
            } else {
                first
            };
            if last < first {
                return Err(self.error("has a range that ends before it begins"));
            }
            among.push(first..=last);
        }
    }

    /// How often, at least and at most; `None` = as often as it likes.
    fn repeats(&mut self) -> Result<(usize, Option<usize>), String> {
        let repeats = match self.left.last() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('{') => {
                let mut inside = String::new();
                self.left.pop();
                while self.left.last().is_some_and(|letter| *letter != '}') {
                    inside.push(self.next()?);
                }
                let (least, most) = inside.split_once(',').unwrap_or((&inside, &inside));
                match (least.parse(), most.parse()) {
                    (Ok(least), Ok(most)) if least <= most => (least, Some(most)),
                    (Ok(_), Ok(_)) | (Err(_), _) | (_, Err(_)) => {
                        return Err(self.error("has braces that are no number and no range of them"));
                    }
                }
            }
            Some(_) | None => return Ok((1, Some(1))),
        };
        self.next()?;
        Ok(repeats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_describes_the_whole_text() {
        for (pattern, good, bad) in [
            ("abc", &["abc"][..], &["", "ab", "abcd", "xabc", "ABC"][..]),
            ("[0-9a-f]{4}", &["0af9"], &["0af", "0af9a", "0ag9", "0AF9"]),
            (
                "-?[1-9][0-9]{0,3}|@[a-z_]{2,4}",
                &["-1", "1234", "@a_", "@abcd"],
                &["0", "--1", "12345", "@a", "@abcde", "-"],
            ),
            ("a*b+", &["b", "ab", "aaabbb"], &["", "a", "aba"]),
            ("a*a", &["a", "aaaa"], &["", "ab"]),
            ("[^/]+/x", &["ä/x", "-/x"], &["/x", "a/b/x"]),
            (r"a\.b\?", &["a.b?"], &["axb?", "a.b"]),
            ("[a-]{2}", &["a-", "--"], &["b-"]),
            (r"[\]^]", &["]", "^"], &["\\", "[]"]),
            ("", &[""], &["a"]),
        ] {
            let read = Pattern::try_from(pattern.to_owned()).expect(pattern);
            for text in good {
                assert!(read.describes(text), "{pattern} describes {text}");
            }
            for text in bad {
                assert!(!read.describes(text), "{pattern} does not describe {text}");
            }
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_refused() {
        for pattern in [
            "(a)", "a.b", "^a$", "[]", "[a", "[z-a]", "a{", "a{x}", "a{2,1}", "a{1,}", "a{", "a{2", "\\",
            "\\d", "?", "a**",
        ] {
            assert!(Pattern::try_from(pattern.to_owned()).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_long_text_takes_no_long_time() {
        let pattern = Pattern::try_from("[a-z]*[a-y]*[a-z]*[a-y]*x".to_owned()).expect("a pattern");
        assert!(!pattern.describes(&"a".repeat(2_000)));
    }
}
