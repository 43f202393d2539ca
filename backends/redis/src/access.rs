//! Who the servers are and how to log in to them, by what the files hold at that moment.
//!
//! Between the moment that a password changes in its file and the moment that the servers know it, they
//! refuse it. So what worked last is tried too if what the files hold is refused.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ::redis::TlsCertificates;
use parking_lot::Mutex;

use super::address::{self, ServerAddress};
use super::error::RedisError;
use super::options::RedisOptions;
use model::chain::Chain;
use model::channel::Secret;
use ports::repeats::Repeats;

/// The logins of one node.
pub(super) struct Access {
    options: RedisOptions,
    state: Mutex<AccessState>,
}

struct AccessState {
    /// What the files held when they were last good.
    held: Arc<Login>,
    /// What the servers took last.
    taken: Option<Arc<Login>>,
    unusable: Repeats,
    refused: Repeats,
}

/// A way to the servers and into them.
pub(super) struct Login {
    pub(super) address: ServerAddress,
    pub(super) certificates: Option<TlsCertificates>,
    password: Option<Secret>,
    ca: Option<Vec<u8>>,
}

impl Login {
    fn of(options: &RedisOptions) -> Result<Self, RedisError> {
        Ok(Self {
            address: address::read(options)?,
            certificates: address::certificates(options).map_err(RedisError::Certificates)?,
            password: options.password.clone(),
            ca: options.ca.clone(),
        })
    }

    fn is_of(&self, options: &RedisOptions) -> bool {
        self.password == options.password && self.ca == options.ca
    }
}

impl Access {
    /// Reads the files that the options name.
    ///
    /// # Errors
    /// [`RedisError::File`], [`RedisError::Address`] and [`RedisError::Certificates`].
    pub(super) fn open(options: &RedisOptions) -> Result<Self, RedisError> {
        let held = Arc::new(Login::of(&with_files(options)?)?);
        let (unusable, refused) = (Repeats::default(), Repeats::default());
        let state = AccessState { held, taken: None, unusable, refused };
        Ok(Self { options: options.clone(), state: Mutex::new(state) })
    }

    /// What the files hold. Files that cannot be used change nothing.
    pub(super) fn present(&self) -> Arc<Login> {
        let mut state = self.state.lock();
        if self.options.password_file.is_none() && self.options.ca_file.is_none() {
            return Arc::clone(&state.held);
        }
        let read = with_files(&self.options).and_then(|options| {
            if state.held.is_of(&options) { Ok(None) } else { Login::of(&options).map(Some) }
        });
        match read {
            Ok(changed) => {
                state.unusable = Repeats::default();
                if let Some(changed) = changed {
                    state.held = Arc::new(changed);
                }
            }
            Err(error) => {
                if let Some(failures) = state.unusable.news(Instant::now()) {
                    let error = Chain(&error);
                    tracing::warn!(%error, failures, "cannot read by what to log in to Redis: it stays as it was");
                }
            }
        }
        Arc::clone(&state.held)
    }

    /// What to try in turn until the servers take it: what the files hold, then what worked last if that is
    /// another one.
    pub(super) fn logins(&self) -> Vec<Arc<Login>> {
        let present = self.present();
        let former = self.state.lock().taken.clone().filter(|taken| !Arc::ptr_eq(taken, &present));
        std::iter::once(present).chain(former).collect()
    }

    /// Notes that the servers took a login.
    pub(super) fn was_taken(&self, login: &Arc<Login>) {
        let mut state = self.state.lock();
        if !Arc::ptr_eq(login, &state.held) {
            return;
        }
        if state.taken.as_ref().is_some_and(|taken| !Arc::ptr_eq(taken, login)) {
            tracing::info!("logged in to Redis with the changed files");
        }
        state.taken = Some(Arc::clone(login));
        state.refused = Repeats::default();
    }

    /// Whether to try the next login after this error. The log tells of a changed file that is refused.
    pub(super) fn may_be_other(&self, error: &::redis::RedisError) -> bool {
        let error = RedisError::of(error.clone());
        if !matches!(error, RedisError::Login(_) | RedisError::Tls(_)) {
            return false;
        }
        let mut state = self.state.lock();
        let is_changed = state.taken.as_ref().is_some_and(|taken| !Arc::ptr_eq(taken, &state.held));
        if is_changed && let Some(failures) = state.refused.news(Instant::now()) {
            let error = Chain(&error);
            tracing::warn!(%error, failures, "Redis does not take the changed password or certificates; trying the former ones too");
        }
        true
    }
}

/// The options with what their files hold.
fn with_files(options: &RedisOptions) -> Result<RedisOptions, RedisError> {
    let mut options = options.clone();
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RedisError::File { path, source }
    };
    if let Some(path) = &options.password_file {
        options.password = Some(password_in(path).map_err(failed(path))?);
    }
    if let Some(path) = &options.ca_file {
        options.ca = Some(fs::read(path).map_err(failed(path))?);
    }
    Ok(options)
}

fn password_in(path: &Path) -> io::Result<Secret> {
    let text = fs::read_to_string(path)?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    Ok(Secret::new(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(logins: &[Arc<Login>]) -> Vec<&str> {
        logins.iter().filter_map(|login| login.password.as_ref()).map(Secret::expose).collect()
    }

    #[test]
    fn what_the_files_hold_is_tried_first_and_then_what_worked_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("redis-password");
        let put = |text: &str| fs::write(&path, text).expect("write");
        put("one\n");
        let options =
            RedisOptions { password_file: Some(path.clone()), ..RedisOptions::new("redis://localhost") };
        let access = Access::open(&options).expect("good files");
        assert_eq!(passwords(&access.logins()), ["one"]);
        access.was_taken(&access.present());
        put("two\n");
        let logins = access.logins();
        assert_eq!(passwords(&logins), ["two", "one"]);
        access.was_taken(&logins[1]);
        assert_eq!(passwords(&access.logins()), ["two", "one"], "the former one worked, not the new one");
        put("\n");
        assert_eq!(passwords(&access.logins()), ["two", "one"], "an empty file changes nothing");
        fs::remove_file(&path).expect("it is there");
        assert_eq!(passwords(&access.logins()), ["two", "one"]);
        access.was_taken(&access.present());
        assert_eq!(passwords(&access.logins()), ["two"]);
    }
}
