//! The greeting that a person reads when the server starts.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context;
use management::AdminKey;

use cli::Terminal;

/// Keeps the admin key, if it is known, in the data folder for the client commands, readable by its owner
/// only.
pub(super) fn keep_key(data_dir: &Path, key: &AdminKey, given: Option<&str>) -> anyhow::Result<()> {
    let key = match (key, given) {
        (AdminKey::Made(key), _) => key.expose(),
        (AdminKey::Given, Some(given)) => given,
        (AdminKey::Given | AdminKey::Present, _) => return Ok(()),
    };
    let path = data_dir.join("admin.key");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("keep the admin key in {}", path.display()))?;
    writeln!(file, "{key}").with_context(|| format!("keep the admin key in {}", path.display()))
}

/// Prints the address, where the data lies, the admin key if it was just made, and what to type next.
pub(super) fn print(
    terminal: &Terminal,
    folder: &Path,
    address: SocketAddr,
    public_url: &str,
    key: &AdminKey,
) -> anyhow::Result<()> {
    let data_dir = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut text = format!("Lubdub listens on  http://{address}\n");
    if public_url != format!("http://{address}") {
        let _ = writeln!(text, "Clients reach it by {public_url}");
    }
    let _ = writeln!(text, "Data lies in       {}", data_dir.display());
    let kept = folder.join("admin.key");
    match key {
        AdminKey::Made(key) => {
            let _ = writeln!(text, "Admin key          {}  (kept in {})", key.expose(), kept.display());
        }
        AdminKey::Given | AdminKey::Present if kept.exists() => {
            let _ = writeln!(text, "Admin key          is kept in {}", kept.display());
        }
        AdminKey::Given | AdminKey::Present => {}
    }
    let program = terminal.program();
    text.push_str("\nType next, in another terminal:\n");
    if address.to_string() != "127.0.0.1:8080" {
        let _ = writeln!(text, "  export LUBDUB_URL=http://{address}");
    }
    let data_dir = if folder == cli::default_data_dir() {
        String::new()
    } else {
        format!(" --data-dir {}", folder.display())
    };
    let _ = write!(
        text,
        "  {program} channel create ops webhook --url https://example.com/hook{data_dir}
  {program} monitor create 'nightly backup' --timeout 60s{data_dir}
and push to the URL that the last one prints. Stop this with Ctrl-C.
"
    );
    terminal.print(&text)?;
    Ok(())
}
