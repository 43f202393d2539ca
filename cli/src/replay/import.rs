//! `lubdub replay import`

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use api::export::MonitorLine;
use model::ids::MonitorId;
use model::time::EventTime;
use reqwest::Url;
use serde_json::json;

use super::super::api::Api;
use super::super::connection::{ApiKey, Connection, server_url};
use super::super::duration::rough;
use super::feed::{Feed, Policy, Rules};
use super::input::Input;
use super::journal::{Journal, Key};
use super::made::{Maker, index, redefine};
use super::matching::{Index, Mapped, Matching};
use super::pace::{Pace, Speed};
use super::past::Past;
use super::progress::Progress;
use super::settings::{Around, Plan, Wish};
use super::survey::Survey;
use super::target::{Target, stopped};
use super::transfer::Transfer;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub replay import week.ndjson.zst --to https://staging.example.com --to-key KEY --speed 60x
  lubdub replay import week.ndjson.zst --keep-times --create-missing
  lubdub replay export --since 1d | lubdub replay import - --to staging:8080 --to-key KEY --speed max
  lubdub replay import week.ndjson.zst --dry-run

Heartbeats are sent as if they were pushed now, spaced as they were. With --keep-times they become the past of monitors that were
never heard there: no alert is sent about it, and no deadline lies before now. With --create-missing, channels and maintenance
windows that are not there are made too; their secrets are not in the file, and come from --secrets FILE, from
LUBDUB_SECRET_NAME, or from you.

All lines are looked at before anything is sent. If some cannot be taken, the import names them and stops; --lenient leaves them
out. A file may hold several exports, one after the other, in the order of their times.

A killed import goes on where it was when the same command is given again: what it does is noted in FILE.progress.";

/// Sends heartbeats from a file to a server.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Import {
    /// File that an export wrote, compressed or not; - = standard input
    file: PathBuf,
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    connection: Connection,
}

/// The target.
#[derive(Debug, clap::Args)]
pub(super) struct To {
    /// Address of the server that gets them [default: --url]
    #[arg(long, value_name = "URL", value_parser = server_url)]
    to: Option<Url>,
    /// Its admin key [default: --api-key]
    #[arg(long, value_name = "KEY", env = "LUBDUB_TO_KEY", hide_env_values = true)]
    to_key: Option<ApiKey>,
}

/// How it goes there.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// How fast: 1x is as it was, 60x an hour in a minute, max as fast as the server takes it [default: 1x;
    /// with --keep-times max]
    #[arg(long, value_name = "SPEED")]
    speed: Option<Speed>,
    /// Send them as if they were pushed now; this is the default
    #[arg(long, conflicts_with = "keep_times")]
    shift_to_now: bool,
    /// Keep their times: make them the history of monitors that have none
    #[arg(long)]
    keep_times: bool,
    /// Create monitors that are not there
    #[arg(long, conflicts_with = "skip_missing")]
    create_missing: bool,
    /// Leave out heartbeats of monitors that are not there
    #[arg(long)]
    skip_missing: bool,
    /// Let one monitor stand for another, each by name or id; may be repeated
    #[arg(long, value_name = "OLD=NEW")]
    map: Vec<Mapped>,
    /// Let a channel of the target stand for one of the export, each by name or id; may be repeated
    #[arg(long, value_name = "OLD=NEW")]
    map_channel: Vec<Mapped>,
    /// Only count what would be sent, and say what would be refused
    #[arg(long)]
    dry_run: bool,
    /// Leave out lines that cannot be taken, instead of stopping; they are named all the same
    #[arg(long)]
    lenient: bool,
    /// File with the secrets of channels, lines like NAME=value; besides it, LUBDUB_SECRET_NAME is looked at
    #[arg(long, value_name = "FILE", conflicts_with = "no_channels")]
    secrets: Option<PathBuf>,
    /// With --keep-times: make no channels and maintenance windows
    #[arg(long)]
    no_channels: bool,
    /// Note here how far it is [default: FILE.progress]
    #[arg(long, value_name = "FILE")]
    progress: Option<PathBuf>,
}

impl Import {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let api = self.to.open(&self.connection)?;
        let input = Input::open(&self.file)?;
        let source = input.fingerprint()?;
        let notes = match (&self.how.progress, self.file.as_os_str() == "-") {
            (Some(path), _) => Some(path.clone()),
            (None, true) => None,
            (None, false) => {
                let mut name = self.file.clone().into_os_string();
                name.push(".progress");
                Some(name.into())
            }
        };
        let json = self.connection.json();
        self.how.run(input, api, Source { name: source, notes }, json, terminal).await
    }
}

impl To {
    /// A client of the server that gets them.
    pub(super) fn open(&self, otherwise: &Connection) -> anyhow::Result<Api> {
        match (&self.to, &self.to_key) {
            (None, None) => otherwise.open(),
            (Some(url), Some(key)) => Ok(Api::new(url, key.expose().to_owned())?),
            (Some(url), None) => Ok(Api::new(url, otherwise.key()?)?),
            (None, Some(key)) => Ok(Api::new(otherwise.url(), key.expose().to_owned())?),
        }
    }
}

/// The source of an import.
pub(super) struct Source {
    /// Tells it from others.
    pub(super) name: String,
    /// The file for the notes on the progress; `None` = none.
    pub(super) notes: Option<PathBuf>,
}

impl How {
    /// The file that a person gave for the notes on the progress.
    pub(super) fn notes(&self) -> Option<PathBuf> {
        self.progress.clone()
    }

    pub(super) async fn run(
        &self,
        input: Input,
        api: Api,
        source: Source,
        json: bool,
        terminal: &Terminal,
    ) -> anyhow::Result<ExitCode> {
        let mode = if self.keep_times { "history" } else { "live" };
        let speed = self.speed.unwrap_or(if self.keep_times { Speed::Max } else { Speed::Times(1.0) });
        let mut target = Target::new(api, mode);
        target.greet().await?;
        let latest = self.keep_times.then(|| target.now());
        let (survey, feed) = self.look(input, latest).await?;
        let index = index(&target.api).await?;
        survey.refused.tell(terminal);
        let Some(mut feed) = feed else {
            self.rehearse(&target, &survey, &index, (speed, json), terminal).await?;
            return Ok(ExitCode::SUCCESS);
        };
        survey.refused.allow(terminal, self.lenient)?;
        let key = Key { source: source.name, target: target.api.address(), mode: mode.to_owned() };
        let mut journal = Journal::open(source.notes.as_deref(), key)?;
        let is_resumed = journal.is_resumed();
        let created = journal.noted().created.iter();
        let created: HashMap<MonitorId, MonitorId> =
            created.filter_map(|(id, token)| Some((*id, index.with_token(token)?))).collect();
        let mut matching = self.matching(&survey, &index, &created)?;
        if self.keep_times && !is_resumed {
            refuse_heard(&matching, &index)?;
        }
        self.refuse_missing(&matching.missing)?;
        let made_before = created.values().copied().collect();
        let missing: &[MonitorLine] = if self.create_missing { &matching.missing } else { &[] };
        let around = Around { index: &index, pairs: &matching.pairs, created: &made_before, missing };
        let mut plan = self.plan(&target, &survey, around, (&journal.noted().channels, true)).await?;
        plan.tell(terminal);
        plan.allow()?;
        let missing = std::mem::take(&mut matching.missing);
        let missing = if self.create_missing { missing } else { Vec::new() };
        let maker = Maker { api: &target.api, index: &index, terminal, keeps_times: self.keep_times };
        let monitors = (missing, &*survey.monitors);
        let expected = match maker.make_all((&mut matching.pairs, &mut plan), monitors, &mut journal).await {
            Ok(expected) => expected,
            Err(error) => {
                journal.abandon()?;
                return Err(error);
            }
        };
        if self.keep_times {
            survey.settings.tell_keys(terminal);
        }
        let past = latest.map(|latest| Past::of(latest, &matching.pairs));
        let made = expected.clone();
        let mut transfer = Transfer {
            terminal,
            target,
            skipped: journal.noted().skipped.iter().copied().collect(),
            journal,
            progress: Progress::of_bytes(feed.total()),
            pace: Pace::after(speed, EventTime::EPOCH),
            pairs: matching.pairs,
            past,
            expected,
        };
        let sent = transfer.run(&mut feed).await;
        transfer.progress.finish();
        let lines = transfer.progress.lines();
        if sent.is_err() && lines == 0 {
            transfer.journal.abandon()?;
            return sent.map(|_| ExitCode::FAILURE).context("no history was imported");
        }
        if !sent.with_context(|| format!("the import broke off; {lines} lines of it are imported"))? {
            return Ok(stopped(terminal, transfer.journal.is_kept()));
        }
        if survey.refused.count == 0 {
            // Of what can be read only once, the lines that are left out are known now.
            feed.refused().tell(terminal);
        }
        if self.keep_times {
            redefine(&transfer.target.api, &transfer.pairs, (&made, &transfer.expected), &survey.monitors)
                .await?;
        }
        done(transfer)
    }

    /// Looks at all of it, as far as it can be read twice. The feed is `None` for a dry run.
    async fn look(&self, input: Input, latest: Option<EventTime>) -> anyhow::Result<(Survey, Option<Feed>)> {
        let leave_out = Rules { policy: Policy::LeaveOut, latest };
        let once = Rules { policy: if self.lenient { Policy::LeaveOut } else { Policy::Stop }, latest };
        match input {
            Input::Once(lines) if self.dry_run => {
                Ok((Survey::read(Feed::open(lines, leave_out).await?).await?, None))
            }
            Input::Once(lines) => {
                let feed = Feed::open(lines, once).await?;
                Ok((Survey::beginning(&feed), Some(feed)))
            }
            Input::Twice(file) => {
                let survey = Survey::read(Feed::open(file.lines()?, leave_out).await?).await?;
                let feed = if self.dry_run { None } else { Some(Feed::open(file.lines()?, once).await?) };
                Ok((survey, feed))
            }
        }
    }

    /// Says what the import would do, and fails as it would.
    async fn rehearse(
        &self,
        target: &Target,
        survey: &Survey,
        index: &Index,
        (speed, json): (Speed, bool),
        terminal: &Terminal,
    ) -> anyhow::Result<()> {
        let matching = self.matching(survey, index, &HashMap::new())?;
        let none = HashSet::new();
        let missing: &[MonitorLine] = if self.create_missing { &matching.missing } else { &[] };
        let around = Around { index, pairs: &matching.pairs, created: &none, missing };
        let plan = self.plan(target, survey, around, (&[], false)).await?;
        plan.tell(terminal);
        self.count(survey, &matching, index, (speed, plan.counts()), json, terminal)?;
        survey.refused.allow(terminal, self.lenient)?;
        if self.keep_times {
            refuse_heard(&matching, index)?;
        }
        self.refuse_missing(&matching.missing)?;
        plan.allow()
    }

    /// Finds what stands for each monitor; `created` were made here before.
    fn matching(
        &self,
        survey: &Survey,
        index: &Index,
        created: &HashMap<MonitorId, MonitorId>,
    ) -> anyhow::Result<Matching> {
        let mut matching = Matching::default();
        matching.check(&self.map, &survey.monitors);
        for line in &survey.monitors {
            match line.id.and_then(|id| Some((id, *created.get(&id)?))) {
                Some((id, made)) => {
                    matching.pairs.insert(id, made);
                }
                None => matching.add(index, &self.map, line.clone()),
            }
        }
        if matching.troubles.is_empty() {
            return Ok(matching);
        }
        bail!("not every monitor can be matched:\n  {}", matching.troubles.join("\n  "))
    }

    /// Which channels and windows are to be made. A load test makes none: they would alert for real.
    async fn plan(
        &self,
        target: &Target,
        survey: &Survey,
        around: Around<'_>,
        (noted, asks): (&[(String, String)], bool),
    ) -> anyhow::Result<Plan> {
        let wish = Wish {
            makes: self.keep_times && self.create_missing && !self.no_channels,
            secrets: self.secrets.as_deref(),
            asks,
            mapped: &self.map_channel,
            noted,
            now: target.now(),
        };
        survey.settings.plan(&target.api, &wish, around).await
    }

    /// Refuses monitors that are not there, if it was not said what to do about them.
    fn refuse_missing(&self, missing: &[MonitorLine]) -> anyhow::Result<()> {
        if missing.is_empty() || self.skip_missing || self.create_missing {
            return Ok(());
        }
        let names: Vec<String> = missing
            .iter()
            .take(20)
            .filter_map(|line| Some(format!("{} ({})", line.labels.as_ref()?.name, line.id?)))
            .collect();
        let more = if missing.len() > 20 { "\n  …" } else { "" };
        bail!(
            "{} monitors are not there: create them with --create-missing, leave them out with --skip-missing, or say with --map \
             what stands for them\n  {}{more}",
            missing.len(),
            names.join("\n  ")
        )
    }

    /// Counts what would be sent.
    fn count(
        &self,
        survey: &Survey,
        matching: &Matching,
        index: &Index,
        (speed, (channels, windows)): (Speed, (usize, usize)),
        json: bool,
        terminal: &Terminal,
    ) -> anyhow::Result<()> {
        let made: HashSet<MonitorId> = matching.missing.iter().filter_map(|line| line.id).collect();
        let created = if self.create_missing { matching.missing.len() } else { 0 };
        let missing = matching.missing.len() - created;
        let (sent, left_out) = survey
            .heartbeats(|id| matching.pairs.contains_key(&id) || (self.create_missing && made.contains(&id)));
        let takes = speed.takes(survey.length());
        let refused = survey.refused.count;
        if json {
            let heard = if self.keep_times { heard(matching, index).len() } else { 0 };
            let (first, last) = survey.span().unzip();
            return Ok(terminal.json(&json!({
                "monitors": {"matched": matching.pairs.len(), "created": created, "missing": missing, "heard": heard},
                "channels_created": channels, "windows_created": windows,
                "heartbeats": sent, "left_out": left_out, "refused": refused,
                "first": first.map(EventTime::to_rfc3339_micros), "last": last.map(EventTime::to_rfc3339_micros),
                "takes_seconds": takes.map(|takes| takes.as_secs_f64()),
            }))?);
        }
        let takes = takes.map_or_else(|| "as long as the server needs".to_owned(), rough);
        terminal.print(&format!(
            "monitors    {} matched, {created} created, {missing} missing\n\
             channels    {channels} created, and {windows} maintenance windows\nheartbeats  {sent} sent, {left_out} left out\n\
             refused     {refused} lines\nspan        {}\ntakes       {takes}\n",
            matching.pairs.len(),
            rough(survey.length()),
        ))?;
        Ok(())
    }
}

/// Ends an import that sent everything.
fn done(transfer: Transfer<'_>) -> anyhow::Result<ExitCode> {
    let incomplete = transfer.skipped.len();
    transfer.journal.remove()?;
    transfer.terminal.note(format_args!("{} lines are imported", transfer.progress.lines()));
    if incomplete > 0 {
        bail!("the histories of {incomplete} monitors are not complete: see above");
    }
    Ok(ExitCode::SUCCESS)
}

/// Monitors that have a history there.
fn heard<'a>(matching: &Matching, index: &'a Index) -> Vec<&'a str> {
    let mut found: Vec<&str> = matching
        .pairs
        .values()
        .filter(|id| index.state(**id).is_some_and(|state| state != "new"))
        .filter_map(|id| index.name(*id))
        .collect();
    found.sort_unstable();
    found
}

fn refuse_heard(matching: &Matching, index: &Index) -> anyhow::Result<()> {
    let heard = heard(matching, index);
    if heard.is_empty() {
        return Ok(());
    }
    let more = if heard.len() > 20 { "\n  …" } else { "" };
    let names: Vec<&str> = heard.iter().take(20).copied().collect();
    bail!(
        "--keep-times makes histories of monitors that were never heard there; these were, or are paused:\n  {}{more}",
        names.join("\n  ")
    )
}
