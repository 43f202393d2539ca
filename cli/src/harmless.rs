//! Text from elsewhere that a terminal can show: without the characters that could fool or steer it.

use std::fmt::Write;

/// Text that came from elsewhere, on one line.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { ' ' } else { c }).collect()
}

/// Text of several lines, which may hold text from elsewhere. `styled` leaves the colours in that this
/// program sets itself.
pub(crate) fn harmless_lines(text: &str, styled: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(style) = own_style(rest).filter(|_| styled) {
            shown.push_str(style);
            rest = rest.strip_prefix(style).unwrap_or_default();
            continue;
        }
        let kept = matches!(c, '\n' | '\t') || !is_harmful(c);
        shown.push(if kept { c } else { ' ' });
        rest = rest.strip_prefix(c).unwrap_or_default();
    }
    shown
}

/// JSON with such characters as escapes: the same values. Line ends between values stay.
pub(crate) fn harmless_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) && c != '\n' {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A value of a CSV file, in quotes where it needs them (RFC 4180). A spreadsheet would compute what begins
/// like a formula, so that gets an apostrophe, unless it is a number.
pub(crate) fn harmless_csv(text: &str) -> String {
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@']) || text.starts_with(['\t', '\r']);
    let is_number = text.trim().parse::<f64>().is_ok();
    let mark = if is_formula && !is_number { "'" } else { "" };
    let text = format!("{mark}{}", harmless(text));
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// C0, DEL and C1, and characters that reorder the text around them.
fn is_harmful(c: char) -> bool {
    let is_bidi_control =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_bidi_control
}

/// The style that the text begins with, if it is one of those that this program sets: bold and colours.
fn own_style(text: &str) -> Option<&str> {
    let code = text.strip_prefix("\u{1b}[")?;
    let (code, _) = code.split_once('m').filter(|(code, _)| code.len() <= "38;5;255".len())?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_own = match code {
        "" | "0" | "1" | "22" | "39" => true,
        _ => match code.strip_prefix("38;5;") {
            Some(colour) => is_number(colour),
            None => code.len() == 2 && code.starts_with(['3', '9']) && is_number(code),
        },
    };
    is_own.then(|| text.get(..code.len() + "\u{1b}[m".len())).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clears the screen, sets the title by C1, deletes, reorders.
    const HOSTILE: &str = "a\u{1b}[2J\u{9d}0;x\u{7}\u{7f}\u{202e}\u{61c}\r\u{8}b";

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(harmless("disk \u{1b}[31mfull\r\nnow\u{202e}"), "disk  [31mfull  now ");
        assert_eq!(harmless_lines(HOSTILE, true), "a [2J 0;x      b");
        assert_eq!(harmless_lines(HOSTILE, false), harmless(HOSTILE));
        assert_eq!(harmless_lines("a\tb\nc", false), "a\tb\nc");
    }

    #[test]
    fn only_own_styles_reach_the_terminal_and_only_where_there_are_any() {
        let own = "\u{1b}[1mNAME\u{1b}[0m \u{1b}[32mup\u{1b}[39m \u{1b}[38;5;10mok\u{1b}[0m";
        assert_eq!(harmless_lines(own, true), own);
        assert_eq!(harmless_lines("\u{1b}[1mNAME", false), " [1mNAME");
        for other in ["\u{1b}[8mhidden", "\u{1b}[2J", "\u{1b}[38;2;1;2;3m", "\u{1b}[?25lm", "\u{1b}]0;m"] {
            assert!(!harmless_lines(other, true).contains('\u{1b}'), "{other:?}");
        }
    }

    #[test]
    fn json_keeps_its_values_and_shows_no_such_character() {
        let value = serde_json::json!({ HOSTILE: [HOSTILE, "ü\n"] });
        for text in [format!("{value:#}"), value.to_string()] {
            let shown = harmless_json(&text);
            assert!(shown.chars().all(|c| c == '\n' || !is_harmful(c)), "{shown:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
        }
    }

    #[test]
    fn a_spreadsheet_computes_no_value_but_numbers() {
        for (text, expected) in [
            ("backup", "backup"),
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("-backup", "'-backup"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("\t=1", "' =1"),
            ("\rx", "' x"),
            ("-12.5", "-12.5"),
            ("+3", "+3"),
            ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""),
            ("a,b", "\"a,b\""),
        ] {
            assert_eq!(harmless_csv(text), expected, "{text:?}");
        }
    }
}
