//! A key for each role on NATS, and what the servers are to permit it.

use std::fmt::Write as _;

use anyhow::Context;
use backend_nats::Rights;
use model::role::Role;
use nkeys::KeyPair;

use super::folders::Folders;

/// Sees to it that each role has a key, and writes what the servers are to know of them.
pub(super) fn write(folders: &mut Folders, prefix: &str) -> anyhow::Result<()> {
    let mut users = Vec::new();
    for role in Role::ALL {
        let made = || Ok(format!("{}\n", KeyPair::new_user().seed().context("make an nkey")?));
        let seed = folders.keep(role.name(), "nats.nk", made)?;
        let key = KeyPair::from_seed(seed.trim())
            .with_context(|| format!("read the seed of an nkey in {}/nats.nk", role.name()))?;
        users.push((role, key.public_key()));
    }
    folders.put("nats", "users.conf", &configuration(&users, prefix))
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
