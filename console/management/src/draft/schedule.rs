//! Pure. A cron pattern in its time zone.

use std::sync::Arc;

use model::schedule::{CronSchedule, Schedule, ScheduleError};

use super::fields::Fields;

/// Reads a pattern; `None` if something is wrong with it or its zone, which is noted.
pub(crate) fn parse_cron(fields: &mut Fields, pattern: &str, zone: &str) -> Option<Schedule> {
    let error = match CronSchedule::parse(pattern, zone) {
        Ok(cron) => return Some(Schedule::Cron(Arc::new(cron))),
        Err(error) => error,
    };
    match &error {
        ScheduleError::Timezone => fields.refuse("timezone", error.to_string()),
        ScheduleError::Pattern(_) | ScheduleError::Never => {
            fields.refuse("cron", error.to_string());
            // The parser checks the pattern first; the zone may be wrong too.
            if let Err(zone_error) = CronSchedule::parse("* * * * *", zone) {
                fields.refuse("timezone", zone_error.to_string());
            }
        }
    }
    None
}
