//! Finds monitors, with bounded work for each request.

use model::ids::MonitorId;
use model::monitor::Monitor;
use model::wire;

use super::view::situations;
use crate::paging::{Cursor, Page};
use crate::problem::Problem;
use crate::request::Query;
use management::app::App;
use management::directory::StoredMonitor;
use management::labels::Labels;
use management::records::Stored;
use management::situation::{ShownState, Situation};

/// The most monitors that one request looks at. So a page may be short, even empty, although there is a next
/// one.
const MAX_SCANNED: usize = 20_000;

/// The number of monitors that are read at once.
const CHUNK: usize = 500;

/// The filter of a request; every `Some` must hold.
pub(super) struct Filter {
    state: Option<ShownState>,
    tag: Option<String>,
    /// The text, in lower case.
    text: Option<String>,
}

impl Filter {
    pub(super) fn read(query: &Query) -> Result<Self, Problem> {
        let state = query.parsed("state", "must be one of new, up, late, down, paused", ShownState::parse)?;
        let text = query.get("q").map(str::to_lowercase);
        Ok(Self { state, tag: query.get("tag").map(str::to_owned), text })
    }

    const fn is_open(&self) -> bool {
        self.state.is_none() && self.tag.is_none() && self.text.is_none()
    }

    /// Whether a monitor fits in everything but the state.
    fn fits(&self, stored: &StoredMonitor) -> bool {
        if self.tag.is_none() && self.text.is_none() {
            return true;
        }
        let Ok(labels) = wire::decode::<Labels>(&stored.value) else { return false };
        let tagged = self.tag.as_ref().is_none_or(|tag| labels.tags.contains(tag));
        tagged && self.text.as_ref().is_none_or(|text| contain(&labels, text, stored.id))
    }
}

fn contain(labels: &Labels, text: &str, id: MonitorId) -> bool {
    let within = |label: &String| label.to_lowercase().contains(text);
    within(&labels.name)
        || within(&labels.description)
        || labels.tags.iter().any(within)
        || id.to_string().contains(text)
}

/// A page of the monitors that fit, in the order of their creation.
pub(super) async fn find(
    app: &App,
    filter: &Filter,
    after: Option<MonitorId>,
    limit: usize,
) -> Result<Page<(Stored<Monitor>, Situation)>, Problem> {
    let chunk_size = if filter.is_open() { limit + 1 } else { CHUNK };
    let mut found: Vec<(Stored<Monitor>, Situation)> = Vec::new();
    let mut reached = after;
    let mut scanned = 0;
    loop {
        let chunk = app.directory.monitors(reached, chunk_size);
        let is_last = chunk.len() < chunk_size;
        scanned += chunk.len();
        reached = chunk.last().map(|stored| stored.id).or(reached);
        let wanted = limit + 1 - found.len();
        found.extend(matching(app, filter, &chunk, wanted).await?);
        if found.len() > limit {
            found.truncate(limit);
            let last = found.last().map(|(held, _)| held.value.id);
            return Ok(Page { items: found, next_cursor: last.map(cursor) });
        }
        if is_last {
            return Ok(Page { items: found, next_cursor: None });
        }
        if scanned >= MAX_SCANNED {
            return Ok(Page { items: found, next_cursor: reached.map(cursor) });
        }
        tokio::task::yield_now().await;
    }
}

/// At most `wanted` of a chunk's monitors.
async fn matching(
    app: &App,
    filter: &Filter,
    chunk: &[StoredMonitor],
    wanted: usize,
) -> Result<Vec<(Stored<Monitor>, Situation)>, Problem> {
    // Whether the state fits is known only after asking for it.
    let candidates = if filter.state.is_some() { chunk.len() } else { wanted };
    let held: Vec<Stored<Monitor>> = chunk
        .iter()
        .filter(|stored| filter.fits(stored))
        .filter_map(StoredMonitor::decode)
        .take(candidates)
        .collect();
    let situations = situations(app, &held.iter().collect::<Vec<_>>()).await?;
    let fitting = held
        .into_iter()
        .zip(situations)
        .filter(|(_, situation)| filter.state.is_none_or(|state| situation.state == state));
    Ok(fitting.take(wanted).collect())
}

fn cursor(id: MonitorId) -> String {
    Cursor::Id(id.as_uuid()).encode()
}
