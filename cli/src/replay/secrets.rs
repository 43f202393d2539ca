//! Secrets that an export names and does not hold: from a file, the environment, or a person.

use std::collections::HashMap;
use std::io::{self, BufRead};
use std::path::Path;

use anyhow::{Context, bail};
use api::export::{SECRET, SECRET_VARIABLE};
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use serde_json::Value;

use super::super::confirm::somebody_is_there;
use crate::harmless::harmless;
use crate::terminal;

/// Where secrets come from.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// Of the file, by name.
    given: HashMap<String, String>,
    /// Names that were looked for in vain.
    pub(super) missing: Vec<String>,
}

impl Secrets {
    /// Reads a file of lines like `OPS_URL=https://…`; empty lines and those that begin with `#` are nothing.
    ///
    /// # Errors
    /// The file cannot be read, or a line has no `=`.
    pub(super) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
        let mut given = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                bail!("line {} of {} is not like NAME=value", index + 1, path.display());
            };
            let name = name.trim();
            given.insert(
                name.strip_prefix(SECRET_VARIABLE).unwrap_or(name).to_owned(),
                value.trim().to_owned(),
            );
        }
        Ok(Self { given, missing: Vec::new() })
    }

    /// The values in place of the names in a field; `ask` says whether a person is asked. What is not found
    /// is noted as missing.
    pub(super) fn resolve(&mut self, value: &mut Value, ask: bool) -> io::Result<()> {
        match value {
            Value::String(text) => {
                if let Some(name) = text.strip_prefix(SECRET) {
                    match self.find(name, ask)? {
                        Some(found) => *text = found,
                        None => self.missing.push(name.to_owned()),
                    }
                }
            }
            Value::Object(fields) => {
                for value in fields.values_mut() {
                    self.resolve(value, ask)?;
                }
            }
            Value::Array(_) | Value::Bool(_) | Value::Null | Value::Number(_) => {}
        }
        Ok(())
    }

    /// A secret, if it is anywhere. Only variables that are named for it are looked at: the file to be
    /// imported says which, and another person may have written the file.
    pub(super) fn known(&self, name: &str) -> Option<String> {
        self.given.get(name).cloned().or_else(|| variable(name))
    }

    /// As [`Self::known`], or else what a person types.
    fn find(&self, name: &str, ask: bool) -> io::Result<Option<String>> {
        if let Some(found) = self.known(name) {
            return Ok(Some(found));
        }
        if !ask || !somebody_is_there() {
            return Ok(None);
        }
        let typed = asked(&format!("Secret {} (nothing leaves the import undone):", harmless(name)))?;
        Ok(Some(typed).filter(|typed| !typed.is_empty()))
    }
}

#[expect(clippy::disallowed_methods, reason = "the name of the variable is known from the export only")]
fn variable(name: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(is_plain) {
        return None;
    }
    std::env::var(format!("{SECRET_VARIABLE}{name}")).ok()
}

/// What a person types, unseen where the terminal can do that.
///
/// Ctrl-C would end the process while the terminal hides what is typed, and leave the terminal so. While the
/// question stands it is therefore no signal but the end of the line, and the process ends itself afterwards.
fn asked(question: &str) -> io::Result<String> {
    terminal::ask(question)?;
    let before = tcgetattr(io::stdin()).ok();
    let mut interrupt = None;
    if let Some(before) = &before {
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        let key = before.special_codes[SpecialCodeIndex::VINTR];
        hidden.special_codes[SpecialCodeIndex::VEOL] = key;
        // A terminal that cannot hide it shows it.
        let is_hidden = tcsetattr(io::stdin(), OptionalActions::Now, &hidden).is_ok();
        interrupt = (is_hidden && before.local_modes.contains(LocalModes::ISIG)).then_some(key);
    }
    let read = line_until(&mut io::stdin().lock(), interrupt);
    if let Some(before) = &before {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        terminal::tell("");
    }
    match read? {
        Some(typed) => Ok(String::from_utf8_lossy(&typed).trim().to_owned()),
        None => {
            kill_process(getpid(), Signal::INT)?;
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}

/// A line, or what is there at the end of the input; `None` if it holds the key that interrupts.
fn line_until(input: &mut impl BufRead, interrupt: Option<u8>) -> io::Result<Option<Vec<u8>>> {
    let mut typed = Vec::new();
    loop {
        let read = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let is_end = |byte: &u8| *byte == b'\n' || Some(*byte) == interrupt;
        let Some(end) = read.iter().position(is_end) else {
            let length = read.len();
            typed.extend_from_slice(read);
            input.consume(length);
            if length == 0 {
                return Ok(Some(typed));
            }
            continue;
        };
        let is_line = read.get(end) == Some(&b'\n');
        typed.extend_from_slice(read.get(..end).unwrap_or_default());
        input.consume(end + 1);
        return Ok(is_line.then_some(typed));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_put_in_place_of_their_names_and_what_is_missing_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secrets");
        std::fs::write(&path, "# mine\n\nOPS_URL=https://a.example/?k=v\nLUBDUB_SECRET_OPS_TOKEN = t \n")
            .expect("written");
        let mut secrets = Secrets::read(Some(&path)).expect("read");
        let mut fields = json!({"url": "secret:OPS_URL", "settings": {"token": "secret:OPS_TOKEN", "topic": "ops"},
            "headers": {"X-Key": "secret:OPS_HEADER_X_KEY"}, "template": "a secret:OPS_URL"});
        secrets.resolve(&mut fields, false).expect("resolved");
        assert_eq!(
            fields,
            json!({"url": "https://a.example/?k=v", "settings": {"token": "t", "topic": "ops"},
                "headers": {"X-Key": "secret:OPS_HEADER_X_KEY"}, "template": "a secret:OPS_URL"})
        );
        assert_eq!(secrets.missing, ["OPS_HEADER_X_KEY"]);
        // No other variable can be reached by a name in a file.
        assert_eq!(variable("PATH=x"), None);
        assert_eq!(variable("../PATH"), None);
        std::fs::write(&path, "OPS_URL\n").expect("written");
        assert!(Secrets::read(Some(&path)).is_err());
    }

    #[test]
    fn a_line_ends_at_its_end_or_at_the_key_that_interrupts() {
        for (input, interrupt, expected) in [
            ("abc\ndef\n", Some(3), Some("abc")),
            ("abc\u{3}", Some(3), None),
            ("abc\u{3}d\n", None, Some("abc\u{3}d")),
            ("abc", Some(3), Some("abc")),
            ("", Some(3), Some("")),
        ] {
            let read = line_until(&mut input.as_bytes(), interrupt).expect("read");
            assert_eq!(read.as_deref(), expected.map(str::as_bytes), "{input:?}");
        }
    }
}
