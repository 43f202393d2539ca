//! What is to be changed, while what it takes the place of stays valid.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use backend_redis::User;
use model::role::Role;

/// Something that can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Changeable {
    /// The key and the password of a role.
    Role(Role),
    /// The authority, and with it the certificates of the servers.
    Authority,
}

/// One or all of them, as it is said on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changed(Vec<Changeable>);

impl Changeable {
    const fn name(self) -> &'static str {
        match self {
            Self::Role(role) => role.name(),
            Self::Authority => "authority",
        }
    }

    /// Every role.
    fn roles() -> impl Iterator<Item = Self> {
        Role::ALL.into_iter().map(Self::Role)
    }
}

impl fmt::Display for Changeable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Changed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self(Changeable::roles().collect()));
        }
        let mut known = Changeable::roles().chain([Changeable::Authority]);
        known.find(|one| one.name() == text).map(|one| Self(vec![one])).ok_or_else(|| {
            let names: Vec<_> = Role::ALL.map(Role::name).to_vec();
            format!("there are {}, all (these) and authority", names.join(", "))
        })
    }
}

/// All that is to be changed.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeSet<Changeable>);

impl Changes {
    pub(super) fn of(said: &[Changed]) -> Self {
        Self(said.iter().flat_map(|one| one.0.iter().copied()).collect())
    }

    pub(super) fn has_authority(&self) -> bool {
        self.0.contains(&Changeable::Authority)
    }

    pub(super) fn has_role(&self, role: Role) -> bool {
        self.0.contains(&Changeable::Role(role))
    }

    pub(super) fn has_user(&self, user: User) -> bool {
        match user {
            User::Role(role) => self.has_role(role),
            // The operator needs the present password to make Redis read another one. The other two stand in
            // the configuration of servers.
            User::Operator | User::Replication | User::Sentinel | User::Health => false,
        }
    }
}

/// The error of a change while an earlier one is not retired.
pub(super) fn is_pending(what: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "change {what}: it was changed already, and what was before is still valid; let every server and node \
         read the new files, then run `lubdub secrets FOLDER --retire`"
    )
}
