//! Keeping the history bounded, a little at a time.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::database::{behind, in_transaction, limit as sql_limit, optional};
use super::delivery_state::state_number;
use model::delivery::DeliveryState;
use model::ids::MonitorId;
use model::time::EventTime;
use ports::history::{FINISHED_DELIVERIES, OPEN_DELIVERIES_FOR};

/// Most rows of a monitor that one transaction removes.
const STEP: usize = 2_000;

/// Most monitors whose entries are counted; beyond that, counting begins anew.
const COUNTED: usize = 500_000;

/// Monitors that one step of the slow sweep visits, and the time between steps: an idle process should stay
/// idle.
const SWEPT: usize = 20;
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Finished deliveries beyond the kept ones that may come before a removal.
const FINISHED_SLACK: usize = 1_000;

/// Counts each monitor's new entries and removes the surplus now and then.
///
/// Between two removals a monitor gets at most N/8 + 16 entries. The counts are lost with the process. So
/// that restarts do not let monitors grow, each first count starts at a random value, and a slow sweep visits
/// all monitors.
pub(super) struct Pruner {
    keep: usize,
    slack: u32,
    heartbeats: HashMap<u64, u32>,
    flips: HashMap<u64, u32>,
    finished_deliveries: usize,
    swept: Option<Uuid>,
}

/// A table of entries by monitor.
#[derive(Clone, Copy)]
pub(super) enum Table {
    Heartbeats,
    Flips,
}

impl Pruner {
    pub(super) fn new(keep: usize) -> Self {
        let keep = keep.max(1);
        let slack = u32::try_from(keep / 8 + 16).unwrap_or(u32::MAX);
        Self {
            keep,
            slack,
            heartbeats: HashMap::new(),
            flips: HashMap::new(),
            finished_deliveries: 0,
            swept: None,
        }
    }

    pub(super) fn added_heartbeat(&mut self, conn: &Connection, monitor: MonitorId) -> rusqlite::Result<()> {
        if is_due(&mut self.heartbeats, monitor, self.slack) {
            keep_newest(conn, Table::Heartbeats, monitor.as_uuid(), self.keep)?;
        }
        Ok(())
    }

    pub(super) fn added_flip(&mut self, conn: &Connection, monitor: MonitorId) -> rusqlite::Result<()> {
        if is_due(&mut self.flips, monitor, self.slack) {
            keep_newest(conn, Table::Flips, monitor.as_uuid(), self.keep)?;
        }
        Ok(())
    }

    /// Counts deliveries that have just finished, and removes the oldest surplus.
    pub(super) fn finished(&mut self, conn: &Connection, count: usize) -> rusqlite::Result<()> {
        self.finished_deliveries += count;
        // Once for each full slack, so that one call removes at least as many as it counted.
        while self.finished_deliveries >= FINISHED_SLACK {
            self.finished_deliveries -= FINISHED_SLACK;
            keep_newest_finished(conn, FINISHED_DELIVERIES, STEP)?;
        }
        Ok(())
    }

    /// Continues removals that were begun; answers when to call again.
    pub(super) fn maintain(&mut self, conn: &Connection, now: EventTime) -> rusqlite::Result<Duration> {
        in_transaction(conn, |conn| {
            let more = continue_removals(conn)?;
            let too_old = (now - OPEN_DELIVERIES_FOR).as_micros();
            states(|state| !state.is_over()).try_for_each(|state| remove_deliveries(conn, state, too_old))?;
            for _ in 0..SWEPT {
                if !self.sweep(conn)? {
                    break;
                }
            }
            Ok(if more { Duration::from_millis(50) } else { SWEEP_EVERY })
        })
    }

    /// Prunes the next monitor; `false` at the end, after which the sweep starts over.
    fn sweep(&mut self, conn: &Connection) -> rusqlite::Result<bool> {
        let sql = "SELECT monitor FROM heartbeats WHERE monitor > ?1 ORDER BY monitor LIMIT 1";
        self.swept = optional::<Uuid>(conn, sql, [behind(self.swept)])?;
        let Some(monitor) = self.swept else { return Ok(false) };
        keep_newest(conn, Table::Heartbeats, monitor, self.keep + self.slack as usize)?;
        keep_newest(conn, Table::Flips, monitor, self.keep + self.slack as usize)?;
        Ok(true)
    }
}

fn is_due(counts: &mut HashMap<u64, u32>, monitor: MonitorId, slack: u32) -> bool {
    // The low half of an id of version 7 is random.
    let (high, low) = monitor.as_uuid().as_u64_pair();
    let key = high.rotate_left(32) ^ low;
    if counts.len() >= COUNTED && !counts.contains_key(&key) {
        counts.clear();
    }
    let anywhere = u32::try_from(key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33).unwrap_or(0) % slack;
    let count = counts.entry(key).or_insert(anywhere);
    *count += 1;
    let due = *count >= slack;
    if due {
        *count = 0;
    }
    due
}

/// Removes a monitor's oldest entries beyond the newest `keep`, at most a step.
pub(super) fn keep_newest(
    conn: &Connection,
    table: Table,
    monitor: Uuid,
    keep: usize,
) -> rusqlite::Result<()> {
    let (newest_too_many, end_of_step) = match table {
        Table::Heartbeats => (
            "SELECT at FROM heartbeats WHERE monitor = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2",
            "SELECT at FROM heartbeats WHERE monitor = ?1 ORDER BY at LIMIT 1 OFFSET ?2",
        ),
        Table::Flips => (
            "SELECT at FROM flips WHERE monitor = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2",
            "SELECT at FROM flips WHERE monitor = ?1 ORDER BY at LIMIT 1 OFFSET ?2",
        ),
    };
    let Some(through) = optional::<i64>(conn, newest_too_many, params![monitor, sql_limit(keep)])? else {
        return Ok(());
    };
    let end = optional::<i64>(conn, end_of_step, params![monitor, sql_limit(STEP)])?.unwrap_or(i64::MAX);
    let range = params![monitor, through.min(end)];
    match table {
        Table::Heartbeats => {
            conn.prepare_cached("DELETE FROM heartbeats WHERE monitor = ?1 AND at <= ?2")?.execute(range)?;
            conn.prepare_cached("DELETE FROM outputs WHERE monitor = ?1 AND at <= ?2")?.execute(range)?;
        }
        Table::Flips => {
            conn.prepare_cached("DELETE FROM flips WHERE monitor = ?1 AND at <= ?2")?.execute(range)?;
        }
    }
    Ok(())
}

/// Removes a step of a monitor's rows; answers whether none are left.
pub(super) fn remove_step(conn: &Connection, monitor: Uuid) -> rusqlite::Result<bool> {
    let mut removed_most = 0;
    for sql in [
        "DELETE FROM heartbeats WHERE monitor = ?1 AND at IN
             (SELECT at FROM heartbeats WHERE monitor = ?1 ORDER BY at LIMIT ?2)",
        "DELETE FROM outputs WHERE monitor = ?1 AND at IN
             (SELECT at FROM outputs WHERE monitor = ?1 ORDER BY at LIMIT ?2)",
        "DELETE FROM flips WHERE monitor = ?1 AND at IN
             (SELECT at FROM flips WHERE monitor = ?1 ORDER BY at LIMIT ?2)",
    ] {
        let removed = conn.prepare_cached(sql)?.execute(params![monitor, sql_limit(STEP)])?;
        removed_most = removed.max(removed_most);
    }
    Ok(removed_most < STEP)
}

/// Continues the removal of a deleted monitor; answers whether there may be more.
fn continue_removals(conn: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT monitor FROM removals LIMIT 1";
    let Some(monitor) = optional::<Uuid>(conn, sql, [])? else { return Ok(false) };
    if remove_step(conn, monitor)? {
        conn.prepare_cached("DELETE FROM removals WHERE monitor = ?1")?.execute([monitor])?;
    }
    Ok(true)
}

/// The stored numbers of the matching states of deliveries.
fn states(like: impl Fn(DeliveryState) -> bool) -> impl Iterator<Item = i64> {
    DeliveryState::ALL.into_iter().filter(move |state| like(*state)).map(state_number)
}

/// Removes the oldest deliveries of each finished state beyond its newest `keep`, at most `step` of a state;
/// answers how many.
pub(super) fn keep_newest_finished(conn: &Connection, keep: usize, step: usize) -> rusqlite::Result<usize> {
    // By the whole order of the list: in a storm many deliveries are made in one moment.
    let sql = "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries
                   WHERE state = ?1 AND (created_at, id) <= (SELECT created_at, id FROM deliveries
                       WHERE state = ?1 ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?2)
                   ORDER BY created_at, id LIMIT ?3)";
    let mut removed = 0;
    for state in states(DeliveryState::is_over) {
        let range = params![state, sql_limit(keep), sql_limit(step)];
        removed += conn.prepare_cached(sql)?.execute(range)?;
    }
    Ok(removed)
}

/// Removes a step of the deliveries in this state that were created before `cutoff`.
fn remove_deliveries(conn: &Connection, state: i64, cutoff: i64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries
                   WHERE state = ?1 AND created_at < ?2 ORDER BY created_at LIMIT ?3)";
    conn.prepare_cached(sql)?.execute(params![state, cutoff, sql_limit(STEP)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::history::SCHEMA;
    use super::*;

    const NOW: EventTime = EventTime::from_secs(1_795_341_600);

    fn database() -> Connection {
        let conn = Connection::open_in_memory().expect("open");
        conn.execute_batch(SCHEMA.create).expect("create");
        conn
    }

    fn monitor(number: u128) -> MonitorId {
        MonitorId::from_uuid(Uuid::from_u128(number))
    }

    fn add(conn: &Connection, of: MonitorId, times: std::ops::Range<i64>) {
        let mut insert =
            conn.prepare("INSERT INTO heartbeats VALUES (?1, ?2, 0, NULL, NULL, NULL, 0)").expect("sql");
        for at in times {
            insert.execute(params![of.as_uuid(), at]).expect("insert");
        }
    }

    fn count(conn: &Connection, of: MonitorId) -> i64 {
        let sql = "SELECT count(*) FROM heartbeats WHERE monitor = ?1";
        conn.query_row(sql, [of.as_uuid()], |row| row.get(0)).expect("count")
    }

    #[test]
    fn monitors_do_not_grow_by_restarts() {
        let conn = database();
        for restart in 0..60 {
            let mut pruner = Pruner::new(40);
            for n in 0..20 {
                // Fewer than the slack between any two restarts.
                for at in restart * 5..restart * 5 + 5 {
                    add(&conn, monitor(n), at..at + 1);
                    pruner.added_heartbeat(&conn, monitor(n)).expect("prune");
                }
            }
            pruner.maintain(&conn, NOW).expect("maintain");
        }
        for n in 0..20 {
            let kept = count(&conn, monitor(n));
            assert!((40..=90).contains(&kept), "monitor {n}: {kept}");
        }
    }

    #[test]
    fn the_sweep_finds_every_monitor_that_has_too_much() {
        let conn = database();
        (0..50).for_each(|n| add(&conn, monitor(n), 0..300));
        let mut pruner = Pruner::new(100);
        for _ in 0..4 {
            pruner.maintain(&conn, NOW).expect("maintain");
        }
        for n in 0..50 {
            assert_eq!(count(&conn, monitor(n)), i64::from(100 + pruner.slack));
        }
    }

    #[test]
    fn a_large_removal_goes_on_step_by_step() {
        let conn = database();
        add(&conn, monitor(1), 0..5_000);
        add(&conn, monitor(2), 0..10);
        conn.execute("INSERT INTO removals VALUES (?1)", [monitor(1).as_uuid()]).expect("insert");
        let mut pruner = Pruner::new(10_000);
        pruner.maintain(&conn, NOW).expect("maintain");
        assert_eq!(count(&conn, monitor(1)), 5_000 - sql_limit(STEP));
        for _ in 0..3 {
            pruner.maintain(&conn, NOW).expect("maintain");
        }
        assert_eq!((count(&conn, monitor(1)), count(&conn, monitor(2))), (0, 10));
        let left: i64 = conn.query_row("SELECT count(*) FROM removals", [], |row| row.get(0)).expect("count");
        assert_eq!(left, 0);
    }
}
