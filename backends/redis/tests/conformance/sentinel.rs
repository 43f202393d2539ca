//! The primary dies, is demoted, comes back: its followers go on with the new one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backend_redis::{RedisBackend, RedisError, RedisOptions, User, sentinel_acl, server_acl};
use model::ids::PartitionId;
use model::role::Role;
use ports::clock::ManualClock;
use ports::roster::Roster;
use ports::state_store::{Lease, StateError, StateReader, StateStore};
use servers::{Authority, WatchedLogins, WatchedRedis};

use crate::adapter::connect;
use crate::secured::{options, password};
use conformance::sample::{START, at, head, monitor, state};
use conformance::suite::state_store::commit;
use doubles::eventually;

const P: PartitionId = PartitionId(0);
/// Pause of a poll that goes on for seconds.
const STEP: Duration = Duration::from_millis(50);

async fn ready(watched: &WatchedRedis) {
    eventually("the Sentinels know each other", async || watched.is_ready().then_some(())).await;
}

async fn secured() -> (WatchedRedis, Authority) {
    let authority = Authority::new();
    let (replication, sentinel) = (password(User::Replication), password(User::Sentinel));
    let given = |user: User| format!(">{}", password(user));
    let watched = WatchedRedis::secured(
        &authority,
        WatchedLogins {
            replication: (User::Replication.name(), &replication),
            sentinel: (User::Sentinel.name(), &sentinel),
            servers_acl: &server_acl("lubdub", given),
            sentinels_acl: &sentinel_acl(given),
        },
    );
    ready(&watched).await;
    (watched, authority)
}

/// Commits under a lease, one offset after the other.
struct Committing {
    store: Arc<dyn StateStore>,
    lease: Lease,
    number: u64,
    applied: u64,
    /// Number of failed calls, and the longest time without a commit.
    failed: u32,
    longest: Duration,
    /// Number of acknowledged commits that were lost.
    lost: u64,
}

impl Committing {
    async fn begin(store: Arc<dyn StateStore>) -> Self {
        let lease = store.acquire(P, "owner").await.expect("acquire");
        Self { store, lease, number: 0, applied: 0, failed: 0, longest: Duration::ZERO, lost: 0 }
    }

    /// Makes the next commit. After the server lost the last one, or the lease, it continues from the stored
    /// offset.
    async fn next(&mut self) {
        let began = Instant::now();
        eventually("a commit", async || match self.commit().await {
            Ok(()) => Some(()),
            Err(StateError::Unavailable(_)) => {
                self.failed += 1;
                None
            }
            Err(StateError::Fenced | StateError::OutOfOrder { .. }) => {
                self.retake().await.inspect_err(|_| self.failed += 1).ok();
                None
            }
            Err(error @ (StateError::Held { .. } | StateError::TooLarge { .. })) => panic!("{error:?}"),
        })
        .await;
        self.longest = self.longest.max(began.elapsed());
    }

    async fn commit(&mut self) -> Result<(), StateError> {
        let states = vec![(monitor(1), Some(state(1, Some(at(5)))))];
        let next = commit(self.applied, self.applied + 1, self.number + 1, states);
        self.store.commit(&self.lease, &next).await?;
        self.applied += 1;
        self.number += 1;
        Ok(())
    }

    async fn retake(&mut self) -> Result<(), StateError> {
        self.lease = self.store.acquire(P, "owner").await?;
        self.number = 0;
        let found = self.store.load_head(&self.lease).await?.applied.0;
        self.lost += self.applied - found;
        self.applied = found;
        Ok(())
    }
}

/// Whether a server has all data of the primary: then Redis shows equal offsets on both.
async fn replicated(watched: &mut WatchedRedis, primary: usize, number: u64) {
    let replica = watched.server(1 - primary);
    let applied = number.to_string();
    let found = || replica.cli(&["HGET", "lubdub:{p0}:meta", "applied"]).trim() == applied;
    eventually("the replica has the last commit", async || found().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_the_primary_goes_on_when_it_is_killed() {
    let (mut watched, authority) = secured().await;
    let options = options(watched.url(), &authority, User::Role(Role::Scheduler));
    let clock = Arc::new(ManualClock::new(START));
    let backend = RedisBackend::connect(options, clock).await.expect("connect");
    let roster = backend.roster("scheduler").await.expect("connect");
    let mut committing = Committing::begin(backend.state()).await;
    for _ in 0..10 {
        committing.next().await;
    }
    replicated(&mut watched, 0, 10).await;
    watched.server(0).kill();
    committing.next().await;
    println!("killed: {} calls failed, {:?} without a commit", committing.failed, committing.longest);
    assert_eq!(committing.lost, 0, "everything had been replicated");
    assert!(committing.longest < Duration::from_secs(10), "{:?}", committing.longest);
    roster.beat("a").await.expect("beat");
    let applied = || ["HGET", "lubdub:{p0}:meta", "applied"];
    assert_eq!(watched.server(1).cli(&applied()).trim(), "11");
    assert_eq!(backend.state().head(P).await.expect("head"), head(11));

    // For some seconds the old server still takes itself for the primary.
    watched.server(0).restart();
    // The sentinels demote it. But they give a new primary a second to answer them, and if it does not, they
    // promote the old one again and demote the new one.
    let demoted = |watched: &mut WatchedRedis| {
        (0..2).find(|server| watched.server(*server).cli(&["ROLE"]).starts_with("slave"))
    };
    let replica = loop {
        if let Some(replica) = demoted(&mut watched) {
            break replica;
        }
        committing.next().await;
        // Sentinels without processor time demote no server.
        tokio::time::sleep(STEP).await;
    };
    let before = committing.applied;
    replicated(&mut watched, 1 - replica, before).await;
    committing.next().await;
    assert_eq!(watched.server(1 - replica).cli(&applied()).trim(), committing.applied.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_demoted_is_left_before_it_knows() {
    let mut watched = WatchedRedis::start();
    ready(&watched).await;
    let mut committing = Committing::begin(connect(watched.url()).await.state()).await;
    committing.next().await;
    replicated(&mut watched, 0, 1).await;
    watched.fail_over();
    let began = Instant::now();
    // The old server takes itself for the primary, and takes commits, until it hears of the new one.
    let applied = ["HGET", "lubdub:{p0}:meta", "applied"];
    loop {
        let promoted = watched.server(1).cli(&["ROLE"]).starts_with("master");
        committing.next().await;
        if promoted && watched.server(1).cli(&applied).trim() == committing.applied.to_string() {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "it is followed no sooner than the old one is told"
        );
    }
    println!(
        "demoted: followed {:?} later, {} calls failed, {:?} without a commit, {} commits lost",
        began.elapsed(),
        committing.failed,
        committing.longest,
        committing.lost
    );
    assert!(committing.longest < Duration::from_secs(5), "{:?}", committing.longest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_is_not_found_for_who_is_wrong_about_its_name_or_password() {
    let (watched, authority) = secured().await;
    let right = || options(watched.url(), &authority, User::Role(Role::Console));
    let refused = async |options: RedisOptions| {
        let refused = RedisBackend::connect(options, Arc::new(ManualClock::new(START))).await;
        refused.err().expect("it is refused")
    };
    let error = refused(RedisOptions { url: right().url.replace("/test", "/other"), ..right() }).await;
    assert!(matches!(&error, RedisError::Name { name } if name == "other"), "{error:?}");
    let error = refused(RedisOptions { password: None, user: None, ..right() }).await;
    assert!(matches!(error, RedisError::Login(_)), "{error:?}");
    let error = refused(options(watched.url(), &Authority::new(), User::Role(Role::Console))).await;
    assert!(matches!(error, RedisError::Tls(_)), "{error:?}");
}
