//! Pure. The end of a job's output, as a text that does nothing to what stands around it.

use model::heartbeat::harmless_text;

/// Most bytes of an output that a message carries.
const MOST_BYTES: usize = 2_000;

/// The last 2,000 bytes of an output: without colours and other commands to a terminal, what is not UTF-8 as
/// U+FFFD. `None` = there is nothing to read in it.
pub(crate) fn readable(output: &[u8]) -> Option<String> {
    // What is taken out makes it shorter, and nothing makes it longer than three bytes for one.
    let text = String::from_utf8_lossy(output);
    let text = harmless_text(without_commands(&text));
    let text = text.trim_end();
    let mut from = text.len().saturating_sub(MOST_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let end = text.get(from..).unwrap_or_default().trim_matches('\n');
    (!end.trim().is_empty()).then(|| end.to_owned())
}

/// Without the sequences that begin with ESC and `[` (colours, moves of the cursor) or `]` (titles).
fn without_commands(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        kept.push_str(before);
        rest = match after.as_bytes().first() {
            Some(b'[') => {
                let end = after.char_indices().skip(1).find(|(_, c)| matches!(c, '@'..='~'));
                match end {
                    Some((at, last)) => after.get(at + last.len_utf8()..).unwrap_or_default(),
                    None => "",
                }
            }
            Some(b']') => after.split_once(['\u{7}', '\n']).map_or("", |(_, behind)| behind),
            Some(_) | None => after,
        };
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_output_is_a_plain_text() {
        for (given, expected) in [
            (&b"done\n"[..], Some("done")),
            (
                b"\x1b[31mred\x1b[0m and \x1b[1;32mgreen\x1b[m\r\n\x1b[2K50%\r100%",
                Some("red and green\n50%\n100%"),
            ),
            (b"\x1b]0;title\x07shell\x00", Some("shell\u{fffd}")),
            (b"f\xfcr", Some("f\u{fffd}r")),
            (b" \n\t\n", None),
            (b"", None),
            (b"\x1b[31", None),
        ] {
            assert_eq!(readable(given).as_deref(), expected, "{given:?}");
        }
    }

    #[test]
    fn of_a_long_output_the_end_is_kept() {
        let long = "é".repeat(3_000) + "!";
        let kept = readable(long.as_bytes()).expect("a text");
        assert!(kept.len() <= MOST_BYTES && kept.len() > MOST_BYTES - 4 && kept.ends_with("é!"));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_many_or_do_anything(bytes in proptest::collection::vec(any::<u8>(), 0..3_000)) {
            let text = readable(&bytes).unwrap_or_default();
            prop_assert!(text.len() <= MOST_BYTES);
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
