//! Whether what a role stands on is one installation, and can be used: its NATS, which holds the truth, and
//! its Redis, which holds what follows from that.
//!
//! `lubdub init` gives an installation its identity, on NATS, and marks its Redis with it. A role that meets
//! another identity, or none, touches nothing: it would take all monitors for deleted, or forget what Redis
//! knows of them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backend_nats::{NatsBackend, NatsError};
use backend_redis::{Look, RedisBackend, RedisTrouble};
use model::chain::Chain;
use model::role::Role;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry as MetricsRegistry;
use serving::{Cause, Readiness};
use tokio::time::Instant;

/// How often a role looks at what it stands on, and how often it looks whether it is connected to NATS.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const GLANCE_EVERY: Duration = Duration::from_millis(500);

/// Looks in a row that find no installation on NATS before it is taken for lost: servers that have just
/// started may not know yet what they hold.
const LOOKS: u32 = 3;

/// The time without a connection to NATS after which the role says so: a server that restarts is away for a
/// moment.
const AWAY_AFTER: Duration = Duration::from_secs(3);

/// Looks in a row that NATS does not answer before the role says so: an election of leaders takes some
/// seconds.
const SILENT_LOOKS: u32 = 2;

/// What the lack of a Redis that may throw keys away is called.
const EVICTION: &str = "eviction";

/// Why NATS and Redis are not those of one installation, or cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallationError {
    /// NATS lost it.
    #[error("NATS held installation {own} when this node started, and holds none now: restore NATS")]
    Gone { own: String },
    /// NATS holds another one.
    #[error("NATS held installation {own} when this node started, and holds {found} now")]
    Replaced { own: String, found: String },
    /// NATS does not answer.
    #[error("NATS does not answer as it should")]
    Away(#[source] NatsError),
    /// Redis is another one's.
    #[error(
        "use Redis: it is that of installation {found}, and NATS holds {own}; is one of the two addresses wrong, or was one of \
         the two set up anew?"
    )]
    Other { own: String, found: String },
    /// Redis is marked as no installation's.
    #[error(
        "use Redis: it holds nothing of this installation; is its address wrong? if it was emptied, `lubdub init` takes it for \
         the right one, and the schedulers fill it again"
    )]
    Unmarked,
    /// Redis cannot be used.
    #[error(transparent)]
    Redis(RedisTrouble),
}

impl InstallationError {
    /// Whether a role that starts has to begin anew.
    pub(crate) const fn changes_the_servers(&self) -> bool {
        match self {
            Self::Gone { .. } | Self::Replaced { .. } => true,
            Self::Other { .. } | Self::Away(_) | Self::Unmarked | Self::Redis(_) => false,
        }
    }

    /// Whether the error stays until a person mends a setting.
    pub(crate) const fn stays_wrong(&self) -> bool {
        match self {
            Self::Redis(trouble) => trouble.stays_wrong(),
            Self::Gone { .. }
            | Self::Replaced { .. }
            | Self::Other { .. }
            | Self::Away(_)
            | Self::Unmarked => false,
        }
    }

    /// Whether a role that works has to end, for what it connected to is another installation, or none any
    /// more.
    pub(crate) const fn ends_the_role(&self) -> bool {
        match self {
            Self::Gone { .. } | Self::Replaced { .. } | Self::Other { .. } => true,
            Self::Away(_) | Self::Unmarked | Self::Redis(_) => false,
        }
    }
}

/// What a role stands on.
#[derive(Clone)]
pub(crate) struct Installation {
    role: Role,
    nats: Arc<NatsBackend>,
    redis: Option<Arc<RedisBackend>>,
    marks: bool,
}

impl Installation {
    /// That of a role on these servers; `None`: the role does not use Redis.
    pub(crate) const fn new(role: Role, nats: Arc<NatsBackend>, redis: Option<Arc<RedisBackend>>) -> Self {
        Self { role, nats, redis, marks: false }
    }

    /// The same for a role that fills a Redis again which is emptied while the role works.
    pub(crate) fn marking(self) -> Self {
        Self { marks: true, ..self }
    }

    /// Whether NATS holds the installation still that the role connected to, and Redis is its own and can be
    /// used.
    ///
    /// # Errors
    /// [`InstallationError`].
    pub(crate) async fn check(&self) -> Result<(), InstallationError> {
        self.check_nats().await?;
        self.check_redis().await.map(drop)
    }

    async fn check_nats(&self) -> Result<(), InstallationError> {
        let own = self.nats.installation();
        match self.nats.installation_now().await.map_err(InstallationError::Away)? {
            Some(found) if found == own => Ok(()),
            Some(found) => Err(InstallationError::Replaced { own: own.to_owned(), found }),
            None => Err(InstallationError::Gone { own: own.to_owned() }),
        }
    }

    /// The policy by which Redis throws keys away, if it does.
    async fn check_redis(&self) -> Result<Option<String>, InstallationError> {
        let Some(redis) = &self.redis else { return Ok(None) };
        let own = self.nats.installation();
        let Look { mark, evicts } =
            redis.mark().look(self.role, own).await.map_err(InstallationError::Redis)?;
        match mark {
            Some(found) if found == own => Ok(evicts),
            Some(found) => Err(InstallationError::Other { own: own.to_owned(), found }),
            None => Err(InstallationError::Unmarked),
        }
    }

    /// Says from now on in `readiness` and in metrics how the servers are, and returns when the role does not
    /// stand any more on what it began on.
    pub(crate) fn watch(
        self,
        readiness: Readiness,
        metrics: &mut MetricsRegistry,
    ) -> Pin<Box<dyn Future<Output = InstallationError>>> {
        let connected = Family::<[(&'static str, &'static str); 1], Gauge>::default();
        metrics.register(
            "lubdub_connected",
            "1 while the server can be used by this node",
            connected.clone(),
        );
        let info = Info::new([("installation", self.nats.installation().to_owned())]);
        metrics.register("lubdub_installation", "The installation on NATS", info);
        let (without, silent, connected_at) = (0, 0, Instant::now());
        let watch = Watch { installation: self, readiness, connected, without, silent, connected_at };
        Box::pin(watch.run())
    }

    async fn mark(&self) {
        let Some(redis) = &self.redis else { return };
        match redis.mark().set(self.nats.installation()).await {
            Ok(()) => tracing::warn!(
                "Redis had lost its mark, as after FLUSHALL or a restart without its disk; it is filled again from the heartbeat log"
            ),
            Err(error) => {
                tracing::warn!(error = %Chain(error.as_ref()), "failed to mark Redis as this installation's");
            }
        }
    }
}

/// Looks again and again at what a role stands on.
struct Watch {
    installation: Installation,
    readiness: Readiness,
    connected: Family<[(&'static str, &'static str); 1], Gauge>,
    /// Looks in a row that found no installation on NATS.
    without: u32,
    /// Looks in a row that NATS did not answer.
    silent: u32,
    /// When there was a connection to NATS.
    connected_at: Instant,
}

impl Watch {
    async fn run(mut self) -> InstallationError {
        loop {
            let installation = self.installation.clone();
            // The two do not wait for each other: one of them may answer late.
            let looks = async { tokio::join!(installation.check_nats(), installation.check_redis()) };
            tokio::pin!(looks);
            let (nats, redis) = loop {
                tokio::select! {
                    looked = &mut looks => break looked,
                    () = tokio::time::sleep(GLANCE_EVERY) => self.glance(),
                }
            };
            let holds = nats.is_ok();
            if let Some(lost) = self.nats_is(nats) {
                return lost;
            }
            if let Some(lost) = self.redis_is(redis, holds).await {
                return lost;
            }
            let next = Instant::now() + LOOK_EVERY;
            while Instant::now() < next {
                self.glance();
                tokio::time::sleep(GLANCE_EVERY).await;
            }
        }
    }

    fn nats_is(&mut self, found: Result<(), InstallationError>) -> Option<InstallationError> {
        match found {
            Ok(()) => (self.without, self.silent) = (0, 0),
            Err(lost @ InstallationError::Gone { .. }) if self.without + 1 >= LOOKS => return Some(lost),
            Err(gone @ InstallationError::Gone { .. }) => {
                self.without += 1;
                self.readiness.set(Cause::Installation, Some(gone.to_string()));
                return None;
            }
            Err(lost) if lost.ends_the_role() => return Some(lost),
            Err(error) => {
                (self.without, self.silent) = (0, self.silent + 1);
                if self.silent >= SILENT_LOOKS {
                    self.readiness.set(Cause::Nats, Some(Chain(&error).to_string()));
                }
            }
        }
        self.readiness.set(Cause::Installation, None);
        None
    }

    async fn redis_is(
        &mut self,
        found: Result<Option<String>, InstallationError>,
        nats_holds: bool,
    ) -> Option<InstallationError> {
        let reason = match found {
            Ok(evicts) => {
                let lack = evicts.map(|policy| {
                    format!(
                        "Redis may throw keys away when its memory is full, and the monitors' states with them: \
                         its maxmemory-policy is {policy}; set noeviction"
                    )
                });
                self.readiness.set_lack(EVICTION, lack);
                None
            }
            Err(InstallationError::Unmarked) if self.installation.marks && nats_holds => {
                self.installation.mark().await;
                None
            }
            Err(lost) if lost.ends_the_role() => return Some(lost),
            Err(error) => Some(Chain(&error).to_string()),
        };
        if self.installation.redis.is_some() {
            self.connected.get_or_create(&[("server", "redis")]).set(i64::from(reason.is_none()));
        }
        self.readiness.set(Cause::Redis, reason);
        None
    }

    fn glance(&mut self) {
        if self.installation.nats.is_connected() {
            self.connected_at = Instant::now();
        }
        let is_away = self.connected_at.elapsed() >= AWAY_AFTER;
        let can_be_used = !is_away && self.silent < SILENT_LOOKS;
        self.connected.get_or_create(&[("server", "nats")]).set(i64::from(can_be_used));
        if is_away {
            self.readiness.set(Cause::Nats, Some("there is no connection to NATS".to_owned()));
        } else if can_be_used {
            self.readiness.set(Cause::Nats, None);
        }
    }
}
