use model::ids::Revision;
use ports::clock::ManualClock;

use super::*;
use crate::doubles::{START, monitor, monitor_id};

const A: &str = "token-of-a";
const B: &str = "token-of-b";
const OLD: &str = "token-of-old";

struct List {
    tokens: Arc<Tokens>,
    clock: Arc<ManualClock>,
}

impl List {
    fn limited(push_limit: u32, push_burst: u32) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let config = Config { push_limit, push_burst, ..Config::default() };
        let metrics = Arc::new(Metrics::new(&mut prometheus_client::registry::Registry::default()));
        let tokens = Arc::new(Tokens::new(&config, Arc::clone(&clock) as _, metrics));
        Self { tokens, clock }
    }

    fn current() -> Self {
        let list = Self::limited(60, 60);
        list.tokens.current();
        list
    }

    fn put(&self, monitor: &Monitor) {
        let key = RecordKey::new(RecordKind::Monitor, monitor.id);
        self.tokens.put(&Record { key, revision: Revision(1), value: wire::encode(monitor) });
    }

    fn delete(&self, n: u128) {
        self.tokens.deleted(&RecordKey::new(RecordKind::Monitor, monitor_id(n)));
    }

    fn owner(&self, token: &str) -> Option<MonitorId> {
        match self.tokens.resolve(token) {
            Resolved::Monitor(owner, _) => Some(owner),
            Resolved::Unknown => None,
            Resolved::Unsure => panic!("the list is current"),
        }
    }

    fn charge(&self, token: &str) -> Result<Charge, Duration> {
        self.charge_for(token, HeartbeatKind::Up)
    }

    fn charge_for(&self, token: &str, kind: HeartbeatKind) -> Result<Charge, Duration> {
        let Resolved::Monitor(_, token) = self.tokens.resolve(token) else { panic!("{token} is known") };
        self.tokens.charge(token, kind)
    }

    /// How many pushes in a row are taken.
    fn taken(&self, token: &str) -> usize {
        (0..1_000).take_while(|_| self.charge(token).map(Charge::keep).is_ok()).count()
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.tokens.current();
    }
}

#[test]
fn follows_the_registry() {
    let list = List::current();
    assert_eq!(list.owner(A), None);
    list.put(&monitor(1, A, &[]));
    list.put(&monitor(2, B, &[]));
    assert_eq!((list.owner(A), list.owner(B)), (Some(monitor_id(1)), Some(monitor_id(2))));
    assert_eq!(list.tokens.metrics.tokens.get(), 2);
    list.put(&monitor(1, "token-of-c", &[]));
    assert_eq!((list.owner(A), list.owner("token-of-c")), (None, Some(monitor_id(1))));
    list.delete(1);
    assert_eq!((list.owner("token-of-c"), list.owner(B)), (None, Some(monitor_id(2))));
    list.delete(1);
    assert_eq!(list.tokens.metrics.tokens.get(), 1);
}

#[test]
fn a_rotated_token_works_until_it_expires() {
    let list = List::current();
    list.put(&monitor(1, OLD, &[]));
    list.put(&monitor(1, A, &[(OLD, 10)]));
    assert_eq!((list.owner(A), list.owner(OLD)), (Some(monitor_id(1)), Some(monitor_id(1))));
    list.pass(Duration::from_micros(9_999_999));
    assert_eq!(list.owner(OLD), Some(monitor_id(1)));
    list.pass(Duration::from_micros(1));
    assert_eq!((list.owner(A), list.owner(OLD)), (Some(monitor_id(1)), None));
}

#[test]
fn a_token_that_found_a_new_owner_stays_with_it() {
    let list = List::current();
    list.put(&monitor(1, A, &[(OLD, 10)]));
    list.pass(Duration::from_secs(11));
    list.put(&monitor(2, OLD, &[]));
    assert_eq!(list.owner(OLD), Some(monitor_id(2)));
    // The first one is renamed: its record still names the old token.
    list.put(&monitor(1, A, &[(OLD, 10)]));
    assert_eq!(list.owner(OLD), Some(monitor_id(2)));
    // The monitor is deleted after its token went to another one: the changes may arrive in that order.
    list.put(&monitor(3, A, &[]));
    list.delete(1);
    assert_eq!(list.owner(A), Some(monitor_id(3)));
}

#[test]
fn says_unknown_only_while_nothing_can_be_missing() {
    let list = List::limited(60, 60);
    assert_eq!(list.tokens.standing(), Standing::Loading);
    assert_eq!(list.tokens.resolve(B), Resolved::Unsure);
    list.put(&monitor(1, A, &[]));
    list.tokens.current();
    assert_eq!(list.tokens.resolve(B), Resolved::Unknown);
    list.clock.advance(Duration::from_millis(4_999));
    assert_eq!(list.tokens.resolve(B), Resolved::Unknown);
    list.clock.advance(Duration::from_millis(1));
    assert_eq!((list.tokens.resolve(B), list.tokens.standing()), (Resolved::Unsure, Standing::Stale));
    assert!(matches!(list.tokens.resolve(A), Resolved::Monitor(_, _)), "what is known still works");
    list.tokens.current();
    assert_eq!(list.tokens.resolve(B), Resolved::Unknown);
}

#[test]
fn what_cannot_be_a_token_is_unknown_at_once() {
    let list = List::limited(60, 60);
    for text in ["", "short", "with/slash", "ümläüte-token", &"x".repeat(65)] {
        assert_eq!(list.tokens.resolve(text), Resolved::Unknown, "{text}");
    }
}

#[test]
fn a_record_that_cannot_be_read_leaves_its_tokens_as_they_were() {
    let list = List::current();
    list.put(&monitor(1, A, &[]));
    for value in [bytes::Bytes::new(), bytes::Bytes::from_static(b"\xffnonsense")] {
        let key = RecordKey::new(RecordKind::Monitor, monitor_id(1));
        list.tokens.put(&Record { key, revision: Revision(2), value });
    }
    assert_eq!(list.owner(A), Some(monitor_id(1)));
    assert_eq!((list.tokens.metrics.undecodable.get(), list.tokens.unreadable.lock().len()), (2, 1));
    list.put(&monitor(1, B, &[]));
    assert_eq!((list.owner(A), list.owner(B)), (None, Some(monitor_id(1))));
    assert!(list.tokens.unreadable.lock().is_empty());
}

#[test]
fn limits_each_token_by_itself() {
    for (per_minute, burst, waited, then) in
        [(60, 60, 5, 5), (60, 60, 600, 60), (60, 1, 1, 1), (6, 3, 10, 1), (6, 3, 9, 0), (1_200, 2, 1, 2)]
    {
        let list = List::limited(per_minute, burst);
        list.put(&monitor(1, A, &[]));
        list.put(&monitor(2, B, &[]));
        assert_eq!(list.taken(A), burst as usize, "{per_minute} a minute, {burst} at once");
        list.pass(Duration::from_secs(waited));
        assert_eq!(list.taken(A), then, "{per_minute} a minute, {burst} at once, after {waited} s");
        assert_eq!(list.taken(B), burst as usize);
    }
    let unlimited = List::limited(0, 60);
    unlimited.put(&monitor(1, A, &[]));
    assert_eq!(unlimited.taken(A), 1_000);
}

#[test]
fn says_how_long_to_wait() {
    let list = List::limited(6, 1);
    list.put(&monitor(1, A, &[]));
    list.pass(Duration::from_secs(100));
    list.charge(A).map(Charge::keep).unwrap();
    list.pass(Duration::from_secs(3));
    assert_eq!(list.charge(A).err(), Some(Duration::from_secs(7)));
}

#[test]
fn a_push_that_was_not_recorded_does_not_count() {
    let list = List::limited(60, 3);
    list.put(&monitor(1, A, &[]));
    for _ in 0..100 {
        drop(list.charge(A).unwrap());
    }
    let held: Vec<Charge> = (0..3).map(|_| list.charge(A).unwrap()).collect();
    drop(list.charge(A).expect("the first of a kind is a change"));
    list.charge(A).map(Charge::keep).expect("nothing of it was recorded");
    assert!(list.charge(A).is_err());
    drop(held);
    assert_eq!(list.taken(A), 3);
}

#[test]
fn a_change_of_state_has_a_reserve() {
    use HeartbeatKind::{Down, Up};
    let list = List::limited(60, 3);
    list.put(&monitor(1, A, &[]));
    let taken = |kind| list.charge_for(A, kind).map(Charge::keep).is_ok();
    assert_eq!(list.taken(A), 3);
    assert!(taken(Down), "the first down after up");
    assert!(!taken(Down), "the second says nothing new");
    assert!(taken(Up), "the first up after down");
    assert!(!taken(Up));
    for _ in 0..100 {
        drop(list.charge_for(A, Down).expect("what was not recorded does not count"));
    }
    for kind in [Down, Up, Down, Up] {
        assert!(taken(kind));
    }
    assert!(!taken(Down), "the reserve is small");
    let wait = list.charge_for(A, Down).err().expect("limited");
    assert_eq!(wait, Duration::from_secs(1), "until the next push of any kind");
    // Renaming the monitor does not fill the reserve, and does not forget the state.
    list.put(&Monitor { name: "renamed".to_owned(), ..monitor(1, A, &[]) });
    assert!(!taken(Down));
    list.pass(Duration::from_secs(10));
    assert_eq!(list.taken(A), 3);
    assert!(taken(Down), "a change in 10 s");
    assert!(!taken(Up));
}

#[test]
fn a_changed_monitor_keeps_its_budget() {
    let list = List::limited(60, 3);
    list.put(&monitor(1, A, &[]));
    assert_eq!(list.taken(A), 3);
    list.put(&Monitor { name: "renamed".to_owned(), ..monitor(1, A, &[]) });
    assert_eq!(list.taken(A), 0);
    list.put(&monitor(1, B, &[(A, 60)]));
    assert_eq!((list.taken(A), list.taken(B)), (0, 3));
}

#[test]
fn a_charge_outlives_its_token() {
    let list = List::limited(60, 3);
    list.put(&monitor(1, A, &[]));
    let Resolved::Monitor(_, token) = list.tokens.resolve(A) else { panic!("it is known") };
    let charge = list.charge(A).unwrap();
    list.delete(1);
    assert!(list.tokens.charge(token, HeartbeatKind::Up).is_ok());
    drop(charge);
}
