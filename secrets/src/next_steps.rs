//! Pure. What must happen after files changed: which server must read what again, and who does so by itself.

use std::fmt::Write as _;

use model::role::Role;

/// What must happen next, a step a line; empty if nothing must. `changed` are the files that are other than
/// before, as FOLDER/FILE; `is_pending`: something former is still valid.
pub(super) fn next_steps(changed: &[&str], is_pending: bool) -> String {
    let is_changed = |file: &str| changed.contains(&file);
    let any = |files: &[&str]| files.iter().any(|file| is_changed(file));
    let mut steps = Vec::new();
    if any(&["nats/users.conf", "nats/ca.pem", "nats/cert.pem", "nats/key.pem"]) {
        steps.push("each NATS server gets nats/ and reads it again: nats-server --signal reload".to_owned());
    }
    let is_restart = any(&[
        "redis/ca.pem",
        "redis/cert.pem",
        "redis/key.pem",
        "redis/replication.conf",
        "redis/sentinel-auth.conf",
    ]);
    if is_restart {
        steps.push("each Redis, and each Sentinel if there are any, gets redis/ and is started again, replicas first".to_owned());
    } else {
        for (file, server) in
            [("redis/users.acl", "Redis"), ("redis/sentinel.acl", "Sentinel, if there are any,")]
        {
            if is_changed(file) {
                steps.push(format!(
                    "each {server} gets redis/ and reads {file} again: ACL LOAD, as the user operator"
                ));
            }
        }
    }
    for role in Role::ALL {
        let prefix = format!("{role}/");
        let files: Vec<_> = changed.iter().filter_map(|file| file.strip_prefix(&prefix)).collect();
        if !files.is_empty() {
            let files = files.join(", ");
            steps.push(match role {
                Role::Init => format!("the next lubdub init gets {files}"),
                Role::Ingest | Role::Scheduler | Role::Notifier | Role::Console => {
                    format!("then each node of {role} gets {files}, and reads that again by itself")
                }
            });
        }
    }
    if is_pending && !steps.is_empty() {
        steps.push(
            "what was before stays valid; when each node has what is new: lubdub secrets FOLDER --retire"
                .to_owned(),
        );
    }
    let mut text = String::new();
    if !steps.is_empty() {
        text.push_str("\nnext:\n");
    }
    for (number, step) in (1..).zip(steps) {
        let _ = writeln!(text, "  {number}. {step}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_and_role_that_is_concerned_is_told_what_to_read() {
        assert_eq!(next_steps(&[], true), "");
        let changed = [
            "authority/former",
            "scheduler/nats.nk",
            "scheduler/redis-password",
            "nats/users.conf",
            "redis/users.acl",
        ];
        assert_eq!(
            next_steps(&changed, true),
            "\nnext:\n  \
             1. each NATS server gets nats/ and reads it again: nats-server --signal reload\n  \
             2. each Redis gets redis/ and reads redis/users.acl again: ACL LOAD, as the user operator\n  \
             3. then each node of scheduler gets nats.nk, redis-password, and reads that again by itself\n  \
             4. what was before stays valid; when each node has what is new: lubdub secrets FOLDER --retire\n"
        );
        let retired = next_steps(&["redis/cert.pem", "redis/users.acl"], false);
        assert!(
            retired.contains("started again, replicas first") && !retired.contains("ACL LOAD"),
            "{retired}"
        );
    }
}
