//! The history's bound in bytes: outputs go first, then the oldest entries of every monitor.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::database::{behind, limit as sql_limit, optional};
use super::directory::DataDir;
use super::pages::used;
use super::prune::{Table, keep_newest};

/// Outputs that one step removes, and monitors whose entries it cuts.
const OUTPUTS: usize = 64;
const MONITORS: usize = 20;

/// How often a history is measured that is near its limit.
const NEAR_EVERY: Duration = Duration::from_secs(1);

/// Keeps the history within its limit.
pub(super) struct Trim {
    limit: u64,
    dir: Arc<DataDir>,
    /// What the history took when the disk became short: it does not grow meanwhile.
    held: Option<u64>,
    /// Entries that are kept of each monitor with room enough, and at the moment.
    keep: usize,
    cut: usize,
    swept: Option<Uuid>,
}

/// What is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trimmed {
    /// The history is over its limit, and more can be removed.
    Over,
    /// The history is close to its limit.
    Near,
    /// There is room.
    Within,
}

impl Trimmed {
    /// When to look again, if nothing else is due before `pause`.
    pub(super) fn pause(self, pause: Duration) -> Duration {
        match self {
            Self::Over => pause.min(Duration::from_millis(50)),
            Self::Near => pause.min(NEAR_EVERY),
            Self::Within => pause,
        }
    }
}

impl Trim {
    pub(super) fn new(limit: u64, keep: usize, dir: Arc<DataDir>) -> Self {
        let keep = keep.max(1);
        Self { limit, dir, held: None, keep, cut: keep, swept: None }
    }

    /// Removes a step of what is too much, inside of a transaction.
    pub(super) fn step(&mut self, conn: &Connection) -> rusqlite::Result<Trimmed> {
        let (used, is_short) = (used(conn)?, self.dir.room().disk_is_short());
        self.held = is_short.then(|| self.held.unwrap_or(used));
        let limit = self.held.map_or(self.limit, |held| held.min(self.limit));
        if used <= limit {
            self.cut = self.keep;
            let is_near = is_short || used > limit - limit / 8;
            return Ok(if is_near { Trimmed::Near } else { Trimmed::Within });
        }
        if remove_outputs(conn)? || self.cut_entries(conn)? { Ok(Trimmed::Over) } else { Ok(Trimmed::Near) }
    }

    /// Cuts the entries of the next monitors; `false` if nothing is left to cut.
    fn cut_entries(&mut self, conn: &Connection) -> rusqlite::Result<bool> {
        for _ in 0..MONITORS {
            let sql = "SELECT monitor FROM heartbeats WHERE monitor > ?1 ORDER BY monitor LIMIT 1";
            self.swept = optional::<Uuid>(conn, sql, [behind(self.swept)])?;
            let Some(monitor) = self.swept else {
                let had = self.cut;
                self.cut = (had - had / 4 - 1).max(1);
                return Ok(had > 1);
            };
            keep_newest(conn, Table::Heartbeats, monitor, self.cut)?;
            keep_newest(conn, Table::Flips, monitor, self.cut)?;
        }
        Ok(true)
    }
}

/// Removes the oldest outputs; `false` if there are none.
fn remove_outputs(conn: &Connection) -> rusqlite::Result<bool> {
    let mut query = conn.prepare_cached("SELECT monitor, at FROM outputs ORDER BY at LIMIT ?1")?;
    let oldest = query
        .query_map([sql_limit(OUTPUTS)], |row| Ok((row.get::<_, Uuid>(0)?, row.get::<_, i64>(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for (monitor, at) in &oldest {
        let row = params![monitor, at];
        conn.prepare_cached("DELETE FROM outputs WHERE monitor = ?1 AND at = ?2")?.execute(row)?;
        let sql = "UPDATE heartbeats SET has_output = 0 WHERE monitor = ?1 AND at = ?2";
        conn.prepare_cached(sql)?.execute(row)?;
    }
    Ok(!oldest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::history::SCHEMA;
    use super::*;

    fn fill(conn: &Connection, monitors: u128, each: i64, output: usize) {
        for number in 0..monitors {
            let monitor = Uuid::from_u128(number);
            for at in 0..each {
                let values = params![monitor, at, output > 0];
                conn.prepare_cached("INSERT INTO heartbeats VALUES (?1, ?2, 0, NULL, NULL, NULL, ?3)")
                    .and_then(|mut insert| insert.execute(values))
                    .expect("insert");
                if output > 0 {
                    conn.prepare_cached("INSERT INTO outputs VALUES (?1, ?2, ?3)")
                        .and_then(|mut insert| insert.execute(params![monitor, at, vec![7_u8; output]]))
                        .expect("insert");
                }
            }
        }
    }

    fn count(conn: &Connection, what: &str) -> i64 {
        conn.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).expect("count")
    }

    /// Trims a history of that limit until it is within it.
    fn trimmed(limit: u64, filled: impl FnOnce(&Connection)) -> Connection {
        let dir = tempfile::tempdir().expect("a directory");
        let held = Arc::new(DataDir::take(dir.path(), &[]).expect("it is free"));
        let conn = SCHEMA.open(dir.path(), None).expect("open");
        filled(&conn);
        let mut trim = Trim::new(limit, 1_000, held);
        let mut steps = 0;
        while trim.step(&conn).expect("trim") == Trimmed::Over {
            steps += 1;
            assert!(steps < 10_000, "it comes to an end");
        }
        conn
    }

    #[test]
    fn outputs_go_first_and_the_oldest_of_them() {
        let conn = trimmed(4 << 20, |conn| fill(conn, 5, 200, 8_000));
        assert_eq!(count(&conn, "heartbeats"), 1_000, "all of them are left");
        let left = count(&conn, "outputs");
        assert!((1..500).contains(&left), "{left}");
        assert_eq!(count(&conn, "heartbeats WHERE has_output"), left, "what is gone is not announced");
        assert_eq!(count(&conn, "outputs WHERE at < 100"), 0, "the oldest went");
        assert!(used(&conn).expect("used") <= 4 << 20);
    }

    #[test]
    fn then_every_monitor_keeps_fewer_entries() {
        let conn = trimmed(256 << 10, |conn| {
            fill(conn, 30, 500, 0);
            conn.execute("DELETE FROM heartbeats WHERE monitor = ?1 AND at >= 40", [Uuid::from_u128(3)])
                .expect("delete");
        });
        assert!(used(&conn).expect("used") <= 256 << 10);
        let of = |number: u128| {
            let sql = "SELECT count(*) FROM heartbeats WHERE monitor = ?1 AND at >= 0";
            conn.query_row(sql, [Uuid::from_u128(number)], |row| row.get::<_, i64>(0)).expect("count")
        };
        assert_eq!(of(3), 40, "a quiet monitor loses nothing to the others");
        assert!((40..500).contains(&of(4)), "{}", of(4));
    }
}
