use std::collections::HashMap;
use std::time::Duration;

use model::ids::AlertId;
use model::notice::Notice;

use super::super::pager::PagerRules;
use super::play::{Play, triggers};
use crate::message::incident;

const RULES: PagerRules = PagerRules { storm_limit: Some(20), repost_every: None };

/// Incidents that are open, by what was sent.
pub(super) fn open(play: &Play) -> HashMap<AlertId, bool> {
    let mut open = HashMap::new();
    for (_, _, notice) in &play.got {
        open.insert(incident(notice), triggers(notice));
    }
    open.retain(|_, open| *open);
    open
}

#[test]
fn each_monitor_has_an_incident_that_its_recovery_closes() {
    let mut play = Play::pager(RULES);
    for number in 0..20 {
        play.flip(number);
    }
    assert_eq!(open(&play).len(), 20);
    for number in 0..20 {
        play.flip(number);
    }
    assert_eq!(open(&play).len(), 0);
    play.pass(3_600);
    assert_eq!(play.got.len(), 40, "{:?}", play.types());
}

#[test]
fn above_twenty_in_thirty_seconds_there_is_one_storm_that_ends_when_all_of_it_are_up() {
    let mut play = Play::pager(RULES);
    for number in 0..1_000 {
        play.flip(number);
    }
    play.pass(10);
    assert_eq!(play.got.len(), 21);
    let Notice::Storm(storm) = &play.got[20].2 else { panic!("{:?}", play.got[20]) };
    assert_eq!((storm.members, storm.down.count, storm.down.first.len(), storm.over), (980, 980, 20, false));
    assert_eq!(open(&play).len(), 21);
    for number in 0..999 {
        play.flip(number);
    }
    play.pass(60);
    assert_eq!(open(&play).len(), 1, "one of the storm is still down");
    play.flip(999);
    assert_eq!(open(&play).len(), 0);
    play.pass(3_600);
    // 20 down, 20 up, the storm's beginning, how it stood, and its end.
    assert_eq!(play.got.len(), 43, "{:?}", play.types());
    for (delivery, flip) in &play.came {
        assert!(play.teller(*delivery).is_some(), "no message told of {flip:?}");
    }
}

#[test]
fn a_member_of_a_storm_that_goes_down_again_stays_a_member() {
    let mut play = Play::pager(RULES);
    for number in 0..22 {
        play.flip(number);
    }
    play.pass(60);
    play.flip(20);
    play.flip(20);
    play.pass(60);
    assert_eq!(open(&play).len(), 21);
    play.flip(20);
    play.flip(21);
    assert_eq!(open(&play).len(), 20, "the storm is over, the others are not");
}

#[test]
fn a_storm_that_is_over_before_it_was_told_is_opened_and_closed() {
    let mut play = Play::pager(RULES);
    for number in 0..21 {
        play.flip(number);
    }
    play.flip(20);
    play.pass(60);
    assert_eq!(open(&play).len(), 20);
    let storms: Vec<bool> = play
        .got
        .iter()
        .filter_map(|(_, _, notice)| if let Notice::Storm(storm) = notice { Some(storm.over) } else { None })
        .collect();
    assert_eq!(storms, [false, true]);
}

#[test]
fn a_monitor_that_flaps_keeps_one_incident_open_until_it_is_quiet() {
    let mut play = Play::pager(RULES);
    for _ in 0..12 {
        play.flip(1);
        play.pass(30);
    }
    let expected =
        ["monitor.down", "monitor.up", "monitor.down", "monitor.up", "monitor.down", "monitor.flapping"];
    assert_eq!(play.types(), expected);
    assert_eq!(open(&play).len(), 1);
    play.pass(3_600);
    assert_eq!(play.types().len(), 7, "{:?}", play.types());
    assert_eq!(open(&play).len(), 0, "it is up and quiet");
}

/// A desk that is idle gives way to that of another kind, which knows nothing of the incident.
#[test]
fn a_desk_is_not_idle_while_the_incident_of_a_monitor_that_flaps_is_open() {
    let mut play = Play::pager(RULES);
    for _ in 0..12 {
        play.flip(1);
        play.pass(30);
    }
    assert_eq!(open(&play).len(), 1);
    assert!(!play.desk.is_idle());
    play.pass(3_600);
    assert_eq!(open(&play).len(), 0);
    assert!(play.desk.is_idle());
}

#[test]
fn a_receiver_that_forgets_is_told_again_of_what_is_down() {
    let rules = PagerRules { storm_limit: None, repost_every: Some(Duration::from_secs(240)) };
    let mut play = Play::pager(rules);
    for number in 0..120 {
        play.flip(number);
    }
    assert_eq!(play.take().len(), 120, "no storms here");
    play.pass(240);
    let told = |notices: Vec<Notice>| -> usize {
        let down = notices.iter().map(|notice| {
            let Notice::Repost(repost) = notice else { panic!("{notice:?}") };
            repost.down.len()
        });
        down.sum()
    };
    assert_eq!(told(play.take()), 120);
    for number in 0..119 {
        play.flip(number);
    }
    play.take();
    play.pass(240);
    assert_eq!(told(play.take()), 1);
    // While it does not get through, recoveries do not wait for it; then it tells what is so by then.
    play.works = false;
    play.pass(240);
    play.works = true;
    play.flip(119);
    assert_eq!(play.types(), ["monitor.up"]);
    play.pass(3_600);
    assert_eq!(play.types(), ["monitor.up"], "nothing is down any more");
}

#[test]
fn flapping_that_comes_to_light_late_is_opened_and_closed() {
    let mut play = Play::pager(RULES);
    play.works = false;
    for _ in 0..10 {
        play.flip(7);
    }
    play.pass(2_000);
    play.works = true;
    play.pass(7_200);
    assert!(play.types().contains(&"monitor.flapping"), "{:?}", play.types());
    assert_eq!(open(&play).len(), 0);
}

#[test]
fn the_incident_of_a_monitor_that_was_paused_or_deleted_is_closed() {
    let mut play = Play::pager(RULES);
    for number in 0..22 {
        play.flip(number);
    }
    play.pass(60);
    assert_eq!(open(&play).len(), 21);
    play.end(&[0, 20]);
    assert_eq!(open(&play).len(), 20, "its own; the storm has one left");
    play.end(&[21]);
    assert_eq!(open(&play).len(), 19, "the storm is over");
}
