//! A look at all that an import would take, before anything is sent.

use std::collections::HashMap;
use std::time::Duration;

use api::export::{Line, MonitorLine};
use model::ids::MonitorId;
use model::time::EventTime;

use super::feed::{Feed, Step};
use super::refused::Refused;
use super::settings::Settings;

/// What is in one or several exports.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The monitors, each once.
    pub(super) monitors: Vec<MonitorLine>,
    /// How many heartbeats each has.
    heartbeats: HashMap<MonitorId, u64>,
    span: Option<(EventTime, EventTime)>,
    /// Channels, maintenance windows and keys, each once.
    pub(super) settings: Settings,
    pub(super) refused: Refused,
}

impl Survey {
    /// What is known of a feed that can be read only once: its first monitors.
    pub(super) fn beginning(feed: &Feed) -> Self {
        let mut survey = Self { monitors: feed.first_monitors().cloned().collect(), ..Self::default() };
        feed.first_settings().for_each(|line| survey.note_setting(line.clone()));
        survey
    }

    /// Reads a feed to its end.
    pub(super) async fn read(mut feed: Feed) -> anyhow::Result<Self> {
        let mut survey = Self::default();
        let mut places: HashMap<MonitorId, usize> = HashMap::new();
        while let Some(step) = feed.next(None).await? {
            let Step::Line(_, line) = step else { continue };
            match line {
                Line::Monitor(line) if line.labels.is_some() => {
                    let Some(id) = line.id else { continue };
                    let place = *places.entry(id).or_insert_with(|| {
                        survey.monitors.push(MonitorLine::default());
                        survey.monitors.len() - 1
                    });
                    // The last export knows best what it is called.
                    if let Some(known) = survey.monitors.get_mut(place) {
                        *known = *line;
                    }
                }
                Line::Heartbeat(line) => {
                    *survey.heartbeats.entry(line.monitor).or_default() += 1;
                    if !line.before {
                        let at = line.at.0;
                        let (first, last) = survey.span.unwrap_or((at, at));
                        survey.span = Some((first.min(at), last.max(at)));
                    }
                }
                line @ (Line::Channel(_) | Line::Window(_) | Line::Key(_)) => survey.note_setting(line),
                Line::Monitor(_) | Line::Gap(_) | Line::Summary(_) => {}
            }
        }
        survey.refused = feed.into_refused();
        Ok(survey)
    }

    fn note_setting(&mut self, line: Line) {
        // The last export knows best.
        let Settings { channels, windows, keys } = &mut self.settings;
        match line {
            Line::Channel(line) => {
                channels.retain(|known| known.id != line.id);
                channels.push(*line);
            }
            Line::Window(line) => {
                windows.retain(|known| known.id != line.id);
                windows.push(line);
            }
            Line::Key(line) if !keys.contains(&line) => keys.push(line),
            Line::Key(_) | Line::Monitor(_) | Line::Heartbeat(_) | Line::Gap(_) | Line::Summary(_) => {}
        }
    }

    /// How many heartbeats are of monitors that are `taken`, and how many of others.
    pub(super) fn heartbeats(&self, taken: impl Fn(MonitorId) -> bool) -> (u64, u64) {
        self.heartbeats.iter().fold((0, 0), |(sent, left_out), (id, count)| {
            if taken(*id) { (sent + count, left_out) } else { (sent, left_out + count) }
        })
    }

    /// The times of the first and the last heartbeat.
    pub(super) const fn span(&self) -> Option<(EventTime, EventTime)> {
        self.span
    }

    /// The time between them.
    pub(super) fn length(&self) -> Duration {
        self.span.map_or(Duration::ZERO, |(first, last)| last.since(first))
    }
}
