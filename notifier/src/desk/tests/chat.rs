use model::flip::{Alert, State};
use model::notice::{Digest, Notice};

use super::play::Play;

fn digest(notice: &Notice) -> &Digest {
    let Notice::Digest(digest) = notice else { panic!("no digest: {notice:?}") };
    digest
}

fn counts(digest: &Digest) -> [u32; 4] {
    [digest.down.count, digest.up.count, digest.still_down.count, digest.flapping.count]
}

#[test]
fn five_in_thirty_seconds_go_singly_and_at_once_and_the_rest_in_a_digest() {
    let mut play = Play::chat();
    for number in 0..7 {
        play.flip(number);
    }
    assert_eq!(play.types(), ["monitor.down"; 5]);
    play.pass(29);
    assert_eq!(play.got.len(), 5);
    play.pass(1);
    let digest = digest(&play.got[5].2);
    assert_eq!((counts(digest), digest.count), ([2, 0, 5, 0], 2));
    assert_eq!(digest.down.first[0].name, "m00005");
    play.pass(3_600);
    assert_eq!(play.got.len(), 6, "nothing more");
}

#[test]
fn ten_thousand_down_in_a_second_are_a_handful_of_messages_and_each_is_accounted_for() {
    let mut play = Play::chat();
    for number in 0..10_000 {
        play.flip(number);
    }
    play.pass(300);
    assert_eq!(play.got.len(), 6, "{:?}", play.types());
    let last = digest(&play.got[5].2);
    assert_eq!((last.down.count, last.down.first.len(), last.flips.len()), (9_995, 20, 100));
    for (delivery, flip) in &play.came {
        assert!(play.teller(*delivery).is_some(), "no message told of {flip:?}");
    }
    // And up again.
    for number in 0..10_000 {
        play.flip(number);
    }
    play.pass(300);
    assert_eq!(play.got.len(), 12, "{:?}", play.types());
    assert_eq!(counts(digest(&play.got[11].2)), [0, 9_995, 0, 0]);
}

#[test]
fn digests_go_on_until_a_window_stays_below_five() {
    let mut play = Play::chat();
    for number in 0..10 {
        play.flip(number);
    }
    play.pass(30);
    assert_eq!(counts(digest(&play.take()[5])), [5, 0, 5, 0]);
    for number in 10..16 {
        play.flip(number);
    }
    play.pass(30);
    assert_eq!(counts(digest(&play.take()[0])), [6, 0, 10, 0]);
    // Two in a window: it is the last one.
    for number in 16..18 {
        play.flip(number);
    }
    play.pass(30);
    assert_eq!(counts(digest(&play.take()[0])), [2, 0, 16, 0]);
    play.flip(18);
    assert_eq!(play.types(), ["monitor.down"], "it goes at once again");
}

#[test]
fn a_digest_of_one_is_the_plain_message() {
    let mut play = Play::chat();
    for number in 0..5 {
        play.flip(number);
    }
    let sixth = play.flip(5);
    play.take();
    play.pass(30);
    let Notice::Alert(Alert::Flip(flip)) = play.teller(sixth).unwrap() else { panic!("no plain message") };
    assert_eq!((flip.to, flip.monitor), (State::Down, super::play::monitor(5)));
}

#[test]
fn a_monitor_that_comes_back_within_a_window_is_told_as_what_it_was() {
    let mut play = Play::chat();
    for number in 0..6 {
        play.flip(number);
    }
    play.pass(10);
    play.flip(5);
    play.flip(0);
    play.flip(6);
    play.pass(20);
    let last = digest(&play.got[5].2);
    assert_eq!(counts(last), [1, 2, 4, 0]);
    let was_down = &last.up.first[1];
    assert_eq!((was_down.name.as_str(), was_down.flips), ("m00005", 2));
    assert_eq!(was_down.until.unwrap().since(was_down.since.unwrap()).as_secs(), 10);
}

#[test]
fn an_undelivered_down_that_has_recovered_is_one_message_of_what_was() {
    let mut play = Play::chat();
    play.works = false;
    let down = play.flip(1);
    play.pass(100);
    let up = play.flip(1);
    play.works = true;
    play.pass(20);
    let [(_, _, Notice::WasDown(was))] = play.got.as_slice() else { panic!("{:?}", play.got) };
    assert_eq!((was.flips, was.up.at.since(was.down.at).as_secs()), (2, 100));
    assert_eq!(play.teller(up), play.teller(down));
    play.pass(3_600);
    assert_eq!(play.got.len(), 1);
}

#[test]
fn a_receiver_that_was_away_is_not_flooded_and_sees_no_older_state_after_a_newer_one() {
    let mut play = Play::chat();
    play.works = false;
    for number in 0..50 {
        play.flip(number);
        play.pass(60);
    }
    for number in 0..20 {
        play.flip(number);
    }
    play.works = true;
    play.pass(120);
    assert_eq!(play.types(), ["digest"]);
    assert_eq!(counts(digest(&play.got[0].2)), [30, 20, 0, 0]);
    assert!(play.came.iter().all(|(delivery, _)| play.teller(*delivery).is_some()));
}

#[test]
fn flapping_is_said_once_and_then_in_summaries_until_it_is_quiet() {
    let mut play = Play::chat();
    for _ in 0..10 {
        play.flip(1);
        play.pass(60);
    }
    // Ten minutes: five flips, then the word.
    let expected =
        ["monitor.down", "monitor.up", "monitor.down", "monitor.up", "monitor.down", "monitor.flapping"];
    assert_eq!(play.types(), expected);
    play.take();
    for _ in 0..20 {
        play.flip(1);
        play.pass(60);
    }
    let summaries = play.take();
    assert_eq!(summaries.len(), 1, "{summaries:?}");
    play.pass(3_600);
    let last = play.take();
    let Some(Notice::Flapping(over)) = last.last() else { panic!("{last:?}") };
    assert!(over.over && over.flip.to == State::Up, "{over:?}");
    assert!(last.len() <= 2, "{last:?}");
    play.flip(1);
    assert_eq!(play.types(), ["monitor.down"], "it is a monitor like others again");
    assert!(
        play.came
            .iter()
            .rev()
            .skip(1)
            .all(|(id, _)| play.folded.contains_key(id) || !play.dropped.contains(id))
    );
}

#[test]
fn a_flapping_monitor_that_stays_down_is_told_of_within_two_minutes() {
    let mut play = Play::chat();
    for _ in 0..8 {
        play.flip(1);
        play.pass(30);
    }
    play.take();
    play.flip(1);
    let died_at = play.now;
    play.pass(119);
    let told = play.take();
    let [Notice::Flapping(flapping)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((flapping.flip.to, flapping.flip.at, flapping.over), (State::Down, died_at, false));
    // It is told once, and then that it is quiet, a quarter of an hour after its last flip.
    play.pass(14 * 60);
    let quiet = play.take();
    let [Notice::Flapping(over)] = quiet.as_slice() else { panic!("{quiet:?}") };
    assert!(over.over && over.flip.to == State::Down, "{over:?}");
}

#[test]
fn reminders_count_as_messages_and_come_in_a_digest_when_they_are_many() {
    let mut play = Play::chat();
    for number in 0..100 {
        play.flip(number);
    }
    play.pass(3_600);
    play.take();
    for number in 0..100 {
        play.remind(number, 1);
    }
    assert_eq!(play.types(), ["monitor.reminder"; 5]);
    play.pass(30);
    assert_eq!(counts(digest(&play.got[5].2)), [0, 0, 100, 0]);
    play.take();
    // A reminder of an incident that is over is not sent.
    play.works = false;
    let reminder = play.remind(7, 2);
    play.flip(7);
    play.works = true;
    play.pass(60);
    let Some(Notice::Alert(Alert::Flip(flip))) = play.teller(reminder) else { panic!("{:?}", play.got) };
    assert_eq!(flip.to, State::Up);
    assert_eq!(play.got.len(), 1, "{:?}", play.types());
}

#[test]
fn what_is_new_is_tried_within_a_minute_whatever_failed_before() {
    let mut play = Play::chat();
    play.works = false;
    play.flip(1);
    play.pass(10);
    let second = play.flip(2);
    assert!(play.teller(second).is_none());
    play.works = true;
    // The schedule of the first may be hours: here it is never tried again.
    play.forget_retries();
    play.pass(61);
    assert_eq!(play.types(), ["digest"]);
    assert_eq!(counts(digest(&play.got[0].2)), [2, 0, 0, 0]);
}

#[test]
fn a_receiver_that_asks_to_be_left_alone_is() {
    let mut play = Play::chat();
    play.works = false;
    let first = play.flip(1);
    play.leave_alone(first, 1_000);
    play.forget_retries();
    play.flip(2);
    play.works = true;
    play.pass(990);
    assert_eq!(play.types(), Vec::<&str>::new());
    play.pass(20);
    assert_eq!(play.types(), ["digest"]);
}

#[test]
fn a_message_says_the_same_at_each_attempt_and_what_is_new_has_an_id_of_its_own() {
    let mut play = Play::chat();
    play.works = false;
    let down = play.flip(1);
    play.pass(5);
    play.flip(1);
    play.works = true;
    play.pass(120);
    let [(_, id, Notice::WasDown(_))] = play.got.as_slice() else { panic!("{:?}", play.got) };
    assert_ne!(*id, down);
    assert_eq!(play.folded[&down], *id);
}

#[test]
fn a_digest_names_a_flapping_monitor_that_is_down() {
    let mut play = Play::chat();
    for _ in 0..6 {
        play.flip(0);
        play.pass(10);
    }
    assert_eq!(play.types().last(), Some(&"monitor.flapping"), "{:?}", play.types());
    play.pass(60);
    play.flip(0);
    let down_at = play.now;
    for number in 1..=8 {
        play.flip(number);
    }
    play.pass(30);
    let Some((_, _, Notice::Digest(digest))) = play.got.last() else { panic!("{:?}", play.types()) };
    let named: Vec<_> = digest.flapping.first.iter().map(|one| (one.name.as_str(), one.since)).collect();
    assert_eq!(named, [("m00000", Some(down_at))]);
    assert_eq!(digest.flapping.first[0].until, None, "it is down");
}
