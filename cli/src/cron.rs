//! `--cron` and `--timezone`: what they take, and in which zone a pattern counts.

use jiff::tz::TimeZone;
use model::schedule::{CronSchedule, ScheduleError, is_time_zone};
use serde_json::{Map, Value, json};

use crate::bad_usage::BadUsage;

const NAMELESS: BadUsage = BadUsage(
    "the time zone of this machine has no name: say by --timezone in which one --cron counts, as in --timezone Europe/Berlin",
);

/// Reads a cron pattern.
///
/// # Errors
/// Why it is none.
pub(super) fn pattern(text: &str) -> Result<String, ScheduleError> {
    CronSchedule::parse(text, "UTC").map(|_| text.to_owned())
}

/// Reads the name of a time zone.
///
/// # Errors
/// There is none of this name.
pub(super) fn zone(text: &str) -> Result<String, ScheduleError> {
    if is_time_zone(text) { Ok(text.to_owned()) } else { Err(ScheduleError::Timezone) }
}

/// Adds the zone to a request that gives a pattern to what had none, and names no zone: that of this machine,
/// as for every other time that is typed. The API would take UTC.
///
/// # Errors
/// The zone of this machine has no name.
pub(super) fn put_zone(
    body: &mut Map<String, Value>,
    old: Option<&str>,
    here: &TimeZone,
) -> Result<(), BadUsage> {
    if body.contains_key("cron") && !body.contains_key("timezone") && old.is_none() {
        body.insert("timezone".to_owned(), json!(name(here)?));
    }
    Ok(())
}

/// The name of the zone of this machine; systems call UTC by several names.
///
/// # Errors
/// It has none.
pub(super) fn name(here: &TimeZone) -> Result<&str, BadUsage> {
    match here.iana_name() {
        Some("Etc/UTC" | "Etc/UCT" | "Etc/Universal" | "Etc/Zulu") => Ok("UTC"),
        Some(name) => Ok(name),
        None => Err(NAMELESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_counts_in_the_zone_of_this_machine_unless_another_is_named_or_was_there() {
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        for (body, old, expected) in [
            (json!({"cron": "0 3 * * *"}), None, json!({"cron": "0 3 * * *", "timezone": "Europe/Berlin"})),
            (json!({"cron": "0 3 * * *"}), Some("UTC"), json!({"cron": "0 3 * * *"})),
            (
                json!({"cron": "0 3 * * *", "timezone": "UTC"}),
                None,
                json!({"cron": "0 3 * * *", "timezone": "UTC"}),
            ),
            (json!({"timeout": 60}), None, json!({"timeout": 60})),
        ] {
            let mut body = body.as_object().expect("an object").clone();
            put_zone(&mut body, old, &berlin).expect("it has a name");
            assert_eq!(Value::Object(body), expected);
        }
        assert_eq!(name(&TimeZone::get("Etc/UTC").expect("a zone")).expect("a name"), "UTC");
        let nameless = TimeZone::posix("<+03>-3").expect("a zone");
        let mut body = json!({"cron": "0 3 * * *"}).as_object().expect("an object").clone();
        assert!(put_zone(&mut body, None, &nameless).is_err());
    }

    #[test]
    fn what_is_no_pattern_or_no_zone_is_refused() {
        assert_eq!(pattern("0 3 * * *").expect("a pattern"), "0 3 * * *");
        assert_eq!(pattern("0 25 * * *").expect_err("no hour").to_string(), "hour 25: 0 to 23");
        assert_eq!(zone("Europe/Berlin").expect("a zone"), "Europe/Berlin");
        assert!(zone("Mars/Olympus").is_err());
    }
}
