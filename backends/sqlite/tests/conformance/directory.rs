//! A data directory that cannot be opened says why; after a kill it has all acknowledged data.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backend_sqlite::{OpenError, SqliteBackend, SqliteOptions};
use model::ids::{Offset, PartitionId, Revision};
use model::monitor::DefinitionChange;
use model::time::EventTime;
use model::wire::frame::Frame;
use ports::clock::ManualClock;
use ports::heartbeat_log::HeartbeatLog;
use ports::queue::{Outcome, QueueName};
use ports::registry::Registry;
use ports::state_store::{Leases, States};

use conformance::sample::{START, at, frame, monitor, state};
use conformance::suite::queue::{claim, enqueue, message, settle};
use conformance::suite::registry::{create, key};
use conformance::suite::state_store::commit;

const P: PartitionId = PartitionId(0);

fn open(dir: &Path) -> Result<SqliteBackend, OpenError> {
    SqliteBackend::open(SqliteOptions::new(dir), Arc::new(ManualClock::new(START)))
}

fn refusal(dir: &Path) -> OpenError {
    open(dir).err().expect("it is refused")
}

async fn make(dir: &Path) {
    open(dir).expect("open").close().await.expect("close");
}

fn change(dir: &Path, file: &str, sql: &str) {
    let conn = rusqlite::Connection::open(dir.join(file)).expect("open");
    conn.execute_batch(sql).expect("change");
}

#[tokio::test]
async fn a_directory_in_use_is_refused_until_it_is_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = open(dir.path()).expect("open");
    let held = first.log();
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("in use"), "{error}");
    first.close().await.expect("close");
    assert!(held.append(P, frame(1, START)).await.expect_err("closed").is_transient());
    make(dir.path()).await;
}

#[tokio::test]
async fn a_look_into_a_directory_drops_nothing_that_is_old() {
    let dir = tempfile::tempdir().expect("a directory");
    let entries = || -> i64 {
        let conn = rusqlite::Connection::open(dir.path().join("log.db")).expect("open");
        conn.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).expect("count")
    };
    let options = SqliteOptions { expire_every: Duration::from_millis(1), ..SqliteOptions::new(dir.path()) };
    let backend = SqliteBackend::open(options.clone(), Arc::new(ManualClock::new(START))).expect("open");
    backend.log().append(P, frame(1, START)).await.expect("append");
    backend.close().await.expect("close");
    let much_later = START + Duration::from_secs(10 * 365 * 24 * 3_600);
    let keeping =
        SqliteOptions { expire_every: options.expire_every, ..SqliteOptions::keeping_all(dir.path()) };
    let later = || Arc::new(ManualClock::new(much_later));
    let backend = SqliteBackend::open(keeping, later()).expect("open");
    for number in 2..4 {
        backend.log().append(P, frame(number, much_later)).await.expect("append");
        // The writer tidies up between its jobs.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    backend.close().await.expect("close");
    assert_eq!(entries(), 3);
    let backend = SqliteBackend::open(options, later()).expect("open");
    doubles::eventually("the old one goes", async || (entries() == 2).then_some(())).await;
    backend.close().await.expect("close");
}

#[tokio::test]
async fn a_dropped_backend_gives_the_directory_back() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path()).expect("open"));
    let free = async || open(dir.path()).ok();
    doubles::eventually("the directory is free", free).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("file"), "a file").expect("write");
    let error = refusal(&dir.path().join("file/data"));
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
    make(&dir.path().join("several/levels/deep")).await;
}

#[tokio::test]
async fn a_directory_of_other_things_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("thesis.txt"), "years of work").expect("write");
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert!(error.to_string().contains("thesis.txt"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1, "nothing was written");
}

#[tokio::test]
async fn what_may_lie_there_before_does_no_harm() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("starts"), "").expect("write");
    std::fs::create_dir(dir.path().join("lost+found")).expect("make");
    std::fs::create_dir(dir.path().join("checkpoints")).expect("make");
    make(dir.path()).await;
    std::fs::write(dir.path().join("notes.txt"), "put there later").expect("write");
    make(dir.path()).await;
}

#[tokio::test]
async fn a_part_of_an_installation_does_not_become_a_new_one() {
    let whole = tempfile::tempdir().expect("a directory");
    let backend = open(whole.path()).expect("open");
    assert!(backend.is_new());
    let registry: Arc<dyn Registry> = backend.registry();
    create(&registry, &key("k"), "x").await;
    backend.close().await.expect("close");
    std::fs::write(whole.path().join("admin.key"), "a key").expect("write");
    std::fs::write(whole.path().join("starts"), "started then").expect("write");
    let again = open(whole.path()).expect("open");
    assert!(!again.is_new());
    again.close().await.expect("close");
    for (kept, missing) in [
        (&["admin.key"][..], &["log.db", "state.db", "history.db"][..]),
        (&["starts"], &["log.db", "state.db", "history.db"]),
        (&["admin.key", "state.db", "history.db"], &["log.db"]),
        (&["admin.key", "log.db", "history.db"], &["state.db"]),
        (&["admin.key", "log.db", "state.db"], &["history.db"]),
    ] {
        let part = tempfile::tempdir().expect("a directory");
        for file in kept {
            std::fs::copy(whole.path().join(file), part.path().join(file)).expect("copy");
        }
        let error = refusal(part.path());
        assert!(matches!(error, OpenError::Incomplete { .. }), "{error:?}");
        let text = error.to_string();
        for word in missing {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!part.path().join(missing[0]).exists(), "nothing was made");
    }
    let empty = tempfile::tempdir().expect("a directory");
    std::fs::write(empty.path().join("admin.key"), "a key").expect("write");
    for file in ["log.db", "state.db", "history.db"] {
        change(empty.path(), file, "PRAGMA journal_mode = WAL");
    }
    assert!(matches!(refusal(empty.path()), OpenError::Incomplete { .. }), "files without tables");
}

/// A folder with copies of its databases, as they were before and after something was done.
async fn two_moments() -> (tempfile::TempDir, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let entry = async |backend: &SqliteBackend, number: i64| {
        backend.log().append(P, frame(number as u64, at(number))).await.expect("append")
    };
    let backend = open(dir.path()).expect("open");
    entry(&backend, 1).await;
    backend.close().await.expect("close");
    let before = image(dir.path());
    let backend = open(dir.path()).expect("open");
    let last = entry(&backend, 2).await;
    let registry: Arc<dyn Registry> = backend.registry();
    create(&registry, &key("a"), "x").await;
    let lease = backend.state().acquire(P, "first").await.expect("acquire");
    let incarnation = backend.log().extent(P).await.expect("extent").incarnation;
    let mut applied = commit(0, last.0, 1, Vec::new());
    applied.head.incarnation = incarnation;
    backend.state().commit(&lease, &applied).await.expect("commit");
    backend.close().await.expect("close");
    (before, dir)
}

#[tokio::test]
async fn databases_of_different_moments_are_refused_and_left_alone_until_they_are_accepted() {
    let (before, after) = two_moments().await;
    open(image(after.path()).path()).expect("it is whole").close().await.expect("close");
    let copy = image(after.path());
    std::fs::copy(before.path().join("log.db"), copy.path().join("log.db")).expect("copy");
    let held = std::fs::read(copy.path().join("log.db")).expect("read");
    let error = refusal(copy.path());
    assert!(matches!(error, OpenError::Torn { .. }), "{error:?}");
    for part in ["up to 2", "ends at 1", "lubdub backup", "--accept-torn"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert_eq!(std::fs::read(copy.path().join("log.db")).expect("read"), held);
    let accepting = SqliteOptions { accept_torn: true, ..SqliteOptions::new(copy.path()) };
    let backend = SqliteBackend::open(accepting, Arc::new(ManualClock::new(START))).expect("open");
    assert!(!backend.is_new());
    backend.close().await.expect("close");
}

#[tokio::test]
async fn a_registry_without_the_key_that_is_kept_beside_it_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    make(dir.path()).await;
    make(dir.path()).await;
    std::fs::write(dir.path().join("admin.key"), "a key").expect("write");
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Torn { .. }), "{error:?}");
    assert!(error.to_string().contains("admin.key"), "{error}");
}

#[tokio::test]
async fn a_registry_that_is_older_than_the_log_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let backend = open(dir.path()).expect("open");
    let registry: Arc<dyn Registry> = backend.registry();
    let revision = create(&registry, &key("a"), "x").await;
    let change = |revision| DefinitionChange { monitor: monitor(1), revision, at: START, definition: None };
    let known = Frame { definitions: vec![change(revision)], ..(*frame(1, START)).clone() };
    backend.log().append(P, Arc::new(known)).await.expect("append");
    let lease = backend.state().acquire(P, "first").await.expect("acquire");
    let mut nothing = commit(0, 0, 1, Vec::new());
    nothing.head.incarnation.clear();
    backend.state().commit(&lease, &nothing).await.expect("commit");
    backend.close().await.expect("close");
    let backend = open(dir.path()).expect("the registry knows it");
    let unknown = Frame { definitions: vec![change(Revision(revision.0 + 1))], ..(*frame(2, START)).clone() };
    backend.log().append(P, Arc::new(unknown)).await.expect("append");
    backend.close().await.expect("close");
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Torn { .. }), "{error:?}");
    let accepting = SqliteOptions { accept_torn: true, ..SqliteOptions::new(dir.path()) };
    let backend = SqliteBackend::open(accepting, Arc::new(ManualClock::new(START))).expect("open");
    backend.close().await.expect("close");
    make(dir.path()).await;
}

/// The bound of the log, or its retention, takes entries although a state that stood still had not applied
/// them.
#[tokio::test]
async fn a_log_that_goes_on_without_what_was_not_applied_is_no_reason_to_refuse() {
    let (_, dir) = two_moments().await;
    let log = rusqlite::Connection::open(dir.path().join("log.db")).expect("open");
    log.execute("DELETE FROM entries", []).expect("delete");
    log.execute("INSERT OR REPLACE INTO partitions VALUES (?1, 9, NULL)", [P.0]).expect("insert");
    drop(log);
    open(dir.path()).expect("open").close().await.expect("close");
}

#[tokio::test]
async fn a_log_of_another_installation_is_refused() {
    let (_, dir) = two_moments().await;
    let (other, copy) = (tempfile::tempdir().expect("a directory"), image(dir.path()));
    let backend = open(other.path()).expect("open");
    for number in 1..5 {
        backend.log().append(P, frame(number as u64, at(number))).await.expect("append");
    }
    backend.close().await.expect("close");
    std::fs::copy(other.path().join("log.db"), copy.path().join("log.db")).expect("copy");
    let error = refusal(copy.path());
    assert!(matches!(error, OpenError::Torn { .. }), "{error:?}");
    assert!(error.to_string().contains("another heartbeat log"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_missing_beside_one_that_was_written_to_is_refused() {
    let (_, dir) = two_moments().await;
    for missing in ["log.db", "state.db", "history.db"] {
        let copy = image(dir.path());
        std::fs::remove_file(copy.path().join(missing)).expect("it is there");
        let error = refusal(copy.path());
        assert!(matches!(error, OpenError::Incomplete { .. }), "{missing}: {error:?}");
        assert!(!copy.path().join(missing).exists(), "nothing was made");
        let accepting = SqliteOptions { accept_torn: true, ..SqliteOptions::new(copy.path()) };
        let accepted = SqliteBackend::open(accepting, Arc::new(ManualClock::new(START)));
        assert_eq!(accepted.is_ok(), missing != "state.db", "without its monitors it is another one");
        if let Ok(backend) = accepted {
            backend.close().await.expect("close");
        }
    }
}

#[tokio::test]
async fn a_database_that_is_cut_off_or_torn_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let backend = open(dir.path()).expect("open");
    let registry: Arc<dyn Registry> = backend.registry();
    for number in 0..200 {
        create(&registry, &key(&format!("k{number}")), &"x".repeat(200)).await;
    }
    backend.close().await.expect("close");
    let whole = std::fs::read(dir.path().join("state.db")).expect("read");
    let mut torn = whole.clone();
    // A page of another moment: here it was not yet written.
    torn[whole.len() / 8_192 * 4_096..][..4_096].fill(0);
    for bytes in [&whole[..whole.len() - 4_096], &torn[..]] {
        let copy = image(dir.path());
        std::fs::write(copy.path().join("state.db"), bytes).expect("write");
        let error = refusal(copy.path());
        assert!(matches!(error, OpenError::Broken { .. } | OpenError::Damaged { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("state.db is damaged") && text.contains("lubdub backup") && !text.contains('\n'),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_files_of_the_databases_hold_what_was_written_while_it_runs() {
    let dir = tempfile::tempdir().expect("a directory");
    let options =
        SqliteOptions { write_back_every: Duration::from_millis(20), ..SqliteOptions::new(dir.path()) };
    let backend = SqliteBackend::open(options, Arc::new(ManualClock::new(START))).expect("open");
    let registry: Arc<dyn Registry> = backend.registry();
    for number in 0..50 {
        create(&registry, &key(&format!("k{number}")), "x").await;
    }
    // Of the copy without its write-ahead log.
    let records = async || {
        let copy = tempfile::tempdir().expect("a directory");
        std::fs::copy(dir.path().join("state.db"), copy.path().join("state.db")).expect("copy");
        let conn = rusqlite::Connection::open(copy.path().join("state.db")).ok()?;
        conn.query_row("SELECT count(*) FROM records", [], |row| row.get::<_, i64>(0))
            .ok()
            .filter(|count| *count == 50)
    };
    doubles::eventually("all is written back", records).await;
    backend.close().await.expect("close");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    change(dir.path(), "state.db", "CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')");
    let before = std::fs::read(dir.path().join("state.db")).expect("read");
    let error = refusal(dir.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_eq!(std::fs::read(dir.path().join("state.db")).expect("read"), before);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_by_name() {
    for file in ["log.db", "state.db", "history.db"] {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path()).await;
        change(dir.path(), file, "PRAGMA user_version = 7");
        let error = refusal(dir.path());
        assert!(matches!(error, OpenError::Newer { found: 7, known: 5, .. }), "{error:?}");
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[tokio::test]
async fn a_database_from_before_the_first_release_is_refused_by_name() {
    for file in ["log.db", "state.db", "history.db"] {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path()).await;
        change(dir.path(), file, "PRAGMA user_version = 4");
        let error = refusal(dir.path());
        assert!(matches!(error, OpenError::Older { found: 4, known: 5, .. }), "{error:?}");
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused_by_name() {
    for file in ["log.db", "state.db", "history.db"] {
        let dir = tempfile::tempdir().expect("a directory");
        make(dir.path()).await;
        std::fs::write(dir.path().join(file), "no database at all, but long enough to be one".repeat(200))
            .expect("write");
        let error = refusal(dir.path());
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[tokio::test]
async fn another_number_of_partitions_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    make(dir.path()).await;
    let options = SqliteOptions { partitions: 4, ..SqliteOptions::new(dir.path()) };
    let error = SqliteBackend::open(options, Arc::new(ManualClock::new(START))).err();
    assert!(matches!(error, Some(OpenError::Partitions { found: 1, asked: 4, .. })), "{error:?}");
}

#[tokio::test]
async fn the_clock_is_made_from_the_newest_time_of_the_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let backend = open(dir.path()).expect("open");
    backend.log().append(P, frame(1, at(5_000))).await.expect("append");
    backend.close().await.expect("close");
    let mut newest: Option<EventTime> = None;
    let clock = |found| {
        newest = found;
        Arc::new(ManualClock::new(START)) as _
    };
    let backend = SqliteBackend::open_with(SqliteOptions::new(dir.path()), clock).expect("open");
    backend.close().await.expect("close");
    assert_eq!(newest, Some(at(5_000)));
}

/// The files that a killed process leaves behind.
pub(crate) fn image(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a directory");
    for entry in std::fs::read_dir(dir).expect("list") {
        let from = entry.expect("a file").path();
        // SQLite's shared memory belonged to the dead process and is built anew.
        if !from.to_string_lossy().ends_with("-shm") {
            std::fs::copy(&from, copy.path().join(from.file_name().expect("a name"))).expect("copy");
        }
    }
    copy
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_crash() {
    let dir = tempfile::tempdir().expect("a directory");
    let backend = open(dir.path()).expect("open");
    let appended = backend.log().append(P, frame(1, START)).await.expect("append");
    let registry: Arc<dyn Registry> = backend.registry();
    create(&registry, &key("a"), "x").await;
    let lease = backend.state().acquire(P, "first").await.expect("acquire");
    let states = vec![(monitor(1), Some(state(1, Some(at(10)))))];
    backend.state().commit(&lease, &commit(0, 1, 1, states)).await.expect("commit");
    let queue = backend.queue(QueueName::Alerts);
    enqueue(&*queue, [message(1, 1), message(2, 1)]).await;
    assert_eq!(claim(&*queue, 1, 0, 10).await, [1, 2]);
    settle(&*queue, 1, Outcome::Complete).await;

    let copy = image(dir.path());
    // The state here is not computed from the log.
    let accepting = SqliteOptions { accept_torn: true, ..SqliteOptions::new(copy.path()) };
    let crashed = SqliteBackend::open(accepting, Arc::new(ManualClock::new(START))).expect("open");
    assert_eq!(crashed.log().extent(P).await.expect("extent").last, appended);
    assert!(crashed.registry().get(&key("a")).await.expect("get").is_some());
    let lease = crashed.state().acquire(P, "second").await.expect("the dead hold nothing");
    assert_eq!(crashed.state().load_head(&lease).await.expect("head").applied, Offset(1));
    assert_eq!(crashed.state().due(&lease, at(11), 10).await.expect("due"), [monitor(1)]);
    let queue = crashed.queue(QueueName::Alerts);
    assert_eq!(claim(&*queue, 1, 0, 10).await, [2], "a claim dies with its holder");
    crashed.close().await.expect("close");
    backend.close().await.expect("close");
}

#[tokio::test]
async fn what_is_written_into_a_registry_made_anew_is_newer_than_all_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let backend = open(dir.path()).expect("open");
    let registry: Arc<dyn Registry> = backend.registry();
    create(&registry, &key("a"), "x").await;
    let before = create(&registry, &key("b"), "x").await;
    backend.close().await.expect("close");
    std::fs::remove_file(dir.path().join("state.db")).expect("it is there");
    let again = open(dir.path()).expect("open");
    let registry: Arc<dyn Registry> = again.registry();
    let after = create(&registry, &key("a"), "y").await;
    assert!(after > before, "{before} before the loss, {after} after it");
}
