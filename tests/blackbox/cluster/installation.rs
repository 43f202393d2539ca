//! A whole installation: NATS, Redis, and any number of each role.

use std::collections::BTreeMap;

use servers::{NatsCluster, NatsServer, RedisServer};
use tempfile::TempDir;

use super::node::{Node, Role};
use crate::api::Api;
use crate::harness::{Finished, Process, directory, eventually, lubdub};
use crate::receiver::Receiver;

/// Partitions of every installation here.
pub(super) const PARTITIONS: u16 = 4;

/// The last lines of a log that are shown when a test fails.
const SHOWN_LINES: usize = 150;

/// How an installation is made.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) ingest: usize,
    pub(super) scheduler: usize,
    pub(super) notifier: usize,
    /// Three NATS servers that keep three copies.
    pub(super) replicated: bool,
    /// Redis has an append-only file, and so loses nothing; else it has snapshots.
    pub(super) appending: bool,
    /// Heartbeats of each monitor that are kept to look at.
    pub(super) history: u32,
}

impl Plan {
    /// Two of each.
    pub(super) const USUAL: Self =
        Self { ingest: 2, scheduler: 2, notifier: 2, replicated: false, appending: true, history: 10_000 };
}

/// One nats-server, or three.
#[derive(Debug)]
pub(super) enum Nats {
    One(NatsServer),
    Three(NatsCluster),
}

impl Nats {
    pub(super) fn url(&self) -> String {
        match self {
            Self::One(server) => server.url(),
            Self::Three(cluster) => cluster.url(),
        }
    }

    /// The only one.
    #[track_caller]
    pub(super) fn only(&mut self) -> &mut NatsServer {
        match self {
            Self::One(server) => server,
            Self::Three(_) => panic!("there are three"),
        }
    }

    /// The cluster of three.
    #[track_caller]
    pub(super) fn three(&mut self) -> &mut NatsCluster {
        match self {
            Self::One(_) => panic!("there is one"),
            Self::Three(cluster) => cluster,
        }
    }
}

/// A running installation.
#[derive(Debug)]
pub(super) struct Installation {
    // In this order: the nodes do not outlive what they stand on.
    nodes: BTreeMap<Role, Vec<Node>>,
    pub(super) nats: Nats,
    pub(super) redis: RedisServer,
    /// Hears what monitors do.
    pub(super) receiver: Receiver,
    /// Hears of Lubdub itself.
    pub(super) operator: Receiver,
    plan: Plan,
    home: TempDir,
}

impl Installation {
    /// Starts one and waits until every node is ready.
    #[track_caller]
    pub(super) fn start(plan: Plan) -> Self {
        let nats = if plan.replicated {
            Nats::Three(NatsCluster::start())
        } else {
            Nats::One(NatsServer::start_durable())
        };
        let redis =
            if plan.appending { RedisServer::start() } else { RedisServer::with_settings(&["--save", ""]) };
        let (receiver, operator, home) = (Receiver::start(), Receiver::start(), directory());
        let counts = [
            (Role::Ingest, plan.ingest),
            (Role::Scheduler, plan.scheduler),
            (Role::Notifier, plan.notifier),
            (Role::Console, 1),
        ];
        let mut cluster = Self { nodes: BTreeMap::new(), nats, redis, receiver, operator, plan, home };
        cluster.init();
        for (role, count) in counts {
            for _ in 0..count {
                cluster.add(role);
            }
        }
        cluster.nodes.values_mut().flatten().for_each(Node::launch);
        cluster.until_ready();
        cluster.api().channel("ops", &cluster.receiver.url());
        cluster
    }

    #[track_caller]
    fn init(&self) {
        let finished = self.try_init(&[]);
        assert!(finished.status.success(), "{finished:?}");
    }

    /// Runs `lubdub init` with further flags.
    #[track_caller]
    pub(super) fn try_init(&self, more: &[&str]) -> Finished {
        let mut command = lubdub(self.home.path());
        command
            .args(["init", "--partitions", &PARTITIONS.to_string(), "--redis", &self.redis.url()])
            .args(self.nats_flags(&self.nats.url()))
            .args(more);
        Process::start(&mut command).finish()
    }

    fn nats_flags(&self, nats: &str) -> Vec<String> {
        let mut flags = ["--nats", nats].map(str::to_owned).to_vec();
        if self.plan.replicated {
            flags.extend(["--replicas".to_owned(), "3".to_owned()]);
        }
        flags
    }

    fn flags(&self, role: Role, index: usize, nats: &str, redis: &str) -> Vec<String> {
        let mut flags = self.nats_flags(nats);
        let mut more = |flag: &str, value: &str| flags.extend([flag.to_owned(), value.to_owned()]);
        match role {
            Role::Ingest => {
                more("--node", &format!("node-{index}"));
                more("--push-limit", "0");
            }
            Role::Scheduler => {
                more("--redis", redis);
                more("--history", &self.plan.history.to_string());
                more("--meta-webhook", &self.operator.url());
            }
            Role::Notifier => {
                more("--redis", redis);
                more("--allow-private", "127.0.0.0/8");
            }
            Role::Console => {
                more("--redis", redis);
                more("--allow-private", "127.0.0.0/8");
                let ingest = self.nodes.get(&Role::Ingest).and_then(|nodes| nodes.first());
                let address = ingest.expect("there is a node of ingest").address();
                more("--public-url", &format!("http://{address}"));
            }
        }
        flags
    }

    /// Adds a node that does not run yet; its index.
    pub(super) fn add(&mut self, role: Role) -> usize {
        let (nats, redis) = (self.nats.url(), self.redis.url());
        self.add_by(role, &nats, &redis)
    }

    /// Adds a node that does not run yet and reaches the servers by these addresses.
    pub(super) fn add_by(&mut self, role: Role, nats: &str, redis: &str) -> usize {
        let index = self.nodes.get(&role).map_or(0, Vec::len);
        let flags = self.flags(role, index, nats, redis);
        let node = Node::new(role, index, self.home.path(), flags);
        self.nodes.entry(role).or_default().push(node);
        index
    }

    /// A node by its role and index.
    #[track_caller]
    pub(super) fn node(&mut self, role: Role, index: usize) -> &mut Node {
        self.nodes.get_mut(&role).and_then(|nodes| nodes.get_mut(index)).expect("there is such a node")
    }

    /// The nodes of a role.
    pub(super) fn nodes(&self, role: Role) -> &[Node] {
        self.nodes.get(&role).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every node, to do something with.
    pub(super) fn every_node(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.values_mut().flatten()
    }

    /// Every node.
    pub(super) fn all_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().flatten()
    }

    /// Waits until every node that runs says that it can do its job.
    #[track_caller]
    pub(super) fn until_ready(&mut self) {
        self.nodes.values_mut().flatten().filter(|node| node.runs()).for_each(Node::until_ready);
    }

    /// Waits until the running schedulers hold all partitions, each one's owner being sure of it.
    #[track_caller]
    pub(super) fn until_held(&self) {
        eventually("every partition is held by one scheduler", || {
            let running = self.nodes(Role::Scheduler).iter().filter(|node| node.runs());
            let held: Option<f64> = running.map(|node| node.metric("lubdub_scheduler_partitions")).sum();
            (held == Some(f64::from(PARTITIONS))).then_some(())
        });
    }

    /// A metric's sum over the running nodes of a role that answer.
    pub(super) fn metric(&self, role: Role, name: &str) -> f64 {
        self.nodes(role).iter().filter(|node| node.runs()).filter_map(|node| node.metric(name)).sum()
    }

    /// The management API.
    #[track_caller]
    pub(super) fn api(&self) -> Api {
        Api::new(self.nodes(Role::Console).first().expect("there is a console").address())
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for node in self.all_nodes() {
            let said = node.said();
            let lines: Vec<&str> = said.lines().collect();
            eprintln!("--- {node} said, at last:");
            for line in lines.iter().skip(lines.len().saturating_sub(SHOWN_LINES)) {
                eprintln!("{line}");
            }
        }
    }
}
