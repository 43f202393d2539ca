//! What was valid before a change, and stays valid until it is retired: public keys and hashes of passwords.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context;
use backend_redis::User;
use model::role::Role;

use super::folders::Folders;

/// Where it is kept: with what this command alone needs.
const FOLDER: &str = "authority";
const FILE: &str = "former";

/// The former key of each changed role on NATS, and the former password's hash of each changed user of Redis.
#[derive(Debug, Default)]
pub(super) struct Former {
    keys: BTreeMap<Role, String>,
    hashes: BTreeMap<User, String>,
}

impl Former {
    pub(super) fn read(folders: &Folders) -> anyhow::Result<Self> {
        let mut former = Self::default();
        for line in folders.read(FOLDER, FILE)?.unwrap_or_default().lines() {
            former
                .take(line)
                .with_context(|| format!("read {FOLDER}/{FILE}: {line:?} is not one of its lines"))?;
        }
        Ok(former)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        match *line.split(' ').collect::<Vec<_>>() {
            ["nats", role, key] => {
                let role = Role::ALL.into_iter().find(|one| one.name() == role)?;
                self.keys.insert(role, key.to_owned());
            }
            ["redis", user, hash] => {
                let user = User::NAMED.into_iter().find(|one| one.name() == user)?;
                self.hashes.insert(user, hash.to_owned());
            }
            _ => return None,
        }
        Some(())
    }

    pub(super) fn write(&self, folders: &mut Folders) -> anyhow::Result<()> {
        let mut text = String::new();
        for (role, key) in &self.keys {
            let _ = writeln!(text, "nats {role} {key}");
        }
        for (user, hash) in &self.hashes {
            let _ = writeln!(text, "redis {} {hash}", user.name());
        }
        if text.is_empty() { folders.remove(FOLDER, FILE) } else { folders.put(FOLDER, FILE, &text) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.hashes.is_empty()
    }

    /// The former key of a role, unless it is the present one: then a change was begun, and nothing came of
    /// it.
    pub(super) fn key(&self, role: Role, present: &str) -> Option<&str> {
        self.keys.get(&role).map(String::as_str).filter(|former| *former != present)
    }

    /// The hash of the former password, unless it is the present one.
    pub(super) fn hash(&self, user: User, present: &str) -> Option<&str> {
        self.hashes.get(&user).map(String::as_str).filter(|former| *former != present)
    }

    pub(super) fn note_key(&mut self, role: Role, key: String) {
        self.keys.insert(role, key);
    }

    pub(super) fn note_hash(&mut self, user: User, hash: String) {
        self.hashes.insert(user, hash);
    }
}
