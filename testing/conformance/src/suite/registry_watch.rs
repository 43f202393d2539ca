//! The registry's contract: watching.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::ids::Revision;
use parking_lot::Mutex;
use ports::registry::{Expected, Record, RecordKey, RecordKind, Registry, RegistryObserver};
use tokio::task::JoinSet;

use super::registry::{create, key, value};
use crate::subject::Subject;
use doubles::eventually;

type Records = dyn Subject<dyn Registry>;

#[macro_export]
macro_rules! registry_watch_suite {
    ($make:expr) => {
        $crate::run_suite!(
            registry_watch,
            $make,
            [
                a_watcher_hears_what_is_there_and_then_that_it_is_current,
                a_watcher_hears_of_changes_to_its_kinds,
                a_watcher_hears_again_and_again_that_it_is_current,
                a_dropped_guard_ends_the_watch,
                a_watch_that_begins_amid_writes_misses_nothing,
            ]
        );
    };
}

#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Put(String, Revision),
    Deleted(String),
    Current,
}

/// An observer that keeps everything it hears.
#[derive(Default)]
pub struct Recorder(Mutex<Vec<Heard>>);

impl Recorder {
    pub fn heard(&self) -> Vec<Heard> {
        self.0.lock().clone()
    }

    pub fn changes(&self) -> Vec<Heard> {
        self.heard().into_iter().filter(|heard| *heard != Heard::Current).collect()
    }
}

impl RegistryObserver for Recorder {
    fn put(&self, record: &Record) {
        self.0.lock().push(Heard::Put(record.key.id.clone(), record.revision));
    }

    fn deleted(&self, key: &RecordKey) {
        self.0.lock().push(Heard::Deleted(key.id.clone()));
    }

    fn current(&self) {
        self.0.lock().push(Heard::Current);
    }
}

/// Waits until `recorder` has heard `expected` as its last changes; without waiting if it must have heard at
/// once.
async fn heard_last(subject: &Records, recorder: &Recorder, expected: &[Heard]) {
    if subject.tells_at_once() {
        assert!(recorder.changes().ends_with(expected), "{:?}", recorder.changes());
    }
    eventually("the watcher hears of it", async || recorder.changes().ends_with(expected).then_some(()))
        .await;
}

pub async fn a_watcher_hears_what_is_there_and_then_that_it_is_current(subject: &mut Records) {
    let registry = subject.port();
    let mut expected = Vec::new();
    for id in ["a", "b", "c"] {
        expected.push(Heard::Put(id.into(), create(&registry, &key(id), "x").await));
    }
    create(&registry, &RecordKey::new(RecordKind::Token, "t"), "x").await;
    let channel = create(&registry, &RecordKey::new(RecordKind::Channel, "ch"), "x").await;
    expected.push(Heard::Put("ch".into(), channel));
    let window = create(&registry, &RecordKey::new(RecordKind::Maintenance, "w"), "x").await;
    expected.push(Heard::Put("w".into(), window));
    let recorder = Arc::new(Recorder::default());
    let kinds = [RecordKind::Monitor, RecordKind::Channel, RecordKind::Maintenance];
    let _guard = registry.watch(&kinds, Arc::clone(&recorder) as _).await.expect("watch");
    let before_current = eventually("it is current", async || {
        let heard = recorder.heard();
        let current = heard.iter().position(|heard| *heard == Heard::Current)?;
        Some(heard[..current].to_vec())
    })
    .await;
    let by_id = |heard: &Heard| format!("{heard:?}");
    let mut sorted = before_current;
    sorted.sort_by_key(by_id);
    expected.sort_by_key(by_id);
    assert_eq!(sorted, expected);
}

pub async fn a_watcher_hears_of_changes_to_its_kinds(subject: &mut Records) {
    let registry = subject.port();
    for kind in RecordKind::ALL {
        let key = RecordKey::new(kind, "a");
        let recorder = Arc::new(Recorder::default());
        let _guard = registry.watch(&[kind], Arc::clone(&recorder) as _).await.expect("watch");
        let first = create(&registry, &key, "x").await;
        heard_last(subject, &recorder, &[Heard::Put("a".into(), first)]).await;
        for other in RecordKind::ALL.into_iter().filter(|other| *other != kind) {
            let key = RecordKey::new(other, "b");
            let revision = create(&registry, &key, "x").await;
            // Deleted before the turn of its own kind comes.
            registry.delete(&key, revision).await.expect("delete");
        }
        let second = registry.put(&key, Expected::At(first), value("y")).await.expect("put");
        heard_last(subject, &recorder, &[Heard::Put("a".into(), second)]).await;
        registry.put(&key, Expected::Absent, value("z")).await.expect_err("a conflict");
        registry.delete(&key, second).await.expect("delete");
        heard_last(subject, &recorder, &[Heard::Deleted("a".into())]).await;
        let again = create(&registry, &key, "x").await;
        heard_last(subject, &recorder, &[Heard::Deleted("a".into()), Heard::Put("a".into(), again)]).await;
        assert_eq!(recorder.changes().len(), 4, "{kind:?}: {:?}", recorder.changes());
    }
}

pub async fn a_watcher_hears_again_and_again_that_it_is_current(subject: &mut Records) {
    let registry = subject.port();
    let recorder = Arc::new(Recorder::default());
    let _guard = registry.watch(&[RecordKind::Key], Arc::clone(&recorder) as _).await.expect("watch");
    eventually("it hears so five times", async || (recorder.heard().len() >= 5).then_some(())).await;
    assert!(recorder.changes().is_empty());
}

pub async fn a_dropped_guard_ends_the_watch(subject: &mut Records) {
    let registry = subject.port();
    let (ended, going_on) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    let kinds = [RecordKind::Monitor];
    let guard = registry.watch(&kinds, Arc::clone(&ended) as _).await.expect("watch");
    let _other = registry.watch(&kinds, Arc::clone(&going_on) as _).await.expect("watch");
    drop(guard);
    let revision = create(&registry, &key("a"), "x").await;
    heard_last(subject, &going_on, &[Heard::Put("a".into(), revision)]).await;
    assert!(ended.changes().is_empty());
    eventually("the observer is let go", async || (Arc::strong_count(&ended) == 1).then_some(())).await;
}

/// Writers change records while watchers begin. At the end each watcher knows exactly what the registry
/// holds, and no record went back to an older revision.
pub async fn a_watch_that_begins_amid_writes_misses_nothing(subject: &mut Records) {
    let registry = subject.port();
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let registry = Arc::clone(&registry);
        writers.spawn(async move {
            for round in 0..40 {
                let key = key(&format!("w{writer}-{}", round % 7));
                let found = registry.get(&key).await.expect("get").map(|record| record.revision);
                match found {
                    None => drop(create(&registry, &key, "x").await),
                    Some(revision) if round % 3 == 0 => {
                        registry.delete(&key, revision).await.expect("delete");
                    }
                    Some(revision) => {
                        let put = registry.put(&key, Expected::At(revision), value("y")).await;
                        put.expect("put");
                    }
                }
            }
        });
    }
    let mut watches = Vec::new();
    for _ in 0..5 {
        let recorder = Arc::new(Recorder::default());
        let guard = registry.watch(&[RecordKind::Monitor], Arc::clone(&recorder) as _).await;
        watches.push((recorder, guard.expect("watch")));
        tokio::task::yield_now().await;
    }
    writers.join_all().await;
    let records = registry.list(RecordKind::Monitor, None, 1_000).await.expect("list");
    let expected: BTreeMap<String, Revision> =
        records.into_iter().map(|record| (record.key.id, record.revision)).collect();
    for (recorder, _guard) in &watches {
        eventually("the watcher knows everything", async || (told(recorder) == expected).then_some(())).await;
    }
}

/// The records that result from all that was heard, checked to be in order.
pub fn told(recorder: &Recorder) -> BTreeMap<String, Revision> {
    let mut known = BTreeMap::new();
    let mut newest = BTreeMap::new();
    for heard in recorder.changes() {
        match heard {
            Heard::Put(id, revision) => {
                let before = newest.insert(id.clone(), revision);
                assert!(before < Some(revision), "{id} went back");
                known.insert(id, revision);
            }
            Heard::Deleted(id) => drop(known.remove(&id)),
            Heard::Current => {}
        }
    }
    known
}
