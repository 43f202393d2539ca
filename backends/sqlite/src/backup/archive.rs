//! The file of a back-up: a tar archive, compressed by zstd. The manifest comes first.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};
use tar::{Archive, Builder, Entry, Header};

use super::error::BackupError;
use super::manifest::{Manifest, Part};

const MANIFEST: &str = "manifest.json";
/// 25 checkpoints of each partition are a few kilobytes.
const MOST_MANIFEST: u64 = 1 << 20;

/// zstd's own default: half of the best ratio, at the speed of a disk.
const LEVEL: i32 = 3;

/// Bytes that are moved at once, before a look whether to stop.
const CHUNK: usize = 1 << 16;

/// Writes manifest and parts, which lie in `folder`.
pub(super) fn write(
    out: &File,
    folder: &Path,
    manifest: &Manifest,
    mtime: u64,
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut packed = zstd::stream::Encoder::new(BufWriter::new(out), LEVEL)?;
    packed.include_checksum(true)?;
    let mut tar = Builder::new(packed);
    let text = serde_json::to_vec_pretty(manifest)?;
    append(&mut tar, MANIFEST, text.len() as u64, mtime, &text[..])?;
    for part in &manifest.parts {
        let file = Watched { inner: File::open(folder.join(&part.name))?, stop };
        append(&mut tar, &part.name, part.bytes, mtime, file)?;
    }
    tar.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn append(
    tar: &mut Builder<impl Write>,
    name: &str,
    bytes: u64,
    mtime: u64,
    data: impl Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(mtime);
    tar.append_data(&mut header, name, data)
}

/// Length and hash of what is to become a part.
pub(super) fn measure(folder: &Path, name: &str, stop: &AtomicBool) -> io::Result<Part> {
    let mut file = Watched { inner: File::open(folder.join(name))?, stop };
    let (bytes, sha256) = pass_on(&mut file, &mut io::sink())?;
    Ok(Part { name: name.to_owned(), bytes, sha256 })
}

/// Reads a back-up to its end and compares each part with the manifest. `place` says where a part goes; what
/// went there counts only if no error came.
pub(super) fn read<W: Write>(
    file: &Path,
    stop: &AtomicBool,
    mut place: impl FnMut(&Part) -> Result<W, BackupError>,
    mut placed: impl FnMut(&Part, W) -> Result<(), BackupError>,
) -> Result<Manifest, BackupError> {
    let opened = File::open(file).map_err(BackupError::disk(file))?;
    let damaged = |error: io::Error| match stop.load(Ordering::Relaxed) {
        true => BackupError::Stopped,
        false => BackupError::Damaged { file: file.to_owned(), why: error.to_string() },
    };
    let wrong = |why: String| damaged(io::Error::other(why));
    let input = Watched { inner: BufReader::new(opened), stop };
    let unpacked = zstd::stream::Decoder::new(input).map_err(damaged)?;
    let mut archive = Archive::new(unpacked);
    let mut entries = archive.entries().map_err(damaged)?;
    let mut next = |name: &str| {
        let entry =
            entries.next().ok_or_else(|| wrong(format!("it ends before {name}")))?.map_err(damaged)?;
        if &*entry.path_bytes() == name.as_bytes() {
            Ok(entry)
        } else {
            Err(wrong(format!("there is no {name} in its place")))
        }
    };
    let text = read_manifest(next(MANIFEST)?).map_err(damaged)?;
    let manifest = Manifest::parse(&text, file)?;
    for part in &manifest.parts {
        let mut entry = next(&part.name)?;
        let mut to = place(part)?;
        if entry.size() != part.bytes {
            return Err(wrong(format!("{} has another length than the manifest says", part.name)));
        }
        let (bytes, sha256) = pass_on(&mut entry, &mut to).map_err(damaged)?;
        if (bytes, &sha256) != (part.bytes, &part.sha256) {
            return Err(wrong(format!("{} is not what the manifest says", part.name)));
        }
        placed(part, to)?;
    }
    if entries.next().is_some() {
        return Err(wrong("there is more in it than the manifest says".to_owned()));
    }
    // The end of the compressed data holds its checksum.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    Ok(manifest)
}

fn read_manifest(entry: Entry<'_, impl Read>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    entry.take(MOST_MANIFEST).read_to_end(&mut text)?;
    Ok(text)
}

/// Copies, and tells length and SHA-256.
fn pass_on(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, String)> {
    let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        let read = match from.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            break;
        }
        hash.update(&chunk[..read]);
        to.write_all(&chunk[..read])?;
        bytes += read as u64;
    }
    let hex = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, hex))
}

/// Fails when it is to stop.
struct Watched<'a, R> {
    inner: R,
    stop: &'a AtomicBool,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("stopped"));
        }
        self.inner.read(into)
    }
}
