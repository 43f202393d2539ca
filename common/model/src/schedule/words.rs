//! Cron patterns in words.
//!
//! The words are made of what the pattern matches, not of how it is written, so they follow the rules by
//! which it is read.

use croner::CronPattern;

/// Most values of a field that are listed one by one.
const MOST_LISTED: usize = 6;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What a pattern matches, in words: `at 02:30 from Monday to Friday`; `None` if that takes too many.
pub(super) fn words(pattern: &CronPattern) -> Option<String> {
    let fields = [&pattern.minutes, &pattern.hours, &pattern.days, &pattern.months, &pattern.days_of_week];
    if fields.iter().any(|field| field.has_modifiers()) {
        return None;
    }
    let [minutes, hours, days, months, weekdays] = fields.map(croner::CronComponent::values);
    let time = time(&minutes, &hours)?;
    let days = day(&days, &weekdays, pattern.matches_dom_and_dow())?;
    // Two spans in a row would read as one.
    let comma = if time.contains(" from ") && days.starts_with(" from ") { "," } else { "" };
    Some(format!("{time}{comma}{days}{}", month(&months)?))
}

fn time(minutes: &[u16], hours: &[u16]) -> Option<String> {
    let (first_minute, last_minute) = (*minutes.first()?, *minutes.last()?);
    let (first_hour, last_hour) = (*hours.first()?, *hours.last()?);
    let all_day = hours.len() == 24;
    let span = |from: u16, to: u16| format!(" from {} to {}", clock(first_hour, from), clock(last_hour, to));
    if minutes.len() * hours.len() <= MOST_LISTED {
        let times = hours.iter().flat_map(|hour| minutes.iter().map(|minute| clock(*hour, *minute)));
        return Some(format!("at {}", list(times)));
    }
    if let [minute] = minutes {
        let past = if *minute == 0 { String::new() } else { format!(" at minute {minute}") };
        let step = step(hours)?;
        let every = if step == 1 { "every hour".to_owned() } else { format!("every {step} h") };
        let goes_round = first_hour == 0 && 24 % step == 0 && last_hour + step == 24;
        return Some(if goes_round { every + &past } else { every + &span(*minute, *minute) });
    }
    // Minutes that go on in the same steps over the hour.
    let step = step(minutes).filter(|step| 60 % step == 0 && last_minute + step == first_minute + 60);
    let hours_follow = self::step(hours).is_none_or(|step| step == 1);
    match step {
        Some(step) if hours_follow => {
            let every = if step == 1 { "every minute".to_owned() } else { format!("every {step} min") };
            Some(match (all_day, first_minute) {
                (true, 0) => every,
                (true, first) => format!("{every} from minute {first} on"),
                (false, _) => every + &span(first_minute, last_minute),
            })
        }
        Some(_) | None if all_day && minutes.len() <= MOST_LISTED => {
            Some(format!("every hour at minutes {}", list(minutes.iter().map(u16::to_string))))
        }
        Some(_) | None => None,
    }
}

/// ` on day 1 of the month`, ` from Monday to Friday`, or nothing for every day.
fn day(days: &[u16], weekdays: &[u16], both: bool) -> Option<String> {
    // A week begins with Monday.
    let mut weekdays: Vec<u16> = weekdays.iter().map(|day| (day + 6) % 7).collect();
    weekdays.sort_unstable();
    let every_day = days.len() == 31;
    let every_weekday = weekdays.len() == 7;
    Some(match (every_day, every_weekday) {
        (true, true) => String::new(),
        (true, false) if both => weekday(&weekdays),
        (false, true) if both => format!(" on {} of the month", day_of_month(days)?),
        // One of the fields is enough, and it is true on every day.
        (true, false) | (false, true) => String::new(),
        (false, false) if both => {
            format!(" on {} of the month, only{}", day_of_month(days)?, weekday(&weekdays))
        }
        (false, false) => format!(" on {} of the month, and{}", day_of_month(days)?, weekday(&weekdays)),
    })
}

fn weekday(weekdays: &[u16]) -> String {
    let name = |day: &u16| WEEKDAYS.get(usize::from(*day)).copied().unwrap_or_default();
    match (weekdays, step(weekdays)) {
        ([first, .., last], Some(1)) if weekdays.len() > 2 => {
            format!(" from {} to {}", name(first), name(last))
        }
        _ => format!(" on {}", list(weekdays.iter().map(|day| format!("{}s", name(day))))),
    }
}

fn day_of_month(days: &[u16]) -> Option<String> {
    match (days, step(days)) {
        ([day], _) => Some(format!("day {day}")),
        ([first, .., last], Some(1)) if days.len() > 2 => Some(format!("days {first} to {last}")),
        _ if days.len() <= MOST_LISTED => Some(format!("days {}", list(days.iter().map(u16::to_string)))),
        ([first, second, third, .., last], Some(_)) => {
            Some(format!("days {first}, {second}, {third} … {last}"))
        }
        _ => None,
    }
}

fn month(months: &[u16]) -> Option<String> {
    let name = |month: &u16| MONTHS.get(usize::from(*month).saturating_sub(1)).copied().unwrap_or_default();
    match (months, step(months)) {
        _ if months.len() == 12 => Some(String::new()),
        ([first, .., last], Some(1)) if months.len() > 2 => {
            Some(format!(" from {} to {}", name(first), name(last)))
        }
        _ if months.len() <= MOST_LISTED => {
            Some(format!(" in {}", list(months.iter().map(|month| name(month).to_owned()))))
        }
        _ => None,
    }
}

fn clock(hour: u16, minute: u16) -> String {
    format!("{hour:02}:{minute:02}")
}

/// The distance between each two values that follow each other, if it is always the same.
fn step(values: &[u16]) -> Option<u16> {
    let mut steps = values.windows(2).map(|pair| pair.last().zip(pair.first()).map_or(0, |(b, a)| b - a));
    let first = steps.next()?;
    steps.all(|step| step == first).then_some(first)
}

/// `a, b and c`.
fn list(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    let Some(last) = items.pop() else { return String::new() };
    if items.is_empty() { last } else { format!("{} and {last}", items.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    #[test]
    fn a_cron_pattern_is_told_in_words() {
        for (pattern, expected) in [
            ("30 2 * * mon-fri", Some("at 02:30 from Monday to Friday")),
            ("30 2 * * *", Some("at 02:30")),
            ("@daily", Some("at 00:00")),
            ("@hourly", Some("every hour")),
            ("@weekly", Some("at 00:00 on Sundays")),
            ("@monthly", Some("at 00:00 on day 1 of the month")),
            ("@yearly", Some("at 00:00 on day 1 of the month in January")),
            ("* * * * *", Some("every minute")),
            ("*/5 * * * *", Some("every 5 min")),
            ("2-59/5 * * * *", Some("every 5 min from minute 2 on")),
            ("*/15 9-16 * * 1-5", Some("every 15 min from 09:00 to 16:45, from Monday to Friday")),
            ("*/7 * * * *", None),
            ("17 * * * *", Some("every hour at minute 17")),
            ("0,20,50 * * * *", Some("every hour at minutes 0, 20 and 50")),
            ("*/30 3 * * *", Some("at 03:00 and 03:30")),
            ("* 3 * * *", Some("every minute from 03:00 to 03:59")),
            ("0 */2 * * *", Some("every 2 h")),
            ("15 */2 * * *", Some("every 2 h at minute 15")),
            ("30 8-20 * * *", Some("every hour from 08:30 to 20:30")),
            ("0 8-20/2 * * *", Some("every 2 h from 08:00 to 20:00")),
            ("0 */6 * * *", Some("at 00:00, 06:00, 12:00 and 18:00")),
            ("0 */5 * * *", Some("at 00:00, 05:00, 10:00, 15:00 and 20:00")),
            ("*/10 */2 * * *", None),
            ("0 9 * * 6,0", Some("at 09:00 on Saturdays and Sundays")),
            ("0 9 * * 7", Some("at 09:00 on Sundays")),
            ("0 9 * * 0-6", Some("at 09:00")),
            ("0 9 * * 5-7", Some("at 09:00 from Friday to Sunday")),
            ("0 9 1,15 * *", Some("at 09:00 on days 1 and 15 of the month")),
            ("0 9 */2 * *", Some("at 09:00 on days 1, 3, 5 … 31 of the month")),
            ("0 9 * jun-aug *", Some("at 09:00 from June to August")),
            ("0 9 1 1,7 *", Some("at 09:00 on day 1 of the month in January and July")),
            // One of the day fields is enough, unless one begins with a star.
            ("0 9 13 * 5", Some("at 09:00 on day 13 of the month, and on Fridays")),
            ("0 9 1-7 * */7", Some("at 09:00 on days 1 to 7 of the month, only on Sundays")),
            ("0 9 13 * 0-6", Some("at 09:00")),
            ("0 9 L * *", None),
            (" 0 9 * * 1#2 ", None),
        ] {
            let read = Pattern::parse(pattern).expect(pattern);
            assert_eq!(words(read.matched()).as_deref(), expected, "{pattern}");
        }
    }
}
