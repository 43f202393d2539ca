//! A body template: the text itself, or `@` and the file that holds it.

use std::fs::File;
use std::io::Read;
use std::str::FromStr;

/// More than the server takes.
const MAX_BYTES: u64 = 200_000;

/// A template's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(pub(super) String);

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub(super) enum TemplateError {
    /// The file cannot be read.
    #[error("failed to read {path}: {source}")]
    File {
        /// Its path.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file of this size is no template.
    #[error("{path} has more than {MAX_BYTES} bytes")]
    TooLong {
        /// Its path.
        path: String,
    },
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let Some(path) = text.strip_prefix('@') else { return Ok(Self(text.to_owned())) };
        let mut read = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut read))
            .map_err(|source| TemplateError::File { path: path.to_owned(), source })?;
        if read.len() as u64 > MAX_BYTES {
            return Err(TemplateError::TooLong { path: path.to_owned() });
        }
        Ok(Self(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_a_text_or_in_a_file() {
        assert_eq!("{{ title }}".parse::<Template>().expect("a text"), Template("{{ title }}".to_owned()));
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("body.json");
        std::fs::write(&path, "{\"text\": {{ title }}}\n").expect("written");
        let at = |path: &std::path::Path| format!("@{}", path.display()).parse::<Template>();
        assert_eq!(at(&path).expect("a file").0, "{\"text\": {{ title }}}\n");
        assert!(at(directory.path()).expect_err("a folder").to_string().starts_with("failed to read /"));
    }
}
