//! The API's objects, as far as people are shown them. Fields that a server of another version leaves out are
//! empty.

use std::collections::BTreeMap;

use model::schedule::CronSchedule;
use model::time::EventTime;
use serde::Deserialize;

use super::duration::Seconds;
use super::times::Times;

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
    pub(super) own_grace: Option<bool>,
    pub(super) interval: Option<Seconds>,
    pub(super) remind_every: Option<Seconds>,
    /// `None` = every default channel.
    pub(super) channels: Option<Vec<String>>,
    pub(super) parent: Option<String>,
    pub(super) push_url: Option<String>,
    pub(super) state: String,
    pub(super) state_since: Option<String>,
    pub(super) last_heartbeat: Option<Heartbeat>,
    pub(super) expected_at: Option<String>,
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

    /// When it is expected, in words: `every 5 min`, `at 02:30 on Sundays, UTC`.
    pub(super) fn expected(&self) -> String {
        match (&self.cron, self.timeout) {
            (Some(cron), _) => cron_in_words(cron, self.timezone.as_deref()),
            (None, Some(timeout)) => format!("every {timeout}"),
            (None, None) => "-".to_owned(),
        }
    }
}

/// A pattern that this version does not read is shown as it is.
fn cron_in_words(pattern: &str, timezone: Option<&str>) -> String {
    let timezone = timezone.unwrap_or("UTC");
    CronSchedule::parse(pattern, timezone)
        .map_or_else(|_| format!("cron {pattern}, {timezone}"), |cron| cron.in_words())
}

/// One accepted push.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Heartbeat {
    pub(super) id: String,
    pub(super) at: String,
    pub(super) status: String,
    pub(super) msg: Option<String>,
    pub(super) value: Option<f64>,
    pub(super) has_output: bool,
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
    #[serde(default)]
    pub(super) warnings: Vec<String>,
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

    /// `2 h at 02:00, UTC`, or `2026-11-22 09:00 to 12:00 CET`.
    pub(super) fn when(&self, times: &Times) -> String {
        if let (Some(cron), Some(duration)) = (&self.cron, self.duration) {
            return format!("{duration} {}", cron_in_words(cron, self.timezone.as_deref()));
        }
        let (Some(from), Some(to)) = (&self.from, &self.to) else { return "-".to_owned() };
        match (EventTime::parse_rfc3339(from), EventTime::parse_rfc3339(to)) {
            (Some(from), Some(to)) => times.span(from, to),
            _ => format!("{from} to {to}"),
        }
    }

    /// Whether it is for this monitor.
    pub(super) fn is_for(&self, monitor: &Monitor) -> bool {
        self.monitors.contains(&monitor.id) || self.tags.iter().any(|tag| monitor.tags.contains(tag))
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
    pub(super) timezone: Option<String>,
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
    /// The name of the channel that fails, if the delivery tells of one.
    pub(super) failing_channel: Option<String>,
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
