//! Advice on synthetic monitors whose truth is known.

use model::gaps::Gaps;
use model::time::{EventTime, Interval};

use super::*;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const SPAN: Duration = Duration::from_secs(14 * DAY);

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    /// From 0 to below 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, from: f64, to: f64) -> Duration {
        Duration::from_secs_f64(from + (to - from) * self.roll())
    }
}

fn at(text: &str) -> EventTime {
    EventTime::parse_rfc3339(text).expect("a time")
}

fn start() -> EventTime {
    at("2026-10-12T00:00:00Z")
}

fn habit(times: impl IntoIterator<Item = EventTime>) -> Habit {
    let mut habit = Habit::default();
    times.into_iter().for_each(|at| habit.hear(at, &Gaps::default()));
    habit.close(&Gaps::default());
    habit
}

/// Heartbeats for two weeks, each after a pause from `pause`.
fn every(mut pause: impl FnMut() -> Duration) -> Vec<EventTime> {
    let mut times = vec![start() + Duration::from_secs(17)];
    while let Some(last) = times.last().filter(|last| last.since(start()) < SPAN) {
        times.push(*last + pause());
    }
    times
}

/// Runs that the clock starts, each heard so much later.
fn started(pattern: &str, zone: &str, span: Duration, mut late: impl FnMut() -> Duration) -> Vec<EventTime> {
    let cron = CronSchedule::parse(pattern, zone).expect("a pattern");
    let mut slots = Vec::new();
    let mut slot = cron.next_after(start()).expect("a time");
    while slot.since(start()) < span {
        slots.push(slot + late());
        slot = cron.next_after(slot).expect("a time");
    }
    slots
}

fn period(timeout: u32, grace: u32) -> Definition {
    Definition { schedule: Schedule::Period { timeout }, grace, remind_every: 0, paused: false }
}

fn cron(pattern: &str, zone: &str, grace: u32) -> Definition {
    let cron = CronSchedule::parse(pattern, zone).expect("a pattern");
    Definition { schedule: Schedule::Cron(Arc::new(cron)), grace, remind_every: 0, paused: false }
}

const SEEN: Seen = Seen { span: SPAN, span_asked: SPAN, log_reaches_back: None };

fn asked(habit: &Habit, settings: &Definition, zone: &str, alarms_per_month: f64) -> Advice {
    advise(habit, settings, &Wish { alarms_per_month, timezone: zone.to_owned() }, &SEEN)
}

/// The definition that is proposed.
#[track_caller]
fn proposed(times: Vec<EventTime>, zone: &str) -> Definition {
    let settings = period(1, 0);
    let advice = asked(&habit(times), &settings, zone, 1.0);
    let Verdict::Change(trial) = &advice.verdict else { panic!("no change: {advice:?}") };
    trial.on(&settings)
}

#[test]
fn a_steady_loop_gets_its_interval_and_a_grace_for_its_jitter() {
    let mut dice = Dice(1);
    let found = proposed(every(|| dice.between(60.1, 64.0)), "UTC");
    assert_eq!(found, period(60, 12));
}

#[test]
fn an_outage_of_a_day_does_not_inflate_the_proposal() {
    let mut dice = Dice(2);
    let mut times = every(|| dice.between(60.1, 64.0));
    let outage = Interval {
        start: start() + Duration::from_secs(5 * DAY),
        end: start() + Duration::from_secs(6 * DAY),
    };
    times.retain(|at| *at < outage.start || *at >= outage.end);
    let habit = habit(times);
    let advice = asked(&habit, &period(600, 0), "UTC", 0.0);
    let expected = Trial { schedule: Some(period(60, 0).schedule), grace: Some(12), ..Trial::default() };
    assert_eq!(advice.verdict, Verdict::Change(expected));
    assert!(
        advice.why.contains("1 longer silence of up to 24 h would have alarmed")
            || advice.why.contains("up to 1 d"),
        "{}",
        advice.why
    );
}

#[test]
fn an_hourly_job_that_sleeps_between_its_runs_gets_room_for_its_run_time() {
    let mut dice = Dice(3);
    let found = proposed(every(|| Duration::from_secs(HOUR) + dice.between(60.0, 600.0)), "UTC");
    let Schedule::Period { timeout } = found.schedule else { panic!("it drifts: {found:?}") };
    assert!((3_600..=4_500).contains(&timeout), "{found:?}");
    assert!((4_200 + 300..=5_400).contains(&(timeout + found.grace)), "{found:?}");
}

#[test]
fn a_job_that_the_clock_starts_every_hour_follows_it() {
    let mut dice = Dice(4);
    let found = proposed(started("17 * * * *", "UTC", SPAN, || dice.between(2.0, 40.0)), "UTC");
    assert_eq!(found, cron("17 * * * *", "UTC", 60));
    // Its run time lies before its heartbeat.
    let found = proposed(started("0 * * * *", "UTC", SPAN, || dice.between(60.0, 300.0)), "UTC");
    assert_eq!(found, cron("0 * * * *", "UTC", 420));
}

#[test]
fn a_nightly_job_is_followed_through_the_change_of_clocks() {
    let mut dice = Dice(5);
    let berlin = "Europe/Berlin";
    // Summer time ends on 25 October.
    let span = Duration::from_secs(28 * DAY);
    let times = started("30 2 * * *", berlin, span, || dice.between(5.0, 45.0));
    assert_eq!(proposed(times.clone(), berlin), cron("30 2 * * *", berlin, 60));
    // One run did not happen, and one was made by hand.
    let mut faulty = times;
    faulty.remove(9);
    faulty.push(*faulty.last().expect("one") + Duration::from_secs(5 * HOUR));
    assert_eq!(proposed(faulty, berlin), cron("30 2 * * *", berlin, 60));
}

#[test]
fn days_of_the_week_and_short_periods_are_found() {
    let mut dice = Dice(6);
    let mut late = move || dice.between(1.0, 20.0);
    let month = Duration::from_secs(42 * DAY);
    for (pattern, span) in [
        ("0 6 * * 1-5", month),
        ("15 9 * * 1", month),
        ("0 22 * * 0,3", month),
        ("*/5 * * * *", SPAN),
        ("3-59/10 * * * *", SPAN),
        ("*/30 * * * *", SPAN),
        ("10 */6 * * *", SPAN),
        ("45 2-23/4 * * *", SPAN),
        ("0 0 * * *", SPAN),
    ] {
        assert_eq!(
            proposed(started(pattern, "UTC", span, &mut late), "UTC"),
            cron(pattern, "UTC", 60),
            "{pattern}"
        );
    }
}

#[test]
fn hours_and_days_of_the_week_are_found() {
    let mut dice = Dice(11);
    let mut late = move || dice.between(1.0, 20.0);
    let week = Duration::from_secs(8 * DAY);
    for (pattern, zone, span) in [
        ("*/15 9-16 * * 1-5", "UTC", SPAN),
        ("*/15 9-16 * * 1-5", "Europe/Berlin", week),
        ("7-59/15 9-16 * * 1-5", "America/New_York", SPAN),
        ("*/5 8-17 * * 1-5", "Asia/Kolkata", SPAN),
        ("*/30 8-12,14-18 * * 1-6", "UTC", Duration::from_secs(21 * DAY)),
        ("0 7-18 * * *", "UTC", SPAN),
        ("30 9-16 * * 1-5", "UTC", SPAN),
        ("0 8,12,16 * * 1-5", "UTC", SPAN),
        ("*/10 22,23 * * 0,6", "UTC", Duration::from_secs(28 * DAY)),
    ] {
        let found = proposed(started(pattern, zone, span, &mut late), zone);
        assert_eq!(found, cron(pattern, zone, 60), "{pattern}");
    }
    // It comes a little late, beyond the hour.
    let mut dice = Dice(12);
    let found = proposed(started("55 9-16 * * 1-5", "UTC", SPAN, || dice.between(240.0, 600.0)), "UTC");
    assert_eq!(found.schedule, cron("55 9-16 * * 1-5", "UTC", 0).schedule);
}

#[test]
fn hours_that_begin_in_the_middle_are_no_schedule_that_alarms_each_day() {
    let mut dice = Dice(13);
    let times = started("*/15 9-16 * * 1-5", "UTC", SPAN, || dice.between(1.0, 20.0));
    let late_start = |at: &EventTime| at.since(start()).as_secs() % DAY >= 9 * HOUR + 30 * MINUTE;
    let found = proposed(times.into_iter().filter(late_start).collect(), "UTC");
    assert!(matches!(found.schedule, Schedule::Period { .. }), "{found:?}");
}

#[test]
fn what_drifts_follows_no_clock() {
    for (pause, drift) in [(300.0, 0.02), (300.0, 1.0), (3_600.0, 0.5), (3_600.0, 20.0)] {
        let mut dice = Dice(7);
        let found = proposed(every(|| dice.between(pause + drift / 2.0, pause + drift)), "UTC");
        assert!(matches!(found.schedule, Schedule::Period { .. }), "{pause} {drift}: {found:?}");
    }
}

#[test]
fn one_that_comes_in_bursts_gets_the_time_between_them() {
    let mut dice = Dice(8);
    let mut count = 0;
    let times = every(|| {
        count += 1;
        if count % 50 == 0 {
            dice.between(3.0 * HOUR as f64, 4.0 * HOUR as f64)
        } else {
            dice.between(0.5, 2.0)
        }
    });
    let found = proposed(times, "UTC");
    let Schedule::Period { timeout } = found.schedule else { panic!("no clock: {found:?}") };
    assert!(
        timeout >= 10_000 && timeout + found.grace >= 4 * 3_600 && timeout + found.grace <= 5 * 3_600,
        "{found:?}"
    );
}

#[test]
fn office_hours_are_a_habit_and_no_outage() {
    let times = every(|| Duration::from_millis(60_300));
    let open = |at: &EventTime| (8..18).contains(&(at.since(start()).as_secs() % DAY / HOUR));
    let found = proposed(times.into_iter().filter(open).collect(), "UTC");
    let Schedule::Period { timeout } = found.schedule else { panic!("no clock: {found:?}") };
    assert!((14 * 3_600..=18 * 3_600).contains(&(timeout + found.grace)), "{found:?}");
}

#[test]
fn with_too_little_history_it_says_what_is_needed() {
    let week = Duration::from_secs(7 * DAY);
    let every = |secs: u64, count: u64| habit((0..count).map(|n| start() + Duration::from_secs(n * secs)));
    let young = SEEN;
    let old = Seen { log_reaches_back: Some(week), ..SEEN };
    for (habit, seen, said) in [
        (
            every(HOUR, 3),
            &young,
            "3 heartbeats are too little to judge by; 4 are needed without a pause: at its pace that takes 1 h more.",
        ),
        (every(HOUR, 3), &old, "that takes 1 h more"),
        (every(DAY, 3), &old, "that takes 24 h more"),
        (every(7 * DAY, 2), &young, "It comes about every 7 d: ask about 22 d or more (since)."),
        // The log never holds four of them.
        (every(3 * DAY, 3), &old, "The log reaches back 7 d only"),
        (every(3 * DAY, 3), &old, "--retention"),
        (every(DAY, 1), &old, "--retention"),
        (every(DAY, 1), &young, "1 heartbeat is too little to judge by; 4 are needed without a pause."),
    ] {
        let wish = Wish { alarms_per_month: 1.0, timezone: "UTC".to_owned() };
        let advice = advise(&habit, &period(60, 6), &wish, seen);
        assert_eq!(advice.verdict, Verdict::Unknown);
        assert!(
            advice.why.contains(said) || advice.why.replace("1 d more", "24 h more").contains(said),
            "{}",
            advice.why
        );
    }
    let advice = asked(&Habit::default(), &period(60, 6), "UTC", 1.0);
    assert_eq!((advice.verdict, &*advice.why), (Verdict::Unknown, "It was not heard in this time."));
}

#[test]
fn a_week_of_a_nightly_job_is_enough_and_the_uncertainty_is_said() {
    let mut dice = Dice(14);
    // It sleeps between its runs, so that it follows no clock.
    let mut at = start();
    let times: Vec<EventTime> = std::iter::from_fn(|| {
        at = at + Duration::from_secs(DAY) + dice.between(0.0, 10_000.0);
        Some(at)
    })
    .take(6)
    .collect();
    let advice = asked(&habit(times.clone()), &period(60, 6), "UTC", 1.0);
    let Verdict::Change(trial) = &advice.verdict else { panic!("{advice:?}") };
    let found = trial.on(&period(60, 6));
    let Schedule::Period { timeout } = found.schedule else { panic!("no clock: {found:?}") };
    let in_all = u64::from(timeout + found.grace);
    assert!((DAY + 10_000..2 * DAY).contains(&in_all), "{found:?}");
    assert!(advice.why.contains("That is few: 1 of 6 may be longer"), "{}", advice.why);
    // By the clock, the same number is enough.
    let by_clock = started("0 2 * * *", "UTC", Duration::from_secs(6 * DAY), || dice.between(5.0, 45.0));
    assert_eq!(proposed(by_clock, "UTC"), cron("0 2 * * *", "UTC", 60));
    // Four heartbeats are the fewest.
    assert!(matches!(
        asked(&habit(times[..4].to_vec()), &period(60, 6), "UTC", 1.0).verdict,
        Verdict::Change(_)
    ));
    assert_eq!(asked(&habit(times[..3].to_vec()), &period(60, 6), "UTC", 1.0).verdict, Verdict::Unknown);
}

#[test]
fn a_proposal_for_one_that_pauses_for_long_tells_its_price() {
    let times = every(|| Duration::from_millis(60_300));
    let open = |at: &EventTime| (8..18).contains(&(at.since(start()).as_secs() % DAY / HOUR));
    let advice = asked(&habit(times.into_iter().filter(open)), &period(1, 0), "UTC", 1.0);
    assert!(advice.why.contains("one that begins at 10:00, at 0"), "{}", advice.why);
    assert!(advice.why.contains("on the next day"), "{}", advice.why);
}

#[test]
fn more_alarms_allow_a_tighter_deadline() {
    let mut dice = Dice(9);
    // Three pauses of 90 s in two weeks.
    let mut count = 0;
    let habit = habit(every(|| {
        count += 1;
        if count % 6_000 == 0 { Duration::from_secs(90) } else { dice.between(60.1, 64.0) }
    }));
    let in_all = |alarms| {
        let Verdict::Change(trial) = asked(&habit, &period(1, 0), "UTC", alarms).verdict else {
            panic!("a change")
        };
        let found = trial.on(&period(1, 0));
        let Schedule::Period { timeout } = found.schedule else { panic!("a period") };
        timeout + found.grace
    };
    assert!(in_all(0.0) >= 90, "{}", in_all(0.0));
    assert!(in_all(30.0) < 90, "{}", in_all(30.0));
}

#[test]
fn settings_that_fit_are_kept() {
    let mut dice = Dice(10);
    let steady = habit(every(|| dice.between(60.1, 64.0)));
    for (timeout, grace, keep) in
        [(60, 12, true), (60, 30, true), (80, 8, true), (60, 5, false), (600, 60, false)]
    {
        let found = asked(&steady, &period(timeout, grace), "UTC", 1.0).verdict;
        assert_eq!(found == Verdict::Keep, keep, "{timeout} {grace}: {found:?}");
    }
    let nightly = habit(started("30 2 * * *", "Europe/Berlin", SPAN, || dice.between(5.0, 45.0)));
    let own = cron("30 2 * * *", "Europe/Berlin", 90);
    assert_eq!(asked(&nightly, &own, "UTC", 1.0).verdict, Verdict::Keep);
    // A pattern that means the same stays.
    let hourly = habit(started("@hourly", "UTC", SPAN, || dice.between(5.0, 45.0)));
    let found = asked(&hourly, &cron("@hourly", "UTC", 3_000), "UTC", 1.0).verdict;
    let expected =
        Trial { schedule: Some(cron("@hourly", "UTC", 0).schedule), grace: Some(60), ..Trial::default() };
    assert_eq!(found, Verdict::Change(expected));
}

#[test]
fn deaf_time_and_pauses_are_no_intervals() {
    let mut gaps = Gaps::default();
    let deaf =
        Interval { start: start() + Duration::from_secs(630), end: start() + Duration::from_secs(4_230) };
    gaps.push(deaf);
    let mut habit = Habit::default();
    for second in (0..=600).step_by(60).chain((4_260..5_000).step_by(60)) {
        habit.hear(start() + Duration::from_secs(second), &gaps);
    }
    habit.pause(true, &gaps);
    habit.hear(start() + Duration::from_secs(8_000), &gaps);
    habit.pause(false, &gaps);
    for second in (10_000..10_500).step_by(60) {
        habit.hear(start() + Duration::from_secs(second), &gaps);
    }
    habit.close(&gaps);
    let longest = habit.intervals.buckets().last().expect("one").longest();
    assert_eq!(longest, Duration::from_secs(60));
    assert_eq!(habit.intervals.count(), 10 + 1 + 12 + 8);
}
