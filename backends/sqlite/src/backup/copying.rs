//! Makes a back-up.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::Builder;

use super::archive::{measure, write};
use super::error::BackupError;
use super::manifest::{DATABASES, FORMAT, KEYS, Manifest, Part};
use super::snapshot::Snapshot;
use crate::checkpoints::reached;
use crate::database::VERSION;
use crate::directory::CHECKPOINTS;
use crate::{log, room};
use model::time::EventTime;

/// Beginning of the names of what is made and not yet done, beside the file.
const UNFINISHED: &str = ".lubdub-backup-";

/// Copies the data directory `dir`, whose Lubdub may run, to a new file. `program` is this program's version.
/// Copies are made beside the file first, and take as much room as the databases. Blocks; when `stop` becomes
/// true, it ends soon.
///
/// # Errors
/// [`BackupError`]; then there is no file.
pub fn back_up(
    dir: &Path,
    file: &Path,
    program: &str,
    now: EventTime,
    stop: &AtomicBool,
) -> Result<Manifest, BackupError> {
    if DATABASES.iter().any(|name| !dir.join(name).exists()) {
        return Err(BackupError::NoData(dir.to_owned()));
    }
    if file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let beside = folder_of(file);
    let at_beside = || BackupError::disk(beside);
    let copies = Builder::new().prefix(UNFINISHED).tempdir_in(beside).map_err(at_beside())?;
    private(copies.path())?;
    let snapshot = Snapshot::take(dir)?;
    let read = BackupError::copy(log::SCHEMA.path(dir));
    let (installation, monitors) = snapshot.identity().map_err(&read)?;
    check_room(&snapshot, beside, &read)?;
    let names = copy_all(&snapshot, dir, copies.path(), stop)?;
    drop(snapshot);
    let stopped = |error| match stop.load(Ordering::Relaxed) {
        true => BackupError::Stopped,
        false => BackupError::disk(file)(error),
    };
    let parts = names.iter().map(|name| measure(copies.path(), name, stop));
    let parts = parts.collect::<std::io::Result<Vec<Part>>>().map_err(stopped)?;
    let (program, at) = (program.to_owned(), now.to_rfc3339());
    let manifest =
        Manifest { format: FORMAT, program, databases: VERSION, installation, at, monitors, parts };
    let out = Builder::new().prefix(UNFINISHED).tempfile_in(beside).map_err(at_beside())?;
    let mtime = u64::try_from(now.as_micros() / 1_000_000).unwrap_or(0);
    write(out.as_file(), copies.path(), &manifest, mtime, stop).map_err(stopped)?;
    match out.persist_noclobber(file) {
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists(file.to_owned()));
        }
        Err(error) => return Err(BackupError::disk(file)(error.error)),
        Ok(_) => {}
    }
    File::open(beside).and_then(|folder| folder.sync_all()).map_err(at_beside())?;
    Ok(manifest)
}

/// The folder that the file is in.
fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

/// For this user alone: the registry holds push tokens and secrets.
fn private(folder: &Path) -> Result<(), BackupError> {
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .map_err(BackupError::disk(folder))?;
    Ok(())
}

/// A disk that the copies fill may be the one of the Lubdub that runs: then pushes would be refused.
fn check_room(
    snapshot: &Snapshot,
    beside: &Path,
    read: impl Fn(rusqlite::Error) -> BackupError,
) -> Result<(), BackupError> {
    let mut needed: u64 = 0;
    for database in snapshot.databases() {
        // The copy, and what is packed of it.
        needed = needed.saturating_add(database.bytes().map_err(&read)?.saturating_mul(2));
    }
    match room::free(beside) {
        Some(free) if free < needed => Err(BackupError::NoRoom { folder: beside.to_owned(), needed, free }),
        Some(_) | None => Ok(()),
    }
}

/// Copies everything to `copies`, and tells the names.
fn copy_all(
    snapshot: &Snapshot,
    dir: &Path,
    copies: &Path,
    stop: &AtomicBool,
) -> Result<Vec<String>, BackupError> {
    let mut names = Vec::new();
    for database in snapshot.databases() {
        let name = database.schema.file;
        database.copy(&copies.join(name), || stop.load(Ordering::Relaxed))?;
        names.push(name.to_owned());
    }
    for name in KEYS {
        if copy_file(&dir.join(name), &copies.join(name))? {
            names.push(name.to_owned());
        }
    }
    let applied = snapshot.applied().map_err(BackupError::copy(dir.to_owned()))?;
    let from = dir.join(CHECKPOINTS);
    let found = match fs::read_dir(&from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(names),
        found => found.map_err(BackupError::disk(&from))?,
    };
    fs::create_dir(copies.join(CHECKPOINTS)).map_err(BackupError::disk(copies))?;
    for entry in found {
        let entry = entry.map_err(BackupError::disk(&from))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // One that was written since then knows more than the copied log.
        let is_known = reached(&name).is_some_and(|(partition, offset)| {
            applied.get(&partition).is_some_and(|applied| offset <= *applied)
        });
        let name = format!("{CHECKPOINTS}/{name}");
        if is_known && copy_file(&entry.path(), &copies.join(&name))? {
            names.push(name);
        }
    }
    Ok(names)
}

/// Whether there was such a file: a checkpoint may be removed at any moment.
fn copy_file(from: &Path, to: &Path) -> Result<bool, BackupError> {
    match fs::copy(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        copied => copied.map(|_| true).map_err(BackupError::disk(from)),
    }
}
