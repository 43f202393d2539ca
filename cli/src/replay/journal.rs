//! The journal of an import: what it notes before it acts, so that the same command goes on where it was
//! killed.
//!
//! A file of lines that only grows: whom it made, what it sends next and with which stamps. What is in the
//! last line may have been sent or not; sending it again with the same stamps is safe.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use model::ids::MonitorId;
use serde::{Deserialize, Serialize};

/// Beyond this the file is written anew, with what still matters.
const LARGE: u64 = 16 << 20;

/// The identity of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    /// The source; for a file a hash of its beginning.
    pub(super) source: String,
    /// The target.
    pub(super) target: String,
    /// `live` or `history`.
    pub(super) mode: String,
}

/// A part of the lines that is sent at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Batch {
    /// Lines before it.
    pub(super) first: u64,
    /// Lines of it.
    pub(super) lines: u64,
    /// For live heartbeats: their times in microseconds, each as the difference to the one before, the first
    /// since the epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) stamps: Vec<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Note {
    Begin(Key),
    /// A monitor is made, with this token.
    Create {
        from: MonitorId,
        token: String,
    },
    /// A channel was made.
    Channel {
        from: String,
        to: String,
    },
    /// A monitor gets nothing more.
    Skip(MonitorId),
    Batch(Batch),
}

/// The content of a journal.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) created: Vec<(MonitorId, String)>,
    /// Channels that were made: at the source, and at the target.
    pub(super) channels: Vec<(String, String)>,
    pub(super) skipped: Vec<MonitorId>,
    /// The last one.
    pub(super) batch: Option<Batch>,
}

/// The notes of an import.
pub(super) struct Journal {
    /// `None`: nothing is noted for later.
    file: Option<Notes>,
    key: Key,
    noted: Noted,
    /// An earlier run noted something.
    is_continued: bool,
}

struct Notes {
    path: PathBuf,
    /// `None` until the first note: an import that is refused leaves nothing behind.
    file: Option<File>,
    length: u64,
}

impl Journal {
    /// Opens the notes at `path`. A file that is not there is made with the first note.
    ///
    /// # Errors
    /// The notes are another import's, or cannot be read or written.
    pub(super) fn open(path: Option<&Path>, key: Key) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::new(None, key, Noted::default())) };
        let context = || format!("failed to use the progress file {}", path.display());
        let text = match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(context),
        };
        let mut notes = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let mut noted = Noted::default();
        if let Some(first) = notes.next() {
            match serde_json::from_str(first) {
                Ok(Note::Begin(found)) if found == key => {}
                Ok(Note::Begin(found)) => bail!(
                    "{} tells of another import, with another {}: give the command that it is of, to go on with that; or name \
                     another file with --progress, or delete this one, to start anew",
                    path.display(),
                    found.differs_from(&key)
                ),
                Ok(_) | Err(_) => bail!(
                    "{} is not the progress file of an import: name another one with --progress",
                    path.display()
                ),
            }
            for line in notes {
                match serde_json::from_str(line).with_context(context)? {
                    Note::Begin(_) => {}
                    Note::Create { from, token } => noted.created.push((from, token)),
                    Note::Channel { from, to } => noted.channels.push((from, to)),
                    Note::Skip(monitor) => noted.skipped.push(monitor),
                    Note::Batch(batch) => noted.batch = Some(batch),
                }
            }
        }
        let mut notes = Notes { path: path.to_owned(), file: None, length: 0 };
        if !text.is_empty() {
            // A line that was cut off was not sent.
            notes.write_anew(&key, &noted)?;
        }
        Ok(Self::new(Some(notes), key, noted))
    }

    fn new(file: Option<Notes>, key: Key, noted: Noted) -> Self {
        let is_continued = noted.batch.is_some() || !noted.created.is_empty() || !noted.channels.is_empty();
        Self { file, key, noted, is_continued }
    }

    /// The notes of earlier runs.
    pub(super) const fn noted(&self) -> &Noted {
        &self.noted
    }

    /// Whether anything is noted for later.
    pub(super) const fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    /// Whether the import continues an earlier run.
    pub(super) const fn is_resumed(&self) -> bool {
        self.noted.batch.is_some() || !self.noted.created.is_empty()
    }

    pub(super) fn create(&mut self, from: MonitorId, token: &str) -> anyhow::Result<()> {
        self.noted.created.push((from, token.to_owned()));
        self.note(&Note::Create { from, token: token.to_owned() })
    }

    pub(super) fn channel(&mut self, from: &str, to: &str) -> anyhow::Result<()> {
        self.noted.channels.push((from.to_owned(), to.to_owned()));
        self.note(&Note::Channel { from: from.to_owned(), to: to.to_owned() })
    }

    pub(super) fn skip(&mut self, monitor: MonitorId) -> anyhow::Result<()> {
        self.noted.skipped.push(monitor);
        self.note(&Note::Skip(monitor))
    }

    pub(super) fn batch(&mut self, batch: Batch) -> anyhow::Result<()> {
        self.noted.batch = Some(batch.clone());
        let Some(notes) = &mut self.file else { return Ok(()) };
        if notes.length <= LARGE {
            return self.note(&Note::Batch(batch));
        }
        notes.write_anew(&self.key, &self.noted)
    }

    /// Makes sure that something can be noted, before anything is done of which only the outcome is noted.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        match &mut self.file {
            Some(notes) if notes.file.is_none() => notes.write_anew(&self.key, &self.noted),
            Some(_) | None => Ok(()),
        }
    }

    /// Forgets a monitor that the server refused to make.
    pub(super) fn refused(&mut self, from: MonitorId) {
        self.noted.created.retain(|(noted, _)| *noted != from);
    }

    /// Removes the notes of an import that failed before anything was sent, if it made nothing either.
    pub(super) fn abandon(self) -> anyhow::Result<()> {
        let is_empty = self.noted.created.is_empty() && self.noted.channels.is_empty();
        match is_empty && !self.is_continued {
            true => self.remove(),
            false => Ok(()),
        }
    }

    /// Removes the notes of an import that is complete.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        let Some(notes) = self.file.filter(|notes| notes.file.is_some()) else { return Ok(()) };
        std::fs::remove_file(&notes.path)
            .with_context(|| format!("failed to remove the progress file {}", notes.path.display()))
    }

    fn note(&mut self, note: &Note) -> anyhow::Result<()> {
        let Some(notes) = &mut self.file else { return Ok(()) };
        let Some(file) = &mut notes.file else { return notes.write_anew(&self.key, &self.noted) };
        let mut line = serde_json::to_vec(note)?;
        line.push(b'\n');
        file.write_all(&line)
            .with_context(|| format!("failed to write the progress file {}", notes.path.display()))?;
        notes.length += line.len() as u64;
        Ok(())
    }
}

impl Key {
    /// What tells it from another one.
    fn differs_from(&self, other: &Self) -> String {
        let parts = [
            ("file", self.source == other.source),
            ("server", self.target == other.target),
            ("way (with or without --keep-times)", self.mode == other.mode),
        ];
        let differing: Vec<&str> =
            parts.iter().filter(|(_, is_same)| !is_same).map(|(part, _)| *part).collect();
        differing.join(" and ")
    }
}

impl Notes {
    /// Writes all notes into a new file.
    fn write_anew(&mut self, key: &Key, noted: &Noted) -> anyhow::Result<()> {
        let (file, length) = rewrite(&self.path, key, noted)
            .with_context(|| format!("failed to write the progress file {}", self.path.display()))?;
        (self.file, self.length) = (Some(file), length);
        Ok(())
    }
}

/// Writes a file that only its owner may read: it holds tokens of monitors that the import made.
fn rewrite(path: &Path, key: &Key, noted: &Noted) -> io::Result<(File, u64)> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut bytes = Vec::new();
    let notes = std::iter::once(Note::Begin(key.clone()))
        .chain(noted.created.iter().map(|(from, token)| Note::Create { from: *from, token: token.clone() }))
        .chain(noted.channels.iter().map(|(from, to)| Note::Channel { from: from.clone(), to: to.clone() }))
        .chain(noted.skipped.iter().map(|monitor| Note::Skip(*monitor)))
        .chain(noted.batch.clone().map(Note::Batch));
    for note in notes {
        serde_json::to_writer(&mut bytes, &note)?;
        bytes.push(b'\n');
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let part = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&part, path)?;
    Ok((OpenOptions::new().append(true).open(path)?, bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn key(target: &str) -> Key {
        Key { source: "abc".to_owned(), target: target.to_owned(), mode: "live".to_owned() }
    }

    #[test]
    fn what_was_noted_is_found_again_but_for_a_line_that_was_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.progress");
        let monitor = MonitorId::from_uuid(Uuid::from_u128(7));
        let mut journal = Journal::open(Some(&path), key("a")).expect("begun");
        assert!(!journal.is_resumed());
        assert!(!path.exists(), "nothing was noted");
        journal.create(monitor, "12345678").expect("noted");
        journal.channel("1", "11").expect("noted");
        journal.skip(monitor).expect("noted");
        let batch = Batch { first: 10, lines: 2, stamps: vec![1_000, 5] };
        journal.batch(Batch::default()).expect("noted");
        journal.batch(batch.clone()).expect("noted");
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
        file.write_all(br#"{"batch":{"first":12,"#).expect("written");
        let journal = Journal::open(Some(&path), key("a")).expect("opened");
        assert!(journal.is_resumed());
        assert_eq!(journal.noted().created, [(monitor, "12345678".to_owned())]);
        assert_eq!(journal.noted().channels, [("1".to_owned(), "11".to_owned())]);
        assert_eq!(journal.noted().skipped, [monitor]);
        assert_eq!(journal.noted().batch.as_ref(), Some(&batch));
        let other = Journal::open(Some(&path), key("b")).err().expect("refused").to_string();
        for said in ["another import, with another server:", "--progress", "delete this one"] {
            assert!(other.contains(said), "{other}");
        }
        journal.remove().expect("removed");
        assert!(!path.exists());
    }

    #[test]
    fn an_import_that_made_nothing_leaves_no_notes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.progress");
        let open = || Journal::open(Some(&path), key("a")).expect("opened");
        let monitor = MonitorId::from_uuid(Uuid::from_u128(7));
        let mut journal = open();
        journal.begin().expect("begun");
        journal.create(monitor, "12345678").expect("noted");
        journal.batch(Batch::default()).expect("noted");
        assert!(path.exists());
        journal.refused(monitor);
        journal.abandon().expect("removed");
        assert!(!path.exists());
        let mut journal = open();
        journal.channel("1", "11").expect("noted");
        journal.abandon().expect("kept");
        assert!(path.exists(), "the next run must know the channel");
    }
}
