//! What a node shows to the servers to log in, as a file holds it.

use std::io;
use std::path::{Path, PathBuf};

use async_nats::{Auth, AuthError};
use nkeys::{KeyPair, KeyPairType};

/// A file that holds a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CredentialFile {
    /// The seed of an nkey.
    Nkey(PathBuf),
    /// A JWT and its seed.
    Credentials(PathBuf),
}

/// A seed, and the JWT that goes with it if there is one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credential {
    jwt: Option<String>,
    seed: String,
}

impl CredentialFile {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Nkey(path) | Self::Credentials(path) => path,
        }
    }

    /// What it holds now.
    pub(super) fn read(&self) -> io::Result<Credential> {
        let text = std::fs::read_to_string(self.path())?;
        match self {
            Self::Nkey(_) => Ok(Credential { jwt: None, seed: seed_of_user(text.trim())? }),
            Self::Credentials(_) => decorated(&text),
        }
    }
}

impl Credential {
    /// The answer to a server that wants this nonce signed.
    pub(super) fn sign(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        let key = KeyPair::from_seed(&self.seed).map_err(AuthError::new)?;
        let mut auth = Auth::new();
        auth.signature = Some(key.sign(nonce).map_err(AuthError::new)?);
        auth.jwt.clone_from(&self.jwt);
        if self.jwt.is_none() {
            auth.nkey = Some(key.public_key());
        }
        Ok(auth)
    }
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn seed_of_user(seed: &str) -> io::Result<String> {
    let user = KeyPair::from_seed(seed).is_ok_and(|key| key.key_pair_type() == KeyPairType::User);
    if user { Ok(seed.to_owned()) } else { Err(wrong("it is not the seed of a user, which begins with SU")) }
}

/// The lines that follow a line of dashes with BEGIN: the JWT, then the seed.
fn decorated(text: &str) -> io::Result<Credential> {
    let mut lines = text.lines().map(str::trim);
    let mut next = || {
        let begins = |line: &&str| line.starts_with("---") && line.contains("BEGIN");
        lines.by_ref().find(begins)?;
        lines.by_ref().find(|line| !line.is_empty()).map(str::to_owned)
    };
    let (Some(jwt), Some(seed)) = (next(), next()) else {
        return Err(wrong("it is not a credentials file, with a JWT and a seed"));
    };
    Ok(Credential { jwt: Some(jwt), seed: seed_of_user(&seed)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_seeds_of_users_are_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nats.nk");
        let file = CredentialFile::Nkey(path.clone());
        let user = KeyPair::new_user().seed().expect("a seed");
        let account = KeyPair::new_account().seed().expect("a seed");
        for (text, taken) in [
            (format!("{user}\n"), true),
            (user.clone(), true),
            (account, false),
            (user[..20].to_owned(), false),
            (String::new(), false),
        ] {
            std::fs::write(&path, &text).expect("write");
            let read = file.read().ok().map(|credential| credential.seed);
            assert_eq!(read, taken.then(|| user.clone()), "{}", text.len());
        }
        let missing = CredentialFile::Nkey(folder.path().join("missing")).read().err();
        assert_eq!(missing.expect("it is not there").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_credentials_file_is_a_jwt_and_a_seed() {
        let seed = KeyPair::new_user().seed().expect("a seed");
        let text = format!(
            "-----BEGIN NATS USER JWT-----\r\neyJ0.e30.x\r\n------END NATS USER JWT------\r\n\r\n\
             ************************* IMPORTANT *************************\r\n\
             NKEY Seed printed below can be used to sign.\r\n\r\n\
             -----BEGIN USER NKEY SEED-----\r\n{seed}\r\n------END USER NKEY SEED------\r\n"
        );
        let read = decorated(&text).expect("it is one");
        assert_eq!((read.jwt.as_deref(), read.seed.as_str()), (Some("eyJ0.e30.x"), seed.as_str()));
        for damaged in ["", "eyJ0.e30.x", &text[..60], &text.replace(&seed, "SUA")] {
            assert!(decorated(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn an_nkey_signs_the_nonce_and_names_its_key() {
        let key = KeyPair::new_user();
        let credential = Credential { jwt: None, seed: key.seed().expect("a seed") };
        let auth = credential.sign(b"nonce").expect("signed");
        assert_eq!((auth.nkey, auth.jwt), (Some(key.public_key()), None));
        key.verify(b"nonce", &auth.signature.expect("a signature")).expect("it is right");
    }
}
