//! Pure. The rights of each role on the servers: no more than its work takes.
//!
//! A stream's name is one word of a subject, and a wildcard stands for whole words, so streams are named one
//! by one, as many as there can be. A role that may make a consumer of a stream may read all of it, and have
//! it sent to where it can hear it: that right is given by stream, too.

use super::names::{Names, inbox_prefix};
use super::queue::subjects::{SHARDS, Subjects};
use super::registry::keys::Keys;
use model::ids::PartitionId;
use model::role::Role;
use ports::queue::QueueName;
use ports::registry::RecordKind;

/// The most partitions that an installation can have.
const PARTITIONS: u16 = 64;

/// The subjects that a role may use; `*` and `>` are wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Subjects to publish to.
    pub publish: Vec<String>,
    /// Subjects to subscribe to.
    pub subscribe: Vec<String>,
}

impl Rights {
    /// The rights of a role in the installation whose names begin with `prefix`.
    #[must_use]
    pub fn of(role: Role, prefix: &str) -> Self {
        let names = Names::new(prefix);
        let mut publish = Publish { names: &names, subjects: Vec::new() };
        publish.look();
        match role {
            Role::Init => publish.make(),
            Role::Ingest => {
                publish.heartbeats();
                publish.times_of_heartbeats();
                publish.registry(&[RecordKind::Monitor], &[]);
            }
            Role::Scheduler => {
                publish.heartbeats();
                publish.times_of_heartbeats();
                publish.read_heartbeats();
                // A scheduler reports the progress of rebuilds.
                publish.registry(&[RecordKind::Monitor, RecordKind::Rebuild], &[RecordKind::Rebuild]);
                publish.rows(QueueName::Alerts);
                publish.allow(Subjects::new(names.queue_subjects(QueueName::Alerts)).numbers());
                publish.checkpoints();
            }
            Role::Notifier => {
                publish.registry(
                    &[RecordKind::Monitor, RecordKind::Channel, RecordKind::Maintenance],
                    &[RecordKind::Channel],
                );
                for queue in [QueueName::Alerts, QueueName::Deliveries] {
                    publish.rows(queue);
                    publish.follow(&names.queue_stream(queue));
                }
                publish.shares();
            }
            Role::Console => {
                publish.registry(&RecordKind::ALL, &RecordKind::ALL);
                publish.heartbeats();
                // Replays read the log, from checkpoints on.
                publish.read_heartbeats();
                let checkpoints = names.checkpoints_stream();
                publish.get(&checkpoints);
                publish.follow(&checkpoints);
                publish.rows(QueueName::Alerts);
                publish.rows(QueueName::Deliveries);
            }
        }
        let Publish { subjects, .. } = publish;
        Self { publish: subjects, subscribe: vec![format!("{}.>", inbox_prefix(role))] }
    }
}

struct Publish<'a> {
    names: &'a Names,
    subjects: Vec<String>,
}

impl Publish<'_> {
    fn allow(&mut self, subject: String) {
        self.subjects.push(subject);
    }

    fn api(&mut self, what: &str, stream: &str) {
        self.allow(format!("$JS.API.{what}.{stream}"));
    }

    /// All streams of the installation.
    fn streams(&self) -> Vec<String> {
        let names = self.names;
        let heartbeats = (0..PARTITIONS).map(|number| names.heartbeats_stream(PartitionId(number)));
        let queues = [QueueName::Alerts, QueueName::Deliveries].map(|queue| names.queue_stream(queue));
        let registries = RecordKind::ALL.map(|kind| names.registry_stream(kind));
        let others = [names.shares_stream(), names.checkpoints_stream()];
        heartbeats.chain(queues).chain(registries).chain(others).collect()
    }

    /// The state of every stream: each role checks at its start that they exist.
    fn look(&mut self) {
        self.streams().iter().for_each(|stream| self.api("STREAM.INFO", stream));
    }

    fn make(&mut self) {
        for stream in self.streams() {
            self.api("STREAM.CREATE", &stream);
            self.api("STREAM.UPDATE", &stream);
        }
    }

    /// Single messages of a stream.
    fn get(&mut self, stream: &str) {
        self.api("STREAM.MSG.GET", stream);
    }

    /// All messages of a stream. A consumer has no name, so nothing follows the stream's name in the first
    /// subject.
    fn follow(&mut self, stream: &str) {
        self.api("CONSUMER.CREATE", stream);
        self.allow(format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.*"));
    }

    /// Frames, and changes of definitions.
    fn heartbeats(&mut self) {
        self.allow(format!("{}.heartbeats.*", self.names.prefix()));
    }

    /// All frames.
    fn read_heartbeats(&mut self) {
        (0..PARTITIONS).for_each(|number| self.follow(&self.names.heartbeats_stream(PartitionId(number))));
    }

    /// The times of frames: ingest learns from them how far clocks are apart, a scheduler where its log
    /// begins.
    fn times_of_heartbeats(&mut self) {
        (0..PARTITIONS).for_each(|number| self.get(&self.names.heartbeats_stream(PartitionId(number))));
    }

    /// Reading and writing these kinds of records. Readers send pulses through the streams.
    fn registry(&mut self, read: &[RecordKind], written: &[RecordKind]) {
        // The subjects are the same with any number of partitions.
        let keys = Keys::new(&self.names.registry_root(), 1);
        for kind in read {
            let stream = self.names.registry_stream(*kind);
            self.get(&stream);
            self.follow(&stream);
            self.allow(keys.pulse(*kind, "*"));
        }
        written.iter().for_each(|kind| self.allow(keys.of_kind(*kind)));
    }

    /// Messages of a queue, one by one.
    fn rows(&mut self, queue: QueueName) {
        self.get(&self.names.queue_stream(queue));
        let subjects = Subjects::new(self.names.queue_subjects(queue));
        (0..SHARDS).for_each(|shard| self.allow(subjects.shard(shard)));
    }

    /// Members and leases of the queues' shards.
    fn shares(&mut self) {
        let stream = self.names.shares_stream();
        self.get(&stream);
        self.follow(&stream);
        self.allow(format!("$KV.{}.>", self.names.shares_bucket()));
    }

    /// Checkpoints are replaced, and the chunks of the old one purged.
    fn checkpoints(&mut self) {
        let (stream, bucket) = (self.names.checkpoints_stream(), self.names.checkpoints_bucket());
        self.get(&stream);
        self.follow(&stream);
        self.api("STREAM.PURGE", &stream);
        self.allow(format!("$O.{bucket}.C.*"));
        self.allow(format!("$O.{bucket}.M.*"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(role: Role, subject: &str) -> bool {
        Rights::of(role, "some").publish.iter().any(|allowed| matches(allowed, subject))
    }

    fn matches(allowed: &str, subject: &str) -> bool {
        let (allowed, subject): (Vec<_>, Vec<_>) =
            (allowed.split('.').collect(), subject.split('.').collect());
        let open = allowed.last() == Some(&">");
        let depth = if open { allowed.len() <= subject.len() } else { allowed.len() == subject.len() };
        depth && allowed.iter().zip(&subject).all(|(allowed, word)| ["*", ">", word].contains(allowed))
    }

    #[test]
    fn nobody_may_do_what_only_one_role_does() {
        use Role::{Console, Ingest, Init, Notifier, Scheduler};
        for (subject, allowed) in [
            ("$JS.API.STREAM.CREATE.some-alerts", vec![Init]),
            ("$JS.API.STREAM.UPDATE.some-registry-channel", vec![Init]),
            ("$JS.API.STREAM.DELETE.some-alerts", vec![]),
            ("$JS.API.STREAM.PURGE.some-heartbeats-0", vec![]),
            ("$JS.API.STREAM.PURGE.OBJ_some-checkpoints", vec![Scheduler]),
            ("$JS.API.STREAM.MSG.DELETE.some-alerts", vec![]),
            ("$JS.API.STREAM.LIST", vec![]),
            ("$JS.API.STREAM.INFO.other", vec![]),
            ("$JS.API.STREAM.MSG.GET.some-heartbeats-63", vec![Ingest, Scheduler]),
            ("$JS.API.CONSUMER.CREATE.some-heartbeats-0", vec![Scheduler, Console]),
            ("$JS.API.CONSUMER.CREATE.some-alerts", vec![Notifier]),
            ("$JS.API.CONSUMER.CREATE.some-deliveries", vec![Notifier]),
            ("$JS.API.STREAM.MSG.GET.some-alerts", vec![Scheduler, Notifier, Console]),
            ("$JS.API.STREAM.MSG.GET.some-deliveries", vec![Notifier, Console]),
            ("$JS.API.CONSUMER.CREATE.OBJ_some-checkpoints", vec![Scheduler, Console]),
            ("$JS.API.CONSUMER.CREATE.KV_some-shares", vec![Notifier]),
            ("$JS.API.CONSUMER.CREATE.some-registry-monitor", vec![Ingest, Scheduler, Notifier, Console]),
            ("$JS.API.STREAM.MSG.GET.some-registry-monitor", vec![Ingest, Scheduler, Notifier, Console]),
            ("$JS.API.CONSUMER.CREATE.some-registry-channel", vec![Notifier, Console]),
            ("$JS.API.STREAM.MSG.GET.some-registry-channel", vec![Notifier, Console]),
            ("$JS.API.CONSUMER.CREATE.some-registry-maintenance", vec![Notifier, Console]),
            ("$JS.API.CONSUMER.CREATE.some-registry-rebuild", vec![Scheduler, Console]),
            ("$JS.API.CONSUMER.CREATE.some-registry-key", vec![Console]),
            ("$JS.API.STREAM.MSG.GET.some-registry-key", vec![Console]),
            ("$JS.API.CONSUMER.CREATE.some-registry-token", vec![Console]),
            ("$KV.some-registry.pulse.monitor.x", vec![Ingest, Scheduler, Notifier, Console]),
            ("$KV.some-registry.pulse.channel.x", vec![Notifier, Console]),
            ("$KV.some-registry.pulse.key.x", vec![Console]),
            ("some.heartbeats.3", vec![Ingest, Scheduler, Console]),
            ("some.alerts.15.0199", vec![Scheduler, Notifier, Console]),
            ("some.alerts.number.0", vec![Scheduler]),
            ("some.deliveries.0.0199", vec![Notifier, Console]),
            ("$KV.some-registry.monitor.0.0199", vec![Console]),
            ("$KV.some-registry.token.abc", vec![Console]),
            ("$KV.some-registry.key.abc", vec![Console]),
            ("$KV.some-registry.channel.abc", vec![Notifier, Console]),
            ("$KV.some-registry.maintenance.abc", vec![Console]),
            ("$KV.some-registry.rebuild.0", vec![Scheduler, Console]),
            ("$KV.some-registry.turn.rules", vec![Console]),
            ("$KV.some-shares.shard.alerts.3", vec![Notifier]),
            ("_INBOX_ingest.a.b", vec![]),
            ("other.heartbeats.3", vec![]),
        ] {
            let found: Vec<Role> = Role::ALL.into_iter().filter(|role| may(*role, subject)).collect();
            let mut allowed = allowed;
            allowed.sort_unstable();
            assert_eq!(found, allowed, "{subject}");
        }
    }

    #[test]
    fn everybody_hears_its_own_answers_only() {
        for role in Role::ALL {
            assert_eq!(Rights::of(role, "some").subscribe, [format!("_INBOX_{}.>", role.name())]);
        }
    }
}
