//! Pure. What a service itself demands of a setting, as far as its documentation says so.

use serde::Deserialize;
use url::Url;

use super::pattern::Pattern;

/// The form of a field's values (`form`). It is asked of what people give, and of nothing that is stored: a
/// service may have changed its mind since.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// What a value looks like. Of a URL: its path.
    pattern: Pattern,
    /// The same in words that fit behind "it must be".
    wanted: String,
    /// Of a URL: the hosts, with all names under them, that the form holds for. A URL to another host, such
    /// as a proxy of one's own, may have any form.
    #[serde(default)]
    pub(super) hosts: Vec<String>,
    /// Of a URL: the parameters that its query must have.
    #[serde(default)]
    query: Vec<String>,
}

impl Form {
    /// The form in words, to stand behind what the setting is.
    pub fn words(&self) -> String {
        if self.hosts.is_empty() {
            return self.wanted.clone();
        }
        format!("at {} it must be {}", self.hosts.join(" or "), self.wanted)
    }

    /// # Errors
    /// What a value must be, without the given one.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
        if self.hosts.is_empty() {
            if self.pattern.describes(value) {
                return Ok(());
            }
            return Err(format!("it must be {}", self.wanted));
        }
        // What is no URL is refused by the field's kind.
        let Ok(url) = value.parse::<Url>() else { return Ok(()) };
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        if !self.hosts.iter().any(|known| is_under(host, known)) {
            return Ok(());
        }
        if !self.pattern.describes(url.path()) {
            return Err(self.words());
        }
        let has = |name: &str| url.query_pairs().any(|(given, value)| given == name && !value.is_empty());
        match self.query.iter().find(|name| !has(name)) {
            // A shell that is not told otherwise ends a command at the first `&`.
            Some(missing) => {
                Err(format!("its query has no {missing}: in a shell, a URL needs quotes around it"))
            }
            None => Ok(()),
        }
    }
}

/// Whether a host has this name, or one under it. A parsed URL has it in lower case.
fn is_under(host: &str, known: &str) -> bool {
    host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
