use std::io::Write;

use super::*;

const A: &str = "0199a3c4-7d2e-7000-8000-00000000000a";
const B: &str = "0199a3c4-7d2e-7000-8000-00000000000b";

fn now() -> EventTime {
    EventTime::parse_rfc3339("2026-11-22T10:00:00Z").expect("a time")
}

fn listing(id: &str, more: &str) -> String {
    format!(r#"{{"type":"monitor","id":"{id}","name":"n","timeout":60{more}}}"#)
}

fn beat(id: &str, time: &str) -> String {
    format!(r#"{{"type":"heartbeat","monitor":"{id}","at":"2026-11-22T{time}Z","status":"up"}}"#)
}

fn summary(time: &str) -> String {
    format!(
        r#"{{"type":"summary","from":"2026-11-22T00:00:00Z","until":"2026-11-22T{time}Z","monitors":1,"heartbeats":1}}"#
    )
}

fn lines_of(text: &str) -> Lines {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    std::io::Seek::rewind(&mut file).expect("a file");
    Lines::of_open(file, "test".to_owned()).expect("opened")
}

/// The steps in short, and the lines that were not taken.
async fn read(lines: &[String], ends: &[MonitorId]) -> (String, Vec<(u64, String)>) {
    let rules = Rules { policy: Policy::LeaveOut, latest: Some(now()) };
    let mut feed = Feed::open(lines_of(&lines.join("\n")), rules).await.expect("opened");
    let mut steps = Vec::new();
    while let Some(step) = feed.next(Some(ends)).await.expect("a step") {
        steps.push(match step {
            Step::Line(number, Line::Monitor(line)) if line.labels.is_some() => format!("l{number}"),
            Step::Line(number, Line::Monitor(_)) => format!("m{number}"),
            Step::Line(number, Line::Heartbeat(_)) => format!("h{number}"),
            Step::Line(number, Line::Gap(_)) => format!("g{number}"),
            Step::Line(number, Line::Summary(line)) => {
                format!("s{number}@{}", &line.until.0.to_rfc3339()[11..19])
            }
            Step::Line(number, Line::Channel(_) | Line::Window(_) | Line::Key(_)) => format!("c{number}"),
            Step::End(id) => format!("e{}", &id.to_string()[35..]),
        });
    }
    assert_eq!(feed.position(), steps.len() as u64);
    (steps.join(" "), feed.into_refused().first)
}

fn id(text: &str) -> MonitorId {
    text.parse().expect("an id")
}

#[tokio::test]
async fn every_line_is_taken_or_refused_with_its_number_and_a_reason() {
    let change = |more: &str| format!(r#"{{"type":"monitor","id":"{A}","timeout":90{more}}}"#);
    let lines = [
        listing(A, ""),
        String::new(),
        listing(A, r#","grace":5"#),
        r#"{"type":"monitor","id":"0199a3c4-7d2e-7000-8000-00000000000c","name":"no schedule","grace":5}"#
            .to_owned(),
        listing(B, r#","grace":"long""#),
        listing(B, r#","cron":"* * * * *""#),
        listing(B, r#","tags":7"#),
        beat(A, "09:00:00"),
        beat(B, "09:00:00"),
        beat(A, "10:00:01"),
        "{".to_owned(),
        "[]".to_owned(),
        r#"{"type":"song"}"#.to_owned(),
        format!(r#"{{"type":"heartbeat","monitor":"{A}","at":"yesterday","status":"up"}}"#),
        format!(r#"{{"type":"heartbeat","monitor":"{A}","at":"2026-11-22T09:00:00Z","status":"ok"}}"#),
        change(""),
        change(r#","at":"2026-11-22T09:00:30Z","revision":2"#),
        r#"{"type":"gap","partition":0,"from":"2026-11-22T09:00:00Z","to":"2026-11-22T09:00:00Z"}"#
            .to_owned(),
        beat(A, "09:01:00"),
        summary("09:30:00"),
    ];
    let (steps, refused) = read(&lines, &[id(A)]).await;
    assert_eq!(steps, "l1 h8 m17 h19 s20@09:30:00 ea");
    let said = [
        (3, "names a monitor that a line before it names"),
        (4, "exactly one of `timeout` and `cron` is needed"),
        (5, "invalid type: string \"long\""),
        (6, "exactly one of `timeout` and `cron`"),
        (7, "invalid type: integer `7`"),
        (9, "a monitor that no line before it describes"),
        (10, "lies in the future"),
        (11, "is not JSON"),
        (12, "is not"),
        (13, "of a type that this version does not know"),
        (14, "not an RFC 3339 time"),
        (15, "unknown variant `ok`"),
        (16, "needs `at` and `revision`"),
        (18, "`to` that is not after its `from`"),
    ];
    let numbers: Vec<u64> = refused.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, said.iter().map(|(number, _)| *number).collect::<Vec<_>>(), "{refused:#?}");
    for ((_, why), (number, expected)) in refused.iter().zip(said) {
        assert!(why.contains(expected) && !why.contains("at line 1"), "{number}: {why}");
    }
}

#[tokio::test]
async fn several_exports_in_one_file_are_read_one_after_the_other() {
    let lines = [
        listing(A, ""),
        beat(A, "08:00:00"),
        beat(A, "08:01:00"),
        summary("08:02:00"),
        format!("\u{feff}{}", listing(A, "")),
        listing(B, ""),
        beat(A, "08:01:00"),
        beat(B, "07:00:00"),
        beat(A, "08:03:00"),
        summary("08:05:00"),
        listing(B, ""),
        beat(A, "08:06:00"),
        summary("08:07:00"),
    ];
    let (steps, refused) = read(&lines, &[id(A), id(B)]).await;
    assert_eq!(steps, "l1 h2 h3 s4@08:02:00 l5 l6 h8 h9 s10@08:05:00 l11 s13@08:07:00 ea eb");
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].0 == 7 && refused[0].1.contains("not newer"), "{refused:?}");
    assert!(refused[1].0 == 12 && refused[1].1.contains("no line before it describes"), "{refused:?}");
}

#[tokio::test]
async fn an_export_without_an_end_is_one_that_is_not_whole() {
    let whole = [listing(A, ""), beat(A, "08:00:00"), summary("08:02:00")];
    let cut = [listing(A, ""), beat(A, "08:03:00")];
    for (lines, expected, number) in [
        (cut.to_vec(), "l1 h2 s2@08:03:00 ea", 2),
        ([whole.to_vec(), cut.to_vec()].concat(), "l1 h2 s3@08:02:00 l4 h5 s5@08:03:00 ea", 5),
        (
            [cut.to_vec(), vec![listing(A, ""), beat(A, "08:04:00"), summary("08:05:00")]].concat(),
            "l1 h2 s2@08:03:00 l3 h4 s5@08:05:00 ea",
            2,
        ),
        (vec![listing(A, "")], "l1 s1@00:00:00 ea", 1),
    ] {
        let (steps, refused) = read(&lines, &[id(A)]).await;
        assert_eq!(steps, expected);
        assert!(
            matches!(&refused[..], [(at, why)] if *at == number && why.contains("not whole")),
            "{refused:?}"
        );
    }
    let rules = Rules { policy: Policy::Stop, latest: None };
    let mut feed = Feed::open(lines_of(&cut.join("\n")), rules).await.expect("opened");
    let error = loop {
        match feed.next(None).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it has an end"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("line 2") && error.contains("--lenient"), "{error}");
    assert!(Feed::open(lines_of("\n\n"), rules).await.is_err(), "nothing is in it");
}

fn beat_before(id: &str, time: &str) -> String {
    beat(id, time).replace(r#""status":"up""#, r#""status":"up","before":true"#)
}

#[tokio::test]
async fn a_heartbeat_from_before_the_beginning_is_passed_over_where_it_is_known() {
    let first = [listing(A, ""), beat_before(A, "07:00:00"), beat(A, "08:00:00"), summary("08:30:00")];
    let next = [listing(A, ""), beat_before(A, "08:00:00"), beat(A, "09:00:00"), summary("09:30:00")];
    let apart = [listing(A, ""), beat_before(A, "09:15:00"), summary("09:40:00")];
    let (steps, refused) = read(&[&first[..], &next, &apart].concat(), &[]).await;
    assert_eq!(steps, "l1 h2 h3 s4@08:30:00 l5 h7 s8@09:30:00 l9 h10 s11@09:40:00");
    assert_eq!(refused, []);
    // A load test sends none of them.
    let rules = Rules { policy: Policy::LeaveOut, latest: None };
    let mut feed = Feed::open(lines_of(&first.join("\n")), rules).await.expect("opened");
    let mut heartbeats = 0;
    while let Some(step) = feed.next(None).await.expect("a step") {
        heartbeats += u64::from(matches!(step, Step::Line(_, Line::Heartbeat(_))));
    }
    assert_eq!(heartbeats, 1);
}
