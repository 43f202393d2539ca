//! The push URL, ready to copy.

use super::super::terminal::quoted;

/// A command that sends one heartbeat, and then, alone on the last line, the URL itself.
pub(super) fn to_copy(push_url: &str) -> String {
    format!(
        "Send a heartbeat:\n  curl -fsS -m 10 --retry 5 -X POST {}\n\n\
         Push URL (everyone who knows it can push: keep it secret):\n{push_url}\n",
        quoted(push_url)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_alone_on_the_last_line() {
        let text = to_copy("https://x.example/api/push/abc?x=1&y=2");
        assert!(
            text.contains("  curl -fsS -m 10 --retry 5 -X POST 'https://x.example/api/push/abc?x=1&y=2'\n")
        );
        assert_eq!(text.lines().last(), Some("https://x.example/api/push/abc?x=1&y=2"));
    }
}
