//! `lubdub backup` and `lubdub restore`, for the data folder of `lubdub up`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use backend_sqlite::{BackupError, Manifest};
use clap::Args;
use model::byte_size::ByteSize;
use ports::clock::{Clock, SystemClock};

use crate::limits;
use crate::signals::StopSignals;
use cli::Terminal;

const BACKUP_EXAMPLES: &str = "\
Examples:
  lubdub backup /backups/lubdub.tar.zst
  lubdub backup \"/backups/lubdub-$(date +%F).tar.zst\" --data-dir /var/lib/lubdub

`lubdub up` may run meanwhile: its data is only read, and never locked. The back-up is of one moment. It
holds the push tokens, the secrets of channels and the admin key: keep it as safe as the server.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  lubdub restore /backups/lubdub.tar.zst --data-dir /var/lib/lubdub
  lubdub restore /backups/lubdub.tar.zst --check

Then start `lubdub up` on the folder. Time since the back-up does not count against monitors. Stop the old
server first, if it still runs: two servers would alert for the same monitors.";

/// Commands on the data folder of one process.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum BackupCommand {
    Backup(Backup),
    Restore(Restore),
}

/// Copy all data of `lubdub up` to one file, also while it runs
#[derive(Debug, Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(crate) struct Backup {
    /// The file to make; it must not be there yet
    file: PathBuf,
    #[command(flatten)]
    folder: DataDir,
}

/// Make the data folder of a back-up, for `lubdub up` to start with
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(crate) struct Restore {
    /// The file that `lubdub backup` made
    file: PathBuf,
    /// Only look whether the file is whole
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    folder: DataDir,
}

#[derive(Debug, Args)]
struct DataDir {
    /// The data folder of `lubdub up` [default: ~/.local/share/lubdub, or lubdub in XDG_DATA_HOME; for root
    /// /var/lib/lubdub]
    #[arg(long, env = "LUBDUB_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

impl DataDir {
    fn path(&self) -> PathBuf {
        cli::data_dir(self.data_dir.as_deref())
    }
}

impl BackupCommand {
    /// Makes or restores a back-up, until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// [`BackupError`].
    pub(crate) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        limits::keep_files_private();
        let mut signals = StopSignals::listen()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut work = tokio::task::spawn_blocking(move || self.work(&stopped));
        let done = tokio::select! {
            done = &mut work => done,
            () = signals.received() => {
                stop.store(true, Ordering::Relaxed);
                // It removes what it began.
                work.await
            }
        };
        terminal.print(&done.context("the work ended early")??)?;
        Ok(())
    }

    /// What to tell the person.
    fn work(self, stop: &AtomicBool) -> Result<String, BackupError> {
        match self {
            Self::Backup(Backup { file, folder }) => {
                let now = SystemClock::new().now();
                let version = env!("CARGO_PKG_VERSION");
                let made = backend_sqlite::back_up(&folder.path(), &file, version, now, stop)?;
                let packed = std::fs::metadata(&file).map_or(0, |file| file.len());
                let packed = rounded(packed);
                Ok(format!("backed up to {}, {packed}: {}\n", file.display(), described(&made)))
            }
            Self::Restore(Restore { file, check: true, folder: _ }) => {
                let found = backend_sqlite::check(&file, stop)?;
                Ok(format!("{} is whole: {}\n", file.display(), described(&found)))
            }
            Self::Restore(Restore { file, check: false, folder }) => {
                let folder = folder.path();
                let restored = backend_sqlite::restore(&file, &folder, stop)?;
                Ok(format!("restored to {}: {}\n", folder.display(), described(&restored)))
            }
        }
    }
}

fn described(manifest: &Manifest) -> String {
    let Manifest { monitors, at, program, .. } = manifest;
    let bytes = rounded(manifest.bytes());
    let noun = if *monitors == 1 { "monitor" } else { "monitors" };
    format!("{monitors} {noun}, {bytes} unpacked, as of {at}, by Lubdub {program}")
}

/// To what people read: a size is shown in the largest unit that it is a whole number of.
fn rounded(bytes: u64) -> ByteSize {
    let unit = match bytes {
        0..1_000_000 => 1_000,
        1_000_000..10_000_000_000 => 1_000_000,
        10_000_000_000.. => 1_000_000_000,
    };
    ByteSize(bytes.div_ceil(unit) * unit)
}
