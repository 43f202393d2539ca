//! Finished messages of the queues are forgotten after their time.

use model::time::EventTime;
use ports::queue::{DEAD_LETTERS_KEPT_FOR, QueueName, REMEMBERED_FOR};
use rusqlite::Connection;

use super::database::{in_transaction, limit as sql_limit, optional};
use super::queue::{COMPLETED, DEAD, queue_number};

/// Most rows that one transaction forgets.
const FORGET_STEP: i64 = 2_000;

/// Forgets a step of messages, in all queues, that finished long ago; answers whether there are more.
pub(super) fn forget(conn: &Connection, now: EventTime, dead_capacity: usize) -> rusqlite::Result<bool> {
    let completed_before = (now - REMEMBERED_FOR).as_micros();
    let dead_before = (now - DEAD_LETTERS_KEPT_FOR).as_micros();
    in_transaction(conn, |conn| {
        let mut most = conn.execute(
            &format!(
                "DELETE FROM messages WHERE seq IN
                     (SELECT seq FROM messages WHERE state = {COMPLETED} AND done_at < ?1
                      ORDER BY done_at LIMIT ?2)"
            ),
            [completed_before, FORGET_STEP],
        )?;
        for queue in [queue_number(QueueName::Alerts), queue_number(QueueName::Deliveries)] {
            // The newest dead letter beyond the capacity.
            let sql = format!(
                "SELECT done_at FROM messages WHERE state = {DEAD} AND queue = ?1
                 ORDER BY done_at DESC LIMIT 1 OFFSET ?2"
            );
            let excess = optional::<i64>(conn, &sql, [queue, sql_limit(dead_capacity)])?;
            let before = excess.map_or(dead_before, |at| dead_before.max(at + 1));
            most = most.max(conn.execute(
                &format!(
                    "DELETE FROM messages WHERE seq IN
                         (SELECT seq FROM messages WHERE state = {DEAD} AND queue = ?1 AND done_at < ?2
                          ORDER BY done_at LIMIT ?3)"
                ),
                [queue, before, FORGET_STEP],
            )?);
        }
        Ok(sql_limit(most) >= FORGET_STEP)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::params;

    use super::super::queue::UNFINISHED;
    use super::super::state_db::SCHEMA;
    use super::*;

    #[test]
    fn finished_messages_are_remembered_for_their_time_and_no_longer() {
        let conn = Connection::open_in_memory().expect("open");
        conn.execute_batch(SCHEMA.create).expect("create");
        let now = EventTime::from_secs(1_795_341_600);
        let mut insert = conn
            .prepare("INSERT INTO messages VALUES (?1, 0, ?1, 'lane', 'key', 0, ?2, NULL, ?3)")
            .expect("sql");
        let hours = |count: u64| (now - Duration::from_secs(count * 3_600)).as_micros();
        for (seq, state, done_at) in [
            (1, UNFINISHED, None),
            (2, COMPLETED, Some(hours(23))),
            (3, COMPLETED, Some(hours(25))),
            (4, DEAD, Some(hours(25))),
            (5, DEAD, Some(hours(26))),
            (6, DEAD, Some(hours(27))),
            (7, DEAD, Some(hours(31 * 24))),
        ] {
            insert.execute(params![seq, state, done_at]).expect("insert");
        }
        let left = || -> Vec<i64> {
            let mut query = conn.prepare("SELECT seq FROM messages ORDER BY seq").expect("sql");
            let rows = query.query_map([], |row| row.get(0)).expect("query");
            rows.collect::<rusqlite::Result<_>>().expect("rows")
        };
        assert!(!forget(&conn, now, 100).expect("forget"));
        assert_eq!(left(), [1, 2, 4, 5, 6]);
        assert!(!forget(&conn, now, 2).expect("forget"));
        assert_eq!(left(), [1, 2, 4, 5], "the newest dead letters are kept");
    }
}
