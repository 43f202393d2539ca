//! `lubdub init`: sets an installation up on NATS, and marks its Redis.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context, anyhow};
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

    /// Begin anew although Redis knows another installation: its monitors are forgotten
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
        let there = self.nats.installation().await?;
        let redis = self.redis.connect(&self.nats, 0, None, Arc::new(SystemClock::new())).await?;
        let mark =
            redis.mark().read().await.map_err(anyhow::Error::from_boxed).context("ask Redis whose it is")?;
        self.allow(there.as_deref(), mark.as_deref(), &redis).await?;
        let provisioned = self.nats.init().await?;
        let mut text = String::new();
        for name in &provisioned.made {
            let _ = writeln!(text, "made     {name}");
        }
        for name in &provisioned.changed {
            let _ = writeln!(text, "changed  {name}");
        }
        if mark.as_deref() != Some(&provisioned.installation) {
            let marking = redis.mark().set(&provisioned.installation).await;
            marking.map_err(anyhow::Error::from_boxed).context("mark Redis as this installation's")?;
            let _ = writeln!(text, "marked   Redis");
        }
        let _ = writeln!(text, "ready, with {} partitions", provisioned.partitions);
        terminal.print(&text)?;
        Ok(())
    }

    /// Refuses to begin anew beside what another installation left, or beside one that is there.
    async fn allow(
        &self,
        there: Option<&str>,
        mark: Option<&str>,
        redis: &RedisBackend,
    ) -> anyhow::Result<()> {
        let refusal = match (there, mark) {
            (Some(there), Some(mark)) if there == mark && self.new => {
                anyhow!(
                    "there is an installation, and --new would change nothing: name other servers, or another --prefix"
                )
            }
            (None, Some(_)) if !self.new => anyhow!(
                "this NATS holds no installation, and Redis knows {} of one: restore NATS, or forget them with `lubdub init --new`",
                monitors(redis).await?
            ),
            (Some(there), Some(mark)) if there != mark && !self.new => anyhow!(
                "this NATS holds installation {there}, and Redis knows {} of another one, {mark}: is one of the two addresses wrong? \
                 `lubdub init --new` takes this Redis for that of the installation on NATS, and forgets them",
                monitors(redis).await?
            ),
            (Some(_) | None, Some(_) | None) => return Ok(()),
        };
        Err(refusal.context(StaysWrong("set the installation up")))
    }
}

async fn monitors(redis: &RedisBackend) -> anyhow::Result<String> {
    let count = redis
        .mark()
        .monitors()
        .await
        .map_err(anyhow::Error::from_boxed)
        .context("count the monitors in Redis")?;
    Ok(if count == 1 { "1 monitor".to_owned() } else { format!("{count} monitors") })
}
