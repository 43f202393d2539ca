//! Passwords for Redis and Sentinel, and what both are to permit whom.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context;
use backend_redis::{User, sentinel_acl, server_acl};
use sha2::{Digest, Sha256};

use super::change::{Changes, is_pending};
use super::folders::Folders;
use super::former::Former;
use super::password::password;

/// The folder that the servers read.
const FOLDER: &str = "redis";
/// The name of the primary for Sentinels; the last part of the URL by which roles find it.
const PRIMARY: &str = "lubdub";

/// The folder and the file of a user's password; `None` if it has none.
fn place(user: User) -> Option<(&'static str, String)> {
    match user {
        User::Role(role) => Some((role.name(), "redis-password".to_owned())),
        User::Replication | User::Sentinel | User::Operator => {
            Some((FOLDER, format!("{}-password", user.name())))
        }
        User::Health => None,
    }
}

/// A password as it stands in its file.
fn read(text: &str, user: User, folder: &str, file: &str) -> anyhow::Result<String> {
    let password = text.trim();
    if password.is_empty() {
        anyhow::bail!("{folder}/{file} is empty: remove it, and another one is made");
    }
    // The password is put into configurations, where other characters would have to be quoted.
    if !matches!(user, User::Role(_)) && !password.chars().all(|c| c.is_ascii_alphanumeric()) {
        anyhow::bail!("{folder}/{file} may hold letters and digits only: remove it, and another one is made");
    }
    Ok(password.to_owned())
}

/// Notes the passwords that are to be changed.
///
/// # Errors
/// If one was changed before and not retired, or its file is damaged.
pub(super) fn note(folders: &Folders, former: &mut Former, changes: &Changes) -> anyhow::Result<()> {
    for user in User::NAMED.into_iter().filter(|user| changes.has_user(*user)) {
        let Some((folder, file)) = place(user) else { continue };
        let Some(text) = folders.read(folder, &file)? else { continue };
        let hash = hash(&read(&text, user, folder, &file)?);
        if former.hash(user, &hash).is_some() {
            return Err(is_pending(user.name()));
        }
        former.note_hash(user, hash);
    }
    Ok(())
}

/// Makes sure that every user has a password, another one than before if it is to be changed, and writes the
/// users of Redis and Sentinel.
pub(super) fn write(
    folders: &mut Folders,
    prefix: &str,
    former: &Former,
    changes: &Changes,
) -> anyhow::Result<()> {
    let mut passwords: BTreeMap<User, String> = BTreeMap::new();
    let made = || format!("{}\n", password());
    for user in User::NAMED {
        let Some((folder, file)) = place(user) else { continue };
        if changes.has_user(user) {
            folders.put(folder, &file, &made())?;
        }
        let text = folders.keep(folder, &file, || Ok(made()))?;
        passwords.insert(user, read(&text, user, folder, &file)?);
    }
    let of = |user: User| passwords.get(&user).with_context(|| format!("{} has no password", user.name()));
    let (replication, sentinel) = (of(User::Replication)?, of(User::Sentinel)?);
    // A user without a password cannot log in.
    let hashed = |user: User| {
        let present = passwords.get(&user).map(|password| hash(password));
        let before = present.as_deref().and_then(|present| former.hash(user, present)).map(str::to_owned);
        present.into_iter().chain(before).collect::<Vec<_>>().join(" ")
    };
    folders.put(FOLDER, "users.acl", &server_acl(prefix, hashed))?;
    folders.put(FOLDER, "sentinel.acl", &sentinel_acl(hashed))?;
    let user = User::Replication.name();
    folders.put(FOLDER, "replication.conf", &format!("masteruser {user}\nmasterauth {replication}\n"))?;
    let user = User::Sentinel.name();
    folders.put(
        FOLDER,
        "sentinel-auth.conf",
        &format!(
            "sentinel auth-user {PRIMARY} {user}\nsentinel auth-pass {PRIMARY} {sentinel}\n\
             sentinel sentinel-user {user}\nsentinel sentinel-pass {sentinel}\n"
        ),
    )
}

/// A password as an ACL file names it: a password cannot be learned from it unless it is guessed.
fn hash(password: &str) -> String {
    Sha256::digest(password.as_bytes()).iter().fold("#".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hashed_as_redis_does() {
        assert_eq!(hash("abc"), "#ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
