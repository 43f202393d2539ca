//! Pure. The words and numbers that clients send.

use model::heartbeat::HeartbeatKind;

/// Words of other tools for a job that went well, and for one that did not.
const WELL: [&str; 9] =
    ["ok", "success", "successful", "passed", "healthy", "completed", "warn", "warning", "info"];
const ILL: [&str; 6] = ["fail", "failed", "failure", "error", "critical", "unhealthy"];

/// Whether it is a quotation mark, as shells pass it on, word processors make it, or the code page of Windows
/// has it.
pub(super) const fn is_quote(character: char) -> bool {
    matches!(character, '\'' | '"' | '`' | '´' | '‘'..='‟' | '\u{91}'..='\u{94}')
}

/// A text without the blanks and quotation marks around it.
pub(super) fn unquoted(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || is_quote(character))
}

/// A text whose name begins with a quotation mark, without the one that ends it.
pub(super) fn without_end_quote(text: &str) -> &str {
    text.trim_end().strip_suffix(is_quote).unwrap_or(text)
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// A status, in letters of any case.
pub(super) fn status(text: &str) -> Option<HeartbeatKind> {
    let text = unquoted(text);
    [HeartbeatKind::Up, HeartbeatKind::Down].into_iter().find(|kind| text.eq_ignore_ascii_case(kind.as_str()))
}

/// A status in a body, also in the words of other tools.
pub(super) fn status_of_any_tool(text: &str) -> Option<HeartbeatKind> {
    let word = unquoted(text);
    status(word)
        .or_else(|| is_one_of(word, &WELL).then_some(HeartbeatKind::Up))
        .or_else(|| is_one_of(word, &ILL).then_some(HeartbeatKind::Down))
}

/// Whether a job went well, as Gatus's clients say it.
pub(super) fn success(text: &str) -> Option<HeartbeatKind> {
    let (well, ill) = (is_one_of(unquoted(text), &["true"]), is_one_of(unquoted(text), &["false"]));
    well.then_some(HeartbeatKind::Up).or_else(|| ill.then_some(HeartbeatKind::Down))
}

/// A state as Cronitor's clients say it. That a job began (`run`) does not say that it went well.
pub(super) fn state(text: &str) -> Option<HeartbeatKind> {
    let (well, ill) =
        (is_one_of(unquoted(text), &["complete", "ok", "tick"]), is_one_of(unquoted(text), &["fail"]));
    well.then_some(HeartbeatKind::Up).or_else(|| ill.then_some(HeartbeatKind::Down))
}

/// What a whole number says that is 0 when all went well.
pub(super) fn zero_is_good(text: &str) -> Option<HeartbeatKind> {
    let text = unquoted(text);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let is_zero = digits.bytes().all(|byte| byte == b'0');
    Some(if is_zero { HeartbeatKind::Up } else { HeartbeatKind::Down })
}

/// What the exit code of a command says, 0 to 255.
pub(super) fn exit_code(text: &str) -> Option<HeartbeatKind> {
    match unquoted(text).parse::<u8>().ok()? {
        0 => Some(HeartbeatKind::Up),
        1..=255 => Some(HeartbeatKind::Down),
    }
}

/// A finite decimal number.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = unquoted(text);
    // Rust also reads "inf" and "nan", which are not decimal.
    let decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let number: f64 = if decimal { text.parse().ok()? } else { return None };
    number.is_finite().then_some(number)
}

/// The longest number that a text begins with, as Uptime Kuma reads `ping`: `12ms` is 12, `0,12` is 0.
pub(super) fn leading_number(text: &str) -> Option<f64> {
    let text = unquoted(text);
    let digits = |from: usize| text.bytes().skip(from).take_while(u8::is_ascii_digit).count();
    let sign = usize::from(text.starts_with(['+', '-']));
    let whole = digits(sign);
    let mut end = sign + whole;
    if text.as_bytes().get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    let exponent = text.as_bytes().get(end).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'e'));
    if exponent && end > sign {
        let sign = usize::from(matches!(text.as_bytes().get(end + 1), Some(b'+' | b'-')));
        let digits = digits(end + 1 + sign);
        if digits > 0 {
            end += 1 + sign + digits;
        }
    }
    number(text.get(..end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_by_another_name() {
        const UP: Option<HeartbeatKind> = Some(HeartbeatKind::Up);
        const DOWN: Option<HeartbeatKind> = Some(HeartbeatKind::Down);
        type Kind = Option<HeartbeatKind>;
        type Case<'a> = (fn(&str) -> Kind, &'a [(&'a str, Kind)]);
        let cases: [Case<'_>; 4] = [
            (success, &[("true", UP), ("False", DOWN), ("1", None), ("yes", None)]),
            (
                state,
                &[("complete", UP), ("OK", UP), ("tick", UP), ("fail", DOWN), ("run", None), ("up", None)],
            ),
            (
                zero_is_good,
                &[("0", UP), ("000", UP), ("1", DOWN), ("-7", DOWN), ("300", DOWN), ("-", None), ("x", None)],
            ),
            (exit_code, &[("0", UP), ("1", DOWN), ("255", DOWN), ("256", None), ("-1", None), ("1.0", None)]),
        ];
        for (read, words) in cases {
            for (word, expected) in words {
                assert_eq!(read(word), *expected, "{word}");
            }
        }
    }

    #[test]
    fn ping_is_the_number_that_a_text_begins_with() {
        for (text, expected) in [
            ("12", Some(12.0)),
            ("12ms", Some(12.0)),
            ("0,12", Some(0.0)),
            (" -1.5e2x", Some(-150.0)),
            ("1e", Some(1.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("undefined", None),
            ("NaN", None),
            ("-", None),
            (".", None),
            ("1e999", None),
            ("", None),
        ] {
            assert_eq!(leading_number(text), expected, "{text}");
        }
    }
}
