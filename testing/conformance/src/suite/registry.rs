//! The registry's contract: records.

use std::sync::Arc;

use bytes::Bytes;
use model::ids::{MonitorId, PartitionId, Revision};
use ports::registry::{Expected, RecordKey, RecordKind, Registry, RegistryError};
use ports::turns::{Turn, Turns};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::subject::Subject;

type Records = dyn Subject<dyn Registry>;

#[macro_export]
macro_rules! registry_suite {
    ($make:expr) => {
        $crate::run_suite!(
            registry,
            $make,
            [
                a_record_is_what_was_put,
                a_write_with_a_wrong_belief_is_refused,
                a_delete_with_a_wrong_belief_is_refused,
                revisions_grow_over_all_records,
                every_kind_has_records_of_its_own,
                of_many_creators_one_wins,
                those_who_take_turns_keep_a_limit_over_many_records,
                a_turn_that_stands_still_is_taken_over_and_its_change_comes_to_nothing,
                lists_are_in_the_order_of_bytes_and_paged,
                records_and_revisions_last,
                a_partition_knows_its_monitors_and_their_revisions,
            ]
        );
    };
}

pub fn key(id: &str) -> RecordKey {
    RecordKey::new(RecordKind::Monitor, id)
}

pub fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub async fn create(registry: &Arc<dyn Registry>, key: &RecordKey, text: &str) -> Revision {
    registry.put(key, Expected::Absent, value(text)).await.expect("put")
}

async fn ids(
    registry: &Arc<dyn Registry>,
    kind: RecordKind,
    after: Option<&str>,
    limit: usize,
) -> Vec<String> {
    let records = registry.list(kind, after, limit).await.expect("list");
    records.into_iter().map(|record| record.key.id).collect()
}

pub async fn a_record_is_what_was_put(subject: &mut Records) {
    let registry = subject.port();
    assert_eq!(registry.get(&key("a")).await.expect("get"), None);
    let first = create(&registry, &key("a"), "one").await;
    let record = registry.get(&key("a")).await.expect("get").expect("a record");
    assert_eq!((record.key, record.revision, record.value), (key("a"), first, value("one")));
    let second = registry.put(&key("a"), Expected::At(first), value("two")).await.expect("put");
    assert!(second > first);
    let record = registry.get(&key("a")).await.expect("get").expect("a record");
    assert_eq!((record.revision, record.value), (second, value("two")));
    let same_id = RecordKey::new(RecordKind::Channel, "a");
    assert_eq!(registry.get(&same_id).await.expect("get"), None, "kinds are apart");
    registry.delete(&key("a"), second).await.expect("delete");
    assert_eq!(registry.get(&key("a")).await.expect("get"), None);
    let third = create(&registry, &key("a"), "again").await;
    assert!(third > second);
}

pub async fn a_write_with_a_wrong_belief_is_refused(subject: &mut Records) {
    let registry = subject.port();
    let never = Expected::At(Revision(1));
    let refused = registry.put(&key("a"), never, value("x")).await;
    assert!(matches!(refused, Err(RegistryError::Conflict)), "{refused:?}");
    let first = create(&registry, &key("a"), "one").await;
    let second = registry.put(&key("a"), Expected::At(first), value("two")).await.expect("put");
    let wrong = [
        Expected::Absent,
        Expected::At(first),
        Expected::At(Revision(second.0 + 1)),
        Expected::At(Revision(0)),
    ];
    for expected in wrong {
        let refused = registry.put(&key("a"), expected, value("x")).await;
        assert!(matches!(refused, Err(RegistryError::Conflict)), "{expected:?}: {refused:?}");
    }
    let record = registry.get(&key("a")).await.expect("get").expect("a record");
    assert_eq!((record.revision, record.value), (second, value("two")), "nothing was written");
}

pub async fn a_delete_with_a_wrong_belief_is_refused(subject: &mut Records) {
    let registry = subject.port();
    let absent = registry.delete(&key("a"), Revision(1)).await;
    assert!(matches!(absent, Err(RegistryError::Conflict)), "{absent:?}");
    let first = create(&registry, &key("a"), "one").await;
    let second = registry.put(&key("a"), Expected::At(first), value("two")).await.expect("put");
    let stale = registry.delete(&key("a"), first).await;
    assert!(matches!(stale, Err(RegistryError::Conflict)), "{stale:?}");
    assert!(registry.get(&key("a")).await.expect("get").is_some());
    registry.delete(&key("a"), second).await.expect("delete");
    let twice = registry.delete(&key("a"), second).await;
    assert!(matches!(twice, Err(RegistryError::Conflict)), "{twice:?}");
}

pub async fn revisions_grow_over_all_records(subject: &mut Records) {
    let registry = subject.port();
    let mut revisions = Vec::new();
    for kind in RecordKind::ALL {
        for id in ["a", "b"] {
            revisions.push(create(&registry, &RecordKey::new(kind, id), "x").await);
        }
    }
    assert!(revisions.is_sorted_by(|a, b| a < b), "{revisions:?}");
}

pub async fn every_kind_has_records_of_its_own(subject: &mut Records) {
    let registry = subject.port();
    for kind in RecordKind::ALL {
        create(&registry, &RecordKey::new(kind, "same"), kind.as_str()).await;
        create(&registry, &RecordKey::new(kind, kind.as_str()), kind.as_str()).await;
    }
    for kind in RecordKind::ALL {
        let mut expected = [kind.as_str(), "same"];
        expected.sort_unstable();
        assert_eq!(ids(&registry, kind, None, 10).await, expected);
        let record = registry.get(&RecordKey::new(kind, "same")).await.expect("get").expect("a record");
        assert_eq!(record.value, value(kind.as_str()));
        registry.delete(&record.key, record.revision).await.expect("delete");
        assert_eq!(ids(&registry, kind, None, 10).await, [kind.as_str()]);
    }
}

pub async fn of_many_creators_one_wins(subject: &mut Records) {
    let registry = subject.port();
    let mut creators = JoinSet::new();
    for n in 0..20 {
        let registry = Arc::clone(&registry);
        creators.spawn(async move {
            registry.put(&key("a"), Expected::Absent, value(&n.to_string())).await.is_ok()
        });
    }
    let won = creators.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
}

async fn take(turns: &Turns, changed: Option<&RecordKey>) -> Result<Turn, RegistryError> {
    turns.wait().await?.take(changed).await
}

/// Two consoles make records, six clients at each, and no more than five records may be there.
pub async fn those_who_take_turns_keep_a_limit_over_many_records(subject: &mut Records) {
    const LIMIT: usize = 5;
    let registry = subject.port();
    let consoles = [Turns::new(Arc::clone(&registry)), Turns::new(Arc::clone(&registry))].map(Arc::new);
    let mut clients = JoinSet::new();
    for (n, turns) in consoles.iter().cycle().take(12).enumerate() {
        let (registry, turns) = (Arc::clone(&registry), Arc::clone(turns));
        clients.spawn(async move {
            let turn = take(&turns, None).await.expect("a turn");
            let found = ids(&registry, RecordKind::Monitor, None, 100).await.len();
            if found < LIMIT {
                create(&registry, &key(&n.to_string()), "x").await;
            }
            turn.end().await;
        });
    }
    clients.join_all().await;
    assert_eq!(ids(&registry, RecordKind::Monitor, None, 100).await.len(), LIMIT);
}

pub async fn a_turn_that_stands_still_is_taken_over_and_its_change_comes_to_nothing(subject: &mut Records) {
    let registry = subject.port();
    let [first, second] = [Turns::new(Arc::clone(&registry)), Turns::new(Arc::clone(&registry))];
    let known = create(&registry, &key("a"), "one").await;
    let late = take(&first, Some(&key("a"))).await.expect("a turn");
    late.check().await.expect("it is its turn");
    let next = take(&second, Some(&key("b"))).await.expect("the turn of one that stands still");
    let refused = late.check().await;
    assert!(matches!(refused, Err(RegistryError::Conflict)), "{refused:?}");
    let refused = registry.put(&key("a"), Expected::At(known), value("late")).await;
    assert!(matches!(refused, Err(RegistryError::Conflict)), "{refused:?}");
    late.end().await;
    next.check().await.expect("the late one has ended no turn but its own");
    next.end().await;
    let record = registry.get(&key("a")).await.expect("get").expect("a record");
    assert_eq!(record.value, value("one"));
    take(&first, None).await.expect("a turn").end().await;
}

pub async fn lists_are_in_the_order_of_bytes_and_paged(subject: &mut Records) {
    let registry = subject.port();
    let unordered = ["b", "a", "B", "10", "9", "_x", "-x", "aa", "Z", "a-b", "a_b"];
    for id in unordered {
        create(&registry, &key(id), id).await;
        create(&registry, &RecordKey::new(RecordKind::Token, format!("t{id}")), id).await;
    }
    let mut ordered = unordered.map(str::to_owned).to_vec();
    ordered.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    assert_eq!(ids(&registry, RecordKind::Monitor, None, 100).await, ordered);
    for limit in [1, 3, 4] {
        let mut paged: Vec<String> = Vec::new();
        loop {
            let after = paged.last().cloned();
            let page = ids(&registry, RecordKind::Monitor, after.as_deref(), limit).await;
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, ordered, "pages of {limit}");
    }
    assert_eq!(
        ids(&registry, RecordKind::Monitor, Some("a0"), 1).await,
        ["a_b"],
        "after one that is not there"
    );
    assert!(ids(&registry, RecordKind::Channel, None, 10).await.is_empty());
    let record = &registry.list(RecordKind::Monitor, Some("Z"), 1).await.expect("list")[0];
    assert_eq!(registry.get(&record.key).await.expect("get").as_ref(), Some(record));
}

pub async fn records_and_revisions_last(subject: &mut Records) {
    let registry = subject.port();
    let kept = create(&registry, &key("kept"), "x").await;
    let gone = create(&registry, &key("gone"), "y").await;
    registry.delete(&key("gone"), gone).await.expect("delete");
    subject.restart().await;
    let registry = subject.port();
    let record = registry.get(&key("kept")).await.expect("get").expect("a record");
    assert_eq!((record.revision, record.value), (kept, value("x")));
    assert_eq!(registry.get(&key("gone")).await.expect("get"), None);
    assert!(create(&registry, &key("new"), "z").await > gone, "no revision is given twice");
}

/// In an installation with two partitions.
pub async fn a_partition_knows_its_monitors_and_their_revisions(subject: &mut Records) {
    let registry = subject.port();
    let monitor = |number: u128| MonitorId::from_uuid(Uuid::from_u128(number));
    let of = |id: MonitorId| RecordKey::new(RecordKind::Monitor, id);
    let mut expected: [Vec<(MonitorId, Revision)>; 2] = Default::default();
    for id in (0..40).map(monitor) {
        let mut revision = create(&registry, &of(id), "one").await;
        if id.as_uuid().as_u128() % 3 == 0 {
            revision = registry.put(&of(id), Expected::At(revision), value("two")).await.expect("put");
        }
        if id.as_uuid().as_u128() % 5 == 0 {
            registry.delete(&of(id), revision).await.expect("delete");
            continue;
        }
        expected[usize::from(id.partition(2).0)].push((id, revision));
    }
    create(&registry, &key("not-a-uuid"), "x").await;
    create(&registry, &RecordKey::new(RecordKind::Channel, monitor(1)), "x").await;
    for (partition, expected) in (0..).map(PartitionId).zip(expected) {
        assert!(!expected.is_empty());
        let mut found = registry.revisions(partition, 2).await.expect("revisions");
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}
