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

/// The output of a job, as text of several lines: without escape sequences, so without its colours. A line
/// that was written over stands below the one that replaced it.
pub(crate) fn harmless_output(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\u{1b}' => rest = behind_sequence(rest),
            '\r' if rest.starts_with('\n') => {}
            '\r' => shown.push('\n'),
            '\n' | '\t' => shown.push(c),
            _ => shown.push(if is_harmful(c) { ' ' } else { c }),
        }
    }
    shown
}

/// The text behind the escape sequence (ECMA-48) whose ESC was just read: a control sequence, a string up to
/// its end, or one character.
fn behind_sequence(text: &str) -> &str {
    let is_end_of_string = |c: char| matches!(c, '\u{7}' | '\u{1b}' | '\n');
    if let Some(sequence) = text.strip_prefix('[') {
        let inner = |c: char| matches!(c, '\u{20}'..='\u{3f}');
        let end = sequence.trim_start_matches(inner);
        let last = end.chars().next().filter(|c| matches!(c, '\u{40}'..='\u{7e}'));
        return last.map_or(end, |last| end.get(last.len_utf8()..).unwrap_or_default());
    }
    if text.starts_with([']', 'P', 'X', '^', '_']) {
        let end = text.find(is_end_of_string).unwrap_or(text.len());
        let rest = text.get(end..).unwrap_or_default();
        return rest.strip_prefix("\u{1b}\\").or_else(|| rest.strip_prefix('\u{7}')).unwrap_or(rest);
    }
    let is_short = |c: &char| matches!(c, '\u{30}'..='\u{7e}');
    let one = text.chars().next().filter(is_short).map_or(0, char::len_utf8);
    text.get(one..).unwrap_or_default()
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
    fn an_output_is_text_without_its_escape_sequences() {
        for (output, expected) in [
            (&b"plain\ttext\nand more\n"[..], "plain\ttext\nand more\n"),
            (b"\x1b[1;31merror\x1b[0m: disk full\r\n", "error: disk full\n"),
            (b"10 %\r50 %\r100 %\n", "10 %\n50 %\n100 %\n"),
            (b"a\x1b]0;title\x07b\x1b]8;;https://x\x1b\\c\x1b]0;never ends\nd", "abc\nd"),
            (b"a\x1b[2Jb\x1b[?25lc\x1bcd\x1b", "abcd"),
            (b"\x1b[31", ""),
            (b"\x1b[\xc3\xa4\x1b\xc3\xa4", "ää"),
            (b"\xff\x00\x08 \xe2\x80\xaex", "\u{fffd}    x"),
        ] {
            assert_eq!(harmless_output(output), expected, "{output:?}");
        }
        let hostile = harmless_output(HOSTILE.as_bytes());
        assert!(!hostile.contains(|c| is_harmful(c) && c != '\n'), "{hostile:?}");
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
