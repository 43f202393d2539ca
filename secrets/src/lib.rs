//! `lubdub secrets`: what servers and roles know each other by.
//!
//! - `folders`: writes files, and reports which were made, renewed or kept.
//! - `authority`: an authority of one's own, and what it certifies.
//! - `nats`: a key for each role, and what the servers are to permit them.
//! - `redis`: passwords of users that are no roles, and what Redis and Sentinel permit each user.

mod authority;
mod folders;
mod nats;
mod password;
mod redis;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use model::prefix::check_prefix;
use model::role::Role;
use ports::clock::{Clock, SystemClock};

use authority::{Authority, check_host};
use folders::Folders;
use password::password;

const EXAMPLES: &str = "\
Example:
  lubdub secrets /etc/lubdub/secrets --nats-host nats.internal --redis-host redis.internal

In FOLDER:
  authority/  the authority's certificate and key: only this command needs them
  nats/       ca.pem, cert.pem, key.pem; users.conf, which nats-server's configuration includes
  redis/      ca.pem, cert.pem, key.pem; users.acl for Redis, replication.conf for one with
              replicas; sentinel.acl and sentinel-auth.conf for Sentinel; operator-password for
              the people who operate them (user operator)
  ROLE/       ca.pem, nats.nk; redis-password for all but ingest. There is one
              for init, ingest, scheduler, notifier and console: each needs its own only

Doing it again keeps keys and passwords, and renews certificates that end within 90 days or lack a
host. What each role may do is written anew, as this version of Lubdub wants it: do it at every
upgrade, and let the servers read it again.";

/// Roles that know Redis.
const REDIS_ROLES: [Role; 4] = [Role::Init, Role::Scheduler, Role::Notifier, Role::Console];

/// Make the certificates, keys and passwords of a cluster, and what its servers are to permit each role
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Secrets {
    /// Keep them in this folder; those in it may be volumes of their own
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// A name or address by which NATS is reached, besides localhost; can be repeated
    #[arg(long = "nats-host", value_name = "HOST")]
    nats_hosts: Vec<String>,

    /// A name or address by which Redis is reached, besides localhost; can be repeated
    #[arg(long = "redis-host", value_name = "HOST")]
    redis_hosts: Vec<String>,

    /// What all names on NATS and Redis begin with, as the roles are told
    #[arg(long, env = "LUBDUB_PREFIX", value_name = "NAME", default_value = "lubdub")]
    prefix: String,
}

impl Secrets {
    /// Checks what the parser of the command line cannot.
    ///
    /// # Errors
    /// The flag, and what is wrong with it.
    pub fn validate(&self) -> anyhow::Result<()> {
        check_prefix(&self.prefix)?;
        for (flag, hosts) in [("--nats-host", &self.nats_hosts), ("--redis-host", &self.redis_hosts)] {
            for host in hosts {
                check_host(host).with_context(|| format!("read {flag}"))?;
            }
        }
        Ok(())
    }

    /// Makes what is missing. `report` gets a line for each file, also when a later one fails; it never says
    /// what the secrets are.
    ///
    /// # Errors
    /// A file or certificate that cannot be read, made or written.
    pub fn run(&self, report: &mut String) -> anyhow::Result<()> {
        let mut folders = Folders::open(&self.folder)?;
        let written = self.write(&mut folders, &SystemClock::new());
        report.push_str(&folders.told());
        written
    }

    fn write(&self, folders: &mut Folders, clock: &dyn Clock) -> anyhow::Result<()> {
        let authority = Authority::ensure(folders, clock.now())?;
        authority.certify(folders, "nats", &self.nats_hosts)?;
        authority.certify(folders, "redis", &self.redis_hosts)?;
        for role in Role::ALL {
            folders.put(role.name(), "ca.pem", authority.certificate())?;
        }
        nats::write(folders, &self.prefix)?;
        let passwords = passwords(folders)?;
        redis::write(folders, &passwords, &self.prefix)
    }
}

/// The password of each role that knows Redis.
fn passwords(folders: &mut Folders) -> anyhow::Result<BTreeMap<Role, String>> {
    let mut passwords = BTreeMap::new();
    for role in REDIS_ROLES {
        let made = || Ok(format!("{}\n", password()));
        let text = folders.keep(role.name(), "redis-password", made)?;
        let password = text.trim();
        if password.is_empty() {
            anyhow::bail!("{}/redis-password is empty: remove it, and another one is made", role.name());
        }
        passwords.insert(role, password.to_owned());
    }
    Ok(passwords)
}

#[cfg(test)]
mod tests;
