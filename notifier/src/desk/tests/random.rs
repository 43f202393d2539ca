//! Random histories: in all of them the channel is told the truth, in order, and not too often.

use std::collections::HashMap;

use model::flip::{Flip, State};
use model::ids::MonitorId;
use model::notice::Notice;
use proptest::prelude::*;

use super::super::chat::{SINGLES, WINDOW};
use super::super::pager::PagerRules;
use super::play::{Play, triggers};
use crate::message::incident;

#[derive(Debug, Clone)]
enum Step {
    Flip(u128),
    Burst(u128, u128),
    Remind(u128),
    Pass(u64),
    Break,
    Mend,
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12_u128).prop_map(Step::Flip),
        1 => (0..40_u128, 1..40_u128).prop_map(|(from, count)| Step::Burst(from, count)),
        1 => (0..12_u128).prop_map(Step::Remind),
        4 => prop_oneof![0..10_u64, 10..100_u64, 100..2_000_u64].prop_map(Step::Pass),
        1 => Just(Step::Break),
        2 => Just(Step::Mend),
        1 => Just(Step::Reload),
    ]
}

/// These steps happen, and then nothing for a long time.
fn run(play: &mut Play, steps: &[Step]) {
    take(play, steps);
    play.works = true;
    // Long enough for every flapping monitor to be quiet.
    play.pass(7_200);
}

fn take(play: &mut Play, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Flip(number) => {
                play.flip(*number);
            }
            Step::Burst(from, count) => {
                for number in *from..from + count {
                    play.flip(number);
                }
            }
            Step::Remind(number) => {
                let of = |flip: &Flip| flip.monitor == super::play::monitor(*number);
                let newest = play.came.iter().rev().find(|(_, flip)| of(flip));
                if newest.is_some_and(|(_, flip)| flip.to == State::Down) {
                    play.remind(*number, 1);
                }
            }
            Step::Pass(secs) => play.pass(*secs),
            Step::Break => play.works = false,
            Step::Mend => play.works = true,
            Step::Reload => play.reload(),
        }
    }
}

/// How each monitor stands.
fn truth(play: &Play) -> HashMap<MonitorId, State> {
    play.came.iter().map(|(_, flip)| (flip.monitor, flip.to)).collect()
}

/// The flips that a message tells of: of each monitor the newest.
fn flips(notice: &Notice) -> Vec<Flip> {
    match (notice, notice.flip()) {
        (Notice::Digest(digest), _) => digest.flips.iter().map(|one| one.flip.clone()).collect(),
        (_, flip) => flip.cloned().into_iter().collect(),
    }
}

/// The states that a reader of the messages believes.
fn believed(play: &Play) -> HashMap<MonitorId, State> {
    let mut believed = HashMap::new();
    for (_, _, notice) in &play.got {
        for flip in flips(notice) {
            believed.insert(flip.monitor, flip.to);
        }
    }
    believed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_chat_is_told_everything_in_order_and_not_too_often(steps in prop::collection::vec(step(), 1..120)) {
        let mut play = Play::chat();
        run(&mut play, &steps);
        prop_assert_eq!(believed(&play), truth(&play));
        for (delivery, flip) in &play.came {
            prop_assert!(play.teller(*delivery).is_some(), "no message told of {:?}", flip);
        }
        // Never an older state after a newer one.
        let mut newest: HashMap<MonitorId, u64> = HashMap::new();
        for (_, _, notice) in &play.got {
            for flip in flips(notice) {
                let before = newest.insert(flip.monitor, flip.sequence).unwrap_or_default();
                prop_assert!(before <= flip.sequence, "{} after {}", flip.sequence, before);
            }
        }
        // The messages that go out at once, and the one that ends their window.
        let times: Vec<_> = play.got.iter().map(|(at, _, _)| *at).collect();
        for (index, at) in times.iter().enumerate() {
            let within = times[index..].iter().take_while(|later| **later < *at + WINDOW).count();
            prop_assert!(within <= SINGLES + 1, "{within} messages within {WINDOW:?}: {:?}", play.types());
        }
    }

    #[test]
    fn a_pager_has_open_what_is_down_and_nothing_else(steps in prop::collection::vec(step(), 1..120)) {
        let mut play = Play::pager(PagerRules { storm_limit: Some(20), repost_every: None });
        run(&mut play, &steps);
        check_open(&play)?;
        for (delivery, flip) in &play.came {
            prop_assert!(play.teller(*delivery).is_some(), "no message told of {:?}", flip);
        }
    }

    #[test]
    fn a_pager_whose_ledger_is_lost_or_set_back_has_open_what_is_down_and_nothing_else(
        before in prop::collection::vec(step(), 0..60),
        lost in prop::collection::vec(step(), 0..60),
        after in prop::collection::vec(step(), 0..60),
        is_older in any::<bool>(),
    ) {
        let mut play = Play::pager(PagerRules { storm_limit: Some(20), repost_every: None });
        take(&mut play, &before);
        let older = is_older.then(|| play.desk.clone());
        take(&mut play, &lost);
        match older {
            Some(older) => play.set_back(older),
            None => play.lose(),
        }
        run(&mut play, &after);
        check_open(&play)?;
    }
}

/// The incidents of all monitors that are down are open, or that of a storm, and no others.
fn check_open(play: &Play) -> Result<(), TestCaseError> {
    let mut open = HashMap::new();
    for (_, _, notice) in &play.got {
        open.insert(incident(notice), (triggers(notice), notice.monitor()));
    }
    let open: Vec<_> = open.into_values().filter(|(open, _)| *open).map(|(_, monitor)| monitor).collect();
    let down: Vec<MonitorId> =
        truth(play).into_iter().filter(|(_, state)| *state == State::Down).map(|(id, _)| id).collect();
    for monitor in open.iter().flatten() {
        prop_assert!(down.contains(monitor), "the incident of one that is up is open");
    }
    let storm = open.iter().any(Option::is_none);
    prop_assert!(storm || down.iter().all(|one| open.contains(&Some(*one))), "no page went out");
    prop_assert_eq!(storm && down.is_empty(), false);
    Ok(())
}
