//! The ledger's contract.

use std::sync::Arc;

use bytes::Bytes;
use ports::ledger::{Ledger, LedgerError, LedgerPage};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::subject::Subject;

type Kept = dyn Subject<dyn Ledger>;
type Change = (Uuid, Option<Bytes>);

#[macro_export]
macro_rules! ledger_suite {
    ($make:expr) => {
        $crate::run_suite!(
            ledger,
            $make,
            [
                a_scope_that_nobody_wrote_is_empty,
                rows_are_what_was_put_last,
                scopes_are_apart,
                the_last_change_of_a_row_counts,
                a_write_that_follows_another_version_is_refused_whole,
                a_write_that_is_repeated_is_refused,
                a_scope_whose_last_row_is_removed_is_forgotten,
                a_forgotten_scope_never_comes_to_an_old_version,
                of_writers_at_the_same_time_one_wins,
                a_load_shows_one_version,
                many_rows_are_written_at_once,
                rows_may_be_of_any_bytes,
                rows_and_versions_last,
            ]
        );
    };
}

const SCOPE: Uuid = Uuid::from_u128(0x5c0);

fn put(key: u128, row: &str) -> Change {
    (Uuid::from_u128(key), Some(Bytes::copy_from_slice(row.as_bytes())))
}

fn remove(key: u128) -> Change {
    (Uuid::from_u128(key), None)
}

async fn write(ledger: &dyn Ledger, expected: u64, changes: Vec<Change>) -> u64 {
    ledger.write(SCOPE, expected, changes).await.expect("write")
}

/// The version, and the rows in the order of their keys.
async fn load_of(ledger: &dyn Ledger, scope: Uuid) -> (u64, Vec<(u128, String)>) {
    let LedgerPage { version, mut rows } = ledger.load(scope).await.expect("load");
    rows.sort_unstable();
    let text = |row: Bytes| String::from_utf8(row.to_vec()).expect("text");
    (version, rows.into_iter().map(|(key, row)| (key.as_u128(), text(row))).collect())
}

async fn load(ledger: &dyn Ledger) -> (u64, Vec<(u128, String)>) {
    load_of(ledger, SCOPE).await
}

fn rows<const N: usize>(rows: [(u128, &str); N]) -> Vec<(u128, String)> {
    rows.map(|(key, row)| (key, row.to_owned())).to_vec()
}

async fn assert_conflict(ledger: &dyn Ledger, expected: u64, changes: Vec<Change>, at: u64) {
    let refused = ledger.write(SCOPE, expected, changes).await;
    assert!(matches!(refused, Err(LedgerError::Conflict { found }) if found == at), "{refused:?}, not {at}");
}

pub async fn a_scope_that_nobody_wrote_is_empty(subject: &mut Kept) {
    let ledger = subject.port();
    assert_eq!(ledger.load(SCOPE).await.expect("load"), LedgerPage::default());
    assert_conflict(&*ledger, 1, vec![put(1, "a")], 0).await;
    assert_eq!(ledger.load(SCOPE).await.expect("load"), LedgerPage::default());
}

pub async fn rows_are_what_was_put_last(subject: &mut Kept) {
    let ledger = subject.port();
    let first = write(&*ledger, 0, vec![put(1, "a"), put(2, "b"), put(3, "c")]).await;
    assert_eq!(load(&*ledger).await, (first, rows([(1, "a"), (2, "b"), (3, "c")])));
    let second = write(&*ledger, first, vec![put(2, "B"), remove(3), put(4, "d"), remove(5)]).await;
    assert_eq!(load(&*ledger).await, (second, rows([(1, "a"), (2, "B"), (4, "d")])));
    let third = write(&*ledger, second, Vec::new()).await;
    assert_eq!(load(&*ledger).await, (third, rows([(1, "a"), (2, "B"), (4, "d")])));
    assert!(0 < first && first < second && second < third, "{first} {second} {third}");
}

pub async fn scopes_are_apart(subject: &mut Kept) {
    let ledger = subject.port();
    let other = Uuid::from_u128(0x5c1);
    let first = write(&*ledger, 0, vec![put(1, "a")]).await;
    let of_other = ledger.write(other, 0, vec![put(1, "other")]).await.expect("write");
    let second = write(&*ledger, first, vec![put(2, "b")]).await;
    assert_eq!(load_of(&*ledger, other).await, (of_other, rows([(1, "other")])));
    write(&*ledger, second, vec![remove(1), remove(2)]).await;
    assert_eq!(load_of(&*ledger, other).await, (of_other, rows([(1, "other")])));
}

pub async fn the_last_change_of_a_row_counts(subject: &mut Kept) {
    let ledger = subject.port();
    let changes = vec![put(1, "a"), remove(1), put(1, "b"), put(2, "a"), remove(2), remove(3), put(3, "c")];
    let version = write(&*ledger, 0, changes).await;
    assert_eq!(load(&*ledger).await, (version, rows([(1, "b"), (3, "c")])));
}

pub async fn a_write_that_follows_another_version_is_refused_whole(subject: &mut Kept) {
    let ledger = subject.port();
    let first = write(&*ledger, 0, vec![put(1, "a")]).await;
    let second = write(&*ledger, first, vec![put(1, "b")]).await;
    for expected in [0, first, second - 1, second + 1, u64::MAX] {
        assert_conflict(&*ledger, expected, vec![put(1, "x"), put(2, "x")], second).await;
        assert_conflict(&*ledger, expected, vec![remove(1)], second).await;
    }
    assert_eq!(load(&*ledger).await, (second, rows([(1, "b")])));
}

/// Like a node that had no answer.
pub async fn a_write_that_is_repeated_is_refused(subject: &mut Kept) {
    let ledger = subject.port();
    let first = write(&*ledger, 0, vec![put(1, "a")]).await;
    assert_conflict(&*ledger, 0, vec![put(1, "a")], first).await;
    let second = write(&*ledger, first, vec![put(1, "b"), put(2, "b")]).await;
    assert_conflict(&*ledger, first, vec![put(1, "b"), put(2, "b")], second).await;
    write(&*ledger, second, vec![remove(1), remove(2)]).await;
    assert_conflict(&*ledger, second, vec![remove(1), remove(2)], 0).await;
}

pub async fn a_scope_whose_last_row_is_removed_is_forgotten(subject: &mut Kept) {
    let ledger = subject.port();
    let first = write(&*ledger, 0, vec![put(1, "a"), put(2, "b")]).await;
    let second = write(&*ledger, first, vec![remove(1)]).await;
    assert_ne!(second, 0, "there is one left");
    assert_eq!(write(&*ledger, second, vec![remove(2)]).await, 0);
    assert_eq!(ledger.load(SCOPE).await.expect("load"), LedgerPage::default());
    assert_eq!(write(&*ledger, 0, vec![remove(2)]).await, 0, "it is none that has no rows");
    assert_eq!(write(&*ledger, 0, Vec::new()).await, 0);
    assert_eq!(ledger.load(SCOPE).await.expect("load"), LedgerPage::default());
    let again = write(&*ledger, 0, vec![put(3, "c")]).await;
    assert_eq!(load(&*ledger).await, (again, rows([(3, "c")])));
}

/// Like a node that was frozen meanwhile: its write is refused.
pub async fn a_forgotten_scope_never_comes_to_an_old_version(subject: &mut Kept) {
    let ledger = subject.port();
    let mut newest = 0;
    for _ in 0..5 {
        let first = write(&*ledger, 0, vec![put(1, "a")]).await;
        assert!(first > newest, "{first} after {newest}");
        newest = write(&*ledger, first, vec![put(1, "b")]).await;
        assert_eq!(write(&*ledger, newest, vec![remove(1)]).await, 0);
        assert_conflict(&*ledger, newest, vec![put(1, "x")], 0).await;
    }
}

pub async fn of_writers_at_the_same_time_one_wins(subject: &mut Kept) {
    let ledger = subject.port();
    let mut version = 0;
    for _ in 0..5 {
        let mut writers = JoinSet::new();
        for n in 0..20 {
            let ledger = Arc::clone(&ledger);
            let changes = vec![put(1, &n.to_string()), put(100 + n, "won")];
            writers.spawn(async move { (n, ledger.write(SCOPE, version, changes).await) });
        }
        let mut won = Vec::new();
        for (n, outcome) in writers.join_all().await {
            match outcome {
                Ok(next) => won.push((n, next)),
                Err(LedgerError::Conflict { found }) => assert!(found > version),
                Err(error) => panic!("{error:?}"),
            }
        }
        let [(winner, next)] = won[..] else { panic!("{won:?}") };
        let (found, rows) = load(&*ledger).await;
        assert_eq!(found, next);
        assert_eq!(rows, [(1, winner.to_string()), (100 + winner, "won".to_owned())]);
        version = write(&*ledger, next, vec![remove(100 + winner)]).await;
    }
}

/// A reader sees all of a concurrent write, or nothing of it.
pub async fn a_load_shows_one_version(subject: &mut Kept) {
    const ROWS: u128 = 2_000;
    let ledger = subject.port();
    let of_round = |round: usize| (0..ROWS).map(|key| put(key, &format!("{round}"))).collect::<Vec<_>>();
    let first = write(&*ledger, 0, of_round(0)).await;
    let writing = Arc::clone(&ledger);
    let mut writer = JoinSet::new();
    let written = writer.spawn(async move {
        let mut version = first;
        let mut versions = vec![version];
        for round in 1..20 {
            version = write(&*writing, version, of_round(round)).await;
            versions.push(version);
        }
        versions
    });
    let mut seen = Vec::new();
    loop {
        let finished = written.is_finished();
        let (version, rows) = load(&*ledger).await;
        assert_eq!(rows.len(), usize::try_from(ROWS).expect("small"));
        assert!(rows.iter().all(|(_, row)| *row == rows[0].1), "rows of several writes");
        seen.push((version, rows[0].1.parse::<usize>().expect("a round")));
        if finished {
            break;
        }
    }
    let versions = writer.join_next().await.expect("it was spawned").expect("it ends");
    for (version, round) in seen {
        assert_eq!(versions[round], version, "the rows of round {round}");
    }
}

pub async fn many_rows_are_written_at_once(subject: &mut Kept) {
    const ROWS: u128 = 12_000;
    let ledger = subject.port();
    let row = |key: u128| format!("{key:>1000}");
    let changes = (0..ROWS).map(|key| put(key, &row(key))).collect();
    let first = write(&*ledger, 0, changes).await;
    let (version, found) = load(&*ledger).await;
    assert_eq!((version, found.len()), (first, usize::try_from(ROWS).expect("small")));
    assert!((0..ROWS).zip(&found).all(|(key, found)| *found == (key, row(key))));
    // And changed and removed.
    let changes = (0..ROWS).map(|key| if key % 3 == 0 { put(key, "changed") } else { remove(key) }).collect();
    let second = write(&*ledger, first, changes).await;
    let (version, found) = load(&*ledger).await;
    assert_eq!(version, second);
    assert!(found.iter().map(|(key, _)| *key).eq((0..ROWS).step_by(3)));
    assert!(found.iter().all(|(_, row)| row == "changed"));
    assert_eq!(write(&*ledger, second, (0..ROWS).map(remove).collect()).await, 0);
    assert_eq!(ledger.load(SCOPE).await.expect("load"), LedgerPage::default());
}

pub async fn rows_may_be_of_any_bytes(subject: &mut Kept) {
    let ledger = subject.port();
    let all: Bytes = (0..=u8::MAX).cycle().take(100_000).collect();
    let keys = [Uuid::nil(), Uuid::max(), Uuid::from_u128(0x0a0d_0000_2000_2580_8080_2222_2727_ff00)];
    let values = [Bytes::new(), Bytes::from_static(b"\0"), all];
    let changes = keys.into_iter().zip(values.iter().cloned().map(Some)).collect();
    let version = write(&*ledger, 0, changes).await;
    let mut page = ledger.load(SCOPE).await.expect("load");
    page.rows.sort_unstable_by_key(|(key, _)| keys.iter().position(|known| known == key));
    assert_eq!(page, LedgerPage { version, rows: keys.into_iter().zip(values).collect() });
}

pub async fn rows_and_versions_last(subject: &mut Kept) {
    let ledger = subject.port();
    let first = write(&*ledger, 0, vec![put(1, "a"), put(2, "b")]).await;
    let second = write(&*ledger, first, vec![remove(1)]).await;
    let gone = ledger.write(Uuid::from_u128(9), 0, vec![put(1, "a")]).await.expect("write");
    ledger.write(Uuid::from_u128(9), gone, vec![remove(1)]).await.expect("write");
    subject.restart().await;
    let ledger = subject.port();
    assert_eq!(load(&*ledger).await, (second, rows([(2, "b")])));
    assert_conflict(&*ledger, first, vec![put(1, "x")], second).await;
    let third = write(&*ledger, second, vec![put(3, "c")]).await;
    assert_eq!(load(&*ledger).await, (third, rows([(2, "b"), (3, "c")])));
    assert_eq!(load_of(&*ledger, Uuid::from_u128(9)).await, (0, Vec::new()));
    let again = ledger.write(Uuid::from_u128(9), 0, vec![put(1, "b")]).await.expect("write");
    assert!(again > gone, "no version is given twice");
}
