//! Pure. The rights of each user on Redis and on Sentinel: no more than its work takes.
//!
//! Commands are listed one by one, those of our scripts included, for a script's commands count as its
//! user's. A key pattern with `%R` is for reading only. A user that is not listed cannot log in.

use std::fmt::Write as _;

use model::role::Role;

/// The users of Redis and Sentinel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum User {
    /// A node of a role.
    Role(Role),
    /// A replica, on its primary.
    Replication,
    /// A Sentinel, on the servers that it watches and on the other Sentinels.
    Sentinel,
    /// The operator: reloads these rights, backs up, switches to a replica.
    Operator,
    /// A health check. It has no password.
    Health,
}

/// The commands of the scheduler: leases, states, wake-ups and alerts; history; the roster.
const SCHEDULER: &str = "+info +role +multi +exec +evalsha +script|load +time \
     +hget +hmget +hgetall +hset +hdel +hincrby \
     +zadd +zrem +zrange +zrangebyscore +zremrangebyscore \
     +lindex +llen +linsert +rpush +ltrim +unlink";

/// The commands for keeping deliveries.
const DELIVERIES: &str =
    "+info +role +evalsha +script|load +hget +hset +hdel +zadd +zrem +zcard +zrange +zrangebylex";

/// Further commands of the notifier: the ledger, and monitors' states, in transactions; outputs, to read.
const NOTIFIER: &str = "+multi +exec +hgetall +hlen +time +eval_ro +lindex +lrange";

/// Further commands of the console, for reading; none runs a script that might write.
const CONSOLE: &str = "+multi +exec +eval_ro +hmget +zrevrangebylex +lindex +lrange";

/// The commands of a Sentinel on the servers that it watches, by Redis' documentation.
const WATCHING: &str = "&__sentinel__:hello +ping +info +role +publish +subscribe +multi +exec +slaveof +replicaof \
     +config|rewrite +client|setname +client|kill +script|kill";

/// The commands of `lubdub init`: whose Redis it is, and how many monitors it knows; with `--new` it removes
/// what there is of another installation.
const INIT: &str = "+info +role +hget +hset +exists +hlen +scan +keys +unlink";

/// The operator sees how the servers are, not their data.
const OPERATING: &str = "+ping +info +role +dbsize +acl|load +acl|log +acl|whoami +bgsave +lastsave +client|list \
     +slowlog|get +latency|latest";

/// No client can log in as `default`, but it must be allowed everything: Redis 7.0 reads its own append-only
/// file as this user, and skips every transaction in it that the user may not make.
const DEFAULT: &str = "user default reset off ~* &* +@all\n";

impl User {
    /// All users with a password.
    pub const NAMED: [Self; 7] = [
        Self::Role(Role::Scheduler),
        Self::Role(Role::Notifier),
        Self::Role(Role::Console),
        Self::Role(Role::Init),
        Self::Replication,
        Self::Sentinel,
        Self::Operator,
    ];

    /// The name to log in with.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Role(role) => role.name(),
            Self::Replication => "replication",
            Self::Sentinel => "sentinel",
            Self::Operator => "operator",
            Self::Health => "health",
        }
    }

    /// The rules of Redis' access control for the installation whose keys begin with `prefix`; `None` for
    /// users that have no business there.
    #[must_use]
    pub fn rules(self, prefix: &str) -> Option<String> {
        let (partitions, history) = (format!("{prefix}:{{p*}}:*"), format!("{prefix}:{{h*}}:*"));
        let (deliveries, roster) = (format!("{prefix}:{{deliveries}}:*"), format!("{prefix}:{{roster}}:*"));
        let (mark, probe) =
            (format!("{prefix}:{{installation}}"), format!("{prefix}:{{installation}}:probe"));
        match self {
            Self::Role(Role::Init) => Some(format!("~{prefix}:{{*}}* {INIT}")),
            Self::Role(Role::Scheduler) => {
                // Times and ids of what has not arrived: the operator is told when that is late.
                let pending = format!("{prefix}:{{deliveries}}:s:0");
                Some(format!("~{mark} ~{probe} ~{partitions} ~{history} ~{roster} %R~{pending} {SCHEDULER}"))
            }
            Self::Role(Role::Notifier) => {
                // Messages tell the end of an output. A script looks whether its heartbeat is still known.
                let (outputs, heartbeats) = (format!("{prefix}:{{h*}}:o:*"), format!("{prefix}:{{h*}}:b:*"));
                Some(format!(
                    "%R~{mark} ~{probe} %R~{partitions} %R~{outputs} %R~{heartbeats} ~{deliveries} {DELIVERIES} {NOTIFIER}"
                ))
            }
            Self::Role(Role::Console) => Some(format!(
                "%R~{mark} ~{probe} %R~{partitions} %R~{history} ~{deliveries} {DELIVERIES} {CONSOLE}"
            )),
            Self::Role(Role::Ingest) => None,
            Self::Replication => Some("+psync +replconf +ping".to_owned()),
            Self::Sentinel => Some(WATCHING.to_owned()),
            Self::Operator => Some(OPERATING.to_owned()),
            Self::Health => Some("+ping".to_owned()),
        }
    }

    /// The rules of Sentinel's access control.
    #[must_use]
    pub const fn sentinel_rules(self) -> Option<&'static str> {
        match self {
            Self::Role(Role::Init | Role::Scheduler | Role::Notifier | Role::Console) => {
                Some("+sentinel|get-master-addr-by-name +sentinel|master")
            }
            Self::Role(Role::Ingest) | Self::Replication => None,
            Self::Sentinel => {
                Some("&__sentinel__:hello +ping +publish +client|setname +sentinel|is-master-down-by-addr")
            }
            Self::Operator => Some(
                "+ping +info +acl|load +acl|log +acl|whoami +sentinel|masters +sentinel|master +sentinel|replicas \
                 +sentinel|sentinels +sentinel|ckquorum +sentinel|failover",
            ),
            Self::Health => Some("+ping"),
        }
    }
}

/// An ACL file for Redis. `password` gives a user's password as a rule: `#` and its SHA-256 in hex, or `>`
/// and the password.
#[must_use]
pub fn server_acl(prefix: &str, password: impl Fn(User) -> String) -> String {
    acl(|user| user.rules(prefix), password)
}

/// An ACL file for Sentinel, like [`server_acl`].
#[must_use]
pub fn sentinel_acl(password: impl Fn(User) -> String) -> String {
    acl(|user| user.sentinel_rules().map(str::to_owned), password)
}

fn acl(rules: impl Fn(User) -> Option<String>, password: impl Fn(User) -> String) -> String {
    let mut file = DEFAULT.to_owned();
    for user in User::NAMED {
        if let Some(rules) = rules(user) {
            let (name, password) = (user.name(), password(user));
            let _ = writeln!(file, "user {name} reset on {password} {rules}");
        }
    }
    if let Some(rules) = rules(User::Health) {
        let _ = writeln!(file, "user {} reset on nopass {rules}", User::Health.name());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acl_file_has_a_line_for_everybody_who_may_do_something() {
        let file = server_acl("lubdub", |user| format!(">of-{}", user.name()));
        let lines: Vec<&str> = file.lines().collect();
        assert!(lines[0].starts_with("user default reset off "));
        let names: Vec<_> = lines.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        let expected = [
            "default",
            "scheduler",
            "notifier",
            "console",
            "init",
            "replication",
            "sentinel",
            "operator",
            "health",
        ];
        assert_eq!(names, expected);
        assert!(lines[2].starts_with(
            "user notifier reset on >of-notifier %R~lubdub:{installation} ~lubdub:{installation}:probe %R~lubdub:{p*}:* %R~lubdub:{h*}:o:* %R~lubdub:{h*}:b:* ~lubdub:{deliveries}:* +info "
        ));
        assert_eq!(lines[8], "user health reset on nopass +ping");
        assert_eq!(sentinel_acl(|_| "#0".to_owned()).lines().count(), 8);
    }

    #[test]
    fn nobody_has_a_whole_category_of_commands() {
        for user in User::NAMED.into_iter().chain([User::Health]) {
            let rules = [user.rules("lubdub"), user.sentinel_rules().map(str::to_owned)];
            for rule in rules.iter().flatten().flat_map(|rules| rules.split_whitespace()) {
                assert!(!rule.contains('@') && !rule.starts_with("all") && rule != "~*", "{user:?}: {rule}");
            }
        }
    }
}
