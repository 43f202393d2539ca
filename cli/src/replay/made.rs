//! The monitors of the target: read, and made.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::Context;
use api::export::{Expected, MonitorLine};
use model::ids::MonitorId;
use rand::RngExt;
use serde_json::{Value, json};

use super::super::api::{Api, ApiError};
use super::journal::Journal;
use super::matching::{Index, Known};
use super::settings::Plan;
use super::target::is_worth_another_try;
use crate::harmless::harmless;
use crate::terminal::Terminal;

/// Every monitor of the target.
pub(super) async fn index(api: &Api) -> anyhow::Result<Index> {
    let listing = api.list(&["monitors"], &[], usize::MAX).await?;
    let mut index = Index::default();
    for item in &listing.items {
        index.add(api.view::<Known>(item)?);
    }
    Ok(index)
}

/// A definition as the API takes it. `own_grace` says whether the grace was given: the default that was not
/// is left to the server, so that it goes on following the schedule.
fn definition(expected: &Expected, own_grace: Option<bool>) -> Value {
    let by_default = expected.definition().is_ok_and(|definition| definition.has_default_grace());
    let grace = (!by_default || own_grace == Some(true)).then_some(expected.grace);
    let mut body = json!({
        "grace": grace, "remind_every": expected.remind_every, "paused": expected.paused,
    });
    match &expected.cron {
        Some(cron) => {
            body["cron"] = json!(cron);
            body["timezone"] = json!(expected.timezone);
        }
        None => body["timeout"] = json!(expected.timeout),
    }
    body
}

/// Makes what is missing at the target.
pub(super) struct Maker<'a> {
    pub(super) api: &'a Api,
    pub(super) index: &'a Index,
    pub(super) terminal: &'a Terminal,
    /// Histories are imported, and not live heartbeats.
    pub(super) keeps_times: bool,
}

impl Maker<'_> {
    /// Makes channels, monitors and windows. Returns the requested definitions of the monitors that this or
    /// an earlier run made.
    pub(super) async fn make_all(
        &self,
        (pairs, plan): (&mut HashMap<MonitorId, MonitorId>, &mut Plan),
        (missing, lines): (Vec<MonitorLine>, &[MonitorLine]),
        journal: &mut Journal,
    ) -> anyhow::Result<HashMap<MonitorId, Expected>> {
        plan.make_channels(self.api, journal, self.terminal).await?;
        let expected = self.make_monitors((pairs, plan), missing, journal).await?;
        self.set_parents(pairs, lines, journal).await?;
        plan.make_windows(self.api, pairs, self.terminal).await?;
        Ok(expected)
    }

    async fn make_monitors(
        &self,
        (pairs, plan): (&mut HashMap<MonitorId, MonitorId>, &Plan),
        missing: Vec<MonitorLine>,
        journal: &mut Journal,
    ) -> anyhow::Result<HashMap<MonitorId, Expected>> {
        let mut expected = HashMap::new();
        let tokens: HashMap<MonitorId, String> = journal.noted().created.iter().cloned().collect();
        if self.keeps_times {
            expected.extend(tokens.keys().map(|id| (*id, Expected::default())));
        }
        for line in missing {
            let (Some(id), Some(labels), Some(wanted)) = (line.id, line.labels, line.expected) else {
                continue;
            };
            let wanted = if self.keeps_times { Expected { paused: false, ..wanted } } else { wanted };
            let noted = tokens.get(&id);
            let token = match (noted, &labels.token) {
                (Some(token), _) => token.clone(),
                (None, Some(token)) if self.index.with_token(token).is_none() => token.clone(),
                (None, Some(_) | None) => random_token(),
            };
            if noted.is_none() {
                journal.create(id, &token)?;
            }
            let mut body = definition(&wanted, labels.own_grace);
            body["name"] = json!(labels.name);
            body["description"] = json!(labels.description);
            body["tags"] = json!(labels.tags);
            body["interval"] = json!(labels.interval);
            if let Some(channels) = plan.channels_of(&labels) {
                body["channels"] = json!(channels);
            }
            body["token"] = json!(token);
            match create(self.api, &body, &token).await {
                Ok(made) => pairs.insert(id, made),
                Err(error) => {
                    journal.refused(id);
                    return Err(error);
                }
            };
            expected.insert(id, wanted);
        }
        Ok(expected)
    }

    /// Gives the monitors that this or an earlier run made their parents.
    async fn set_parents(
        &self,
        pairs: &HashMap<MonitorId, MonitorId>,
        lines: &[MonitorLine],
        journal: &Journal,
    ) -> anyhow::Result<()> {
        let created: HashSet<MonitorId> = journal.noted().created.iter().map(|(id, _)| *id).collect();
        for line in lines {
            let (Some(id), Some(labels)) = (line.id.filter(|id| created.contains(id)), &line.labels) else {
                continue;
            };
            let (Some(child), Some(parent)) = (pairs.get(&id), labels.parent) else { continue };
            let Some(parent) = pairs.get(&parent) else {
                self.terminal.warn(format_args!(
                    "{} has no parent there: the one that it had is not part of the import",
                    harmless(&labels.name)
                ));
                continue;
            };
            let body = json!({ "parent": parent.to_string() });
            self.api.patch(&["monitors", &child.to_string()], &body).await?;
        }
        Ok(())
    }
}

/// Puts the last definitions of the export in force where others were needed for the histories: `made` are
/// those with which the monitors were made.
pub(super) async fn redefine(
    api: &Api,
    pairs: &HashMap<MonitorId, MonitorId>,
    (made, last): (&HashMap<MonitorId, Expected>, &HashMap<MonitorId, Expected>),
    lines: &[MonitorLine],
) -> anyhow::Result<()> {
    let own_graces: HashMap<MonitorId, bool> =
        lines.iter().filter_map(|line| Some((line.id?, line.labels.as_ref()?.own_grace?))).collect();
    for (id, expected) in last {
        if Some(expected) != made.get(id)
            && let Some(target) = pairs.get(id)
        {
            let body = definition(expected, own_graces.get(id).copied());
            api.patch(&["monitors", &target.to_string()], &body).await?;
        }
    }
    Ok(())
}

/// Makes a monitor with this token, asking until it is there.
async fn create(api: &Api, body: &Value, token: &str) -> anyhow::Result<MonitorId> {
    let mut wait = Duration::from_millis(250);
    loop {
        let error = match api.post(&["monitors"], body).await {
            Ok(made) => return Ok(api.view::<Known>(&made)?.id),
            Err(error) => error,
        };
        if let ApiError::Refused(problem) = &error
            && problem.status() == 409
            && let Some(id) = index(api).await?.with_token(token)
        {
            return Ok(id);
        }
        if !is_worth_another_try(&error) {
            return Err(error).context(format!("failed to create {}", body["name"]));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(10));
    }
}

fn random_token() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    (0..32).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_that_was_not_given_is_left_to_the_server() {
        for (grace, own_grace, expected) in [
            (6, Some(false), Value::Null),
            (6, None, Value::Null),
            (6, Some(true), json!(6)),
            (7, Some(true), json!(7)),
            (7, None, json!(7)),
            // Its history ends before it became the default.
            (7, Some(false), json!(7)),
        ] {
            let settings = Expected { timeout: Some(60), grace, ..Expected::default() };
            assert_eq!(definition(&settings, own_grace)["grace"], expected, "{grace} {own_grace:?}");
        }
    }
}
