//! The API's objects, as far as people are shown them. Fields that a server of another version leaves out are
//! empty.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::duration::Seconds;

/// The mask that the API shows instead of a secret.
const MASK: &str = "***";

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
    pub(super) parent: Option<String>,
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

/// A maintenance window.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Window {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) monitors: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) cron: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) duration: Option<Seconds>,
    pub(super) active: bool,
    pub(super) ends_at: Option<String>,
    pub(super) next_at: Option<String>,
    pub(super) created_at: String,
}

impl Window {
    /// `active`, `planned` or `past`.
    pub(super) const fn state(&self) -> &'static str {
        match (self.active, &self.next_at) {
            (true, _) => "active",
            (false, Some(_)) => "planned",
            (false, None) => "past",
        }
    }

    /// `2h at 0 2 * * * (UTC)`, or `2026-11-22 09:00 to 12:00 UTC`.
    pub(super) fn when(&self) -> String {
        if let (Some(cron), Some(duration)) = (&self.cron, self.duration) {
            return format!("{duration} at {cron} ({})", self.timezone.as_deref().unwrap_or("UTC"));
        }
        let (Some(from), Some(to)) = (&self.from, &self.to) else { return "-".to_owned() };
        let ((from_day, from), (to_day, to)) = (day_and_time(from), day_and_time(to));
        if from_day == to_day {
            return format!("{from_day} {from} to {to} UTC");
        }
        format!("{from_day} {from} to {to_day} {to} UTC")
    }

    /// `2 monitors, tag db`.
    pub(super) fn subjects(&self) -> String {
        let monitors = match self.monitors.len() {
            0 => None,
            1 => Some("1 monitor".to_owned()),
            several => Some(format!("{several} monitors")),
        };
        let tags = self.tags.iter().map(|tag| format!("tag {tag}"));
        let all: Vec<String> = monitors.into_iter().chain(tags).collect();
        if all.is_empty() { "-".to_owned() } else { all.join(", ") }
    }
}

/// The day and the time of `2026-11-22T09:00:00.000Z`, without seconds that are zero.
fn day_and_time(at: &str) -> (&str, &str) {
    let (day, time) = at.split_once('T').unwrap_or((at, ""));
    let time = time.trim_end_matches('Z').trim_end_matches(".000");
    (day, time.strip_suffix(":00").unwrap_or(time))
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
    pub(super) settings: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) method: Option<String>,
    pub(super) template: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) digest: bool,
    pub(super) old_secrets: Vec<OldSecret>,
    pub(super) default: bool,
    pub(super) state: String,
    pub(super) state_detail: Option<String>,
    pub(super) failing_since: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) created_at: String,
}

impl Channel {
    /// The target of its alerts: a URL, addresses, or `chat_id -100123, https://…`.
    pub(super) fn target(&self) -> String {
        if let Some(to) = &self.to {
            return to.join(", ");
        }
        // For a preset, the settings that tell its channels apart come before the server, which is mostly the
        // same.
        let shown = self.settings.iter().filter(|(_, value)| *value != MASK);
        let settings = shown.map(|(name, value)| format!("{name} {value}"));
        let told: Vec<String> = settings.chain(self.url.clone()).collect();
        if told.is_empty() { "-".to_owned() } else { told.join(", ") }
    }

    /// Whether alerts are sent to it.
    pub(super) fn works(&self) -> bool {
        self.state != "disabled"
    }
}

/// A signing secret that was rotated away.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct OldSecret {
    pub(super) expires_at: String,
}

/// The result of a test of a channel.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tested {
    pub(super) delivered: bool,
    pub(super) status: Option<u16>,
    pub(super) detail: Option<String>,
    pub(super) request: Option<String>,
    pub(super) answer: Option<String>,
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
    /// The name at the time of the alert: the monitor may be gone.
    pub(super) monitor_name: Option<String>,
    pub(super) channel: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) count: Option<u32>,
    pub(super) state: String,
    pub(super) folded_into: Option<String>,
    pub(super) note: Option<String>,
    pub(super) created_at: String,
    pub(super) next_attempt_at: Option<String>,
    pub(super) attempts: Vec<Attempt>,
}

/// One attempt of a delivery.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attempt {
    pub(super) at: String,
    pub(super) ms: Option<u64>,
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
    pub(super) answer: Option<String>,
    pub(super) request: Option<String>,
}

impl Delivery {
    /// The content: `down`, `was down`, `digest of 12`, `channel failing`.
    pub(super) fn what(&self) -> String {
        let kind = self.kind.trim_start_matches("monitor.").replace(['_', '.'], " ");
        match self.count {
            Some(count) => format!("{kind} of {count}"),
            None if kind == "channel test" => "test".to_owned(),
            None => kind,
        }
    }
}

impl Attempt {
    /// The outcome, in a few words.
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
