//! `lubdub init`: sets an installation up on NATS, and marks its Redis.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use backend_nats::Remains;
use backend_redis::RedisBackend;
use clap::Args;
use ports::clock::SystemClock;

use crate::cluster::{Nats, Redis, StaysWrong};
use crate::logging::Logging;
use cli::Terminal;

/// Make what a cluster keeps on NATS, and mark its Redis, or give what is there new settings; doing it again
/// does nothing
#[derive(Debug, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    logging: Logging,

    #[command(flatten)]
    nats: Nats,

    #[command(flatten)]
    redis: Redis,

    /// Begin anew although Redis knows another installation, or NATS lost a part of this one: Redis is
    /// emptied
    #[arg(long)]
    new: bool,
}

impl Init {
    pub(super) const fn logging(&self) -> &Logging {
        &self.logging
    }

    pub(super) fn validate(&self) -> anyhow::Result<()> {
        self.nats.validate()?;
        self.redis.validate()
    }

    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let there = self.nats.remains().await?;
        let redis = self.redis.connect(&self.nats, 0, None, Arc::new(SystemClock::new())).await?;
        let mark =
            redis.mark().read().await.map_err(anyhow::Error::from_boxed).context("ask Redis whose it is")?;
        let known = self.known(&redis, mark.as_deref()).await?;
        let is_another = self.allow(there.as_ref(), known)?;
        let mut text = String::new();
        if is_another {
            let forgetting = redis.mark().forget().await;
            forgetting.map_err(anyhow::Error::from_boxed).context("empty Redis")?;
            let _ = writeln!(text, "emptied  Redis");
        }
        let provisioned = self.nats.init().await?;
        for name in &provisioned.made {
            let _ = writeln!(text, "made     {name}");
        }
        for name in &provisioned.changed {
            let _ = writeln!(text, "changed  {name}");
        }
        if is_another || mark.as_deref() != Some(&provisioned.installation) {
            let marking = redis.mark().set(&provisioned.installation).await;
            marking.map_err(anyhow::Error::from_boxed).context("mark Redis as this installation's")?;
            let _ = writeln!(text, "marked   Redis");
        }
        let _ = writeln!(text, "ready, with {} partitions", provisioned.partitions);
        terminal.print(&text)?;
        Ok(())
    }

    async fn known<'a>(
        &self,
        redis: &RedisBackend,
        mark: Option<&'a str>,
    ) -> anyhow::Result<Option<Known<'a>>> {
        let Some(installation) = mark else { return Ok(None) };
        let counting = redis.mark().monitors().await;
        let monitors = counting.map_err(anyhow::Error::from_boxed).context("count the monitors in Redis")?;
        Ok(Some(Known { installation, monitors }))
    }

    /// Refuses to begin anew beside what another installation left, or beside one that is there; whether what
    /// Redis knows is to be forgotten.
    fn allow(&self, there: Option<&Remains>, known: Option<Known<'_>>) -> anyhow::Result<bool> {
        let Some(known) = known else { return Ok(false) };
        let monitors = known.monitors();
        let refusal = match there {
            Some(there) if there.installation == known.installation && there.missing.is_empty() => {
                if !self.new {
                    return Ok(false);
                }
                anyhow!(
                    "there is an installation, and --new would change nothing: name other servers, or another --prefix"
                )
            }
            _ if self.new => return Ok(true),
            Some(there) if there.installation == known.installation => {
                if known.monitors == 0 {
                    return Ok(false);
                }
                anyhow!(
                    "this NATS lost {} of installation {}, and Redis knows {monitors}: restore NATS, or make anew what it lost, and \
                     forget all monitors, with `lubdub init --new`",
                    there.missing.join(", "),
                    there.installation
                )
            }
            None => anyhow!(
                "this NATS holds no installation, and Redis knows {monitors} of one: restore NATS, or begin anew, and forget what \
                 Redis knows, with `lubdub init --new`"
            ),
            Some(there) => anyhow!(
                "this NATS holds installation {}, and Redis knows {monitors} of another one, {}: is one of the two addresses wrong? \
                 `lubdub init --new` takes this Redis for that of the installation on NATS, and empties it",
                there.installation,
                known.installation
            ),
        };
        Err(refusal.context(StaysWrong("set the installation up")))
    }
}

/// What Redis knows.
#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    /// The installation whose Redis it is.
    installation: &'a str,
    /// How many states of monitors it keeps.
    monitors: u64,
}

impl Known<'_> {
    fn monitors(&self) -> String {
        match self.monitors {
            0 => "no monitor".to_owned(),
            1 => "1 monitor".to_owned(),
            count => format!("{count} monitors"),
        }
    }
}
