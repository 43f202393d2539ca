//! The request to a receiver and its answer, for people.

use crate::harmless::harmless;

/// Both as indented blocks, those that there are.
pub(super) fn told(request: Option<&str>, answer: Option<&str>) -> String {
    let blocks = [("Sent", request), ("Answered", answer)].into_iter();
    let filled = blocks.filter_map(|(head, text)| Some((head, text.filter(|text| !text.trim().is_empty())?)));
    filled.map(|(head, text)| format!("\n{head}:\n{}", indented(text))).collect()
}

fn indented(text: &str) -> String {
    let line = |line: &str| format!("  {}", harmless(line));
    text.trim_end().lines().map(|text| format!("{}\n", line(text).trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_stands_indented_and_cannot_steer_the_terminal() {
        let sent = "POST /hook HTTP/1.1\r\nx-key: ***\r\n\r\n{\"a\": 1}\n";
        let expected =
            "\nSent:\n  POST /hook HTTP/1.1\n  x-key: ***\n\n  {\"a\": 1}\n\nAnswered:\n  no [2J such hook\n";
        assert_eq!(told(Some(sent), Some("no\u{1b}[2J such hook")), expected);
        assert_eq!(told(None, Some("  \n")), "");
    }
}
