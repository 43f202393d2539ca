//! Cron schedules give the times that cronsim gives, which reads patterns as Debian's cron does.

mod patterns;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use model::schedule::CronSchedule;
use model::time::EventTime;
use patterns::Random;
use serde_json::{Value, json};

/// Zones whose clocks change at other times, by other spans, at midnight, by rules of their own, or never.
const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Havana",
    "America/St_Johns",
    "America/Santiago",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
];

/// Zones whose clocks change at midnight or by half an hour. cronsim walks by whole hours and days, and is
/// wrong there about patterns whose minute or hour begins with `*`: such patterns are left out, and tested by
/// hand in `schedule.rs`.
const CLOCK_ONLY: [&str; 5] =
    ["America/Havana", "America/Santiago", "Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe"];

/// Patterns for each zone.
const PATTERNS: usize = 500;

/// Times that are compared, after each start and before it.
const TIMES: usize = 6;

/// The seed of the patterns and starts.
const SEED: u64 = 2026;

/// The times that cronsim gives. From a start within the second of two equal hours it would go back, so it
/// begins some time before.
const SIMULATE: &str = r#"
import json, sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo
from cronsim import CronSim

answers = []
for ask in json.load(sys.stdin):
    start = datetime.fromtimestamp(ask["start"], timezone.utc)
    begin = (start - timedelta(hours=30)).astimezone(ZoneInfo(ask["zone"]))
    after = []
    for at in CronSim(ask["pattern"], begin):
        at = int(at.timestamp())
        if at > ask["start"] and at not in after:
            after.append(at)
        if len(after) == ask["times"]:
            break
    answers.append(after)
json.dump(answers, sys.stdout)
"#;

fn python() -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/venv/bin/python");
    std::env::var_os("LUBDUB_TEST_PYTHON").map_or(venv, PathBuf::from)
}

fn cronsim(asked: &Value) -> Vec<Vec<i64>> {
    let mut child = Command::new(python())
        .args(["-c", SIMULATE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts: run `make tools`, or set LUBDUB_TEST_PYTHON");
    let mut stdin = child.stdin.take().expect("it is piped");
    let asked = asked.to_string();
    let writer = std::thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let answered = child.wait_with_output().expect("it is our child");
    writer.join().expect("it does not panic").expect("Python reads everything");
    assert!(answered.status.success(), "cronsim is there: run `make tools`");
    serde_json::from_slice(&answered.stdout).expect("lists of times")
}

/// A time within 40 hours of a clock change, or any time if the clock never changes.
fn start(zone: &TimeZone, random: &mut Random) -> i64 {
    // From 2023 to 2027.
    let any = 1_680_000_000 + i64::from(random.below(140_000_000));
    let any = Timestamp::from_second(any).expect("in range");
    let change = zone.following(any).next().map_or(any, |change| change.timestamp());
    let apart = SignedDuration::from_secs(i64::from(random.below(288_000)) - 144_000);
    // Now and then on the very second.
    let apart = if random.below(20) == 0 { SignedDuration::ZERO } else { apart };
    change.checked_add(apart).expect("in range").as_second()
}

#[test]
fn patterns_give_the_times_that_cronsim_gives() {
    let mut random = Random(SEED);
    let mut asked = Vec::new();
    for name in ZONES {
        let zone = TimeZone::get(name).expect("a zone");
        for _ in 0..PATTERNS {
            let pattern = patterns::pattern(&mut random, CLOCK_ONLY.contains(&name));
            let start = start(&zone, &mut random);
            asked.push(json!({"pattern": pattern, "zone": name, "start": start, "times": TIMES}));
        }
    }
    let expected = cronsim(&Value::from(asked.clone()));
    let mut wrong = Vec::new();
    for (ask, expected) in asked.iter().zip(expected) {
        let text = |field: &str| ask[field].as_str().expect("a text");
        let schedule = CronSchedule::parse(text("pattern"), text("zone")).expect("a schedule");
        let start = EventTime::from_secs(ask["start"].as_i64().expect("a number"));
        let found: Vec<EventTime> =
            std::iter::successors(schedule.next_after(start), |at| schedule.next_after(*at))
                .take(TIMES)
                .collect();
        let expected: Vec<EventTime> = expected.into_iter().map(EventTime::from_secs).collect();
        if found != expected {
            wrong.push(format!("{ask}\n  found    {}\n  expected {}", list(&found), list(&expected)));
            continue;
        }
        for pair in found.windows(2) {
            let [earlier, later] = pair else { continue };
            let before = EventTime::from_micros(later.as_micros() - 1);
            let backward = [schedule.last_at(*later), schedule.last_at(before)];
            if backward != [Some(*later), Some(*earlier)] {
                wrong.push(format!("{ask}\n  backward from {later} {backward:?}, expected {earlier}"));
            }
        }
    }
    let (count, all) = (wrong.len(), asked.len());
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{count} of {all} differ:\n{}", wrong.join("\n"));
}

fn list(times: &[EventTime]) -> String {
    times.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
