//! Pure. Maintenance windows: those of an export compared with those of the target, and their requests.

use std::collections::{BTreeSet, HashMap};

use api::export::WindowLine;
use model::ids::MonitorId;
use serde::Deserialize;
use serde_json::{Value, json};

/// A maintenance window of the target.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct KnownWindow {
    pub(super) name: String,
    monitors: Vec<MonitorId>,
    tags: Vec<String>,
    from: Option<String>,
    to: Option<String>,
    cron: Option<String>,
    timezone: Option<String>,
    duration: Option<u32>,
}

impl KnownWindow {
    /// Whether it is the window of the export, whose monitors are these at the target.
    pub(super) fn is(&self, line: &WindowLine, monitors: &[MonitorId]) -> bool {
        let sorted = |texts: &[String]| texts.iter().cloned().collect::<BTreeSet<String>>();
        let ids = |ids: &[MonitorId]| ids.iter().copied().collect::<BTreeSet<MonitorId>>();
        ids(&self.monitors) == ids(monitors)
            && sorted(&self.tags) == sorted(&line.tags)
            && self.from == line.from.map(|at| at.0.to_rfc3339())
            && self.to == line.to.map(|at| at.0.to_rfc3339())
            && (&self.cron, &self.timezone, self.duration) == (&line.cron, &line.timezone, line.duration)
    }
}

/// The request for a window, for the monitors of the target; `None` if it would be for nothing.
pub(super) fn body(line: &WindowLine, pairs: &HashMap<MonitorId, MonitorId>) -> Option<Value> {
    let monitors: Vec<String> =
        line.monitors.iter().filter_map(|id| pairs.get(id)).map(ToString::to_string).collect();
    if monitors.is_empty() && line.tags.is_empty() {
        return None;
    }
    let mut body = json!({"name": line.name, "monitors": monitors, "tags": line.tags});
    match (&line.cron, line.from, line.to) {
        (None, Some(from), Some(to)) => {
            body["from"] = json!(from.0.to_rfc3339());
            body["to"] = json!(to.0.to_rfc3339());
        }
        (cron, _, _) => {
            body["cron"] = json!(cron);
            body["timezone"] = json!(line.timezone);
            body["duration"] = json!(line.duration);
        }
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_window_is_the_same_only_with_its_time_and_its_monitors() {
        let id = |number: u128| MonitorId::from_uuid(Uuid::from_u128(number));
        let line = json!({"id": "1", "name": "updates", "monitors": [id(1), id(2)], "tags": ["db", "web"],
            "cron": "0 3 * * *", "timezone": "Europe/Berlin", "duration": 3_600});
        let line: WindowLine = serde_json::from_value(line).expect("a window");
        let shown = json!({"name": "updates", "monitors": [id(12), id(11)], "tags": ["web", "db"], "from": null, "to": null,
            "cron": "0 3 * * *", "timezone": "Europe/Berlin", "duration": 3_600});
        let is = |changes: Value| {
            let mut shown = shown.clone();
            for (field, value) in changes.as_object().expect("an object") {
                shown[field] = value.clone();
            }
            let known: KnownWindow = serde_json::from_value(shown).expect("a window");
            known.is(&line, &[id(11), id(12)])
        };
        assert!(is(json!({})));
        for other in [
            json!({"monitors": [id(11)]}),
            json!({"monitors": [id(1), id(2)]}),
            json!({"tags": ["db"]}),
            json!({"cron": "0 4 * * *"}),
            json!({"timezone": "UTC"}),
            json!({"duration": 60}),
            json!({"cron": null, "timezone": null, "duration": null, "from": "2026-11-22T10:00:00.000Z",
                "to": "2026-11-22T11:00:00.000Z"}),
        ] {
            assert!(!is(other.clone()), "{other}");
        }
    }
}
