//! What-ifs: what would have happened with other settings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::limits::{DEFAULT_REPORTED, MAX_REPORTED};
use api::replay::{ComparisonView, ReadView, UnnoticedView, WhatIfMonitorView, WhatIfView};
use api::time::Time;
use axum::extract::State;
use axum::{Extension, Json};
use machine::what_if::{Compared, Trial, Trials};
use model::ids::MonitorId;
use model::monitor::Definition;
use model::schedule::Schedule;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::{Client, busy, comparison_view, read_view, unnoticed_view};
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::Query;
use management::app::App;
use management::draft::replay::{ReplayDraft, Scope, Selection};
use management::replay::chosen::{Chosen, ChosenMonitors};
use management::replay::comparison::compare;

/// The time before `until` that a request covers by default.
const DEFAULT_SPAN: Duration = Duration::from_secs(7 * 86_400);

/// The most monitors in one request.
const MAX_MONITORS: usize = 200_000;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(what_if))
}

/// Replays monitors with other settings, and compares the outcomes.
///
/// The machine that decides live runs over the heartbeat log twice: with the settings as they were, and with
/// the tried ones in place of them. The more log there is to read, the longer it takes, 5 min at most. Lubdub
/// answers two such requests at a time, of at most 200,000 monitors each.
#[utoipa::path(
    get, path = "/replay/what-if", tag = "replay", operation_id = "replayWhatIf",
    params(
        ("monitor" = Option<Vec<String>>, Query, description = "A monitor's id; may be repeated. Exactly one of monitor, tag and all is needed"),
        ("tag" = Option<String>, Query, description = "Monitors with exactly this tag"),
        ("all" = Option<bool>, Query, description = "true: every monitor, 200,000 at most"),
        ("since" = Option<String>, Query, description = "RFC 3339; 7 days before `until` if not given"),
        ("until" = Option<String>, Query, description = "RFC 3339; now if not given"),
        ("timeout" = Option<u32>, Query, description = "The tried timeout in seconds. With tag and all it is not tried on monitors with cron"),
        ("cron" = Option<String>, Query, description = "The tried cron pattern. With tag and all it is not tried on monitors with a timeout"),
        ("timezone" = Option<String>, Query, description = "IANA time zone of `cron`; UTC if not given"),
        ("grace" = Option<u32>, Query, description = "The tried grace in seconds. If not given, a grace that a monitor was given stays, and any other becomes the default of the tried schedule"),
        ("limit" = Option<usize>, Query, description = "Most monitors in the answer"),
    ),
    responses(
        (status = 200, description = "The downs as they were and as they would have been", body = WhatIfView),
        (status = 503, description = "Two such requests are being answered already, or one for a read key", body = api::problem::Problem),
        (status = 504, description = "The replay took longer than 5 min", body = api::problem::Problem),
    )
)]
async fn what_if(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Client(client): Client,
    query: Query,
) -> Result<Json<WhatIfView>, Problem> {
    let limit = limit(&query)?;
    let mut draft = ReplayDraft::read(query.given());
    draft.pass_over("limit");
    let trial = draft.trial();
    let scope = draft.finish(app.ports.clock.now(), DEFAULT_SPAN).map_err(Problem::refused)?;
    let trial = Trial { same_kind: !matches!(scope.selection, Selection::Monitors(_)), ..trial };
    let admission = app.limits.sweeps.admit(caller.worker(), client).map_err(busy)?;
    let chosen = ChosenMonitors::find(&app, &scope.selection, MAX_MONITORS).await?;
    let trials = if chosen.all && !chosen.monitors.values().any(|monitor| monitor.own_grace) {
        Trials::Every(trial.clone())
    } else {
        let of_each = |(id, monitor): (&MonitorId, &Chosen)| {
            (*id, Trial { own_grace: monitor.own_grace, ..trial.clone() })
        };
        Trials::Only(Arc::new(chosen.monitors.iter().map(of_each).collect()))
    };
    let (compared, report) = compare(&app, &admission, &chosen, scope.window, trials).await?;
    Ok(Json(view(chosen, &scope, &trial, compared, read_view(&report), limit)))
}

/// The remark that a schedule was not tried on some monitors; `None` if it was tried on all.
fn note_on_others(trial: &Trial, left_alone: usize) -> Option<String> {
    let (theirs, tried) = match &trial.schedule {
        Some(Schedule::Period { .. }) => ("cron", "The timeout"),
        Some(Schedule::Cron(_)) => ("a timeout", "The cron pattern"),
        None => return None,
    };
    let (of_them, they, one) = match left_alone {
        0 => return None,
        1 => ("1 monitor is".to_owned(), "it was", "name the monitor"),
        several => (format!("{several} monitors are"), "they were", "name such a monitor"),
    };
    Some(format!(
        "{of_them} left as {they}: the schedule is {theirs}. {tried} is tried there too if you {one} (monitor)."
    ))
}

/// The number of monitors in the list.
pub(super) fn limit(query: &Query) -> Result<usize, Problem> {
    Ok(query.whole_number("limit", 1..=MAX_REPORTED)?.unwrap_or(DEFAULT_REPORTED))
}

fn view(
    chosen: ChosenMonitors,
    scope: &Scope,
    trial: &Trial,
    compared: BTreeMap<MonitorId, Compared>,
    mut read: ReadView,
    limit: usize,
) -> WhatIfView {
    let count = chosen.monitors.len();
    let left_alone = chosen.monitors.values().filter(|monitor| trial.leaves(&monitor.definition)).count();
    read.notes.extend(note_on_others(trial, left_alone));
    let mut definitions = Vec::with_capacity(count);
    let mut total = ComparisonView::default();
    for (id, monitor) in chosen.monitors {
        let comparison = compared.get(&id).map(comparison_view).unwrap_or_default();
        total.add(&comparison);
        let (id, name, unnoticed) = (id.to_string(), monitor.name, UnnoticedView::default());
        let tried = Trial { own_grace: monitor.own_grace, ..trial.clone() }.on(&monitor.definition);
        definitions.push((WhatIfMonitorView { id, name, comparison, unnoticed }, monitor.definition, tried));
    }
    // Stable: of those that differ as much, in the order of their creation.
    definitions.sort_by_key(|(monitor, _, _)| {
        std::cmp::Reverse((monitor.comparison.difference(), monitor.comparison.was.downs))
    });
    definitions.truncate(limit);
    // A pattern is looked at time by time: of those in the list only.
    let priced = |(monitor, definition, tried): (WhatIfMonitorView, Definition, Definition)| {
        let unnoticed = unnoticed_view(&definition, &tried, scope.window.start);
        WhatIfMonitorView { unnoticed, ..monitor }
    };
    let monitors: Vec<WhatIfMonitorView> = definitions.into_iter().map(priced).collect();
    let (from, until) = (Time(scope.window.start), Time(scope.window.end));
    WhatIfView { from, until, read, truncated: monitors.len() < count, monitors, total, count, left_alone }
}
