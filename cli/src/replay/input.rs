//! The input of an import: read twice where that is possible, once to look at all of it and once to send it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::lines::Lines;

/// The input.
pub(super) enum Input {
    /// Lines that come once: a server's answer.
    Once(Lines),
    /// A file.
    Twice(Rereadable),
}

/// A file that can be read again.
pub(super) enum Rereadable {
    Path(PathBuf),
    /// A copy of standard input. It has no name, and is gone with this process.
    Copy(File),
}

impl Input {
    /// A file; `-` is standard input, which is copied to a temporary file first.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        if path != Path::new("-") {
            return Ok(Self::Twice(Rereadable::Path(path.to_owned())));
        }
        let mut copy =
            tempfile::tempfile().context("failed to create a temporary file for standard input")?;
        io::copy(&mut io::stdin().lock(), &mut copy)
            .context("failed to copy standard input to a temporary file")?;
        Ok(Self::Twice(Rereadable::Copy(copy)))
    }
}

impl Input {
    /// Tells a file from others: its length, and a hash of its beginning. Of lines that come once nothing is
    /// known.
    pub(super) fn fingerprint(&self) -> anyhow::Result<String> {
        let Self::Twice(file) = self else { return Ok(String::new()) };
        let context = "failed to read the beginning of the file";
        let file = file.open()?;
        let mut text = file.metadata().context(context)?.len().to_string();
        let mut bytes = Vec::new();
        file.take(1 << 16).read_to_end(&mut bytes).context(context)?;
        text.push(' ');
        Sha256::digest(&bytes).iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
        Ok(text)
    }
}

impl Rereadable {
    /// The file, from its beginning.
    fn open(&self) -> anyhow::Result<File> {
        match self {
            Self::Path(path) => {
                File::open(path).with_context(|| format!("failed to open {}", path.display()))
            }
            Self::Copy(copy) => {
                let context = "failed to read the copy of standard input";
                // The position is shared: the lines of the time before are done with.
                let mut file = copy.try_clone().context(context)?;
                file.seek(SeekFrom::Start(0)).context(context)?;
                Ok(file)
            }
        }
    }

    /// Its lines, from the first.
    pub(super) fn lines(&self) -> anyhow::Result<Lines> {
        match self {
            Self::Path(path) => Lines::of_file(path),
            Self::Copy(_) => Lines::of_open(self.open()?, "standard input".to_owned()),
        }
    }
}
