//! Brings a back-up back.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use tempfile::Builder;

use super::archive::read;
use super::error::BackupError;
use super::manifest::Manifest;
use crate::directory::CHECKPOINTS;

/// Beginning of the name of a folder that is not yet whole, beside the one to restore to.
const UNFINISHED: &str = ".lubdub-restore-";

/// Reads a back-up to its end and compares each part with its hash. Blocks; when `stop` becomes true, it ends
/// soon.
///
/// # Errors
/// [`BackupError`].
pub fn check(file: &Path, stop: &AtomicBool) -> Result<Manifest, BackupError> {
    read(file, stop, |_| Ok(io::sink()), |_, _| Ok(()))
}

/// Makes the data directory `dir` of a back-up. All of the file is checked before anything is written; then
/// the parts are written to a folder beside `dir`, which gets its name when they are on the disk. An empty
/// `dir` keeps its owner; of a new one that root makes, the owner is that of the folder above. Blocks; when
/// `stop` becomes true, it ends soon.
///
/// # Errors
/// [`BackupError`]; then `dir` is as it was.
pub fn restore(file: &Path, dir: &Path, stop: &AtomicBool) -> Result<Manifest, BackupError> {
    let (dir, owner) = target(dir)?;
    let manifest = check(file, stop)?;
    let beside = dir.parent().unwrap_or(&dir);
    make_folders(beside, owner).map_err(BackupError::disk(beside))?;
    let unfinished =
        Builder::new().prefix(UNFINISHED).tempdir_in(beside).map_err(BackupError::disk(beside))?;
    let folder = unfinished.path();
    let at_folder = || BackupError::disk(folder);
    private(folder).map_err(at_folder())?;
    let checkpoints = folder.join(CHECKPOINTS);
    make_private(&checkpoints).map_err(at_folder())?;
    let place = |part: &super::manifest::Part| {
        let path = folder.join(&part.name);
        new_file(&path).map_err(BackupError::disk(&path))
    };
    let again = read(file, stop, place, |part, written: File| {
        written.sync_all().map_err(BackupError::disk(&folder.join(&part.name)))
    })?;
    if again != manifest {
        return Err(BackupError::Damaged { file: file.to_owned(), why: "it changed meanwhile".to_owned() });
    }
    if let Some(owner) = owner {
        let parts = manifest.parts.iter().map(|part| folder.join(&part.name));
        let mut all = parts.chain([checkpoints.clone(), folder.to_owned()]);
        all.try_for_each(|path| give(&path, owner)).map_err(at_folder())?;
    }
    for path in [&checkpoints, folder] {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(BackupError::disk(path))?;
    }
    // It replaces an empty folder only, whatever happened there since.
    fs::rename(folder, &dir).map_err(BackupError::disk(&dir))?;
    // Nothing is there to remove any more.
    let _ = unfinished.keep();
    File::open(beside).and_then(|folder| folder.sync_all()).map_err(BackupError::disk(beside))?;
    Ok(manifest)
}

/// User and group.
type Owner = (u32, u32);

/// The owner of what root makes below a folder: the service runs as that user, and could not read root's.
/// `None` for all others, to whom belongs what they make.
#[cfg(unix)]
fn heir(beside: &Path) -> Option<Owner> {
    use std::os::unix::fs::MetadataExt as _;
    let above = beside.ancestors().find_map(|folder| fs::metadata(folder).ok())?;
    rustix::process::geteuid().is_root().then(|| (above.uid(), above.gid()))
}

#[cfg(not(unix))]
const fn heir(_: &Path) -> Option<Owner> {
    None
}

/// Makes a folder and those above it that are missing.
fn make_folders(folder: &Path, owner: Option<Owner>) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    owner.map_or(Ok(()), |owner| missing.into_iter().try_for_each(|folder| give(folder, owner)))
}

/// The folder to restore to, without symbolic links, and who is to own it if not the one who restores.
fn target(dir: &Path) -> Result<(PathBuf, Option<Owner>), BackupError> {
    let at = || BackupError::disk(dir);
    let metadata = match fs::metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let dir = std::path::absolute(dir).map_err(at())?;
            let owner = heir(&dir);
            return Ok((dir, owner));
        }
        metadata => metadata.map_err(at())?,
    };
    if let Some(entry) = fs::read_dir(dir).map_err(at())?.next() {
        let found = entry.map_err(at())?.file_name().into();
        return Err(BackupError::NotEmpty { dir: dir.to_owned(), found });
    }
    #[cfg(unix)]
    let owner = {
        use std::os::unix::fs::MetadataExt as _;
        Some((metadata.uid(), metadata.gid()))
    };
    #[cfg(not(unix))]
    let owner = None;
    Ok((dir.canonicalize().map_err(at())?, owner))
}

fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().create(folder)?;
    private(folder)
}

fn private(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Follows no link, which that user could put there.
fn give(path: &Path, (user, group): Owner) -> io::Result<()> {
    #[cfg(unix)]
    std::os::unix::fs::lchown(path, Some(user), Some(group))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::*;
    use crate::backup::back_up;
    use crate::{SqliteBackend, SqliteOptions};
    use ports::clock::{Clock, SystemClock};
    use ports::registry::{Expected, RecordKey, RecordKind, Registry as _};

    static GO_ON: AtomicBool = AtomicBool::new(false);

    /// A folder with the data of an installation, and a back-up of it in a file beside.
    async fn backed_up() -> (TempDir, PathBuf, PathBuf) {
        let home = tempfile::tempdir().expect("a directory");
        let (data, file) = (home.path().join("data"), home.path().join("some.tar.zst"));
        let clock = Arc::new(SystemClock::new());
        let backend = SqliteBackend::open(SqliteOptions::new(&data), Arc::clone(&clock) as _).expect("open");
        let registry = backend.registry();
        let key = RecordKey::new(RecordKind::Key, "k");
        registry.put(&key, Expected::Absent, "x".into()).await.expect("put");
        fs::write(data.join("admin.key"), "a key").expect("write");
        back_up(&data, &file, "0.1.0", clock.now(), &GO_ON).expect("back up while it is open");
        backend.close().await.expect("close");
        (home, data, file)
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().expect("a name")).collect();
        names.sort_unstable();
        names
    }

    #[tokio::test]
    async fn what_is_restored_opens_as_the_same_installation_and_is_for_its_owner_alone() {
        let (home, data, file) = backed_up().await;
        let new = home.path().join("below/new");
        let manifest = restore(&file, &new, &GO_ON).expect("restore");
        assert_eq!(check(&file, &GO_ON).expect("it is whole"), manifest);
        assert_eq!(names(&new), ["admin.key", "checkpoints", "history.db", "log.db", "state.db"]);
        assert_eq!(fs::read(new.join("admin.key")).expect("a key"), b"a key");
        #[cfg(unix)]
        for path in names(&new).iter().map(|name| new.join(name)).chain([new.clone(), file.clone()]) {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
        for dir in [&data, &new] {
            let clock = Arc::new(SystemClock::new());
            let backend = SqliteBackend::open(SqliteOptions::new(dir), clock).expect("open");
            assert!(!backend.is_new());
            let log = rusqlite::Connection::open(dir.join("log.db")).expect("open");
            let id: String =
                log.query_row("SELECT incarnation FROM log", [], |row| row.get(0)).expect("an id");
            assert_eq!(id, manifest.installation);
            drop(log);
            backend.close().await.expect("close");
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_not_empty_is_left_alone_and_an_empty_one_is_filled_also_by_a_link() {
        let (home, data, file) = backed_up().await;
        let before = names(&data);
        assert!(matches!(restore(&file, &data, &GO_ON), Err(BackupError::NotEmpty { .. })));
        assert_eq!(names(&data), before);
        let (empty, link) = (home.path().join("empty"), home.path().join("link"));
        fs::create_dir(&empty).expect("make");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&empty, &link).expect("link");
        restore(&file, &link, &GO_ON).expect("restore");
        assert!(names(&empty).contains(&"state.db".to_owned()));
        assert_eq!(names(home.path()), ["data", "empty", "link", "some.tar.zst"], "nothing else is left");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_root_restores_belongs_to_the_owner_of_the_folder_or_of_the_one_above() {
        use std::os::unix::fs::{MetadataExt as _, chown};
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let (home, _, file) = backed_up().await;
        let (above, empty) = (home.path().join("srv"), home.path().join("empty"));
        for folder in [&above, &empty] {
            fs::create_dir(folder).expect("make");
            chown(folder, Some(65_534), Some(65_534)).expect("root may");
        }
        let deep = above.join("deep/data");
        for dir in [&deep, &empty] {
            restore(&file, dir, &GO_ON).expect("restore");
            let within = names(dir).into_iter().map(|name| dir.join(name));
            for path in within.chain([dir.clone()]) {
                let found = fs::metadata(&path).expect("it is there");
                assert_eq!((found.uid(), found.gid()), (65_534, 65_534), "{}", path.display());
            }
        }
        assert_eq!(fs::metadata(above.join("deep")).expect("it is there").uid(), 65_534);
    }

    #[tokio::test]
    async fn a_file_that_is_cut_off_or_changed_restores_nothing() {
        let (home, _, file) = backed_up().await;
        let whole = fs::read(&file).expect("read");
        let manifest = check(&file, &GO_ON).expect("it is whole");
        let (bad, new) = (home.path().join("bad"), home.path().join("new"));
        for length in (0..whole.len()).step_by(61).chain([whole.len() - 1]) {
            fs::write(&bad, &whole[..length]).expect("write");
            let refused = restore(&bad, &new, &GO_ON);
            assert!(matches!(refused, Err(BackupError::Damaged { .. })), "cut to {length}: {refused:?}");
        }
        let mut harmless = 0;
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 0x10;
            fs::write(&bad, &changed).expect("write");
            match check(&bad, &GO_ON) {
                Err(_) => {}
                // Bits of zstd's own headers that say nothing of the contents.
                Ok(found) => {
                    assert_eq!(found, manifest, "byte {place}");
                    harmless += 1;
                }
            }
        }
        assert!(harmless * 100 < whole.len(), "{harmless} changes went unnoticed");
        fs::write(&bad, "something else").expect("write");
        assert!(matches!(restore(&bad, &new, &GO_ON), Err(BackupError::Damaged { .. })));
        assert_eq!(names(home.path()), ["bad", "data", "some.tar.zst"], "nothing is left");
    }

    #[tokio::test]
    async fn what_is_stopped_leaves_nothing() {
        let (home, data, file) = backed_up().await;
        let stop = AtomicBool::new(true);
        let (new, other) = (home.path().join("new"), home.path().join("other"));
        assert!(matches!(restore(&file, &new, &stop), Err(BackupError::Stopped)));
        let stopped = back_up(&data, &other, "0.1.0", SystemClock::new().now(), &stop);
        assert!(matches!(stopped, Err(BackupError::Stopped)), "{stopped:?}");
        assert_eq!(names(home.path()), ["data", "some.tar.zst"]);
    }
}
