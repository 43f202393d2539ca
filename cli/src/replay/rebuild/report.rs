//! The outcome of a rebuild, in words.

use serde::Deserialize;

use crate::harmless::harmless;
use crate::table::Field;
use crate::terminal::Terminal;

/// A finished rebuild.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Rebuilt {
    partition: u64,
    verify: bool,
    why: Option<String>,
    report: Option<Report>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    equal: bool,
    monitors: u64,
    different: u64,
    differences: Vec<MonitorDifference>,
    head: Vec<Difference>,
    heartbeats: u64,
    damaged: u64,
    damaged_at: Vec<u64>,
    known_since: Option<String>,
    replaced: bool,
    alerts: u64,
    untold: u64,
    stood_still_ms: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MonitorDifference {
    monitor: String,
    fields: Vec<Difference>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Difference {
    field: String,
    rebuilt: Option<String>,
    live: Option<String>,
    stored: Option<String>,
}

impl Rebuilt {
    /// Whether the rebuild is good: it finished, and if it compared, nothing differs.
    pub(super) fn is_good(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.equal || !self.verify)
    }

    pub(super) fn in_words(&self, terminal: &Terminal) -> String {
        let partition = self.partition;
        let Some(report) = &self.report else {
            let why = self.why.as_deref().unwrap_or("it does not say why");
            return format!("partition {partition}: failed: {}\n", harmless(why));
        };
        let mut text = format!("partition {partition}: {}\n", report.verdict());
        let from = match &report.known_since {
            Some(since) => format!("from the checkpoint of {since}, before which nothing was computed again"),
            None => "from the log's beginning".to_owned(),
        };
        text += &format!("  read {} heartbeats {from}\n", report.heartbeats);
        if report.damaged > 0 {
            let offsets: Vec<String> = report.damaged_at.iter().map(u64::to_string).collect();
            text += &format!("  passed over {} damaged entries, at {}\n", report.damaged, offsets.join(", "));
        }
        if report.replaced {
            text += &format!("  told {} alerts that the live state did not know of\n", report.alerts);
        }
        if report.untold > 0 {
            text += &format!(
                "  {} monitors were told wrong, and their right alerts are not known any more\n",
                report.untold
            );
        }
        text += &format!("  the partition stood still for {} ms\n", report.stood_still_ms);
        if !report.equal {
            text += &report.table(terminal);
        }
        text
    }
}

impl Report {
    fn verdict(&self) -> String {
        let Self { monitors, different, .. } = self;
        match (self.equal, self.replaced) {
            (true, false) => format!("all {monitors} monitors are as the log says"),
            (true, true) => format!("replaced; all {monitors} monitors were as the log says"),
            (false, true) => format!("replaced; {different} of {monitors} monitors were not as the log says"),
            (false, false) => format!("{different} of {monitors} monitors are not as the log says"),
        }
    }

    fn table(&self, terminal: &Terminal) -> String {
        let mut table = terminal.table(&["MONITOR", "FIELD", "BY THE LOG", "LIVE", "STORED"]);
        let of_monitors = self
            .differences
            .iter()
            .flat_map(|found| found.fields.iter().map(|field| (found.monitor.clone(), field.clone())));
        let of_head = self.head.iter().map(|field| ("(partition)".to_owned(), field.clone()));
        for (monitor, Difference { field, rebuilt, live, stored }) in of_monitors.chain(of_head) {
            let or_dash = Field::or_dash;
            table.row([monitor.into(), field.into(), or_dash(rebuilt), or_dash(live), or_dash(stored)]);
        }
        let mut text = table.render();
        let named = u64::try_from(self.differences.len()).unwrap_or(u64::MAX);
        if self.different > named {
            text += &format!("… and {} more monitors\n", self.different - named);
        }
        text
    }
}
