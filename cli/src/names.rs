//! Names that a person gives.

use crate::harmless::harmless;
use crate::shell::quoted;

/// As the server keeps it: without blanks around it, and with one blank where there are several.
pub(super) fn kept(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The warning if a name can be taken for another one: a word of it mixes letters of two alphabets that look
/// alike, or it holds characters that cannot be seen.
pub(super) fn warning(noun: &str, name: &str) -> Option<String> {
    let why = if name.chars().any(is_invisible) {
        "holds characters that cannot be seen"
    } else if name.split(|c: char| !c.is_alphabetic()).any(is_mixed) {
        "has a word of letters of several alphabets, which look alike"
    } else {
        return None;
    };
    Some(format!(
        "the name {} {why}: this {} is not found by what it looks like",
        quoted(&harmless(name)),
        noun
    ))
}

/// Joiners and marks of width zero. What changes the direction of text is shown as a blank.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{200c}' | '\u{2060}' | '\u{feff}')
}

/// Whether a word has Latin letters, and Greek or Cyrillic ones.
fn is_mixed(word: &str) -> bool {
    let is_latin = |c: char| matches!(c, 'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}');
    let is_like_latin = |c: char| matches!(c, '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{52f}');
    word.contains(is_latin) && word.contains(is_like_latin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_another_one_is_warned_of() {
        for name in ["b\u{430}ckup", "nightly b\u{430}ckup", "web\u{200b}1", "\u{39f}ps"] {
            assert!(warning("monitor", name).is_some(), "{name}");
        }
        for name in ["backup", "Сервер web1", "Zürich", "数据库 db", "Ωμέγα", "web-сервер"]
        {
            assert_eq!(warning("monitor", name), None, "{name}");
        }
    }

    #[test]
    fn blanks_make_no_other_name() {
        for name in ["on call", " on call ", "on  call", "on\u{a0}call"] {
            assert_eq!(kept(name), "on call");
        }
    }
}
