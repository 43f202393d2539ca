//! The greeting that a person reads when the server starts.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context;
use management::AdminKey;

use super::inventory::Inventory;
use cli::Terminal;

const KEY: &str = "admin.key";
const OLD_KEY: &str = "admin.key.old";

/// Keeps the admin key, if it is known, in the data folder for the client commands, readable by its owner
/// only.
pub(super) fn keep_key(data_dir: &Path, key: &AdminKey, given: Option<&str>) -> anyhow::Result<()> {
    let is_made = matches!(key, AdminKey::Made(_));
    let key = match (key, given) {
        (AdminKey::Made(key), _) => key.expose(),
        (AdminKey::Given | AdminKey::Replaced, Some(given)) => given,
        (AdminKey::Given | AdminKey::Replaced | AdminKey::Present, _) => return Ok(()),
    };
    let path = data_dir.join(KEY);
    if is_made && path.exists() {
        // The key of what was here before is not lost, whatever became of its data.
        let old = data_dir.join(OLD_KEY);
        std::fs::rename(&path, &old)
            .with_context(|| format!("keep {} as {}", path.display(), old.display()))?;
        tracing::warn!(folder = %data_dir.display(), "there was another admin.key; it is admin.key.old now");
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("keep the admin key in {}", path.display()))?;
    writeln!(file, "{key}").with_context(|| format!("keep the admin key in {}", path.display()))
}

/// What a person is told when the server starts.
pub(super) struct Greeting<'a> {
    pub(super) folder: &'a Path,
    /// Whether this start made the installation.
    pub(super) is_new: bool,
    /// What the installation has.
    pub(super) holds: Inventory,
    pub(super) address: SocketAddr,
    pub(super) public_url: &'a str,
    /// Whether alerts may lead to a receiver on this machine.
    pub(super) reaches_this_machine: bool,
}

impl Greeting<'_> {
    /// Prints the address, where the data lies, the admin key if it was just made, and what to type next.
    pub(super) fn print(&self, terminal: &Terminal, key: &AdminKey) -> anyhow::Result<()> {
        let Self { folder, address, public_url, .. } = *self;
        let data_dir = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let mut text = format!("Lubdub {} listens on  http://{address}\n", env!("CARGO_PKG_VERSION"));
        if public_url != format!("http://{address}") {
            let _ = writeln!(text, "Clients reach it by {public_url}");
        }
        let _ = writeln!(text, "Data lies in       {}", data_dir.display());
        if self.is_new {
            text.push_str(
                "NEW INSTALLATION   There was none in this folder. If you have one elsewhere, stop this one now and\n                   \
                 name its folder with --data-dir.\n",
            );
        }
        if !self.is_new {
            let _ = writeln!(text, "Holds              {}", self.holds);
        }
        let kept = folder.join(KEY);
        match key {
            AdminKey::Made(key) => {
                let _ = writeln!(text, "Admin key          {}  (kept in {})", key.expose(), kept.display());
            }
            AdminKey::Given | AdminKey::Replaced | AdminKey::Present if kept.exists() => {
                let _ = writeln!(text, "Admin key          is kept in {}", kept.display());
            }
            AdminKey::Given | AdminKey::Replaced | AdminKey::Present => {}
        }
        text.push_str("\nType next, in another terminal:\n");
        self.place(&mut text);
        if self.holds.monitors > 0 {
            let _ = write!(text, "  {} monitor list\nStop this with Ctrl-C.\n", terminal.program());
        } else {
            self.steps(&mut text, terminal.program());
        }
        terminal.print(&text)?;
        Ok(())
    }

    /// What client commands need to be told, where it is not the usual.
    fn place(&self, text: &mut String) {
        if self.address.to_string() != "127.0.0.1:8080" {
            let _ = writeln!(text, "  export LUBDUB_URL=http://{}", self.address);
        }
        if self.folder != cli::default_data_dir() {
            let folder = std::path::absolute(self.folder).unwrap_or_else(|_| self.folder.to_owned());
            let _ = writeln!(text, "  export LUBDUB_DATA_DIR={}", cli::quoted(&folder.display().to_string()));
        }
    }

    /// The steps to the first alert: those of the README.
    fn steps(&self, text: &mut String, program: &str) {
        if self.reaches_this_machine {
            let _ = write!(
                text,
                "  {program} webhook-echo &
  {program} channel create screen webhook --url http://127.0.0.1:9000/
  PUSH_URL=$({program} monitor create heartbeat --timeout 10s --grace 5s | tail -n 1)
  curl -fsS -X POST \"$PUSH_URL\"
Some 17 seconds after the last push the receiver shows monitor.down. Push again: it shows monitor.up.
Stop this with Ctrl-C.
"
            );
        } else {
            let _ = write!(
                text,
                "  {program} channel create ops webhook --url https://example.com/hook
  PUSH_URL=$({program} monitor create 'nightly backup' --timeout 60s | tail -n 1)
  curl -fsS -X POST \"$PUSH_URL\"
`{program} channel create --help` has mail, chats and pagers. Alerts do not reach receivers on this machine: start with
--allow-private 127.0.0.0/8 to try one. Stop this with Ctrl-C.
"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_make_run_are_those_of_the_readme() {
        let folder = cli::default_data_dir();
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        let greeting = Greeting {
            folder: &folder,
            is_new: true,
            holds: Inventory::default(),
            address,
            public_url: "http://127.0.0.1:8080",
            reaches_this_machine: true,
        };
        let mut text = String::new();
        greeting.place(&mut text);
        greeting.steps(&mut text, "target/release/lubdub");
        let readme = include_str!("../../README.md");
        let (_, walk) = readme.split_once("## Watch a monitor go down").expect("the walk");
        let (_, block) = walk.split_once("```sh\n").expect("its commands");
        let (block, _) = block.split_once("```").expect("their end");
        let told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        let written: Vec<&str> =
            block.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert_eq!(told, written);
    }
}
