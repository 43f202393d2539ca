//! Whether what a role stands on is one installation: its NATS, which holds the truth, and its Redis, which
//! holds what follows from that.
//!
//! `lubdub init` gives an installation its identity, on NATS, and marks its Redis with it. A role that meets
//! another identity, or none, touches nothing: it would take all monitors for deleted, or forget what Redis
//! knows of them.

use std::sync::Arc;
use std::time::Duration;

use backend_nats::NatsBackend;
use backend_redis::RedisBackend;
use model::chain::Chain;
use ports::BackendError;

/// How often a role looks whether it stands on what it began on.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks in a row that find no installation on NATS before it is taken for lost: servers that have just
/// started may not know yet what they hold.
const LOOKS: u32 = 3;

/// Why NATS and Redis are not those of one installation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallationError {
    /// NATS lost it.
    #[error("NATS held installation {own} when this node started, and holds none now: restore NATS")]
    Gone { own: String },
    /// NATS holds another one.
    #[error("NATS held installation {own} when this node started, and holds {found} now")]
    Replaced { own: String, found: String },
    /// Redis is another one's.
    #[error(
        "use Redis: it is that of installation {found}, and NATS holds {own}; is one of the two addresses wrong, or was one of \
         the two set up anew?"
    )]
    Other { own: String, found: String },
    /// Redis is nobody's.
    #[error(
        "use Redis: it holds nothing of this installation; is its address wrong? if it was emptied, `lubdub init` takes it for \
         the right one, and the schedulers fill it again"
    )]
    Unmarked,
    /// Redis does not answer.
    #[error("ask Redis whose it is")]
    Silent(#[source] BackendError),
}

/// What a role stands on.
#[derive(Clone)]
pub(crate) struct Installation {
    nats: Arc<NatsBackend>,
    redis: Option<Arc<RedisBackend>>,
    marks: bool,
}

impl Installation {
    /// That of a role on these servers; `None`: the role does not use Redis.
    pub(crate) const fn new(nats: Arc<NatsBackend>, redis: Option<Arc<RedisBackend>>) -> Self {
        Self { nats, redis, marks: false }
    }

    /// The same for a role that fills a Redis again which is emptied while the role works.
    pub(crate) fn marking(self) -> Self {
        Self { marks: true, ..self }
    }

    /// Whether Redis is that of the installation on NATS.
    ///
    /// # Errors
    /// [`InstallationError`].
    pub(crate) async fn check(&self) -> Result<(), InstallationError> {
        let Some(redis) = &self.redis else { return Ok(()) };
        let own = self.nats.installation();
        match redis.mark().read().await.map_err(InstallationError::Silent)? {
            Some(found) if found == own => Ok(()),
            Some(found) => Err(InstallationError::Other { own: own.to_owned(), found }),
            None => Err(InstallationError::Unmarked),
        }
    }

    /// Returns when the role does not stand any more on what it began on.
    pub(crate) async fn lost(&self) -> InstallationError {
        let own = self.nats.installation();
        let mut without = 0;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // What does not answer is told by those who need it.
            match self.nats.installation_now().await {
                Ok(Some(found)) if found != own => {
                    return InstallationError::Replaced { own: own.to_owned(), found };
                }
                Ok(Some(_)) | Err(_) => without = 0,
                Ok(None) => without += 1,
            }
            if without >= LOOKS {
                return InstallationError::Gone { own: own.to_owned() };
            }
            match self.check().await {
                Err(InstallationError::Unmarked) if self.marks && without == 0 => self.mark().await,
                Err(error @ InstallationError::Other { .. }) => return error,
                Ok(()) | Err(_) => {}
            }
        }
    }

    async fn mark(&self) {
        let Some(redis) = &self.redis else { return };
        match redis.mark().set(self.nats.installation()).await {
            Ok(()) => tracing::warn!("Redis was emptied; it is filled again from the heartbeat log"),
            Err(error) => {
                tracing::warn!(error = %Chain(error.as_ref()), "failed to mark Redis as this installation's");
            }
        }
    }
}
