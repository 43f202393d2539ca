//! `lubdub monitor pause` and `resume`

use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::api::{Api, ApiError};
use super::super::confirm::Consent;
use super::super::connection::Connection;
use super::super::lookup::Named;
use super::super::scope::ScopeArguments;
use super::bulk::{Done, Plan, Verb};
use crate::harmless::harmless;
use crate::terminal::Terminal;

const PAUSE_EXAMPLES: &str = "\
Examples:
  lubdub monitor pause 'nightly backup'
  lubdub monitor pause web1 web2 web3 --yes
  lubdub monitor pause --tag staging";

const RESUME_EXAMPLES: &str = "\
Examples:
  lubdub monitor resume 'nightly backup'
  lubdub monitor resume --tag staging --yes
  lubdub monitor resume --state paused

A monitor that was heard before counts as heard now: a job that stays dead alerts.";

const PAUSE: Verb = Verb { present: "Pause", past: "paused", always_asks: false };
const RESUME: Verb = Verb { present: "Resume", past: "resumed", always_asks: false };

/// Pauses monitors.
#[derive(Debug, clap::Args)]
#[command(after_help = PAUSE_EXAMPLES)]
#[group(skip)]
pub struct Pause {
    #[command(flatten)]
    scope: ScopeArguments,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    connection: Connection,
}

/// Resumes monitors.
#[derive(Debug, clap::Args)]
#[command(after_help = RESUME_EXAMPLES)]
#[group(skip)]
pub struct Resume {
    #[command(flatten)]
    scope: ScopeArguments,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    connection: Connection,
}

impl Pause {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        act(Plan::read(PAUSE, self.scope, self.consent)?, &self.connection, "pause", PAUSE, terminal).await
    }
}

impl Resume {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        act(Plan::read(RESUME, self.scope, self.consent)?, &self.connection, "resume", RESUME, terminal).await
    }
}

async fn act(
    plan: Plan,
    connection: &Connection,
    action: &str,
    verb: Verb,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let api = connection.open()?;
    let targets = plan.targets(&api).await?;
    let one = async |monitor: &Named| one(&api, monitor, action, verb).await.map_err(Into::into);
    targets.each(connection.json(), terminal, one).await
}

async fn one(api: &Api, monitor: &Named, action: &str, verb: Verb) -> Result<Done, ApiError> {
    let before = revision(&api.get(&["monitors", &monitor.id]).await?);
    let answer = api.post(&["monitors", &monitor.id, action], &json!({})).await?;
    let (name, past) = (harmless(&monitor.name), verb.past);
    let said = if before.is_some() && before == revision(&answer) {
        match action {
            "pause" => format!("nothing to change: {name} is paused already"),
            _ => format!("nothing to change: {name} is not paused"),
        }
    } else {
        format!("{past} {name} ({})", monitor.id)
    };
    Ok(Done { answer, said })
}

/// A change that changes nothing leaves the revision as it is.
fn revision(monitor: &Value) -> Option<u64> {
    monitor["revision"].as_u64()
}
