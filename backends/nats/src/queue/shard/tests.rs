//! What a node knows of a shard, without a server.

use uuid::Uuid;

use super::*;

const LANE: LaneId = LaneId::from_uuid(Uuid::from_u128(1));
const KEY: OrderKey = OrderKey::from_uuid(Uuid::from_u128(5));
const NOW: EventTime = EventTime::from_secs(1_795_341_600);

fn id<T: From<Uuid>>(number: u128) -> T {
    Uuid::from_u128(number).into()
}

fn waiting(sequence: u64, place: Option<u64>) -> FoundRow {
    let status = Status::Waiting { lane: LANE, order_key: KEY, due_at: NOW, place };
    FoundRow { sequence, row: Row { status, by: None, follows: None }, body: Bytes::from_static(b"body") }
}

fn own_key(sequence: u64, key: u128) -> FoundRow {
    let status = Status::Waiting { lane: LANE, order_key: id(key), due_at: NOW, place: None };
    FoundRow { sequence, row: Row { status, by: None, follows: None }, body: Bytes::from_static(b"body") }
}

fn loaded() -> Shard {
    let mut shard = Shard::new("n1.1".to_owned());
    shard.loaded();
    shard
}

fn claim(shard: &mut Shard) -> Vec<u128> {
    shard.claim(LANE, NOW, 10).iter().map(|taken| taken.id.as_uuid().as_u128()).collect()
}

#[test]
fn nothing_is_claimed_before_everything_was_read() {
    let mut shard = Shard::new("n1.1".to_owned());
    // The first was retried, so its row is read after the second's.
    shard.apply(id(2), waiting(20, None), NOW);
    assert!(shard.lanes(NOW).is_empty() && claim(&mut shard).is_empty());
    shard.apply(id(1), waiting(30, Some(10)), NOW);
    shard.loaded();
    assert_eq!(shard.lanes(NOW), [LANE]);
    assert_eq!(claim(&mut shard), [1]);
    assert!(claim(&mut shard).is_empty(), "the second waits for the first");
}

#[test]
fn what_is_settled_together_is_settled_when_all_of_it_is_written() {
    let mut shard = loaded();
    shard.apply(id(1), own_key(1, 1), NOW);
    shard.apply(id(2), own_key(2, 2), NOW);
    assert_eq!(claim(&mut shard), [1, 2]);
    let retry = Outcome::Retry { due_at: NOW, body: Bytes::from_static(b"new") };
    assert!(matches!(shard.begin(&id(1), &retry), Settling::Begun(NewRow { replaces: 1, .. })));
    assert!(matches!(shard.begin(&id(1), &retry), Settling::Busy));
    assert!(matches!(shard.begin(&id(2), &Outcome::Complete), Settling::Begun(_)));
    shard.written(&id(1), Some(Landed::Ours { sequence: 3, outcome: retry.clone() }));
    shard.written(&id(2), None);
    assert_eq!((claim(&mut shard), shard.claims()), (vec![], 2), "both are claimed yet");
    assert!(matches!(shard.begin(&id(1), &Outcome::Bury), Settling::Landed));
    assert!(matches!(shard.begin(&id(2), &Outcome::Complete), Settling::Begun(NewRow { replaces: 2, .. })));
    shard.written(&id(2), Some(Landed::Ours { sequence: 4, outcome: Outcome::Complete }));
    shard.settle(&id(1), NOW);
    shard.settle(&id(2), NOW);
    assert!(matches!(shard.begin(&id(2), &Outcome::Complete), Settling::NotClaimed));
    let again = shard.claim(LANE, NOW, 10);
    assert_eq!((again[0].id, again[0].sequence, again[0].body.as_deref()), (id(1), 3, Some(&b"new"[..])));
    assert_eq!((again.len(), shard.len()), (1, 1));
}

#[test]
fn what_others_write_of_a_claimed_message_counts_when_it_is_settled() {
    let dead = Row { status: Status::Dead { lane: LANE, order_key: KEY }, by: None, follows: None };
    let mut shard = loaded();
    shard.apply(id(1), waiting(1, None), NOW);
    assert_eq!(claim(&mut shard), [1]);
    // We bury it; before our answer comes another node revives it.
    assert!(matches!(shard.begin(&id(1), &Outcome::Bury), Settling::Begun(_)));
    let mine = Row { by: Some("n1.1".to_owned()), ..dead.clone() };
    assert!(!shard.apply(id(1), FoundRow { sequence: 2, row: mine, body: Bytes::new() }, NOW));
    assert!(!shard.apply(id(1), waiting(3, None), NOW));
    assert!(claim(&mut shard).is_empty());
    shard.written(&id(1), Some(Landed::Ours { sequence: 2, outcome: Outcome::Bury }));
    shard.settle(&id(1), NOW);
    let taken = shard.claim(LANE, NOW, 10);
    assert_eq!(taken.iter().map(|taken| (taken.id, taken.sequence)).collect::<Vec<_>>(), [(id(1), 3)]);
    // A former owner of the shard buries it.
    let theirs = FoundRow { sequence: 4, row: dead, body: Bytes::new() };
    shard.apply(id(1), theirs.clone(), NOW);
    assert!(shard.is_claimed(&id(1)));
    assert!(matches!(shard.begin(&id(1), &Outcome::Complete), Settling::Begun(_)));
    shard.written(&id(1), Some(Landed::Theirs(theirs)));
    shard.settle(&id(1), NOW);
    assert_eq!((shard.len(), shard.body_bytes), (0, 0));
}

#[test]
fn a_claim_that_is_given_back_is_as_it_was_or_as_others_made_it() {
    let mut shard = loaded();
    shard.apply(id(1), waiting(1, None), NOW);
    assert_eq!(claim(&mut shard), [1]);
    shard.unclaim(&id(1), NOW);
    assert_eq!(claim(&mut shard), [1]);
    let done = Row { status: Status::Done, by: None, follows: None };
    shard.apply(id(1), FoundRow { sequence: 2, row: done, body: Bytes::new() }, NOW);
    shard.unclaim(&id(1), NOW);
    assert_eq!((claim(&mut shard), shard.len()), (vec![], 0));
    shard.apply(id(1), waiting(3, None), NOW);
    assert!(!shard.apply(id(1), waiting(3, None), NOW), "read again");
    // The other node's row was read before our failed read, or after.
    assert_eq!(claim(&mut shard), [1]);
    shard.apply(id(1), waiting(4, None), NOW);
    shard.replaced(&id(1), NOW);
    assert_eq!(claim(&mut shard), [1]);
    shard.replaced(&id(1), NOW);
    assert_eq!((claim(&mut shard), shard.len()), (vec![], 0));
    shard.apply(id(1), waiting(5, None), NOW);
    assert_eq!(claim(&mut shard), [1]);
}

#[test]
fn dead_letters_are_known_until_they_are_revived_or_gone() {
    let dead = |sequence| {
        let status = Status::Dead { lane: LANE, order_key: KEY };
        FoundRow { sequence, row: Row { status, by: None, follows: None }, body: Bytes::new() }
    };
    let mut shard = Shard::new("n1.1".to_owned());
    shard.apply(id(3), dead(7), NOW);
    shard.apply(id(1), dead(8), NOW);
    assert_eq!(shard.dead(None, 10), [], "before everything was read");
    shard.loaded();
    shard.apply(id(2), waiting(9, None), NOW);
    assert_eq!(claim(&mut shard), [2]);
    assert!(matches!(shard.begin(&id(2), &Outcome::Bury), Settling::Begun(_)));
    shard.written(&id(2), Some(Landed::Ours { sequence: 10, outcome: Outcome::Bury }));
    shard.settle(&id(2), NOW);
    assert_eq!(shard.dead(None, 10), [(id(1), 8), (id(2), 10), (id(3), 7)]);
    assert_eq!(shard.dead(Some(id(1)), 1), [(id(2), 10)]);
    assert!(!shard.apply(id(2), waiting(9, None), NOW), "what it was before");
    shard.apply(id(2), waiting(11, None), NOW);
    shard.forget_dead(&id(3), 6);
    assert_eq!(shard.dead(None, 10), [(id(1), 8), (id(3), 7)]);
    shard.forget_dead(&id(3), 7);
    assert_eq!((shard.dead(None, 10), shard.len()), (vec![(id(1), 8)], 1));
}

#[test]
fn bodies_take_no_more_than_their_room() {
    let mut shard = loaded();
    let large = |sequence| FoundRow {
        body: Bytes::from(vec![0; BODY_BYTES / 3]),
        ..own_key(sequence, sequence.into())
    };
    for number in 1..=5 {
        shard.apply(id(number.into()), large(number), NOW);
    }
    let mut parked = own_key(9, 9);
    parked.row.status = Status::Waiting { lane: id(2), order_key: KEY, due_at: NOW + SOON * 2, place: None };
    shard.apply(id(9), parked, NOW);
    let taken = shard.claim(LANE, NOW, 10);
    assert_eq!(taken.iter().filter(|taken| taken.body.is_some()).count(), 3);
    assert!(shard.claim(id(2), NOW + SOON * 2, 1)[0].body.is_none());
    for number in [1, 2, 3, 4, 5, 9] {
        shard.forget(&id(number));
    }
    assert_eq!((shard.len(), shard.body_bytes), (0, 0));
}
