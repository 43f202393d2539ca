//! `lubdub channel disable --offline`

use std::path::PathBuf;

use anyhow::bail;

use super::super::confirm::several;
use super::super::data_dir::data_dir;
use super::super::lookup::{Kind, Named, choose};

const EXAMPLES: &str = "\
Examples:
  lubdub channel disable ops --offline
  lubdub channel disable 0199a3c4-7d2e-7000-8000-000000000001 --offline --data-dir /var/lib/lubdub

For a Lubdub that cannot stay up because of a channel. Stop `lubdub up` first, as the user that it runs as.
Once it runs again, lubdub channel enable ops sends alerts to the channel again, and tells it of what is
still down.";

/// Disables a channel where no server runs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Disable {
    /// Name or id
    channel: String,
    /// Work on the data directory of a server that does not run; there is no other way
    #[arg(long, required = true)]
    offline: bool,
    /// Data directory of that server [default: ~/.local/share/lubdub, /var/lib/lubdub for root]
    #[arg(long, env = "LUBDUB_DATA_DIR", value_name = "DIR", help_heading = "Connection")]
    data_dir: Option<PathBuf>,
}

impl Disable {
    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        data_dir(self.data_dir.as_deref())
    }

    /// Monitors, by their names, in words: some names, and how many more there are.
    pub fn monitors(names: Vec<String>) -> String {
        let named = |name| Named { id: String::new(), name };
        several(Kind::Monitor.noun(), &names.into_iter().map(named).collect::<Vec<_>>())
    }

    /// Which of these channels is meant: ids and names, in pairs.
    ///
    /// # Errors
    /// None or several are named so.
    pub fn choose<'a>(&self, channels: &'a [(String, String)]) -> anyhow::Result<&'a (String, String)> {
        let named = |(id, name): &(String, String)| Named { id: id.clone(), name: name.clone() };
        let all: Vec<Named> = channels.iter().map(named).collect();
        if !all.iter().any(|one| one.id == self.channel || one.name == self.channel) {
            let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
            bail!(
                "there is no channel named {:?}; there are {}: {}",
                self.channel,
                names.len(),
                names.join(", ")
            );
        }
        let chosen = &choose(Kind::Channel, &all, &self.channel)?.id;
        match channels.iter().find(|(id, _)| id == chosen) {
            Some(found) => Ok(found),
            None => bail!("there is no channel {chosen}"),
        }
    }
}
