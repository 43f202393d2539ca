//! Why a Redis that worked cannot be used any more, by what its operator can do about it.

use ports::BackendError;

use super::error::OLDEST;

/// Why a Redis that worked cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum RedisTrouble {
    /// Its memory is full.
    #[error("Redis is full: give it more memory (maxmemory), or keep less there (--history)")]
    Full,
    /// It is a replica, or was told to be.
    #[error("Redis can only be read, for it is a replica: --redis must lead to the primary")]
    ReadOnly,
    /// It takes no writes, because it cannot save what it has.
    #[error("Redis takes no writes, because it cannot save to its disk: its log says why")]
    Disk,
    /// It takes no writes, because too few replicas would have them.
    #[error("Redis takes no writes, because too few of its replicas are there (min-replicas-to-write)")]
    Replicas,
    /// It refuses the user or the password.
    #[error(
        "Redis refuses the password of this role: are its file and the server's users.acl of one `lubdub secrets`?"
    )]
    Login,
    /// The user may not do what its role needs.
    #[error(
        "Redis forbids this role what it needs: run `lubdub secrets`, and let the server read its users.acl again (ACL LOAD)"
    )]
    Forbidden,
    /// Another program runs there.
    #[error("Redis is version {found}, and must be at least {}.{}, or Valkey", OLDEST.0, OLDEST.1)]
    Version {
        /// The version.
        found: String,
    },
    /// It does not answer, or says something else.
    #[error("Redis does not answer as it should")]
    Silent(#[source] BackendError),
}

impl RedisTrouble {
    /// Whether the error stays until a person mends a setting.
    #[must_use]
    pub const fn stays_wrong(&self) -> bool {
        match self {
            Self::Login | Self::Forbidden | Self::Version { .. } => true,
            Self::Full | Self::ReadOnly | Self::Disk | Self::Replicas | Self::Silent(_) => false,
        }
    }

    /// Recognises what a call failed by.
    pub(super) fn of(error: BackendError) -> Self {
        let code = error.downcast_ref::<::redis::RedisError>().and_then(::redis::RedisError::code);
        match code {
            Some("OOM") => Self::Full,
            Some("READONLY") => Self::ReadOnly,
            Some("MISCONF") => Self::Disk,
            Some("NOREPLICAS") => Self::Replicas,
            Some("WRONGPASS" | "NOAUTH") => Self::Login,
            Some("NOPERM") => Self::Forbidden,
            Some(_) | None => Self::Silent(error),
        }
    }
}
