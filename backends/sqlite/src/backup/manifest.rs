//! What a back-up says of itself.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::BackupError;
use crate::checkpoints::reached;
use crate::database::VERSION;
use crate::directory::CHECKPOINTS;
use crate::{history, log, state_db};

/// Version of the file: what is in it, and in which order.
pub(super) const FORMAT: i64 = 1;

/// The databases, all of which a back-up holds.
pub(super) const DATABASES: [&str; 3] = [state_db::SCHEMA.file, history::SCHEMA.file, log::SCHEMA.file];

/// The admin key and the one before, for the client commands.
pub(super) const KEYS: [&str; 2] = ["admin.key", "admin.key.old"];

/// What is in a back-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the file.
    pub format: i64,
    /// Version of the program that made it.
    pub program: String,
    /// Version of the databases in it.
    pub databases: i64,
    /// The incarnation of the heartbeat log: which installation it is.
    pub installation: String,
    /// When the back-up was begun, RFC 3339 in UTC.
    pub at: String,
    /// Number of monitors.
    pub monitors: u64,
    /// The files, in their order.
    pub parts: Vec<Part>,
}

/// A file of the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its path in the data directory.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))
    }

    /// Reads it, and refuses another version and parts that are not of a data directory. Another version is
    /// told before anything else is looked at: what else such a manifest says may have another form.
    pub(super) fn parse(text: &[u8], file: &Path) -> Result<Self, BackupError> {
        let damaged = |error: serde_json::Error| BackupError::Damaged {
            file: file.to_owned(),
            why: format!("its manifest cannot be read: {error}"),
        };
        let versions: Versions = serde_json::from_slice(text).map_err(damaged)?;
        versions.check(file)?;
        let manifest: Self = serde_json::from_slice(text).map_err(damaged)?;
        manifest.check(file)?;
        Ok(manifest)
    }

    /// Refuses parts that are not of a data directory.
    fn check(&self, file: &Path) -> Result<(), BackupError> {
        let damaged = |why: String| BackupError::Damaged { file: file.to_owned(), why };
        let mut names = BTreeSet::new();
        for part in &self.parts {
            if !is_ours(&part.name) || !names.insert(part.name.as_str()) {
                return Err(damaged(format!("{:?} does not belong into it", part.name)));
            }
        }
        match DATABASES.into_iter().find(|name| !names.contains(name)) {
            Some(missing) => Err(damaged(format!("{missing} is missing"))),
            None => Ok(()),
        }
    }
}

/// The versions in a manifest, of whatever form the rest of it is.
#[derive(Debug, Deserialize)]
struct Versions {
    format: i64,
    #[serde(default)]
    program: Option<String>,
    /// Missing where the format is another one.
    #[serde(default)]
    databases: Option<i64>,
}

impl Versions {
    /// Refuses others than this program's.
    fn check(self, file: &Path) -> Result<(), BackupError> {
        let versions = [("file", Some(self.format), FORMAT), ("databases", self.databases, VERSION)];
        for (what, found, known) in versions {
            if let Some(found) = found.filter(|found| *found != known) {
                let program = self.program.unwrap_or_else(|| "of a version that it does not tell".to_owned());
                return Err(BackupError::Version { file: file.to_owned(), program, what, found, known });
            }
        }
        Ok(())
    }
}

fn is_ours(name: &str) -> bool {
    let checkpoint = name.strip_prefix(CHECKPOINTS).and_then(|rest| rest.strip_prefix('/'));
    DATABASES.contains(&name)
        || KEYS.contains(&name)
        || checkpoint.is_some_and(|name| !name.contains('/') && reached(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(names: &[&str]) -> Manifest {
        let part = |name: &&str| Part { name: (*name).to_owned(), bytes: 1, sha256: String::new() };
        Manifest {
            format: FORMAT,
            program: "0.1.0".to_owned(),
            databases: VERSION,
            installation: "one".to_owned(),
            at: "2026-11-22T10:00:05.000Z".to_owned(),
            monitors: 0,
            parts: names.iter().map(part).collect(),
        }
    }

    #[test]
    fn only_files_of_a_data_directory_are_parts() {
        let file = Path::new("some.tar.zst");
        let whole = [&DATABASES[..], &["admin.key", "checkpoints/0_7_1000000.checkpoint"]].concat();
        manifest(&whole).check(file).expect("these are ours");
        for foreign in
            ["../state.db", "/etc/passwd", "lock", "checkpoints/../x", "checkpoints/", "log.db", ""]
        {
            let refused = manifest(&[&whole[..], &[foreign]].concat()).check(file);
            assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{foreign}");
        }
        let refused = manifest(&whole[1..]).check(file).expect_err("a database is missing");
        assert!(refused.to_string().contains("state.db is missing"), "{refused}");
    }

    #[test]
    fn another_version_is_refused_with_both_numbers() {
        let refused = |manifest: &Manifest| {
            let text = serde_json::to_vec(manifest).expect("JSON");
            Manifest::parse(&text, Path::new("some.tar.zst")).expect_err("another version").to_string()
        };
        let newer = Manifest { databases: VERSION + 1, program: "9.9.9".to_owned(), ..manifest(&DATABASES) };
        let said = format!(
            "a newer Lubdub (9.9.9): the format of its databases is {}, this program reads {VERSION}",
            VERSION + 1
        );
        assert!(refused(&newer).contains(&said), "{}", refused(&newer));
        let older = Manifest { format: 0, ..manifest(&DATABASES) };
        assert!(
            refused(&older).contains("an older Lubdub (0.1.0): the format of its file is 0"),
            "{}",
            refused(&older)
        );
    }

    #[test]
    fn a_newer_manifest_of_another_form_is_not_called_damaged() {
        let parse = |text: &str| Manifest::parse(text.as_bytes(), Path::new("some.tar.zst"));
        for text in [r#"{"format": 2, "program": "9.9.9", "parts": {"state.db": 1}}"#, r#"{"format": 2}"#] {
            let refused = parse(text).expect_err("it is newer");
            assert!(matches!(refused, BackupError::Version { found: 2, .. }), "{refused}");
            assert!(refused.to_string().contains("a newer Lubdub"), "{refused}");
        }
        for text in [r#"{"format": 1}"#, r#"{"format": "2"}"#, "{}", "nonsense"] {
            let refused = parse(text).expect_err("it is no manifest");
            assert!(matches!(refused, BackupError::Damaged { .. }), "{text}: {refused}");
        }
    }
}
