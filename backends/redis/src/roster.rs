//! The roster in Redis: two hashes for each role.

use ::redis::Script;
use async_trait::async_trait;
use model::time::EventTime;

use super::connection::Link;
use ports::roster::{Member, Note, Roster, RosterError};

/// How long a silent node stays on the roster, by the server's clock.
const DAY_SECS: u32 = 24 * 3_600;

/// A [`Roster`] in Redis.
pub struct RedisRoster {
    link: Link,
    key: String,
    told: String,
    beat: Script,
}

impl RedisRoster {
    /// `key` has the members, `told` the notes.
    pub(super) fn new(link: Link, key: String, told: String) -> Self {
        Self { link, key, told, beat: Script::new(include_str!("beat.lua")) }
    }
}

#[async_trait]
impl Roster for RedisRoster {
    async fn beat(&self, name: &str) -> Result<Vec<Member>, RosterError> {
        let mut script = self.beat.key(&self.key);
        let members: Vec<(String, u64)> =
            self.link.run(script.arg(name).arg(DAY_SECS)).await.map_err(RosterError)?;
        let mut members: Vec<Member> =
            members.into_iter().map(|(name, beat)| Member { name, beat }).collect();
        members.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(members)
    }

    async fn leave(&self, name: &str) -> Result<(), RosterError> {
        let mut command = ::redis::cmd("HDEL");
        let _: i64 = self.link.ask(command.arg(&self.key).arg(name)).await.map_err(RosterError)?;
        Ok(())
    }

    async fn note(&self, note: &Note) -> Result<(), RosterError> {
        let mut command = ::redis::cmd("HSET");
        let value = format!("{} {}", note.at.as_micros(), note.by);
        let command = command.arg(&self.told).arg(&note.about).arg(value);
        let _: i64 = self.link.ask(command).await.map_err(RosterError)?;
        Ok(())
    }

    async fn forget(&self, about: &str) -> Result<(), RosterError> {
        let mut command = ::redis::cmd("HDEL");
        let _: i64 = self.link.ask(command.arg(&self.told).arg(about)).await.map_err(RosterError)?;
        Ok(())
    }

    async fn notes(&self) -> Result<Vec<Note>, RosterError> {
        let mut command = ::redis::cmd("HGETALL");
        let notes: Vec<(String, String)> =
            self.link.ask(command.arg(&self.told)).await.map_err(RosterError)?;
        let mut notes: Vec<Note> =
            notes.into_iter().filter_map(|(about, value)| read(about, &value)).collect();
        notes.sort_unstable_by(|a, b| a.about.cmp(&b.about));
        Ok(notes)
    }
}

/// A note as it is stored; `None` if this is none: nothing depends on it but how often the operator is told.
fn read(about: String, value: &str) -> Option<Note> {
    let (at, by) = value.split_once(' ')?;
    Some(Note { about, by: by.to_owned(), at: EventTime::from_micros(at.parse().ok()?) })
}
