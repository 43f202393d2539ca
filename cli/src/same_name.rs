//! What a command that makes something does if one of its kind has the name already.

use serde_json::{Map, Value, json};

use super::api::{Api, ApiError};
use super::changes::{Form, Names, change, differing};
use super::lookup::{Kind, find};
use crate::harmless::harmless;
use crate::shell::quoted;
use crate::terminal::Terminal;

/// The flags that say it.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(skip)]
pub(super) struct SameName {
    /// If one has the name already: leave it as it is, and say what differs
    #[arg(long, global = true, display_order = 903, conflicts_with_all = ["or_update", "allow_same_name"])]
    if_missing: bool,
    /// If one has the name already: give it these settings
    #[arg(long, global = true, display_order = 904, conflicts_with = "allow_same_name")]
    or_update: bool,
    /// Make another one of the same name
    #[arg(long, global = true, display_order = 905)]
    allow_same_name: bool,
}

/// What there is under the name, and what became of it.
#[derive(Debug)]
pub(super) struct Settled {
    /// As the API shows it.
    pub(super) answer: Value,
    /// What became of it, for people.
    pub(super) said: String,
}

/// Whether a request was refused because its name is taken.
pub(super) fn is_taken(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused(problem) if problem.status() == 409 && problem.is_about("name"))
}

impl SameName {
    /// The request for a new one.
    pub(super) fn request(self, asked: &Map<String, Value>) -> Value {
        let mut body = asked.clone();
        if !self.allow_same_name {
            body.insert("unique_name".to_owned(), json!(true));
        }
        Value::Object(body)
    }

    /// Does with the one that has the name what the flags say. `asked` has the settings that were given, and
    /// `changed` makes the request of what there is, if it is to get them.
    ///
    /// # Errors
    /// The flags say nothing, several have the name, or the errors of `changed` and of the server.
    pub(super) async fn settle(
        self,
        (api, terminal): (&Api, &Terminal),
        kind: Kind,
        asked: &Map<String, Value>,
        changed: impl Fn(&Value) -> anyhow::Result<Map<String, Value>>,
        (fields, names): (&[(&str, Form)], &Names),
    ) -> anyhow::Result<Settled> {
        let found = find(api, kind, asked["name"].as_str().unwrap_or_default()).await?;
        let path = [kind.collection(), found.id.as_str()];
        if self.or_update {
            let own = |field: &str| matches!(field, "name" | "token");
            let request =
                |before: &Value| Ok(changed(before)?.into_iter().filter(|(field, _)| !own(field)).collect());
            let change = change(api, &path, request).await?;
            let said = change.said(fields, names);
            return Ok(Settled { answer: change.after, said });
        }
        let name = quoted(&harmless(&found.name));
        if !self.if_missing {
            let hint = match kind {
                Kind::Monitor => format!("`lubdub monitor push-url {name}` prints its push URL"),
                Kind::Channel | Kind::Window | Kind::Key => {
                    format!("`lubdub {} edit {name} …` changes it", kind.command())
                }
            };
            anyhow::bail!(
                "there is a {} named {name} already ({}): {hint}\n  \
                 --if-missing leaves it as it is, --or-update gives it these settings, --allow-same-name makes another one",
                kind.noun(),
                found.id
            );
        }
        let answer = api.get(&path).await?;
        let differing = differing(&answer, asked);
        if !differing.is_empty() {
            terminal.warn(format_args!(
                "{name} differs from these settings, in {}: --or-update gives it these",
                differing.join(", ")
            ));
        }
        Ok(Settled { answer, said: format!("{name} is there already ({}), and stays as it is", found.id) })
    }
}
