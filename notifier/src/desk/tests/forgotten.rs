//! The ledger is lost together with the notifier: what a pager was told is closed all the same.

use super::super::pager::PagerRules;
use super::pager::open;
use super::play::Play;

const RULES: PagerRules = PagerRules { storm_limit: Some(20), repost_every: None };

/// Long enough for the queue to tell the desk what it does not know.
const LOOKED_AFTER: u64 = 1_000;

/// 30 monitors are down, ten of them in a storm.
fn storm() -> Play {
    let mut play = Play::pager(RULES);
    for number in 0..30 {
        play.flip(number);
    }
    play.pass(60);
    assert_eq!(open(&play).len(), 21);
    play
}

#[test]
fn a_storm_that_the_desk_forgot_is_closed_when_all_that_may_be_in_it_are_up() {
    let mut play = storm();
    play.lose();
    for number in 20..30 {
        play.flip(number);
    }
    play.pass(LOOKED_AFTER);
    assert_eq!(open(&play).len(), 21, "others are down that went down before it: {:?}", play.types());
    for number in 0..20 {
        play.flip(number);
    }
    play.pass(LOOKED_AFTER);
    assert_eq!(open(&play).len(), 0, "{:?}", play.types());
}

#[test]
fn a_monitor_keeps_its_storm_open_although_it_went_down_long_before_and_joined_late() {
    let mut play = Play::pager(RULES);
    play.works = false;
    play.flip(0);
    play.flip(0);
    play.pass(1);
    // It is down again, which comes to the desk only when the two alerts before it got through.
    play.flip(0);
    for number in 1..22 {
        play.flip(number);
    }
    play.works = true;
    play.pass(30);
    assert_eq!(open(&play).len(), 20, "those of 19 others, and the storm: {:?}", play.types());
    play.lose();
    for number in 1..22 {
        play.flip(number);
    }
    play.pass(LOOKED_AFTER);
    assert_eq!(open(&play).len(), 1, "{:?}", play.types());
    play.flip(0);
    play.pass(LOOKED_AFTER);
    assert_eq!(open(&play).len(), 0, "{:?}", play.types());
}

#[test]
fn a_storm_is_closed_whose_monitors_came_up_before_the_desk_knew_of_it() {
    let mut play = storm();
    play.lose();
    for number in 0..30 {
        play.flip(number);
    }
    play.pass(LOOKED_AFTER);
    assert_eq!(open(&play).len(), 0, "{:?}", play.types());
    let so_far = play.got.len();
    play.pass(86_400);
    assert_eq!(play.got.len(), so_far, "it is closed once");
}

#[test]
fn the_incident_of_a_monitor_that_flapped_is_closed_although_the_desk_forgot_it() {
    for is_down in [false, true] {
        let mut play = Play::pager(RULES);
        for _ in 0..12 {
            play.flip(1);
            play.pass(30);
        }
        if is_down {
            play.flip(1);
        }
        assert_eq!(open(&play).len(), 1);
        play.lose();
        play.pass(LOOKED_AFTER);
        assert_eq!(open(&play).len(), usize::from(is_down), "{:?}", play.types());
        if is_down {
            play.flip(1);
            assert_eq!(open(&play).len(), 0, "{:?}", play.types());
        }
        let so_far = play.got.len();
        play.pass(86_400);
        assert_eq!(play.got.len(), so_far, "it is closed once");
    }
}

#[test]
fn monitors_that_joined_a_storm_are_in_it_although_the_ledger_is_older() {
    let mut play = storm();
    let older = play.desk.clone();
    // Others join the storm.
    for number in 100..125 {
        play.flip(number);
    }
    play.pass(60);
    assert_eq!(open(&play).len(), 41);
    play.set_back(older);
    for number in 20..30 {
        play.flip(number);
    }
    play.pass(LOOKED_AFTER);
    assert_eq!(open(&play).len(), 41, "others of the storm are down: {:?}", play.types());
    for number in 100..125 {
        play.flip(number);
    }
    play.pass(LOOKED_AFTER);
    assert_eq!(open(&play).len(), 20, "{:?}", play.types());
}

#[test]
fn a_storm_that_was_closed_takes_nobody_in_although_the_ledger_is_older() {
    let mut play = storm();
    let older = play.desk.clone();
    for number in 20..30 {
        play.flip(number);
    }
    play.pass(60);
    assert_eq!(open(&play).len(), 20, "the storm is over");
    play.set_back(older);
    play.flip(25);
    play.pass(LOOKED_AFTER);
    assert_eq!(open(&play).len(), 21, "it has an incident of its own: {:?}", play.types());
    play.flip(25);
    play.pass(LOOKED_AFTER);
    assert_eq!(open(&play).len(), 20, "{:?}", play.types());
}

#[test]
fn what_was_folded_into_a_message_that_was_lost_opens_nothing_after_its_recovery() {
    let mut play = Play::pager(RULES);
    for number in 0..21 {
        play.flip(number);
    }
    let (lost, down) = play.came[20].clone();
    play.lose_quietly();
    play.flip(20);
    let so_far = play.got.len();
    play.ask_again();
    play.pass(LOOKED_AFTER);
    assert_eq!(play.got.len(), so_far, "{:?} of {down:?}", play.types());
    assert!(play.dropped.contains(&lost));
}

#[test]
fn a_failure_whose_recovery_overtook_it_opens_nothing() {
    let mut play = Play::pager(RULES);
    for number in 0..21 {
        play.flip(number);
    }
    let lost = play.came[20].0;
    play.works = false;
    // It is sent by itself, and fails. Nothing keeps it before the recovery any more.
    play.lose();
    play.pass(1);
    play.works = true;
    play.flip(20);
    let so_far = play.got.len();
    play.pass(LOOKED_AFTER);
    assert_eq!(play.got.len(), so_far, "{:?}", play.types());
    assert!(play.dropped.contains(&lost));
}
