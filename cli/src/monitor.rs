//! `lubdub monitor …`

pub(super) mod alerts;
mod bulk;
mod create;
mod delete;
mod edit;
mod incident;
mod list;
mod pause;
mod push_url;
mod rotate_token;
mod settings;
mod show;
mod tags;

use std::process::ExitCode;

use crate::terminal::Terminal;

/// One command each.
#[derive(Debug, clap::Subcommand)]
pub enum MonitorCommand {
    /// Create a monitor and print the URL to push to
    Create(create::Create),
    /// List monitors
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Show a monitor with its latest heartbeats and changes
    Show(show::Show),
    /// Change monitors, one or many
    Edit(edit::Edit),
    /// Stop watching monitors; their heartbeats are still recorded
    Pause(pause::Pause),
    /// Watch paused monitors again
    Resume(pause::Resume),
    /// Print the push URL of a monitor, and nothing else
    PushUrl(push_url::PushUrl),
    /// Give a monitor a new push URL; the old one works on for a while
    RotateToken(rotate_token::RotateToken),
    /// Delete monitors and their history
    #[command(visible_alias = "rm")]
    Delete(delete::Delete),
}

pub(super) async fn run(command: MonitorCommand, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    match command {
        MonitorCommand::Create(create) => create.run(terminal).await?,
        MonitorCommand::List(list) => list.run(terminal).await?,
        MonitorCommand::Show(show) => show.run(terminal).await?,
        MonitorCommand::Edit(edit) => return edit.run(terminal).await,
        MonitorCommand::Pause(pause) => return pause.run(terminal).await,
        MonitorCommand::Resume(resume) => return resume.run(terminal).await,
        MonitorCommand::PushUrl(push_url) => push_url.run(terminal).await?,
        MonitorCommand::RotateToken(rotate) => rotate.run(terminal).await?,
        MonitorCommand::Delete(delete) => return delete.run(terminal).await,
    }
    Ok(ExitCode::SUCCESS)
}
