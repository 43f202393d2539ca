//! The roster's contract.

use model::time::EventTime;
use ports::roster::{Member, Note, Roster};

use crate::subject::Subject;

type Nodes = dyn Subject<dyn Roster>;

#[macro_export]
macro_rules! roster_suite {
    ($make:expr) => {
        $crate::run_suite!(
            roster,
            $make,
            [
                a_node_finds_itself_on_it,
                every_beat_counts,
                who_leaves_is_gone,
                members_come_by_name,
                the_silent_stay_for_a_while,
                a_note_is_there_until_it_is_taken_off,
                a_note_is_written_over,
                notes_are_no_members,
            ]
        );
    };
}

async fn beat(roster: &dyn Roster, name: &str) -> Vec<(String, u64)> {
    let members = roster.beat(name).await.expect("beat");
    members.into_iter().map(|Member { name, beat }| (name, beat)).collect()
}

fn member(name: &str, beat: u64) -> (String, u64) {
    (name.to_owned(), beat)
}

pub async fn a_node_finds_itself_on_it(subject: &mut Nodes) {
    assert_eq!(beat(&*subject.port(), "a").await.len(), 1);
}

pub async fn every_beat_counts(subject: &mut Nodes) {
    let roster = subject.port();
    let first = beat(&*roster, "a").await[0].1;
    beat(&*roster, "b").await;
    let seen = beat(&*roster, "b").await;
    assert_eq!(seen[0], member("a", first), "who is silent stands still");
    assert!(beat(&*roster, "a").await[0].1 > first);
}

pub async fn who_leaves_is_gone(subject: &mut Nodes) {
    let roster = subject.port();
    beat(&*roster, "a").await;
    beat(&*roster, "b").await;
    roster.leave("a").await.expect("leave");
    roster.leave("nobody").await.expect("leave");
    let names: Vec<String> = beat(&*roster, "b").await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b"]);
}

pub async fn members_come_by_name(subject: &mut Nodes) {
    let roster = subject.port();
    for name in ["c", "a 1", "b-2"] {
        beat(&*roster, name).await;
    }
    let names: Vec<String> = beat(&*roster, "c").await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a 1", "b-2", "c"]);
}

/// A looking node must see others stand still, not vanish and come back.
pub async fn the_silent_stay_for_a_while(subject: &mut Nodes) {
    let roster = subject.port();
    beat(&*roster, "silent").await;
    for _ in 0..20 {
        assert_eq!(beat(&*roster, "b").await.len(), 2);
    }
}

fn note(about: &str, by: &str, micros: i64) -> Note {
    Note { about: about.to_owned(), by: by.to_owned(), at: EventTime::from_micros(micros) }
}

pub async fn a_note_is_there_until_it_is_taken_off(subject: &mut Nodes) {
    let roster = subject.port();
    assert_eq!(roster.notes().await.expect("notes"), []);
    let (one, other) = (note("it is late mail", "a 1", 1_795_341_600_000_001), note("a webhook", "b", 0));
    for note in [&one, &other] {
        roster.note(note).await.expect("note");
    }
    assert_eq!(roster.notes().await.expect("notes"), [other, one.clone()], "by what they are about");
    for about in ["a webhook", "nothing"] {
        roster.forget(about).await.expect("forget");
    }
    assert_eq!(roster.notes().await.expect("notes"), [one]);
}

pub async fn a_note_is_written_over(subject: &mut Nodes) {
    let roster = subject.port();
    for note in [note("it", "a", 1), note("it", "b", 2)] {
        roster.note(&note).await.expect("note");
    }
    assert_eq!(roster.notes().await.expect("notes"), [note("it", "b", 2)]);
}

/// A note outlives the membership of the node that wrote it, and makes no member.
pub async fn notes_are_no_members(subject: &mut Nodes) {
    let roster = subject.port();
    beat(&*roster, "a").await;
    let left = note("it", "a", 1);
    roster.note(&left).await.expect("note");
    roster.note(&note("that", "nobody", 1)).await.expect("note");
    roster.leave("a").await.expect("leave");
    let names: Vec<String> = beat(&*roster, "b").await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["b"]);
    assert_eq!(roster.notes().await.expect("notes")[0], left);
}
