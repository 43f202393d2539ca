//! The pages of a database: how many it uses, and how it gives free ones back.

use std::time::Duration;

use rusqlite::Connection;

use super::database::{BUSY, from_sql};
use super::room::PAGE;

/// Free pages that a database keeps for its next entries, and the most that one step gives back.
const SPARE_PAGES: u64 = 4_096;
const GIVEN_BACK: u64 = 256;

fn pages(conn: &Connection, pragma: &str) -> rusqlite::Result<u64> {
    let pages: i64 = conn.pragma_query_value(None, pragma, |row| row.get(0))?;
    Ok(from_sql(pages))
}

/// Bytes that the contents of a database take; its file may be larger.
pub(super) fn used(conn: &Connection) -> rusqlite::Result<u64> {
    Ok((pages(conn, "page_count")?.saturating_sub(pages(conn, "freelist_count")?)) * PAGE)
}

/// Gives a step of free pages back to the disk, if there are many; answers whether there are more.
pub(super) fn give_back(conn: &Connection) -> rusqlite::Result<bool> {
    let free = pages(conn, "freelist_count")?;
    if free <= SPARE_PAGES {
        return Ok(false);
    }
    let step = (free - SPARE_PAGES).min(GIVEN_BACK);
    let mut vacuum = conn.prepare(&format!("PRAGMA incremental_vacuum({step})"))?;
    let mut rows = vacuum.query([])?;
    // Each row is a page.
    while rows.next()?.is_some() {}
    drop(rows);
    let is_more = free - step > SPARE_PAGES;
    if !is_more {
        // The file shrinks when the write-ahead log is written back, and a quiet database does not do so by
        // itself. If a reader is in the way, a later write does it.
        let _ = write_back(conn);
    }
    Ok(is_more)
}

/// Writes back what of the write-ahead log no reader needs; the next write begins it anew once all of it is.
pub(super) fn write_back(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Writes the write-ahead log back and cuts its file, unless a reader needs it.
pub(super) fn cut_wal(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(Duration::ZERO)?;
    let cut = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    conn.busy_timeout(BUSY)?;
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_pages_are_given_back_step_by_step() {
        let dir = tempfile::tempdir().expect("a directory");
        let conn = Connection::open(dir.path().join("some.db")).expect("open");
        conn.execute_batch(
            "PRAGMA auto_vacuum = INCREMENTAL; CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB);",
        )
        .expect("create");
        conn.execute_batch(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2500)
             INSERT INTO t SELECT n, zeroblob(8000) FROM n; DELETE FROM t WHERE n > 100;",
        )
        .expect("fill");
        let before = pages(&conn, "page_count").expect("count");
        let contents = used(&conn).expect("used");
        assert!(give_back(&conn).expect("give back"));
        let after = pages(&conn, "page_count").expect("count");
        // A page of the map of pages may go with them.
        assert!((before - GIVEN_BACK - 1..=before - GIVEN_BACK).contains(&after), "{before}, then {after}");
        while give_back(&conn).expect("give back") {}
        assert_eq!(pages(&conn, "freelist_count").expect("count"), SPARE_PAGES);
        assert!(used(&conn).expect("used") <= contents, "nothing was added");
    }
}
