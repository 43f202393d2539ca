//! Does something with one monitor or with many: says what was done, and what was not and why.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::api::{Api, ApiError};
use super::super::confirm::Consent;
use super::super::lookup::{Kind, Named};
use super::super::scope::{Scope, ScopeArguments};
use crate::harmless::harmless;
use crate::terminal::Terminal;

/// The words for what is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verb {
    /// `Pause`.
    pub(super) present: &'static str,
    /// `paused`.
    pub(super) past: &'static str,
    /// Whether it asks for a single monitor too.
    pub(super) always_asks: bool,
}

/// What became of one monitor.
#[derive(Debug)]
pub(super) struct Done {
    /// The server's answer; for what is gone, its id and name.
    pub(super) answer: Value,
    /// What was done, for people.
    pub(super) said: String,
}

/// The monitors to act on, found and agreed to.
#[derive(Debug)]
pub(super) struct Targets {
    verb: Verb,
    /// Whether they were chosen as many, even if it is one.
    is_bulk: bool,
    monitors: Vec<Named>,
}

/// What to act on, before the server is asked.
#[derive(Debug)]
pub(super) struct Plan {
    verb: Verb,
    scope: Scope,
    consent: Option<Consent>,
}

impl Plan {
    /// Reads the arguments.
    ///
    /// # Errors
    /// They say nothing or contradict each other, or a yes is needed that can be neither given nor asked for.
    pub(super) fn read(verb: Verb, scope: ScopeArguments, consent: Consent) -> anyhow::Result<Self> {
        let scope = scope.read()?;
        let asks = verb.always_asks || scope.is_bulk();
        if asks {
            consent.is_possible()?;
        }
        Ok(Self { verb, scope, consent: asks.then_some(consent) })
    }

    /// Whether it is about a single monitor that was named.
    pub(super) const fn is_single(&self) -> bool {
        !self.scope.is_bulk()
    }

    /// Whether its monitors are chosen by what they are like, and not named.
    pub(super) const fn is_choice(&self) -> bool {
        self.scope.is_choice()
    }

    /// Finds the monitors, and asks the person where that is needed.
    ///
    /// # Errors
    /// A monitor is not found, none is chosen, or the person says no. Nothing was done.
    pub(super) async fn targets(self, api: &Api) -> anyhow::Result<Targets> {
        self.targets_after(api, async |_| Ok(())).await
    }

    /// As [`Self::targets`]; `first` can say something of the monitors before the person is asked.
    ///
    /// # Errors
    /// As [`Self::targets`], and those of `first`.
    pub(super) async fn targets_after(
        self,
        api: &Api,
        first: impl AsyncFnOnce(&[Named]) -> anyhow::Result<()>,
    ) -> anyhow::Result<Targets> {
        let is_bulk = self.scope.is_bulk();
        let monitors = self.scope.monitors(api).await?;
        first(&monitors).await?;
        if let Some(consent) = self.consent {
            consent.get(self.verb.present, Kind::Monitor.noun(), &monitors)?;
        }
        Ok(Targets { verb: self.verb, is_bulk, monitors })
    }
}

impl Targets {
    /// Does it with each, and goes on when the server refuses one.
    ///
    /// # Errors
    /// The error if it is about a single monitor; otherwise which monitors were left as they are, and why.
    pub(super) async fn each(
        &self,
        json: bool,
        terminal: &Terminal,
        act: impl AsyncFn(&Named) -> anyhow::Result<Done>,
    ) -> anyhow::Result<ExitCode> {
        let mut answers = Vec::new();
        let mut failed: Vec<(&Named, String)> = Vec::new();
        let mut monitors = self.monitors.iter();
        for monitor in monitors.by_ref() {
            match act(monitor).await {
                Ok(done) => {
                    if !json {
                        terminal.line(&done.said)?;
                    }
                    answers.push(done.answer);
                }
                Err(error) if !self.is_bulk => return Err(error),
                Err(error) => {
                    failed.push((monitor, format!("{error:#}")));
                    if is_hopeless(&error) {
                        break;
                    }
                }
            }
        }
        failed.extend(monitors.map(|monitor| (monitor, "not tried".to_owned())));
        if json {
            self.print(answers, &failed, terminal)?;
        }
        if failed.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let (past, count) = (self.verb.past, self.monitors.len());
        let why = |(monitor, why): &(&Named, String)| format!("{}: {why}", harmless(&monitor.name));
        let failed: Vec<String> = failed.iter().map(why).collect();
        anyhow::bail!(
            "{} of {count} monitors were {past}; these were not:\n  {}",
            count - failed.len(),
            failed.join("\n  ")
        )
    }

    /// The answer itself for a single monitor that was named, so that scripts need no list.
    fn print(
        &self,
        mut answers: Vec<Value>,
        failed: &[(&Named, String)],
        terminal: &Terminal,
    ) -> anyhow::Result<()> {
        if !self.is_bulk {
            return answers.pop().map_or(Ok(()), |answer| Ok(terminal.json(&answer)?));
        }
        let not =
            |(monitor, why): &(&Named, String)| json!({"id": monitor.id, "name": monitor.name, "error": why});
        let failed: Vec<Value> = failed.iter().map(not).collect();
        Ok(terminal.json(&json!({"items": answers, "failed": failed}))?)
    }
}

/// Whether the others would fail in the same way.
fn is_hopeless(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(ApiError::Refused(problem)) => matches!(problem.status(), 401 | 403),
        Some(
            ApiError::Unreachable { .. }
            | ApiError::NoAnswer { .. }
            | ApiError::Stranger { .. }
            | ApiError::Client(_),
        ) => true,
        None => false,
    }
}
