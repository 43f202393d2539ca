//! Advice: settings that fit what monitors do.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::limits::DEFAULT_ALARMS_PER_MONTH;
use api::replay::{AdviceMonitorView, AdviceVerdict, AdviceView, ComparisonView, ReadView, SettingsView};
use api::time::Time;
use axum::extract::State;
use axum::{Extension, Json};
use hashbrown::HashMap;
use machine::advise::{Advice, Verdict, Wish};
use machine::what_if::{Compared, Trial, Trials};
use model::ids::MonitorId;
use model::monitor::Definition;
use model::schedule::Schedule;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::{Client, busy, comparison_view, read_view, unnoticed_view};
use super::what_if::limit;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::Query;
use management::app::App;
use management::draft::replay::{ReplayDraft, Scope};
use management::replay::chosen::ChosenMonitors;
use management::replay::comparison::compare;
use management::replay::habits::look;

/// The time before `until` that a request covers by default.
const DEFAULT_SPAN: Duration = Duration::from_secs(14 * 86_400);

/// The most monitors in one request. Each takes some thousand bytes.
const MAX_MONITORS: usize = 20_000;

fn settings(definition: &Definition) -> SettingsView {
    let grace = definition.grace;
    match &definition.schedule {
        Schedule::Period { timeout } => {
            SettingsView { timeout: Some(*timeout), cron: None, timezone: None, grace }
        }
        Schedule::Cron(cron) => {
            let text = |text: &str| Some(text.to_owned());
            SettingsView { timeout: None, cron: text(cron.pattern()), timezone: text(cron.timezone()), grace }
        }
    }
}

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(advise))
}

/// Proposes a timeout and a grace, or a cron schedule, for monitors from their own past.
///
/// Lubdub reads the log twice: to learn what each monitor usually does, and to find what the proposal would
/// have changed. This takes 5 min at most. Lubdub answers two requests at a time, those of `/replay/what-if`
/// included.
#[utoipa::path(
    get, path = "/replay/advise", tag = "replay", operation_id = "replayAdvise",
    params(
        ("monitor" = Option<Vec<String>>, Query, description = "A monitor's id; may be repeated. Exactly one of monitor, tag and all is needed"),
        ("tag" = Option<String>, Query, description = "Monitors with exactly this tag"),
        ("all" = Option<bool>, Query, description = "true: every monitor, 20,000 at most"),
        ("since" = Option<String>, Query, description = "RFC 3339; 14 days before `until` if not given"),
        ("until" = Option<String>, Query, description = "RFC 3339; now if not given"),
        ("alarms_per_month" = Option<f64>, Query, description = "How many false alarms in 30 days a proposal may have cost"),
        ("timezone" = Option<String>, Query, description = "IANA time zone in which Lubdub looks for a cron schedule, besides the monitor's own; UTC if not given"),
        ("limit" = Option<usize>, Query, description = "Most monitors in the answer"),
    ),
    responses(
        (status = 200, description = "Advice on each monitor", body = AdviceView),
        (status = 503, description = "Two such requests are being answered already, or one for a read key", body = api::problem::Problem),
        (status = 504, description = "The replay took longer than 5 min", body = api::problem::Problem),
    )
)]
async fn advise(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Client(client): Client,
    query: Query,
) -> Result<Json<AdviceView>, Problem> {
    let limit = limit(&query)?;
    let mut draft = ReplayDraft::read(query.given());
    draft.pass_over("limit");
    let alarms_per_month = draft.alarms_per_month().unwrap_or(DEFAULT_ALARMS_PER_MONTH);
    let timezone = draft.known_zone().unwrap_or_else(|| "UTC".to_owned());
    let scope = draft.finish(app.ports.clock.now(), DEFAULT_SPAN).map_err(Problem::refused)?;
    let admission = app.limits.sweeps.admit(caller.worker(), client).map_err(busy)?;
    let chosen = ChosenMonitors::find(&app, &scope.selection, MAX_MONITORS).await?;
    let wish = Wish { alarms_per_month, timezone };
    let advice = look(&app, &admission, &chosen, scope.window, wish).await?;
    let trial = |id: &MonitorId| match advice.get(id).map(|advice| &advice.verdict) {
        Some(Verdict::Change(trial)) => trial.clone(),
        Some(Verdict::Keep | Verdict::Unknown) | None => Trial::default(),
    };
    let trials = chosen.monitors.keys().map(|id| (*id, trial(id))).collect();
    let trials = Trials::Only(Arc::new(trials));
    let (compared, report) = compare(&app, &admission, &chosen, scope.window, trials).await?;
    let mut view = view(chosen, &scope, &advice, &compared, read_view(&report));
    view.alarms_per_month = alarms_per_month;
    view.truncated = view.monitors.len() > limit;
    view.monitors.truncate(limit);
    Ok(Json(view))
}

fn view(
    chosen: ChosenMonitors,
    scope: &Scope,
    advice: &HashMap<MonitorId, Advice>,
    compared: &BTreeMap<MonitorId, Compared>,
    read: ReadView,
) -> AdviceView {
    let mut total = ComparisonView::default();
    let mut monitors = Vec::with_capacity(chosen.monitors.len());
    for (id, monitor) in chosen.monitors {
        let Some(Advice { verdict, why }) = advice.get(&id) else { continue };
        let (verdict, proposed) = match verdict {
            Verdict::Change(trial) => (AdviceVerdict::Change, Some(trial.on(&monitor.definition))),
            Verdict::Keep => (AdviceVerdict::Keep, None),
            Verdict::Unknown => (AdviceVerdict::Unknown, None),
        };
        let would_be = proposed.as_ref().unwrap_or(&monitor.definition);
        let unnoticed = unnoticed_view(&monitor.definition, would_be, scope.window.start);
        let comparison = compared.get(&id).map(comparison_view).unwrap_or_default();
        total.add(&comparison);
        monitors.push(AdviceMonitorView {
            id: id.to_string(),
            name: monitor.name,
            revision: monitor.revision.0,
            verdict,
            current: settings(&monitor.definition),
            proposal: proposed.as_ref().map(settings),
            why: why.clone(),
            comparison,
            unnoticed,
        });
    }
    monitors.sort_by_key(|monitor| (monitor.verdict, Reverse(monitor.comparison.difference())));
    AdviceView {
        from: Time(scope.window.start),
        until: Time(scope.window.end),
        alarms_per_month: 0.0,
        read,
        count: monitors.len(),
        monitors,
        total,
        truncated: false,
    }
}
