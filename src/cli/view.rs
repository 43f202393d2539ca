//! The API's objects, as far as people are shown them. Fields that a server of another version leaves out are empty.

use serde::Deserialize;

use super::duration::Seconds;

/// A monitor.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Monitor {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) tags: Vec<String>,
    pub(super) timeout: Option<Seconds>,
    pub(super) cron: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) grace: Option<Seconds>,
    pub(super) interval: Option<Seconds>,
    pub(super) remind_every: Option<Seconds>,
    /// `None` = every default channel.
    pub(super) channels: Option<Vec<String>>,
    pub(super) push_url: Option<String>,
    pub(super) state: String,
    pub(super) state_since: Option<String>,
    pub(super) last_heartbeat: Option<Heartbeat>,
    pub(super) deadline: Option<String>,
    pub(super) created_at: String,
    pub(super) updated_at: String,
}

impl Monitor {
    /// `every 1m`, or the cron pattern with its time zone.
    pub(super) fn schedule(&self) -> String {
        match (&self.cron, self.timeout) {
            (Some(cron), _) => format!("{cron} ({})", self.timezone.as_deref().unwrap_or("UTC")),
            (None, Some(timeout)) => format!("every {timeout}"),
            (None, None) => "-".to_owned(),
        }
    }
}

/// One accepted push.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Heartbeat {
    pub(super) at: String,
    pub(super) status: String,
    pub(super) msg: Option<String>,
    pub(super) value: Option<f64>,
    pub(super) source: Option<String>,
}

/// A change of state.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Flip {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) reason: String,
    pub(super) at: String,
    pub(super) message: Option<String>,
}

/// A destination of alerts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) url: Option<String>,
    pub(super) to: Option<Vec<String>>,
    pub(super) headers: std::collections::BTreeMap<String, String>,
    pub(super) default: bool,
    pub(super) state: String,
    pub(super) state_detail: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) created_at: String,
}

impl Channel {
    /// Where its alerts go.
    pub(super) fn target(&self) -> String {
        match (&self.url, &self.to) {
            (Some(url), _) => url.clone(),
            (None, Some(to)) => to.join(", "),
            (None, None) => "-".to_owned(),
        }
    }

    /// Whether alerts are sent to it.
    pub(super) fn works(&self) -> bool {
        self.state != "disabled"
    }
}

/// What a test of a channel brought.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tested {
    pub(super) delivered: bool,
    pub(super) status: Option<u16>,
    pub(super) detail: Option<String>,
}

/// An API key.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) scope: String,
    pub(super) key: Option<String>,
    pub(super) created_at: String,
}

/// One alert to one channel.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) flip: Option<String>,
    pub(super) monitor: Option<String>,
    /// Of the time of the alert: the monitor may be gone.
    pub(super) monitor_name: Option<String>,
    pub(super) channel: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) created_at: String,
    pub(super) next_attempt_at: Option<String>,
    pub(super) attempts: Vec<Attempt>,
}

/// One try of a delivery.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attempt {
    pub(super) at: String,
    pub(super) ms: Option<u64>,
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
    pub(super) answer: Option<String>,
}

impl Attempt {
    /// What came of it, in a few words.
    pub(super) fn outcome(&self) -> String {
        match (&self.error, self.status) {
            (Some(error), Some(status)) if !error.contains(&status.to_string()) => {
                format!("{status}: {error}")
            }
            (Some(error), _) => error.clone(),
            (None, Some(status)) => format!("accepted with {status}"),
            (None, None) => "accepted".to_owned(),
        }
    }
}
