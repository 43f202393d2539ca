use super::*;

const ID: &str = "0199a3c4-7d2e-7000-8000-000000000001";
const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn now() -> EventTime {
    EventTime::parse_rfc3339("2026-11-22T10:00:00Z").expect("a time")
}

fn scope(given: &[(&str, &str)]) -> Result<Scope, Vec<String>> {
    let mut draft = ReplayDraft::read(given.iter().copied());
    draft.trial();
    draft.finish(now(), WEEK).map_err(|errors| errors.into_iter().map(|error| error.field).collect())
}

#[test]
fn exactly_one_kind_of_selection_is_needed() {
    let window = Interval { start: now() - WEEK, end: now() };
    let id = ID.parse().expect("an id");
    for (given, expected) in [
        (&[("monitor", ID), ("monitor", ID)][..], Ok(Selection::Monitors(vec![id]))),
        (&[("tag", "prod")], Ok(Selection::Tag("prod".to_owned()))),
        (&[("all", "true")], Ok(Selection::All)),
        (&[], Err(vec!["monitor", "tag", "all"])),
        (&[("tag", "prod"), ("all", "true")], Err(vec!["tag", "all"])),
        (&[("all", "yes")], Err(vec!["all"])),
        (&[("monitor", "backup")], Err(vec!["monitor"])),
    ] {
        let found = scope(given).map(|scope| {
            assert_eq!(scope.window, window);
            scope.selection
        });
        let expected = expected.map_err(|fields| fields.into_iter().map(str::to_owned).collect());
        assert_eq!(found, expected, "{given:?}");
    }
}

#[test]
fn the_time_ends_now_at_the_latest_and_begins_before_its_end() {
    let all = ("all", "true");
    let window = |given: &[(&str, &str)]| scope(given).map(|scope| (scope.window.start, scope.window.end));
    let at = |text| EventTime::parse_rfc3339(text).expect("a time");
    assert_eq!(window(&[all, ("until", "2030-01-01T00:00:00Z")]), Ok((now() - WEEK, now())));
    let (since, until) = ("2026-11-01T00:00:00Z", "2026-11-02T01:00:00+01:00");
    assert_eq!(
        window(&[all, ("since", since), ("until", until)]),
        Ok((at(since), at("2026-11-02T00:00:00Z")))
    );
    for (since, until, refused) in [
        (until, since, vec!["since"]),
        (since, since, vec!["since"]),
        ("2030-01-01T00:00:00Z", "2030-01-02T00:00:00Z", vec!["since"]),
        ("yesterday", "now", vec!["since", "until"]),
    ] {
        let refused: Vec<String> = refused.into_iter().map(str::to_owned).collect();
        assert_eq!(window(&[all, ("since", since), ("until", until)]), Err(refused));
    }
}

#[test]
fn what_is_tried_follows_the_rules_of_monitors() {
    let trial = |given: &[(&str, &str)]| {
        let mut draft = ReplayDraft::read([("all", "true")].iter().chain(given).copied());
        let trial = draft.trial();
        let done = draft.finish(now(), WEEK).map(|_| trial);
        done.map_err(|errors| errors.into_iter().map(|error| error.field).collect::<Vec<_>>())
    };
    let timeout = |timeout| Some(Schedule::Period { timeout });
    assert_eq!(trial(&[]), Ok(Trial::default()));
    assert_eq!(trial(&[("timeout", "90")]), Ok(Trial { schedule: timeout(90), ..Trial::default() }));
    assert_eq!(trial(&[("grace", "0")]), Ok(Trial { grace: Some(0), ..Trial::default() }));
    let cron = trial(&[("cron", "0 2 * * *"), ("timezone", "Europe/Berlin")]).expect("a trial");
    let Some(Schedule::Cron(cron)) = cron.schedule else { panic!("a cron schedule") };
    assert_eq!((cron.pattern(), cron.timezone()), ("0 2 * * *", "Europe/Berlin"));
    for (given, refused) in [
        (&[("timeout", "0")][..], &["timeout"][..]),
        (&[("timeout", "90s")], &["timeout"]),
        (&[("timeout", "31536001"), ("grace", "-1")], &["timeout", "grace"]),
        (&[("timeout", "60"), ("cron", "0 2 * * *")], &["timeout", "cron"]),
        (&[("cron", "every day")], &["cron"]),
        (&[("cron", "every day"), ("timezone", "Mars/Olympus")], &["cron", "timezone"]),
        (&[("cron", "0 2 * * *"), ("timezone", "Mars/Olympus")], &["timezone"]),
        (&[("timezone", "UTC")], &["timezone"]),
        (&[("timout", "60")], &["timout"]),
    ] {
        let refused: Vec<String> = refused.iter().map(|field| (*field).to_owned()).collect();
        assert_eq!(trial(given), Err(refused), "{given:?}");
    }
}
