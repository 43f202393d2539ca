use super::*;

const ID: &str = "0192f0c0-0000-7000-8000-000000000001";

fn now() -> EventTime {
    EventTime::parse_rfc3339("2026-11-22T10:00:00Z").expect("a time")
}

fn first_time(mode: Mode) -> Judgement {
    Judgement { mode, again: false, now: now() }
}

fn refused(mode: Mode, text: &str) -> Vec<(String, String)> {
    match read(text.as_bytes(), first_time(mode)) {
        Ok(items) => panic!("{text} is read as {items:?}"),
        Err(Refused::TooMany) => vec![],
        Err(Refused::Lines(errors)) => errors.into_iter().map(|error| (error.field, error.message)).collect(),
    }
}

fn beat(at: &str, more: &str) -> String {
    format!(r#"{{"type":"heartbeat","monitor":"{ID}","at":"{at}","status":"up"{more}}}"#)
}

#[test]
fn good_lines_are_read_in_their_order_and_empty_ones_are_nothing() {
    let text = [
        beat("2026-11-22T09:59:59.000001Z", r#","msg":"a","value":1.5,"settled":"2026-11-22T09:59:58Z""#),
        String::new(),
        format!(r#"{{"type":"monitor","id":"{ID}","at":"2026-11-22T09:00:00Z","revision":1,"timeout":60,"cron":null}}"#),
        format!(
            r#"{{"type":"gap","monitor":"{ID}","from":"2026-11-22T09:00:00Z","to":"2026-11-22T09:00:01Z"}}"#
        ),
        format!(r#"{{"type":"until","monitor":"{ID}","at":"2026-11-22T10:00:00.9Z"}}"#),
    ]
    .join("\r\n");
    let items = read(text.as_bytes(), first_time(Mode::History)).expect("good");
    let lines: Vec<usize> = items.iter().map(|item| item.line).collect();
    assert_eq!(lines, [1, 3, 4, 5]);
    let PastEvent::Heard { heartbeat, settled: Some(_) } = &items[0].event else { panic!("{:?}", items[0]) };
    assert_eq!((heartbeat.message.as_deref(), heartbeat.value), (Some("a"), Some(1.5)));
    assert_eq!(heartbeat.received_at.to_rfc3339_micros(), "2026-11-22T09:59:59.000001Z");
    let PastEvent::Defined { definition, .. } = &items[1].event else { panic!("{:?}", items[1]) };
    assert_eq!(definition.grace, 6);
    assert_eq!(read(b"", first_time(Mode::Live)), Ok(vec![]));
    let long = beat("2026-11-22T09:59:59Z", &format!(r#","msg":"{}""#, "ü".repeat(1_500)));
    let items = read(long.as_bytes(), first_time(Mode::Live)).expect("good");
    let PastEvent::Heard { heartbeat, .. } = &items[0].event else { panic!("{:?}", items[0]) };
    assert_eq!(heartbeat.message.as_ref().map(|text| text.chars().count()), Some(1_000));
}

#[test]
fn bad_lines_are_told_by_line_and_field() {
    use Mode::{History, Live};
    for (mode, text, expected) in [
        (Live, "{".to_owned(), &["line 1"][..]),
        (Live, "[]".to_owned(), &["line 1"]),
        (Live, "\n\n7".to_owned(), &["line 3"]),
        (Live, "{}".to_owned(), &["line 1.type"]),
        (Live, r#"{"type":"song"}"#.to_owned(), &["line 1.type"]),
        (
            Live,
            format!(r#"{{"type":"until","monitor":"{ID}","at":"2026-11-22T10:00:00Z"}}"#),
            &["line 1.type"],
        ),
        (Live, r#"{"type":"heartbeat"}"#.to_owned(), &["line 1.monitor", "line 1.at", "line 1.status"]),
        (Live, beat("2026-11-22T10:00:01.000001Z", ""), &["line 1.at"]),
        (History, beat("2026-11-22T10:00:01.000001Z", ""), &["line 1.at"]),
        (Live, beat("2026-11-22T09:58:59.999999Z", ""), &["line 1.at"]),
        (Live, beat("2026-11-22T10:00:00Z", r#","settled":"2026-11-22T10:00:00Z""#), &["line 1.settled"]),
        (Live, beat("2026-11-22T10:00:00Z", r#","colour":1"#), &["line 1.colour"]),
        (Live, beat("2026-11-22T10:00:00Z", r#","msg":1,"value":"x""#), &["line 1.msg", "line 1.value"]),
        (
            History,
            format!(r#"{{"type":"monitor","id":"{ID}","at":"x"}}"#),
            &["line 1.at", "line 1.revision", "line 1.timeout"],
        ),
        (
            History,
            format!(
                r#"{{"type":"gap","monitor":"{ID}","from":"2026-11-22T09:00:00Z","to":"2026-11-22T09:00:00Z"}}"#
            ),
            &["line 1.to"],
        ),
    ] {
        let fields: Vec<String> = refused(mode, &text).into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, expected, "{text}");
    }
    let old = beat("2026-11-20T09:59:59Z", "");
    assert!(read(old.as_bytes(), first_time(History)).is_ok(), "only live heartbeats must be young");
}

#[test]
fn many_errors_are_cut_and_too_many_lines_refused() {
    assert_eq!(refused(Mode::Live, &"{}\n".repeat(5_000)).len(), MAX_ERRORS);
    let line = beat("2026-11-22T10:00:00Z", "") + "\n";
    assert!(read(line.repeat(MAX_LINES).as_bytes(), first_time(Mode::Live)).is_ok());
    assert_eq!(read(line.repeat(MAX_LINES + 1).as_bytes(), first_time(Mode::Live)), Err(Refused::TooMany));
}

#[test]
fn what_is_not_of_this_minute_is_not_live_unless_it_is_sent_again() {
    let again = Judgement { again: true, ..first_time(Mode::Live) };
    for (at, once, repeated) in [
        ("2026-11-22T09:59:00Z", true, true),
        ("2026-11-22T09:58:59.999999Z", false, true),
        ("2026-11-21T10:00:00Z", false, true),
        ("2026-11-21T09:59:59.999999Z", false, false),
    ] {
        let line = beat(at, "");
        assert_eq!(read(line.as_bytes(), first_time(Mode::Live)).is_ok(), once, "{at}");
        assert_eq!(read(line.as_bytes(), again).is_ok(), repeated, "{at}");
    }
    let why = &refused(Mode::Live, &beat("2026-11-22T06:00:00Z", ""))[0].1;
    for said in ["at most 60 s old", "mode=history", "again=true"] {
        assert!(why.contains(said), "{why}");
    }
}
