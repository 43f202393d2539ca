//! The roster in Redis: a hash for each role.

use ::redis::Script;
use async_trait::async_trait;

use super::connection::Link;
use ports::roster::{Member, Roster, RosterError};

/// How long a silent node stays on the roster, by the server's clock.
const DAY_SECS: u32 = 24 * 3_600;

/// A [`Roster`] in Redis.
pub struct RedisRoster {
    link: Link,
    key: String,
    beat: Script,
}

impl RedisRoster {
    pub(super) fn new(link: Link, key: String) -> Self {
        Self { link, key, beat: Script::new(include_str!("beat.lua")) }
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
}
