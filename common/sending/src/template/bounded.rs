//! Pure. A template that is read within bounds, and filled in within bounds.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::time::Duration;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;

use super::allowed;

/// Longest source, bytes.
pub const MAX_SOURCE_BYTES: usize = 16 * 1024;

/// Most that a template may make, bytes.
pub const MAX_OUTPUT_BYTES: usize = 64 * 1024;

/// The limit of a template. A step costs one, and so do 64 bytes of text: 13 MB of text at most, and what a
/// filter makes of [one text](super::allowed) before that is paid for.
const FUEL: u64 = 200_000;

/// Most calls of a recursive loop within each other.
const DEPTH: usize = 50;

pub(super) const NAME: &str = "template";

/// How inserted values are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// The value as it is.
    Nothing,
    /// The value as JSON; the whole output must be JSON.
    Json,
    /// The value with `&lt;` for `<`.
    Html,
}

impl Escape {
    /// The escaping that a body of this content type needs.
    pub fn for_content_type(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence.ends_with("/json") || essence.ends_with("+json") {
            Self::Json
        } else if essence.ends_with("html") || essence.ends_with("xml") {
            Self::Html
        } else {
            Self::Nothing
        }
    }
}

/// A parsed template.
pub struct Template {
    pub(super) environment: Environment<'static>,
    escape: Escape,
}

/// The error of a template; a fragment that fits after its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Longer than [`MAX_SOURCE_BYTES`].
    #[error("it has {bytes} bytes; at most {MAX_SOURCE_BYTES} are allowed")]
    TooManyBytes {
        /// How many it has.
        bytes: usize,
    },
    /// The template cannot be read.
    #[error("line {line}: {what}")]
    Syntax {
        /// From 1.
        line: usize,
        /// The error there.
        what: String,
    },
    /// The template cannot be filled in.
    #[error("line {line}: {what}")]
    Render {
        /// From 1.
        line: usize,
        /// The error there.
        what: String,
    },
    /// The template takes too many steps.
    #[error("it takes too many steps")]
    TooSlow,
    /// The template uses something that is not allowed.
    #[error("line {line}: {what}")]
    Forbidden {
        /// From 1.
        line: usize,
        /// The thing that is not allowed.
        what: &'static str,
    },
    /// The system gives us no thread to fill it in on, or too many others are being filled in.
    #[error("there is no room to fill it in just now")]
    NoRoom,
    /// The template takes too long.
    #[error("it takes longer than {} s", .0.as_secs())]
    TooLong(Duration),
    /// The engine failed on it.
    #[error("the engine failed on it, which is a defect of Lubdub")]
    Defect,
    /// The template makes more than [`MAX_OUTPUT_BYTES`].
    #[error("it makes more than {MAX_OUTPUT_BYTES} bytes")]
    TooMuch,
    /// The output must be JSON and is not.
    #[error(
        "it does not make JSON: {what}; values are written with their quotes, as in {{\"text\": {{{{ title }}}}}}"
    )]
    NotJson {
        /// The place and the error there.
        what: String,
    },
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError::TooManyBytes`], [`TemplateError::Syntax`].
    pub fn parse(source: &str, escape: Escape) -> Result<Self, TemplateError> {
        check_length(source)?;
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH);
        environment.set_auto_escape_callback(move |_| match escape {
            Escape::Nothing => AutoEscape::None,
            Escape::Json => AutoEscape::Json,
            Escape::Html => AutoEscape::Html,
        });
        allowed::add_to(&mut environment);
        let mut template = Self { environment, escape };
        template.set_source(source)?;
        Ok(template)
    }

    pub(super) fn set_source(&mut self, source: &str) -> Result<(), TemplateError> {
        self.environment
            .add_template_owned(NAME, Cow::<'static, str>::Owned(source.to_owned()))
            .map_err(|error| TemplateError::Syntax { line: line_of(&error), what: in_words(&error) })
    }

    /// Fills it in.
    ///
    /// # Errors
    /// [`TemplateError::Render`], [`TemplateError::TooSlow`], [`TemplateError::TooMuch`],
    /// [`TemplateError::NotJson`].
    pub fn render(&self, variables: &impl Serialize) -> Result<String, TemplateError> {
        let template = self
            .environment
            .get_template(NAME)
            .map_err(|error| TemplateError::Render { line: line_of(&error), what: in_words(&error) })?;
        let mut output = LimitedOutput::default();
        let variables = minijinja::Value::from(Serde(variables));
        match template.render_captured_to(variables, &mut output) {
            Ok(_) => {}
            Err(_) if output.is_full => return Err(TemplateError::TooMuch),
            Err(error) if ran_dry(&error) => return Err(TemplateError::TooSlow),
            Err(error) => {
                return Err(TemplateError::Render { line: line_of(&error), what: in_words(&error) });
            }
        }
        // Only text was written.
        let text = String::from_utf8_lossy(&output.bytes).into_owned();
        if self.escape == Escape::Json {
            serde_json::from_str::<serde::de::IgnoredAny>(&text)
                .map_err(|error| TemplateError::NotJson { what: error.to_string() })?;
        }
        Ok(text)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("escape", &self.escape).finish_non_exhaustive()
    }
}

pub(super) fn check_length(source: &str) -> Result<(), TemplateError> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(TemplateError::TooManyBytes { bytes: source.len() });
    }
    Ok(())
}

/// Takes no more than it may.
#[derive(Default)]
struct LimitedOutput {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for LimitedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT_BYTES {
            self.is_full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn line_of(error: &minijinja::Error) -> usize {
    error.line().unwrap_or(1)
}

/// The error without the template's name, which says nothing.
fn in_words(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// The error may be wrapped in others.
fn ran_dry(error: &minijinja::Error) -> bool {
    let mut current: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = current {
        if one.downcast_ref::<minijinja::Error>().is_some_and(|one| one.kind() == ErrorKind::OutOfFuel) {
            return true;
        }
        current = one.source();
    }
    false
}
