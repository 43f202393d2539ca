//! The history's bound in bytes: outputs go first, then the oldest finished deliveries and the oldest entries
//! of every monitor.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::database::{behind, limit as sql_limit, optional};
use super::directory::DataDir;
use super::pages::used;
use super::prune::{Table, keep_newest, keep_newest_finished};
use ports::history::FINISHED_DELIVERIES;

/// Outputs that one step removes, deliveries of each finished state, and monitors whose entries it cuts.
const OUTPUTS: usize = 64;
const DELIVERIES: usize = 128;
const MONITORS: usize = 20;

/// The least that is kept, however large the history is: entries of each monitor, and deliveries of each
/// finished state.
const LEAST_ENTRIES: usize = 1;
const LEAST_DELIVERIES: usize = 20;

/// How often a history is measured that is near its limit.
const NEAR_EVERY: Duration = Duration::from_secs(1);

/// What is kept at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    /// Entries of each monitor.
    entries: usize,
    /// Deliveries of each finished state.
    deliveries: usize,
}

impl Cut {
    const LEAST: Self = Self { entries: LEAST_ENTRIES, deliveries: LEAST_DELIVERIES };

    /// The next smaller one. Deliveries give way faster: they are larger, and there may be more of them than
    /// monitors could make room for.
    fn smaller(self) -> Self {
        Self {
            entries: (self.entries - self.entries / 4).saturating_sub(1).max(LEAST_ENTRIES),
            deliveries: (self.deliveries / 2).max(LEAST_DELIVERIES),
        }
    }
}

/// Keeps the history within its limit.
pub(super) struct Trim {
    limit: u64,
    dir: Arc<DataDir>,
    /// What the history took when the disk became short: it does not grow meanwhile.
    held: Option<u64>,
    /// What is kept with room enough, and at the moment.
    whole: Cut,
    cut: Cut,
    swept: Option<Uuid>,
    /// Whether the least was kept of every monitor, and that was still too much.
    is_bare: bool,
    /// Whether that was said and has not ended.
    is_told: bool,
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
        let whole = Cut { entries: keep.max(LEAST_ENTRIES), deliveries: FINISHED_DELIVERIES };
        Self { limit, dir, held: None, whole, cut: whole, swept: None, is_bare: false, is_told: false }
    }

    /// Removes a step of what is too much, inside of a transaction.
    pub(super) fn step(&mut self, conn: &Connection) -> rusqlite::Result<Trimmed> {
        let (used, is_short) = (used(conn)?, self.dir.room().disk_is_short());
        self.held = is_short.then(|| self.held.unwrap_or(used));
        let limit = self.held.map_or(self.limit, |held| held.min(self.limit));
        if used <= limit {
            (self.cut, self.is_bare) = (self.whole, false);
            let is_near = is_short || used > limit - limit / 8;
            if !is_near {
                self.tell(false, used);
            }
            return Ok(if is_near { Trimmed::Near } else { Trimmed::Within });
        }
        if remove_outputs(conn)?
            || keep_newest_finished(conn, self.cut.deliveries, DELIVERIES)? > 0
            || self.cut_entries(conn)?
        {
            return Ok(Trimmed::Over);
        }
        // A history that may only not grow, because of the disk, is not too large.
        if used > self.limit {
            self.tell(true, used);
        }
        Ok(Trimmed::Near)
    }

    /// Cuts the entries of the next monitors; `false` if all that can be cut was cut.
    fn cut_entries(&mut self, conn: &Connection) -> rusqlite::Result<bool> {
        for _ in 0..MONITORS {
            let sql = "SELECT monitor FROM heartbeats WHERE monitor > ?1 ORDER BY monitor LIMIT 1";
            self.swept = optional::<Uuid>(conn, sql, [behind(self.swept)])?;
            let Some(monitor) = self.swept else {
                self.is_bare = self.cut == Cut::LEAST;
                self.cut = self.cut.smaller();
                break;
            };
            keep_newest(conn, Table::Heartbeats, monitor, self.cut.entries)?;
            keep_newest(conn, Table::Flips, monitor, self.cut.entries)?;
        }
        Ok(!self.is_bare)
    }

    /// Says once that nothing is left to remove, and once that there is room again.
    fn tell(&mut self, is_too_large: bool, used: u64) {
        if std::mem::replace(&mut self.is_told, is_too_large) == is_too_large {
            return;
        }
        let (mebibytes, most_mebibytes) = (used >> 20, self.limit >> 20);
        if is_too_large {
            tracing::warn!(
                mebibytes,
                most_mebibytes,
                "the history is larger than it may be, and all that may go is gone; it needs a larger --log-size"
            );
        } else {
            tracing::info!(mebibytes, most_mebibytes, "the history has room again");
        }
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
    use model::delivery::DeliveryState;

    use super::super::delivery_state::state_number;
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

    fn deliver(conn: &Connection, state: DeliveryState, ids: std::ops::Range<u128>, bytes: usize) {
        conn.execute_batch("BEGIN").expect("begin");
        for number in ids {
            // Many are made in one moment, as in a storm.
            let at = i64::try_from(number / 100).expect("small");
            let channel = Uuid::from_u128(7);
            let values =
                params![Uuid::from_u128(number), at, channel, state_number(state), vec![7_u8; bytes]];
            let sql = "INSERT INTO deliveries (id, created_at, channel, state, delivery)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            conn.prepare_cached(sql).and_then(|mut insert| insert.execute(values)).expect("insert");
        }
        conn.execute_batch("COMMIT").expect("commit");
    }

    fn small(limit: u64) -> (Connection, Trim) {
        let dir = tempfile::tempdir().expect("a directory");
        let held = Arc::new(DataDir::take(dir.path(), &[], Duration::from_secs(60)).expect("it is free"));
        let conn = SCHEMA.open(dir.path(), None).expect("open");
        (conn, Trim::new(limit, 1_000, held))
    }

    fn trim_all(conn: &Connection, trim: &mut Trim) -> Trimmed {
        for _ in 0..10_000 {
            let trimmed = trim.step(conn).expect("trim");
            if trimmed != Trimmed::Over {
                return trimmed;
            }
        }
        panic!("it comes to an end");
    }

    /// Trims a history of that limit until it is within it.
    fn trimmed(limit: u64, filled: impl FnOnce(&Connection)) -> Connection {
        let (conn, mut trim) = small(limit);
        filled(&conn);
        trim_all(&conn, &mut trim);
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

    #[test]
    fn finished_deliveries_give_way_before_monitors_have_next_to_nothing() {
        use DeliveryState::{Dead, Delivered, Folded, Pending, Suppressed};
        let conn = trimmed(4 << 20, |conn| {
            fill(conn, 30, 200, 0);
            deliver(conn, Delivered, 0..3_000, 4_000);
            deliver(conn, Folded, 10_000..13_000, 4_000);
            deliver(conn, Suppressed, 20_000..20_015, 4_000);
            deliver(conn, Pending, 30_000..30_100, 4_000);
            deliver(conn, Dead, 40_000..40_100, 4_000);
        });
        assert!(used(&conn).expect("used") <= 4 << 20);
        assert_eq!(count(&conn, "heartbeats"), 30 * 200, "no monitor loses anything to them");
        let of = |state| count(&conn, &format!("deliveries WHERE state = {}", state_number(state)));
        assert_eq!((of(Pending), of(Dead)), (100, 100), "what is not finished stays");
        assert_eq!(of(Suppressed), 15, "a few of each state stay");
        assert!((100..400).contains(&of(Delivered)), "{}", of(Delivered));
        assert!((100..400).contains(&of(Folded)), "{}", of(Folded));
        let last = format!("deliveries WHERE id = x'{}'", Uuid::from_u128(2_999).simple());
        assert_eq!(count(&conn, &last), 1, "the oldest went");
    }

    #[test]
    fn a_history_that_cannot_be_made_smaller_says_so_once_and_rests() {
        use DeliveryState::{Delivered, Pending};
        let (conn, mut trim) = small(1 << 20);
        fill(&conn, 50, 20, 0);
        deliver(&conn, Pending, 0..500, 4_000);
        deliver(&conn, Delivered, 1_000..1_100, 4_000);
        let mut told = 0;
        for at in 1_000..1_100_i64 {
            let was = trim.is_told;
            assert_eq!(trim_all(&conn, &mut trim), Trimmed::Near);
            told += u32::from(trim.is_told && !was);
            conn.execute(
                "INSERT INTO heartbeats VALUES (?1, ?2, 0, NULL, NULL, NULL, 0)",
                params![Uuid::from_u128(1), at],
            )
            .expect("insert");
        }
        assert_eq!((told, trim.is_told), (1, true));
        assert_eq!(count(&conn, "deliveries"), 500 + 20, "the newest of the finished ones stay");
        let entries = count(&conn, "heartbeats");
        assert!((50..60).contains(&entries), "so does the newest of each monitor: {entries}");
        conn.execute("DELETE FROM deliveries WHERE state = 0", []).expect("delete");
        assert_eq!((trim_all(&conn, &mut trim), trim.is_told), (Trimmed::Within, false));
    }
}
