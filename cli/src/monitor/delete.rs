//! `lubdub monitor delete`

use std::process::ExitCode;

use serde_json::json;

use super::super::confirm::{Consent, several};
use super::super::connection::Connection;
use super::super::lookup::{Kind, Named};
use super::super::scope::ScopeArguments;
use super::super::view::Monitor;
use super::alerts;
use super::bulk::{Done, Plan, Verb};
use crate::harmless::harmless;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub monitor delete 'nightly backup'
  lubdub monitor delete 0199a3c4-7d2e-7000-8000-000000000001 --yes
  lubdub monitor delete --tag staging --state paused

It says which monitors lose their parent, and asks first. Where there is no terminal to ask on, it needs --yes.";

const DELETE: Verb = Verb { present: "Delete", past: "deleted", always_asks: true };

/// Deletes monitors.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub struct Delete {
    #[command(flatten)]
    scope: ScopeArguments,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    connection: Connection,
}

impl Delete {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let plan = Plan::read(DELETE, self.scope, self.consent)?;
        let api = self.connection.open()?;
        let warn_of_children = async |deleted: &[Named]| {
            let children = children(&alerts::monitors(&api).await?, deleted);
            if !children.is_empty() {
                let told = several(Kind::Monitor.noun(), &children);
                terminal.warn(format_args!("without their parent, nothing holds back the alerts of {told}"));
            }
            Ok(())
        };
        let targets = plan.targets_after(&api, warn_of_children).await?;
        let one = async |monitor: &Named| {
            api.delete(&["monitors", &monitor.id]).await?;
            let said = format!("deleted monitor {} ({})", harmless(&monitor.name), monitor.id);
            Ok(Done { answer: json!({"id": monitor.id, "name": monitor.name}), said })
        };
        targets.each(self.connection.json(), terminal, one).await
    }
}

/// The monitors that depend on deleted ones, and are not deleted themselves.
fn children(all: &[Monitor], deleted: &[Named]) -> Vec<Named> {
    let is_deleted = |id: &str| deleted.iter().any(|one| one.id == id);
    let children =
        all.iter().filter(|one| one.parent.as_deref().is_some_and(is_deleted) && !is_deleted(&one.id));
    children.map(|one| Named { id: one.id.clone(), name: one.name.clone() }).collect()
}
