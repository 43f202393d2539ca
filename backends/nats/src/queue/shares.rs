//! Which node works on which shard: every node follows the members and leases, computes the same assignment,
//! and moves towards it.
//!
//! A shard changes hands in order: its owner stops claiming from it, waits for claimed messages, and deletes
//! the lease; then the next owner takes it. Only the shards of a node that was declared dead are taken
//! without being given.

use model::chain::Chain;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::fill::Filler;
use super::membership::{Membership, bury, bury_at, delete, is_there, member_subject, put};
use super::shard::Shard;
use super::state::{OwnedShard, QueueCore, Reader};
use super::subjects::SHARDS;
use super::table::Written;
use crate::follow::{Followed, Follower, Start};
use crate::request::RequestError;
use ports::BackendError;
use ports::roster::Member;
use ports::shares::{Liveness, assign};

/// How long a node's entry may stand still before the node is declared dead.
pub(super) const LEASE: Duration = Duration::from_secs(5);
/// How often a node checks members and leases, besides when they change.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// A node that did not check for this long was frozen or cut off: it must not blame others.
const FROZEN_AFTER: Duration = Duration::from_secs(2);
/// How long a shard waits for claimed messages before it is given away; an attempt takes half of it.
const GIVEN_OVER_WITHIN: Duration = Duration::from_secs(30);
/// The same when the node leaves.
const LEFT_WITHIN: Duration = Duration::from_secs(3);
/// How often a leaving node checks for claimed messages.
const LEAVING_LOOK: Duration = Duration::from_millis(20);

/// The contents of the bucket.
#[derive(Default)]
struct View {
    /// The revisions of the members' entries.
    members: BTreeMap<String, u64>,
    leases: BTreeMap<u16, Lease>,
}

#[derive(Debug, Clone)]
struct Lease {
    revision: u64,
    owner: Option<String>,
}

/// A step towards the assignment.
#[derive(Debug)]
enum Move {
    Take { shard: u16, replaces: u64, from: Option<String> },
    GiveOver { shard: u16 },
    Disown { shard: u16, revision: u64 },
}

/// Moves the shards of this node towards the assignment.
pub(super) struct Shares {
    shared: Arc<QueueCore>,
    bucket: String,
    liveness: Liveness,
    looked_at: Option<Duration>,
    tasks: JoinSet<()>,
}

impl Shares {
    pub(super) fn new(shared: Arc<QueueCore>, bucket: String) -> Self {
        Self { shared, bucket, liveness: Liveness::new(LEASE), looked_at: None, tasks: JoinSet::new() }
    }

    /// Runs until `shutdown`, then gives every shard back.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let membership = Membership::new(Arc::clone(&self.shared), self.member(&self.shared.node));
        let beating = self.tasks.spawn(membership.run());
        while !shutdown.is_cancelled() {
            if let Some(Err(error)) = shutdown.run_until_cancelled(self.follow()).await {
                let queue = self.shared.name.as_str();
                tracing::debug!(error = %Chain(error.as_ref()), queue, "following the members and leases again");
                let _ = tokio::time::timeout(LOOK_EVERY, shutdown.cancelled()).await;
            }
        }
        self.leave().await;
        // A late beat must not follow the resignation.
        beating.abort();
        self.resign().await;
        self.tasks.shutdown().await;
    }

    fn member(&self, node: &str) -> String {
        member_subject(&self.bucket, self.shared.name.as_str(), node)
    }

    fn lease(&self, shard: u16) -> String {
        format!("$KV.{}.shard.{}.{shard}", self.bucket, self.shared.name.as_str())
    }

    async fn follow(&mut self) -> Result<(), BackendError> {
        let filters =
            vec![self.member("*"), format!("$KV.{}.shard.{}.*", self.bucket, self.shared.name.as_str())];
        let QueueCore { shares, .. } = &*self.shared;
        let mut follower =
            Follower::begin(&shares.nats, &shares.stream, filters, Start::Newest, false).await?;
        let mut view = View::default();
        let mut complete = follower.initial() == 0;
        self.liveness.forgive(self.shared.clock.elapsed());
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                followed = follower.next() => match followed? {
                    None => complete = true,
                    Some(followed) => {
                        let more = followed.pending > 0;
                        view.apply(&followed);
                        complete |= !more;
                        if more {
                            continue;
                        }
                    }
                },
                _ = look.tick() => {}
            }
            if complete {
                self.look(&view).await;
            }
        }
    }

    /// Compares the leases with the assignment, and makes the needed steps.
    async fn look(&mut self, view: &View) {
        while self.tasks.try_join_next().is_some() {}
        let now = self.shared.clock.elapsed();
        if self.looked_at.is_none_or(|at| now.saturating_sub(at) > FROZEN_AFTER) {
            self.liveness.forgive(now);
        }
        self.looked_at = Some(now);
        let beats = view.members.iter().map(|(name, beat)| Member { name: name.clone(), beat: *beat });
        self.liveness.look(&beats.collect::<Vec<_>>(), now);
        let living = self.liveness.living(now);
        let me = &self.shared.node;
        let joined = self.shared.state.lock().joined;
        if !joined || !living.contains(me) {
            return;
        }
        let dead = view.members.iter().filter(|(name, _)| !living.contains(name));
        join_all(dead.map(|(name, revision)| self.declare_dead(name, *revision))).await;
        let moves = self.moves(view, &living);
        let taken = join_all(moves.into_iter().map(|next| self.make(next))).await;
        for (shard, revision, epoch) in taken.into_iter().flatten() {
            self.hold(shard, revision, epoch);
        }
    }

    async fn declare_dead(&self, name: &str, revision: u64) {
        let queue = self.shared.name.as_str();
        match bury_at(&self.shared.shares, self.member(name), revision).await {
            Ok(true) => tracing::warn!(queue, node = name, "a node is silent; taking over its work"),
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(error = %Chain(&error), queue, node = name, "failed to declare a node dead")
            }
        }
    }

    fn moves(&self, view: &View, living: &[String]) -> Vec<Move> {
        let me = &self.shared.node;
        let now = self.shared.clock.elapsed();
        let mut moves = Vec::new();
        let mut state = self.shared.state.lock();
        for (shard, owner) in (0..).zip(assign(living, SHARDS)) {
            let mine = owner.and_then(|index| living.get(index)) == Some(me);
            let lease = view.leases.get(&shard);
            let revision = lease.map_or(0, |lease| lease.revision);
            let owner = lease.and_then(|lease| lease.owner.as_ref());
            let ours = owner == Some(me);
            if let Some(held) = state.held.get_mut(&shard) {
                if revision > held.revision && !ours {
                    let claims = held.shard.claims();
                    tracing::warn!(
                        queue = self.shared.name.as_str(),
                        shard.id = shard,
                        claims,
                        "another node took a shard of this one"
                    );
                    state.held.remove(&shard);
                } else if mine {
                    held.leaving_since = None;
                } else {
                    let since = *held.leaving_since.get_or_insert(now);
                    if held.shard.claims() == 0 || now.saturating_sub(since) > GIVEN_OVER_WITHIN {
                        moves.push(Move::GiveOver { shard });
                    }
                }
                continue;
            }
            let waits = owner.is_some_and(|owner| view.members.contains_key(owner));
            match (mine, ours) {
                (true, true) => moves.push(Move::Take { shard, replaces: revision, from: None }),
                (true, false) if waits => {}
                (true, false) => moves.push(Move::Take { shard, replaces: revision, from: owner.cloned() }),
                (false, true) => moves.push(Move::Disown { shard, revision }),
                (false, false) => {}
            }
        }
        moves
    }

    /// Makes a step. For a taken shard: its number, the revision of its lease, and the epoch of the attempt.
    async fn make(&self, next: Move) -> Option<(u16, u64, u64)> {
        let shares = &self.shared.shares;
        let written = match next {
            Move::Take { shard, replaces, from } => {
                let epoch = self.shared.state.lock().epoch;
                if let Some(owner) = from
                    && !bury(shares, self.member(&owner)).await.unwrap_or(false)
                {
                    return None;
                }
                match shares.write(&put(self.lease(shard), replaces, &self.shared.node)).await {
                    Ok(Written::As(revision)) => return Some((shard, revision, epoch)),
                    other => other,
                }
            }
            Move::GiveOver { shard } => {
                let held = self.shared.state.lock().held.remove(&shard)?;
                shares.write(&delete(self.lease(shard), held.revision, None)).await
            }
            Move::Disown { shard, revision } => {
                shares.write(&delete(self.lease(shard), revision, None)).await
            }
        };
        if let Err(error) = written {
            // The next look sees the result, and mends it.
            tracing::debug!(error = %Chain(&error), queue = self.shared.name.as_str(), "failed to change a lease");
        }
        None
    }

    /// Begins to work on a shard, unless this node was declared dead meanwhile.
    fn hold(&mut self, number: u16, revision: u64, epoch: u64) {
        let mut state = self.shared.state.lock();
        if state.epoch != epoch {
            return;
        }
        state.tenures += 1;
        let tenure = format!("{}.{}", self.shared.node, state.tenures);
        let filler = Filler::new(Arc::clone(&self.shared), number, tenure.clone());
        let reader = Reader(self.tasks.spawn(filler.run()));
        let (seen, _) = watch::channel(0);
        let shard = Shard::new(tenure);
        state.held.insert(number, OwnedShard { shard, revision, leaving_since: None, seen, _reader: reader });
    }

    /// Gives claimed messages time to be settled, then gives every shard back.
    async fn leave(&self) {
        self.shared.state.lock().closing = true;
        let deadline = Instant::now() + LEFT_WITHIN;
        let claims = || self.shared.state.lock().held.values().map(|held| held.shard.claims()).sum::<usize>();
        while claims() > 0 && Instant::now() < deadline {
            tokio::time::sleep(LEAVING_LOOK).await;
        }
        let held = std::mem::take(&mut self.shared.state.lock().held);
        let given = held.iter().map(|(shard, held)| delete(self.lease(*shard), held.revision, None));
        let given: Vec<_> = given.collect();
        // From here on nothing is claimed or settled.
        drop(held);
        let answers = join_all(given.iter().map(|write| self.shared.shares.write(write))).await;
        self.log_failures(answers.into_iter().map(|answer| answer.map(|_| ())));
    }

    /// Deletes this node's entry.
    async fn resign(&self) {
        self.shared.state.lock().joined = false;
        let subject = self.member(&self.shared.node);
        let shares = &self.shared.shares;
        let resigned = async {
            let entry = shares.read(&subject).await?;
            if let Some(entry) = entry.filter(|entry| is_there(Some(&entry.headers))) {
                bury_at(shares, subject.clone(), entry.sequence).await?;
            }
            Ok(())
        };
        self.log_failures([resigned.await]);
    }

    fn log_failures(&self, answers: impl IntoIterator<Item = Result<(), RequestError>>) {
        if let Some(error) = answers.into_iter().find_map(Result::err) {
            let queue = self.shared.name.as_str();
            tracing::info!(error = %Chain(&error), queue, "failed to leave in order; other nodes take the work over a little later");
        }
    }
}

impl View {
    fn apply(&mut self, followed: &Followed) {
        let there = is_there(followed.headers.as_ref());
        let mut words = followed.subject.rsplit('.');
        let (Some(name), Some(_queue), Some(kind)) = (words.next(), words.next(), words.next()) else {
            return;
        };
        let revision = followed.sequence;
        match kind {
            "member" if there => drop(self.members.insert(name.to_owned(), revision)),
            "member" => drop(self.members.remove(name)),
            _ => {
                let Some(shard) = name.parse().ok().filter(|shard| *shard < SHARDS) else { return };
                let owner = there.then(|| String::from_utf8_lossy(&followed.payload).into_owned());
                self.leases.insert(shard, Lease { revision, owner });
            }
        }
    }
}
