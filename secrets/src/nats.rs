//! A key for each role on NATS, and what the servers are to permit it.

use std::fmt::Write as _;

use anyhow::Context;
use backend_nats::Rights;
use model::role::Role;
use nkeys::KeyPair;

use super::change::{Changes, is_pending};
use super::folders::Folders;
use super::former::Former;

/// The file of a role's seed.
const FILE: &str = "nats.nk";

/// Sees to it that each role has a key, another one than before if it is to be changed, and writes what the
/// servers are to know of them.
pub(super) fn write(
    folders: &mut Folders,
    prefix: &str,
    former: &Former,
    changes: &Changes,
) -> anyhow::Result<()> {
    let mut users = Vec::new();
    for role in Role::ALL {
        if changes.has_role(role) {
            folders.put(role.name(), FILE, &seed()?)?;
        }
        let key = key(&folders.keep(role.name(), FILE, seed)?, role)?;
        users.extend(former.key(role, &key).map(|former| (role, former.to_owned())));
        users.push((role, key));
    }
    folders.put("nats", "users.conf", &configuration(&users, prefix))
}

/// Notes the keys of the roles that are to be changed.
///
/// # Errors
/// If one was changed before and not retired, or its file is damaged.
pub(super) fn note(folders: &Folders, former: &mut Former, changes: &Changes) -> anyhow::Result<()> {
    for role in Role::ALL.into_iter().filter(|role| changes.has_role(*role)) {
        let Some(seed) = folders.read(role.name(), FILE)? else { continue };
        let key = key(&seed, role)?;
        if former.key(role, &key).is_some() {
            return Err(is_pending(role.name()));
        }
        former.note_key(role, key);
    }
    Ok(())
}

fn seed() -> anyhow::Result<String> {
    Ok(format!("{}\n", KeyPair::new_user().seed().context("make an nkey")?))
}

fn key(seed: &str, role: Role) -> anyhow::Result<String> {
    let key = KeyPair::from_seed(seed.trim());
    Ok(key.with_context(|| format!("read the seed of an nkey in {role}/{FILE}"))?.public_key())
}

/// The servers' configuration of the account and its users.
fn configuration(users: &[(Role, String)], prefix: &str) -> String {
    let mut text = String::from(
        "# What each role of Lubdub may do. `lubdub secrets` writes this file anew whenever it is run.\n\
         accounts {\n  LUBDUB {\n    jetstream: enabled\n    users: [\n",
    );
    for (role, key) in users {
        let Rights { publish, subscribe } = Rights::of(*role, prefix);
        let _ = writeln!(text, "      {{ # {role}\n        nkey: {key}\n        permissions {{");
        for (act, subjects) in [("publish", publish), ("subscribe", subscribe)] {
            let _ = writeln!(text, "          {act} {{ allow: [");
            for subject in subjects {
                let _ = writeln!(text, "            \"{subject}\"");
            }
            let _ = writeln!(text, "          ] }}");
        }
        let _ = writeln!(text, "        }}\n      }}");
    }
    text.push_str("    ]\n  }\n}\n");
    text
}
