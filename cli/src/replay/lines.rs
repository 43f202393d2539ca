//! Lines of an export: from a file, standard input or a server, read ahead a little.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::api::stream::Chunks;

/// Longest line, in bytes: a monitor's, with a description of 2,000 characters that are all escaped, has
/// less.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Lines that are handed over at once.
const PORTION: usize = 1_000;

/// Portions that wait.
const AHEAD: usize = 8;

/// The bytes that a compressed file begins with.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NumberedLine {
    /// Its number in the file, from 1.
    pub(super) number: u64,
    /// `None` if it is not UTF-8.
    pub(super) text: Option<String>,
}

/// Lines, one after the other. Empty ones are left out.
pub(super) struct Lines {
    portions: mpsc::Receiver<anyhow::Result<Vec<NumberedLine>>>,
    waiting: VecDeque<NumberedLine>,
    read: Arc<AtomicU64>,
    /// Reads a server's answer; it ends with this.
    _reader: JoinSet<()>,
    /// Bytes in all, if that is known.
    pub(super) total: Option<u64>,
}

impl Lines {
    /// The lines of a file. What is compressed is unpacked.
    pub(super) fn of_file(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("failed to open {}", path.display()))?;
        Self::of_open(file, path.display().to_string())
    }

    /// The lines of an open file, from where it stands.
    pub(super) fn of_open(file: File, name: String) -> anyhow::Result<Self> {
        let read = Arc::new(AtomicU64::new(0));
        let total = file.metadata().ok().filter(|about| about.is_file()).map(|about| about.len());
        let mut input =
            BufReader::with_capacity(1 << 18, Counted { input: Box::new(file), read: Arc::clone(&read) });
        let begin = input.fill_buf().with_context(|| format!("failed to read {name}"))?;
        refuse_other_forms(begin)?;
        let unpacked: Box<dyn Read + Send> = if begin.starts_with(&ZSTD_MAGIC) {
            Box::new(zstd::stream::Decoder::with_buffer(input).context("failed to unpack the file")?)
        } else {
            Box::new(input)
        };
        let (sender, portions) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            let mut input = BufReader::with_capacity(1 << 18, unpacked);
            let mut number = 0;
            loop {
                let portion =
                    read_portion(&mut input, &mut number).with_context(|| format!("failed to read {name}"));
                let is_last = !portion.as_ref().is_ok_and(|lines| !lines.is_empty());
                if sender.blocking_send(portion).is_err() || is_last {
                    return;
                }
            }
        });
        Ok(Self { portions, waiting: VecDeque::new(), read, _reader: JoinSet::new(), total })
    }

    /// The lines of a server's answer.
    pub(super) fn of_server(mut chunks: Chunks) -> Self {
        let read = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&read);
        let (sender, portions) = mpsc::channel(AHEAD);
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            let mut number = 0;
            loop {
                let lines: anyhow::Result<Vec<String>> = match chunks.lines().await {
                    Ok(Some(lines)) => Ok(lines),
                    Ok(None) => return,
                    Err(error) => Err(error.into()),
                };
                let is_last = lines.is_err();
                let bytes: usize = lines.iter().flatten().map(|line: &String| line.len() + 1).sum();
                counted.fetch_add(bytes as u64, Ordering::Relaxed);
                let lines = lines.map(|lines| {
                    let numbered = |text| {
                        number += 1;
                        NumberedLine { number, text: Some(text) }
                    };
                    lines.into_iter().map(numbered).collect()
                });
                if sender.send(lines).await.is_err() || is_last {
                    return;
                }
            }
        });
        Self { portions, waiting: VecDeque::new(), read, _reader: reader, total: None }
    }

    /// The next line; `None` at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<NumberedLine>> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                return Ok(Some(line));
            }
            match self.portions.recv().await {
                Some(Ok(lines)) => self.waiting.extend(lines),
                Some(Err(error)) => return Err(error),
                None => return Ok(None),
            }
        }
    }

    /// Bytes that were read, of a compressed file compressed ones.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// Reads further lines; `number` is that of the last one.
fn read_portion(input: &mut impl BufRead, number: &mut u64) -> anyhow::Result<Vec<NumberedLine>> {
    let mut lines = Vec::with_capacity(PORTION);
    let mut bytes = Vec::new();
    while lines.len() < PORTION {
        bytes.clear();
        if input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        *number += 1;
        if bytes.len() as u64 >= MAX_LINE_BYTES {
            bail!("line {number} is longer than {MAX_LINE_BYTES} bytes: this is not an export");
        }
        // Windows programs begin a file with a byte order mark; after `cat` it stands before any line.
        let text = std::str::from_utf8(&bytes).map(|text| text.trim_start_matches('\u{feff}').trim());
        if text != Ok("") {
            lines.push(NumberedLine { number: *number, text: text.ok().map(str::to_owned) });
        }
    }
    Ok(lines)
}

/// Says what a file is that is no export as it stands.
fn refuse_other_forms(begin: &[u8]) -> anyhow::Result<()> {
    match begin {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            bail!("this is UTF-16, as `>` of Windows PowerShell writes it: export with --out FILE instead")
        }
        [0x1f, 0x8b, ..] => bail!("this is compressed with gzip: unpack it first"),
        _ => Ok(()),
    }
}

/// Counts what is read.
struct Counted {
    input: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    async fn all(path: &Path) -> anyhow::Result<Vec<String>> {
        let mut lines = Lines::of_file(path)?;
        let mut all = Vec::new();
        while let Some(line) = lines.next().await? {
            all.push(line.text.unwrap_or_else(|| format!("{} is no text", line.number)));
        }
        Ok(all)
    }

    #[tokio::test]
    async fn lines_have_their_numbers_and_no_byte_order_marks() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, b"\xef\xbb\xbf{1}\n\n  \n\xef\xbb\xbf{4}\n\xff\n{6}").expect("written");
        let mut lines = Lines::of_file(&path).expect("opened");
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.expect("read") {
            found.push((line.number, line.text));
        }
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(found, [(1, text("{1}")), (4, text("{4}")), (5, None), (6, text("{6}"))]);
    }

    #[tokio::test]
    async fn plain_and_compressed_files_are_read_alike() {
        let folder = tempfile::tempdir().expect("a folder");
        let text: String = (0..5_000).map(|n| format!("{{\"line\":{n}}}\r\n\n")).collect();
        let expected: Vec<String> = (0..5_000).map(|n| format!("{{\"line\":{n}}}")).collect();
        let plain = folder.path().join("a.ndjson");
        std::fs::write(&plain, &text).expect("written");
        assert_eq!(all(&plain).await.expect("read"), expected);
        let packed = folder.path().join("b");
        let mut encoder =
            zstd::stream::Encoder::new(File::create(&packed).expect("made"), 3).expect("an encoder");
        encoder.write_all(text.as_bytes()).expect("written");
        encoder.finish().expect("finished");
        assert_eq!(all(&packed).await.expect("read"), expected);

        let cut = folder.path().join("c.zst");
        let bytes = std::fs::read(&packed).expect("read");
        std::fs::write(&cut, &bytes[..bytes.len() / 2]).expect("written");
        all(&cut).await.expect_err("it is cut off");
        std::fs::write(&cut, vec![b'x'; 2 << 20]).expect("written");
        assert!(all(&cut).await.expect_err("no line").to_string().contains("failed to read"));
        for (bytes, said) in [(&[0xff, 0xfe, b'{', 0][..], "UTF-16"), (&[0x1f, 0x8b, 8], "gzip")] {
            std::fs::write(&cut, bytes).expect("written");
            let error = format!("{:#}", all(&cut).await.expect_err("no export"));
            assert!(error.contains(said), "{error}");
        }
        assert!(
            all(&folder.path().join("none")).await.expect_err("none").to_string().contains("failed to open")
        );
    }
}
