//! `lubdub replay what-if`

use serde::Deserialize;

use super::super::connection::Connection;
use super::super::cron;
use super::super::duration::Seconds;
use super::super::table::{Field, Table};
use super::super::times::Times;
use super::which::Which;
use crate::harmless::{harmless, harmless_csv};
use crate::terminal::{self, Terminal};

const EXAMPLES: &str = "\
Examples:
  lubdub replay what-if --monitor billing --timeout 90s
  lubdub replay what-if --tag prod --since 30d --grace 5m
  lubdub replay what-if --monitor backup --cron '0 2 * * *' --timezone Europe/Berlin
  lubdub replay what-if --all --since 7d --timeout 10m --csv > compared.csv

Reads the heartbeats of that time again and counts which monitors would have been down.
It changes nothing and sends no alerts.
A grace that equals the default follows --timeout and --cron; any other stays.
A false alarm is a missed deadline after which the job was heard again within one period.
UNNOTICED is the price: how long after its last heartbeat a job that stops is reported.

With --tag and --all, a timeout is not tried on monitors with cron, nor a pattern on monitors with a timeout.";

/// The default of how far back.
const SPAN: Seconds = Seconds(7 * 86_400);

const HEADER: [&str; 5] = ["NAME", "DOWNS", "DOWN FOR", "FALSE ALARMS", "UNNOTICED"];

/// The meaning of the column of the price.
const UNNOTICED: &str =
    "UNNOTICED: how long after its last heartbeat a job that stops is reported, typically and at worst.\n";

/// What stands in place of the meaning where the terminal has no room for the column.
const NO_ROOM: &str = "The price (UNNOTICED) is left out: the terminal is too narrow. --json has all.\n";

/// The text about the price under a table.
pub(crate) fn price_of(table: &str) -> &'static str {
    match table.lines().next() {
        None => "",
        Some(header) if header.contains("UNNOTICED") => UNNOTICED,
        Some(_) => NO_ROOM,
    }
}

/// `1 heartbeat`, `12 heartbeats`.
pub(crate) fn heartbeats(count: u64) -> String {
    if count == 1 { "1 heartbeat".to_owned() } else { format!("{count} heartbeats") }
}

/// Compares what was with what would have been.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct WhatIf {
    #[command(flatten)]
    which: Which,
    /// Try this timeout
    #[arg(long, value_name = "DURATION", conflicts_with = "cron")]
    timeout: Option<Seconds>,
    /// Try this grace
    #[arg(long, value_name = "DURATION")]
    grace: Option<Seconds>,
    /// Try this cron pattern
    #[arg(long, value_name = "PATTERN", value_parser = cron::pattern)]
    cron: Option<String>,
    /// Time zone of --cron, as in Europe/Berlin [default: that of this machine]
    #[arg(long, value_name = "ZONE", requires = "cron", value_parser = cron::zone)]
    timezone: Option<String>,
    /// Number of monitors to list at most, those with the largest difference first
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    connection: Connection,
}

/// The API's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    from: String,
    until: String,
    heartbeats: u64,
    monitors: Vec<Compared>,
    total: Comparison,
    count: u64,
    truncated: bool,
    notes: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Compared {
    id: String,
    name: String,
    #[serde(flatten)]
    comparison: Comparison,
    unnoticed: Unnoticed,
}

/// How long a job that stops goes unnoticed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Unnoticed {
    was: Option<UnnoticedTime>,
    would_be: Option<UnnoticedTime>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct UnnoticedTime {
    typical_seconds: u64,
    worst_seconds: u64,
}

/// The downs as they were, and as they would have been.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(crate) struct Comparison {
    was: Counts,
    would_be: Counts,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Counts {
    downs: u64,
    down_seconds: u64,
    false_alarms: u64,
}

impl WhatIf {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let mut query = self.which.query(&api, SPAN).await?;
        query.extend(self.timeout.map(|timeout| ("timeout", timeout.0.to_string())));
        query.extend(self.grace.map(|grace| ("grace", grace.0.to_string())));
        if let Some(pattern) = self.cron {
            let zone = match self.timezone {
                Some(zone) => zone,
                None => cron::name(&terminal::zone())?.to_owned(),
            };
            query.extend([("cron", pattern), ("timezone", zone)]);
        }
        query.push(("limit", self.limit.to_string()));
        let answer = api.get_slowly(&["replay", "what-if"], &query).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        let answer: Answer = api.view(&answer)?;
        if self.csv {
            terminal.print(&answer.csv())?;
        } else {
            let table = answer.table(|header| terminal.table(header));
            let table = table.map_or_else(String::new, Table::render);
            terminal.print(&format!("{table}{}", answer.words(price_of(&table), &terminal.times())))?;
        }
        if answer.truncated {
            terminal.warn(format_args!(
                "only {} of {} monitors are listed: --limit shows more",
                answer.monitors.len(),
                answer.count
            ));
        }
        Ok(())
    }
}

impl Comparison {
    /// `12 → 3`, or `12` where nothing changes.
    pub(crate) fn fields(&self) -> [Field; 3] {
        let (was, would_be) = (self.was, self.would_be);
        let seconds = |secs| Seconds(secs).to_string();
        [
            change(&was.downs.to_string(), &would_be.downs.to_string()),
            change(&seconds(was.down_seconds), &seconds(would_be.down_seconds)),
            change(&was.false_alarms.to_string(), &would_be.false_alarms.to_string()),
        ]
    }

    fn is_nothing(&self) -> bool {
        self.was == Counts::default() && self.would_be == Counts::default()
    }
}

impl Unnoticed {
    /// `20 min to 2 d 16 h → 17 h 30 min`.
    pub(crate) fn field(&self) -> Field {
        let text = |time: Option<UnnoticedTime>| match time {
            None => "-".to_owned(),
            Some(UnnoticedTime { typical_seconds, worst_seconds }) if typical_seconds == worst_seconds => {
                Seconds(worst_seconds).to_string()
            }
            Some(UnnoticedTime { typical_seconds, worst_seconds }) => {
                format!("{} to {}", Seconds(typical_seconds), Seconds(worst_seconds))
            }
        };
        change(&text(self.was), &text(self.would_be))
    }
}

fn change(was: &str, would_be: &str) -> Field {
    if was == would_be { Field::from(was) } else { Field::from(format!("{was} → {would_be}")) }
}

impl Compared {
    /// Whether it was not down, would not have been, and has the same price.
    fn is_nothing(&self) -> bool {
        self.comparison.is_nothing() && self.unnoticed.was == self.unnoticed.would_be
    }
}

impl Answer {
    /// The monitors for which anything is or would be different, or that were down, and the sum of all;
    /// `None` if there are none.
    fn table(&self, make: impl FnOnce(&[&str]) -> Table) -> Option<Table> {
        if self.monitors.iter().all(Compared::is_nothing) && self.total.is_nothing() {
            return None;
        }
        let mut table = make(&HEADER);
        for monitor in self.monitors.iter().filter(|monitor| !monitor.is_nothing()) {
            let name = Field::from(monitor.name.as_str());
            table.row(
                [name].into_iter().chain(monitor.comparison.fields()).chain([monitor.unnoticed.field()]),
            );
        }
        let total = self.total.fields().into_iter().chain([Field::from("")]);
        table.row([Field::from("TOTAL")].into_iter().chain(total));
        table.cut_only(&[0]);
        table.leave_out(&[2, 4, 3]);
        Some(table)
    }

    /// The text after the table.
    fn words(&self, price: &str, times: &Times) -> String {
        let silent = self.monitors.iter().filter(|monitor| monitor.is_nothing()).count();
        let others = match silent {
            _ if silent == self.monitors.len() && self.total.is_nothing() => {
                "No monitor was down, and none would have been.\n".to_owned()
            }
            0 => format!("\n{price}"),
            1 => format!("\n1 other was not down, and would not have been.\n{price}"),
            several => format!("\n{several} others were not down, and would not have been.\n{price}"),
        };
        let (from, until) = (times.exact(&self.from), times.exact(&self.until));
        let read = format!("From {from} to {until}, {}.\n", heartbeats(self.heartbeats));
        let notes: String = self.notes.iter().map(|note| format!("{}\n", harmless(note))).collect();
        others + &read + &notes
    }

    fn csv(&self) -> String {
        let head = "id,name,downs_was,downs_would_be,down_seconds_was,down_seconds_would_be,false_alarms_was,false_alarms_would_be,\
            unnoticed_seconds_was,unnoticed_seconds_would_be,unnoticed_worst_seconds_was,unnoticed_worst_seconds_would_be\n";
        let seconds = |time: Option<UnnoticedTime>, of: fn(UnnoticedTime) -> u64| {
            time.map(of).map_or_else(String::new, |seconds| seconds.to_string())
        };
        let line = |id: &str, name: &str, Comparison { was, would_be }: Comparison, price: Unnoticed| {
            let (typical, worst) =
                (|time: UnnoticedTime| time.typical_seconds, |time: UnnoticedTime| time.worst_seconds);
            format!(
                "{id},{},{},{},{},{},{},{},{},{},{},{}\n",
                harmless_csv(name),
                was.downs,
                would_be.downs,
                was.down_seconds,
                would_be.down_seconds,
                was.false_alarms,
                would_be.false_alarms,
                seconds(price.was, typical),
                seconds(price.would_be, typical),
                seconds(price.was, worst),
                seconds(price.would_be, worst),
            )
        };
        let lines = self
            .monitors
            .iter()
            .map(|monitor| line(&monitor.id, &monitor.name, monitor.comparison, monitor.unnoticed));
        head.to_owned() + &lines.collect::<String>() + &line("", "total", self.total, Unnoticed::default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Answer {
        let answer = json!({
            "from": "2026-11-15T10:00:00.000Z", "until": "2026-11-22T10:00:00.000Z", "heartbeats": 20_160,
            "monitors": [
                {"id": "1", "name": "billing, EU \"new\"",
                 "was": {"downs": 12, "down_seconds": 372, "false_alarms": 11},
                 "would_be": {"downs": 1, "down_seconds": 240, "false_alarms": 0},
                 "unnoticed": {"was": {"typical_seconds": 66, "worst_seconds": 66},
                               "would_be": {"typical_seconds": 99, "worst_seconds": 99}}},
                {"id": "2", "name": "backup", "was": {"downs": 1, "down_seconds": 3_600, "false_alarms": 0},
                 "would_be": {"downs": 1, "down_seconds": 3_600, "false_alarms": 0}},
                {"id": "3", "name": "sync", "was": {"downs": 0, "down_seconds": 0, "false_alarms": 0},
                 "would_be": {"downs": 0, "down_seconds": 0, "false_alarms": 0}},
                {"id": "4", "name": "office", "was": {"downs": 0, "down_seconds": 0, "false_alarms": 0},
                 "would_be": {"downs": 0, "down_seconds": 0, "false_alarms": 0},
                 "unnoticed": {"was": {"typical_seconds": 1_200, "worst_seconds": 231_600},
                               "would_be": {"typical_seconds": 63_000, "worst_seconds": 63_000}}},
            ],
            "total": {"was": {"downs": 13, "down_seconds": 3_972, "false_alarms": 11},
                      "would_be": {"downs": 2, "down_seconds": 3_840, "false_alarms": 0}},
            "count": 4, "truncated": false, "notes": ["There is no history before 2026-11-20T10:00:00.000Z."],
        });
        serde_json::from_value(answer).expect("an answer")
    }

    #[test]
    fn what_was_and_what_would_have_been_stand_side_by_side() {
        let table = answer().table(|header| Table::of_width(header, 80)).expect("a table");
        let text = table.render();
        let text = text.clone()
            + &answer().words(price_of(&text), &Times::at("2026-11-22T10:00:00Z", "Europe/Berlin"));
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert_eq!(text, include_str!("what_if.golden"));
    }

    #[test]
    fn names_are_whole_on_sixty_and_eighty_columns() {
        let mut answer = answer();
        answer.monitors[0].name = "invoices of the warehouse, EU".to_owned();
        for width in [60, 80] {
            let table = answer.table(|header| Table::of_width(header, width)).expect("a table").render();
            assert!(table.contains("invoices of the warehouse, EU  "), "{table}");
            assert!(table.contains("FALSE ALARMS"), "{table}");
            assert!(table.lines().all(|line| line.chars().count() <= width.into()), "{table}");
        }
        assert_eq!(price_of("NAME  DOWNS\nx  1\n"), NO_ROOM);
    }

    #[test]
    fn values_are_separated_by_commas_and_quoted_where_needed() {
        let csv = answer().csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[1], "1,\"billing, EU \"\"new\"\"\",12,1,372,240,11,0,66,99,66,99");
        assert_eq!(lines[5], ",total,13,2,3972,3840,11,0,,,,");
    }
}
