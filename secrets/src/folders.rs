//! Files in folders: each is written whole or not at all, readable by its owner alone, and reported.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// What was done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    Made,
    Changed,
    Removed,
    Kept,
}

impl Became {
    const fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Kept => "kept",
        }
    }
}

/// Folders in a folder. Existing folders stay as they are: they may be volumes, and their parent may be
/// read-only.
#[derive(Debug)]
pub(super) struct Folders {
    root: PathBuf,
    done: Vec<(Became, String)>,
}

impl Folders {
    pub(super) fn open(root: &Path) -> anyhow::Result<Self> {
        make(root)?;
        Ok(Self { root: root.to_owned(), done: Vec::new() })
    }

    /// The content of a file, if it exists.
    pub(super) fn read(&self, folder: &str, file: &str) -> anyhow::Result<Option<String>> {
        let path = self.root.join(folder).join(file);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// The content of a file. A missing file is made; an existing one stays as it is.
    pub(super) fn keep(
        &mut self,
        folder: &str,
        file: &str,
        make: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<String> {
        let text = match self.read(folder, file)? {
            Some(text) => text,
            None => make()?,
        };
        self.put(folder, file, &text)?;
        Ok(text)
    }

    /// Writes this content to a file, unless the file has it already.
    pub(super) fn put(&mut self, folder: &str, file: &str, text: &str) -> anyhow::Result<()> {
        let became = match self.read(folder, file)? {
            Some(found) if found == text => Became::Kept,
            Some(_) => Became::Changed,
            None => Became::Made,
        };
        if became != Became::Kept {
            let folder = self.root.join(folder);
            make(&folder)?;
            write(&folder, file, text).with_context(|| format!("write {}", folder.join(file).display()))?;
        }
        self.done.push((became, format!("{folder}/{file}")));
        Ok(())
    }

    /// Removes a file, if it exists.
    pub(super) fn remove(&mut self, folder: &str, file: &str) -> anyhow::Result<()> {
        let path = self.root.join(folder).join(file);
        match fs::remove_file(&path) {
            Ok(()) => self.done.push((Became::Removed, format!("{folder}/{file}"))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("remove {}", path.display())),
        }
        Ok(())
    }

    /// The files that are other than before, as FOLDER/FILE. Those that were made are none.
    pub(super) fn changed(&self) -> Vec<&str> {
        let changed = self.done.iter().filter(|(became, _)| *became == Became::Changed);
        changed.map(|(_, file)| file.as_str()).collect()
    }

    /// A line for each file that is other than before, and one for the others.
    pub(super) fn told(&self) -> String {
        let mut text = String::new();
        let kept = self.done.iter().filter(|(became, _)| *became == Became::Kept).count();
        for (became, file) in self.done.iter().filter(|(became, _)| *became != Became::Kept) {
            let _ = writeln!(text, "{:8} {file}", became.word());
        }
        match kept {
            0 => {}
            1 => text.push_str("kept     1 file\n"),
            _ => drop(writeln!(text, "kept     {kept} files")),
        }
        text
    }
}

fn make(folder: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("make the folder {}", folder.display()))
}

/// Replaces a file so that a concurrent reader sees the old file or the new one.
fn write(folder: &Path, file: &str, text: &str) -> std::io::Result<()> {
    let new = folder.join(format!(".{file}.new"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&new, folder.join(file))?;
    File::open(folder)?.sync_all()
}
