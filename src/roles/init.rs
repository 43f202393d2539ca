//! `lubdub init`: sets an installation up on NATS.

use std::fmt::Write as _;

use clap::Args;

use crate::cluster::Nats;
use crate::logging::Logging;
use cli::Terminal;

/// Make what a cluster keeps on NATS, or give what is there new settings; doing it again does nothing
#[derive(Debug, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    logging: Logging,

    #[command(flatten)]
    nats: Nats,
}

impl Init {
    pub(super) const fn logging(&self) -> &Logging {
        &self.logging
    }

    pub(super) fn validate(&self) -> anyhow::Result<()> {
        self.nats.validate()
    }

    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let provisioned = self.nats.init().await?;
        let mut text = String::new();
        for name in &provisioned.made {
            let _ = writeln!(text, "made     {name}");
        }
        for name in &provisioned.changed {
            let _ = writeln!(text, "changed  {name}");
        }
        let _ = writeln!(text, "ready, with {} partitions", provisioned.partitions);
        terminal.print(&text)?;
        Ok(())
    }
}
