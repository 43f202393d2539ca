//! The checker finds what it looks for: a record of a good run, and one thing wrong with it at a time.

use super::super::record::{Event, Lease};
use super::*;
use crate::api::Heartbeat;

/// Timeout and grace together, and a pause between pushes.
const AFTER_MS: i64 = 7_000;
const PAUSE_MS: i64 = 2_000;

fn push(monitor: &str, number: i64, status: u16, began_ms: i64) -> Try {
    let down = monitor == "flapping" && number % 2 == 1;
    Try { msg: format!("{monitor}-{number}"), down, status, began_ms, ended_ms: began_ms + 10 }
}

fn flip(monitor: &str, sequence: u64, way: (&str, &str), reason: &str, at_ms: i64) -> Flip {
    Flip {
        id: format!("{monitor}/{sequence}"),
        sequence,
        from: way.0.to_owned(),
        to: way.1.to_owned(),
        reason: reason.to_owned(),
        at_ms,
        message: None,
        deaf_seconds: 0,
    }
}

fn watched(name: &str, habit: Habit, tries: Vec<Try>, flips: Vec<Flip>) -> Watched {
    let heard = |one: &Try| Heartbeat {
        id: one.msg.clone(),
        at_ms: one.began_ms + 5,
        status: "up".to_owned(),
        msg: Some(one.msg.clone()),
    };
    let heartbeats: Vec<Heartbeat> = tries.iter().filter(|one| one.status == 200).map(heard).collect();
    let last_heartbeat_ms = heartbeats.last().map(|one| one.at_ms);
    let (id, name) = (format!("id of {name}"), name.to_owned());
    Watched { id, name, habit, down_after_ms: AFTER_MS, tries, heartbeats, flips, last_heartbeat_ms }
}

fn event(monitor: &str, sequence: u64) -> Event {
    let flip = format!("{monitor}/{sequence}");
    Event { webhook_id: format!("delivery of {flip}"), monitor: format!("id of {monitor}"), flip, sequence }
}

fn lease(partition: u16, token: &str) -> Lease {
    Lease { partition, token: token.to_owned() }
}

/// Three monitors: `steady` pushes from 0 to 58 s, `mortal` from 0 to 8 s and is missed 7 s after, `flapping`
/// says up and down in turn from 0 to 18 s. Two schedulers: the first dies, the second takes over.
fn good() -> Record {
    let pushes = |name: &str, count: i64| (0..count).map(|n| push(name, n, 200, n * PAUSE_MS)).collect();
    let first = |name: &str| flip(name, 1, ("new", "up"), "first", 5);
    let silent = vec![first("mortal"), flip("mortal", 2, ("up", "down"), "missed", 8_005 + AFTER_MS)];
    let mut flips = vec![first("flapping")];
    let mut events = vec![event("mortal", 2)];
    for n in 1..10_u64 {
        let (way, reason) =
            if n % 2 == 1 { (("up", "down"), "reported") } else { (("down", "up"), "recovered") };
        flips.push(flip(
            "flapping",
            n + 1,
            way,
            reason,
            i64::try_from(n).expect("it is small") * PAUSE_MS + 5,
        ));
        events.push(event("flapping", n + 1));
    }
    let logs = vec![
        Log { node: "scheduler-0".into(), leases: vec![lease(0, "1-a"), lease(1, "1-b")], errors: vec![] },
        Log { node: "scheduler-1".into(), leases: vec![lease(0, "2-c"), lease(1, "2-d")], errors: vec![] },
    ];
    Record {
        monitors: vec![
            watched("steady", Habit::Steady, pushes("steady", 30), vec![first("steady")]),
            watched("mortal", Habit::Mortal, pushes("mortal", 5), silent),
            watched("flapping", Habit::Flapping, pushes("flapping", 10), flips),
        ],
        events,
        logs,
    }
}

const STEADY: usize = 0;
const MORTAL: usize = 1;
const FLAPPING: usize = 2;

/// The violations in a good record after `spoil`.
fn after(allowed: Allowed, spoil: impl FnOnce(&mut Record)) -> Vec<Violation> {
    let mut record = good();
    spoil(&mut record);
    violations(&record, &allowed)
}

fn found(spoil: impl FnOnce(&mut Record)) -> Vec<Violation> {
    after(Allowed::default(), spoil)
}

fn name(index: usize) -> String {
    ["steady", "mortal", "flapping"][index].to_owned()
}

#[test]
fn nothing_is_wrong_with_a_good_run() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn an_acknowledged_push_that_is_in_no_history_is_found() {
    let lose = |record: &mut Record| drop(record.monitors[STEADY].heartbeats.remove(7));
    let unapplied = Violation::Unapplied { monitor: name(STEADY), msg: "steady-7".into() };
    assert_eq!(found(lose), [unapplied]);
    let lost = Allowed { lost: Some((13_500, 14_500)), ..Allowed::default() };
    assert_eq!(after(lost, lose), [], "the log lost it");
    let forgotten = Allowed { history_from: Some(14_500), ..Allowed::default() };
    assert_eq!(after(forgotten, lose), [], "the history was lost");
    let unanswered = |record: &mut Record| {
        lose(record);
        record.monitors[STEADY].tries[7].status = 503;
    };
    assert_eq!(found(unanswered), [], "nothing was promised");
}

#[test]
fn a_last_heartbeat_that_is_too_old_is_found() {
    let stale = found(|record| record.monitors[STEADY].last_heartbeat_ms = Some(57_999));
    assert_eq!(stale, [Violation::Stale { monitor: name(STEADY), msg: "steady-29".into() }]);
}

/// The steady monitor went down by silence at this time, and the receiver got the alert.
fn goes_down(record: &mut Record, at_ms: i64) {
    record.monitors[STEADY].flips.push(flip("steady", 2, ("up", "down"), "missed", at_ms));
    record.events.push(event("steady", 2));
}

#[test]
fn a_monitor_that_goes_down_although_it_was_heard_is_found() {
    let down = |at_ms| found(|record| goes_down(record, at_ms));
    let false_down =
        |at_ms, msg: &str| Violation::FalseDown { monitor: name(STEADY), at_ms, msg: msg.into() };
    assert_eq!(down(30_000), [false_down(30_000, "steady-12")], "the first push after 23 s");
    assert_eq!(down(58_011), [false_down(58_011, "steady-26")]);
    assert_eq!(down(64_999), [false_down(64_999, "steady-29")], "the deadline is not before 65 s");
    assert_eq!(down(65_000), [], "silent since 58 s");
}

#[test]
fn a_monitor_that_goes_down_while_its_client_is_refused_is_found() {
    // Refused from 20 s to 40 s.
    let refused = |record: &mut Record| {
        for n in 10..20 {
            record.monitors[STEADY].tries[n].status = 503;
        }
        goes_down(record, 25_005);
    };
    let witness = Violation::FalseDown { monitor: name(STEADY), at_ms: 25_005, msg: "steady-10".into() };
    assert_eq!(found(refused), [witness]);
    // The client made no try from 18 s to 26 s: too late.
    let late = |record: &mut Record| {
        record.monitors[STEADY].tries.drain(10..13);
        goes_down(record, 25_005);
    };
    assert_eq!(found(late), []);
}

#[test]
fn a_silence_that_is_not_noticed_or_noticed_twice_is_found() {
    let unnoticed = found(|record| {
        record.monitors[MORTAL].flips.pop();
        record.events.remove(0);
    });
    assert_eq!(unnoticed, [Violation::Silence { monitor: name(MORTAL), downs: 0 }]);
    let twice = found(|record| {
        let flips = &mut record.monitors[MORTAL].flips;
        flips.push(flip("mortal", 3, ("down", "up"), "recovered", 16_000));
        flips.push(flip("mortal", 4, ("up", "down"), "missed", 23_000));
        record.events.extend([event("mortal", 3), event("mortal", 4)]);
    });
    assert_eq!(twice, [Violation::Silence { monitor: name(MORTAL), downs: 2 }]);
    let comes_back = found(|record| {
        record.monitors[MORTAL].flips.push(flip("mortal", 3, ("down", "up"), "recovered", 16_000));
        record.events.push(event("mortal", 3));
    });
    assert_eq!(comes_back, [Violation::Silence { monitor: name(MORTAL), downs: 1 }]);
}

#[test]
fn a_push_that_is_read_long_after_its_client_gave_up_explains_a_second_silence() {
    let ghost = |record: &mut Record| {
        let mortal = &mut record.monitors[MORTAL];
        mortal.tries.push(push("mortal", 5, 0, 10_000));
        let ghost = Heartbeat { at_ms: 16_000, msg: Some("mortal-5".into()), ..mortal.heartbeats[0].clone() };
        mortal.heartbeats.push(ghost);
        mortal.flips.push(flip("mortal", 3, ("down", "up"), "recovered", 16_000));
        record.events.push(event("mortal", 3));
    };
    let again = |at_ms| {
        found(|record| {
            ghost(record);
            record.monitors[MORTAL].flips.push(flip("mortal", 4, ("up", "down"), "missed", at_ms));
            record.events.push(event("mortal", 4));
        })
    };
    assert_eq!(again(23_000), []);
    let late = again(23_001);
    assert!(matches!(late.as_slice(), [Violation::Misdated { earliest_ms: 23_000, .. }]), "{late:?}");
    assert_eq!(found(ghost), [Violation::Silence { monitor: name(MORTAL), downs: 1 }], "it stays up");
}

#[test]
fn a_silence_with_a_wrong_date_is_found() {
    let at = |allowed, at_ms, deaf_seconds| {
        after(allowed, |record| {
            let down = &mut record.monitors[MORTAL].flips[1];
            (down.at_ms, down.deaf_seconds) = (at_ms, deaf_seconds);
        })
    };
    let deaf = Allowed { deaf: true, ..Allowed::default() };
    for (allowed, deaf_seconds, earliest_ms, latest_ms) in [
        (Allowed::default(), 0, 15_000, 15_010),
        (Allowed::default(), 5, 15_000, 31_010),
        (deaf, 0, 15_000, 26_010),
        (deaf, 5, 15_000, 31_010),
    ] {
        assert_eq!(at(allowed, earliest_ms, deaf_seconds), []);
        assert_eq!(at(allowed, latest_ms, deaf_seconds), []);
        let late = latest_ms + 1;
        let misdated = |at_ms| Violation::Misdated { monitor: name(MORTAL), at_ms, earliest_ms, latest_ms };
        assert_eq!(at(allowed, late, deaf_seconds), [misdated(late)]);
    }
    let early = at(Allowed::default(), 14_999, 0);
    assert!(early.iter().any(|one| matches!(one, Violation::Misdated { .. })), "{early:?}");
    // A push that was not answered may have been recorded.
    let perhaps = found(|record| {
        record.monitors[MORTAL].tries.push(push("mortal", 5, 0, 10_000));
        record.monitors[MORTAL].flips[1].at_ms = 17_005;
    });
    assert_eq!(perhaps, []);
}

#[test]
fn flips_that_do_not_follow_on_each_other_are_found() {
    let disorder = |sequence| Violation::Disorder { monitor: name(FLAPPING), sequence };
    let hole = |record: &mut Record| {
        record.monitors[FLAPPING].flips.drain(4..6);
        record.events.retain(|event| ![5, 6].contains(&event.sequence) || event.monitor != "id of flapping");
        record.monitors[FLAPPING].tries.truncate(8);
    };
    assert_eq!(found(hole), [disorder(7)]);
    let beheaded = |record: &mut Record| {
        record.monitors[FLAPPING].flips.remove(0);
        record.monitors[FLAPPING].tries.truncate(9);
    };
    assert_eq!(found(beheaded), [disorder(2)]);
    let forgotten = Allowed { history_from: Some(0), ..Allowed::default() };
    assert_eq!(after(forgotten, beheaded), []);
    let same_state = found(|record| record.monitors[FLAPPING].flips[9].to = "up".into());
    assert_eq!(same_state, [disorder(10)]);
    let jump = found(|record| record.monitors[FLAPPING].flips[9].from = "down".into());
    assert_eq!(jump, [disorder(10)]);
    let back = found(|record| record.monitors[FLAPPING].flips[9].at_ms = 16_000);
    assert_eq!(back, [disorder(10)]);
}

#[test]
fn a_change_that_does_not_flip_is_found() {
    let unflipped = found(|record| {
        record.monitors[FLAPPING].flips.pop();
        record.events.pop();
    });
    assert_eq!(unflipped, [Violation::Unflipped { monitor: name(FLAPPING), changes: 10, flips: 9 }]);
}

#[test]
fn a_flip_that_is_not_received_is_found() {
    let undelivered = found(|record| drop(record.events.remove(4)));
    assert_eq!(undelivered, [Violation::Undelivered { monitor: name(FLAPPING), sequence: 5 }]);
}

#[test]
fn a_flip_that_is_received_and_is_in_no_history_is_found() {
    let unknown = |record: &mut Record| record.events.push(event("steady", 2));
    let expected = Violation::Unknown { monitor: name(STEADY), flip: "steady/2".into() };
    assert_eq!(found(unknown), [expected]);
}

#[test]
fn a_flip_that_comes_again_under_another_id_is_found() {
    let again = found(|record| record.events.push(event("flapping", 10)));
    assert_eq!(again, [], "it may come again");
    let other_id = found(|record| {
        record.events.push(Event { webhook_id: "another".into(), ..event("flapping", 10) });
    });
    assert_eq!(other_id, [Violation::Ids { flip: "flapping/10".into(), ids: 2 }]);
    let other_flip = found(|record| {
        record.events.push(Event { flip: "flapping/10b".into(), ..event("flapping", 10) });
    });
    assert_eq!(
        other_flip,
        [
            Violation::Unknown { monitor: name(FLAPPING), flip: "flapping/10b".into() },
            Violation::Renumbered { monitor: name(FLAPPING), sequence: 10 },
            Violation::Ids { flip: "flapping/10".into(), ids: 1 },
            Violation::Ids { flip: "flapping/10b".into(), ids: 1 },
        ]
    );
}

#[test]
fn a_flip_that_overtakes_another_is_found() {
    let swap = |record: &mut Record| record.events.swap(3, 4);
    assert_eq!(found(swap), [Violation::Overtaken { monitor: name(FLAPPING), sequence: 4 }]);
    let repeat = found(|record| record.events.push(event("flapping", 4)));
    assert_eq!(repeat, [], "a repeat overtakes no message");
    let frozen = Allowed { late_repeats: true, ..Allowed::default() };
    assert_eq!(after(frozen, swap), []);
}

#[test]
fn two_owners_in_one_epoch_are_found() {
    let twice = |record: &mut Record| record.logs[1].leases[0].token = "1-c".into();
    assert_eq!(found(twice), [Violation::TwoOwners { partition: 0, lease: "1-c".into() }]);
    let again = Allowed { counters_again: true, ..Allowed::default() };
    assert_eq!(after(again, twice), [], "the counter was lost");
    let same = |record: &mut Record| record.logs[1].leases[0].token = "1-a".into();
    assert_eq!(after(again, same), [Violation::TwoOwners { partition: 0, lease: "1-a".into() }]);
}

#[test]
fn an_epoch_that_goes_back_is_found() {
    let back = found(|record| {
        record.logs[1].leases = vec![lease(0, "3-c"), lease(0, "2-d")];
    });
    let expected = Violation::EpochBack { node: "scheduler-1".into(), partition: 0, lease: "2-d".into() };
    assert_eq!(back, [expected]);
}

#[test]
fn a_complaint_that_nothing_explains_is_found() {
    let complain = |line: &'static str| move |record: &mut Record| record.logs[0].errors.push(line.into());
    let complaint = |line: &str| Violation::Complaint { node: "scheduler-0".into(), line: line.into() };
    assert_eq!(found(complain("failed to append")), [complaint("failed to append")]);
    let allowed = Allowed { errors: &["to append"], ..Allowed::default() };
    assert_eq!(after(allowed, complain("failed to append")), []);
    let panic = "panicked at: failed to append";
    assert_eq!(after(allowed, complain(panic)), [complaint(panic)]);
}
