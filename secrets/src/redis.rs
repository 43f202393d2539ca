//! Passwords for Redis and Sentinel, and what both are to permit whom.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context;
use backend_redis::{User, sentinel_acl, server_acl};
use model::role::Role;
use sha2::{Digest, Sha256};

use super::folders::Folders;
use super::password::password;

/// The folder that the servers read.
const FOLDER: &str = "redis";
/// The name of the primary for Sentinels; the last part of the URL by which roles find it.
const PRIMARY: &str = "lubdub";

/// Makes sure that every user that is no role has a password, and writes the users of Redis and Sentinel.
pub(super) fn write(
    folders: &mut Folders,
    roles: &BTreeMap<Role, String>,
    prefix: &str,
) -> anyhow::Result<()> {
    let mut passwords: BTreeMap<User, String> =
        roles.iter().map(|(role, password)| (User::Role(*role), password.clone())).collect();
    for user in [User::Replication, User::Sentinel, User::Operator] {
        let file = format!("{}-password", user.name());
        let text = folders.keep(FOLDER, &file, || Ok(format!("{}\n", password())))?;
        let password = text.trim();
        // The password is put into configurations, where other characters would have to be quoted.
        if password.is_empty() || !password.chars().all(|c| c.is_ascii_alphanumeric()) {
            anyhow::bail!(
                "{FOLDER}/{file} may hold letters and digits only: remove it, and another one is made"
            );
        }
        passwords.insert(user, password.to_owned());
    }
    let of = |user: User| passwords.get(&user).with_context(|| format!("{} has no password", user.name()));
    let (replication, sentinel) = (of(User::Replication)?, of(User::Sentinel)?);
    // A user without a password cannot log in.
    let hashed = |user: User| passwords.get(&user).map_or_else(String::new, |password| hash(password));
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
