//! `lubdub man`: the manual pages.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use cli::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub man | man -l -
  lubdub man /usr/local/share/man/man1";

/// Print the manual page, or write one for each command into a folder
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// Folder for the pages, lubdub.1, lubdub-monitor.1 and so on; it is made if it is missing [default:
    /// print the page of lubdub]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Man {
    /// Prints or writes the pages of this command line.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn run(&self, command: clap::Command, terminal: &Terminal) -> anyhow::Result<()> {
        let Some(folder) = &self.folder else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).context("make the manual page")?;
            return Ok(terminal.print(&String::from_utf8_lossy(&page))?);
        };
        let write = || format!("write manual pages to {}", folder.display());
        fs::create_dir_all(folder).with_context(write)?;
        clap_mangen::generate_to(command, folder).with_context(write)
    }
}
