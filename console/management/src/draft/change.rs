//! Pure. What a request says about one field.

/// The change of one field in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    /// Not given.
    Keep,
    /// Given as null: back to its default.
    Reset,
    /// Given.
    Set(T),
}

impl<T> Change<T> {
    /// The new value, if one was given.
    pub fn set(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Reset => None,
        }
    }

    /// Whether a new value was given.
    pub const fn is_set(&self) -> bool {
        matches!(self, Self::Set(_))
    }

    /// The value after the change of one that may be missing.
    pub fn onto_option(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Reset => None,
            Self::Set(value) => Some(value),
        }
    }

    /// The value after the change of one that was `old`.
    pub fn onto(self, old: T, default: T) -> T {
        match self {
            Self::Keep => old,
            Self::Reset => default,
            Self::Set(value) => value,
        }
    }
}
