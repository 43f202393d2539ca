//! `lubdub secrets`: what servers and roles know each other by.
//!
//! - `change`: what is to be changed; `former`: what was valid before, and still is.
//! - `folders`: writes files, and reports what became of them; `next_steps`: what must happen then.
//! - `authority`: an authority of one's own, and what it certifies.
//! - `nats`: a key for each role, and what the servers are to permit them.
//! - `redis`: passwords of users that are no roles, and what Redis and Sentinel permit each user.

mod authority;
mod change;
mod folders;
mod former;
mod nats;
mod next_steps;
mod password;
mod redis;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use model::prefix::check_prefix;
use model::role::Role;
use ports::clock::{Clock, SystemClock};

use authority::{Authority, check_host, is_next};
use change::{Changed, Changes};
use folders::Folders;
use former::Former;
use next_steps::next_steps;

const EXAMPLES: &str = "\
Examples:
  lubdub secrets /etc/lubdub/secrets --nats-host nats.internal --redis-host redis.internal
  lubdub secrets /etc/lubdub/secrets --nats-host nats.internal --redis-host redis.internal \\
    --change scheduler

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
upgrade, and let the servers read it again.

--change makes a new key and password and lets the servers permit both; --retire ends what was
before. Between the two, the servers read their files again and the nodes get theirs. A changed
authority is trusted beside the former one; --retire renews the servers' certificates by it.";

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

    /// Make a new key and password for this role (init, ingest, scheduler, notifier, console; all: for all of
    /// these), or another authority; what was before stays valid; can be repeated
    #[arg(long = "change", value_name = "NAME")]
    changed: Vec<Changed>,

    /// End what was valid before the last --change
    #[arg(long, conflicts_with = "changed")]
    retire: bool,
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
        let is_pending = written?;
        report.push_str(&next_steps(&folders.changed(), is_pending));
        Ok(())
    }

    /// Whether something former is valid in the end.
    fn write(&self, folders: &mut Folders, clock: &dyn Clock) -> anyhow::Result<bool> {
        let (now, changes) = (clock.now(), Changes::of(&self.changed));
        let mut former = Former::read(folders)?;
        if self.retire {
            former = Former::default();
            Authority::retire(folders)?;
        }
        nats::note(folders, &mut former, &changes)?;
        redis::note(folders, &mut former, &changes)?;
        if changes.has_authority() {
            Authority::make_next(folders, now)?;
        }
        // First of all: a key that is changed must not be forgotten if this ends in the middle.
        former.write(folders)?;
        let authority = Authority::ensure(folders, now)?;
        authority.certify(folders, "nats", &self.nats_hosts)?;
        authority.certify(folders, "redis", &self.redis_hosts)?;
        for role in Role::ALL {
            folders.put(role.name(), "ca.pem", authority.trusted())?;
        }
        nats::write(folders, &self.prefix, &former, &changes)?;
        redis::write(folders, &self.prefix, &former, &changes)?;
        Ok(!former.is_empty() || is_next(folders)?)
    }
}

#[cfg(test)]
mod tests;
