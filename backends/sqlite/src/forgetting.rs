//! Finished messages of the queues are forgotten after their time, or when there are too many.

use model::time::EventTime;
use ports::queue::{DEAD_LETTERS_KEPT_FOR, QueueName, REMEMBERED_FOR};
use ports::queue_room::ROWS_PER_MESSAGE;
use rusqlite::Connection;

use super::database::{in_transaction, limit as sql_limit, optional};
use super::queue::{COMPLETED, DEAD, queue_number};

/// Most rows that one transaction forgets.
const FORGET_STEP: i64 = 2_000;

/// Rows that are looked at for a completed one.
const LOOKED_AT: i64 = 20_000;

/// When a message was completed that stands just before the newest rows, as many as a queue may have; `None`
/// if there is none.
fn surplus_completed(conn: &Connection, capacity: usize) -> rusqlite::Result<Option<i64>> {
    let rows = sql_limit(capacity.saturating_mul(ROWS_PER_MESSAGE));
    // Places have no gaps when messages are enqueued, so all the rows need not be counted.
    let Some(last) = conn
        .prepare_cached("SELECT max(seq) FROM messages")?
        .query_row([], |row| row.get::<_, Option<i64>>(0))?
    else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT done_at FROM messages NOT INDEXED WHERE state = {COMPLETED} AND seq BETWEEN ?1 AND ?2
         ORDER BY seq DESC LIMIT 1"
    );
    optional(conn, &sql, [last - rows - LOOKED_AT, last - rows])
}

/// Forgets a step of messages, in all queues, that finished long ago, or that are too many by the capacity of
/// a queue; answers whether there are more.
pub(super) fn forget(conn: &Connection, now: EventTime, capacity: usize) -> rusqlite::Result<bool> {
    let day_ago = (now - REMEMBERED_FOR).as_micros();
    let completed_before = surplus_completed(conn, capacity)?.map_or(day_ago, |at| day_ago.max(at + 1));
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
            let excess = optional::<i64>(conn, &sql, [queue, sql_limit(capacity)])?;
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

    use super::super::database::to_sql;
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

    #[test]
    fn completed_messages_beyond_the_room_are_forgotten_before_their_time() {
        let conn = Connection::open_in_memory().expect("open");
        conn.execute_batch(SCHEMA.create).expect("create");
        let now = EventTime::from_secs(1_795_341_600);
        let mut insert = conn
            .prepare("INSERT INTO messages VALUES (?1, ?1 % 2, ?1, 'lane', 'key', 0, ?2, NULL, ?3)")
            .expect("sql");
        for seq in 1..=100 {
            let (state, done_at) = match seq {
                3 => (UNFINISHED, None),
                7 => (DEAD, Some(now.as_micros())),
                _ => (COMPLETED, Some((now - Duration::from_secs(1_000 - seq)).as_micros())),
            };
            insert.execute(params![to_sql(seq), state, done_at]).expect("insert");
        }
        assert!(!forget(&conn, now, 10).expect("forget"));
        let mut query = conn.prepare("SELECT seq FROM messages ORDER BY seq").expect("sql");
        let left: Vec<i64> = query
            .query_map([], |row| row.get(0))
            .expect("query")
            .collect::<rusqlite::Result<_>>()
            .expect("rows");
        let newest: Vec<i64> = [3, 7].into_iter().chain(61..=100).collect();
        assert_eq!(left, newest, "those that are not completed, and the newest forty");
    }
}
