//! Preconditions: the revision of a record that a change is meant for.

use model::ids::Revision;

use crate::refusal::{Refusal, RefusalKind};

/// The state of the record that a writer demands before it changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    None,
    /// The record has one of these revisions.
    OneOf(Vec<Revision>),
}

impl Precondition {
    /// Whether the writer would overwrite a change that it has not seen.
    ///
    /// # Errors
    /// [`RefusalKind::Outdated`] names the revision that the record is at.
    pub fn check(&self, revision: Revision) -> Result<(), Refusal> {
        match self {
            Self::None => Ok(()),
            Self::OneOf(revisions) if revisions.contains(&revision) => Ok(()),
            Self::OneOf(_) => Err(Refusal::new(
                RefusalKind::Outdated,
                format!("it is at revision {revision} now; read it again"),
            )),
        }
    }
}
