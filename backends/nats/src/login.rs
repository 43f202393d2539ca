//! Which credential a node shows at each connection: what its file holds at that moment.
//!
//! Between the moment that the file changes and the moment that the servers know the new credential, they
//! refuse it. So a node whose credential is refused shows the one that was good before in the next attempt,
//! and then the new one again: it gets in as long as the servers take either.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::credential::{Credential, CredentialFile};
use ports::repeats::Repeats;

/// What a node shows to the servers.
pub(super) struct Login {
    file: CredentialFile,
    state: Mutex<LoginState>,
}

struct LoginState {
    /// What the file held when it was last readable.
    held: Arc<Credential>,
    /// What was shown last.
    shown: Option<Arc<Credential>>,
    /// What the servers took last.
    taken: Option<Arc<Credential>>,
    unreadable: Repeats,
}

impl Login {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn open(file: CredentialFile) -> std::io::Result<Self> {
        let held = Arc::new(file.read()?);
        let state = LoginState { held, shown: None, taken: None, unreadable: Repeats::default() };
        Ok(Self { file, state: Mutex::new(state) })
    }

    /// What to show in the next attempt.
    pub(super) fn next(&self) -> Arc<Credential> {
        let mut state = self.state.lock();
        self.look(&mut state);
        let is_refused = state.shown.as_ref() == Some(&state.held);
        let next = match &state.taken {
            Some(taken) if is_refused && *taken != state.held => taken,
            Some(_) | None => &state.held,
        };
        let next = Arc::clone(next);
        state.shown = Some(Arc::clone(&next));
        next
    }

    /// Notes that the servers took what was shown last.
    pub(super) fn was_taken(&self) {
        let mut state = self.state.lock();
        let shown = state.shown.clone();
        state.taken = shown;
    }

    /// What the file holds, if it is another credential than the one that the servers took.
    pub(super) fn changed(&self) -> Option<Arc<Credential>> {
        let mut state = self.state.lock();
        self.look(&mut state);
        let is_changed = state.taken.as_ref().is_some_and(|taken| *taken != state.held);
        is_changed.then(|| Arc::clone(&state.held))
    }

    /// Reads the file again. One that cannot be read changes nothing.
    fn look(&self, state: &mut LoginState) {
        match self.file.read() {
            Ok(read) => {
                state.unreadable = Repeats::default();
                if read != *state.held {
                    state.held = Arc::new(read);
                }
            }
            Err(error) => {
                if let Some(failures) = state.unreadable.news(Instant::now()) {
                    let file = self.file.path().display();
                    tracing::warn!(%error, failures, %file, "cannot read by what to log in to NATS: it stays as it was");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nkeys::KeyPair;

    use super::*;

    fn put(path: &Path) -> Credential {
        std::fs::write(path, KeyPair::new_user().seed().expect("a seed")).expect("write");
        CredentialFile::Nkey(path.to_owned()).read().expect("it is good")
    }

    #[test]
    fn what_the_file_holds_is_shown_and_in_turn_with_the_last_good_one_if_it_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nats.nk");
        let first = put(&path);
        let login = Login::open(CredentialFile::Nkey(path.clone())).expect("it is good");
        assert!((0..3).all(|_| *login.next() == first), "there is no other one");
        login.was_taken();
        assert!(login.changed().is_none());
        let second = put(&path);
        assert_eq!(login.changed().map(|changed| *changed == second), Some(true));
        let shown: Vec<bool> = (0..4).map(|_| *login.next() == second).collect();
        assert_eq!(shown, [true, false, true, false]);
        login.was_taken();
        assert!(*login.next() == second, "the new one is tried first again");
        login.was_taken();
        assert!(login.changed().is_none());
        assert!((0..3).all(|_| *login.next() == second), "the first one is forgotten");
    }

    #[test]
    fn a_file_that_is_damaged_or_gone_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nats.nk");
        let first = put(&path);
        let login = Login::open(CredentialFile::Nkey(path.clone())).expect("it is good");
        login.next();
        login.was_taken();
        std::fs::write(&path, "SUA").expect("write");
        assert!(*login.next() == first && login.changed().is_none());
        std::fs::remove_file(&path).expect("it is there");
        assert!(*login.next() == first && login.changed().is_none());
        let second = put(&path);
        assert!(*login.next() == second);
    }
}
