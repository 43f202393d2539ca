//! Texts for a shell.

/// `text` as one word of a POSIX shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_quoted_text_as_one_word() {
        for (text, expected) in [
            ("./target/release/lubdub", "./target/release/lubdub"),
            ("/opt/my tools/lubdub", "'/opt/my tools/lubdub'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("https://x.example/api/push/a?b=c&d", "'https://x.example/api/push/a?b=c&d'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
