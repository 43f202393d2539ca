//! The settings of a monitor, given when it is made or changed.

use ::api::limits::MIN_REMIND_SECS;
use model::schedule::{MAX_GRACE_SECS, MAX_TIMEOUT_SECS};
use serde_json::{Map, Value, json};

use super::super::api::Api;
use super::super::cron::zone;
use super::super::duration::{Seconds, Within, within};
use super::super::lookup::{Kind, choose, id_of, names};

/// The fields of the two kinds of schedule.
pub(super) const SCHEDULES: (&str, &str) = ("timeout", "cron");

/// What a timeout may be, and an interval.
pub(super) const TIMEOUT: Within = within(1, MAX_TIMEOUT_SECS as u64);

/// What a grace may be.
const GRACE: Within = within(0, MAX_GRACE_SECS as u64);

/// What the time between two reminders may be.
const REMINDER: Within = within(MIN_REMIND_SECS as u64, MAX_TIMEOUT_SECS as u64).or_zero("never");

/// The optional fields that `create` and `edit` share.
#[derive(Debug, clap::Args)]
pub(super) struct Settings {
    /// Time zone of --cron, as in Europe/Berlin [default: that of this machine]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub(super) timezone: Option<String>,
    /// Tolerance after the expected time, 0s to 365d, as in 30s
    #[arg(long, value_name = "DURATION", value_parser = GRACE)]
    grace: Option<Seconds>,
    /// Recommended interval between pushes, 1s to 365d
    #[arg(long, value_name = "DURATION", value_parser = TIMEOUT)]
    interval: Option<Seconds>,
    /// Remind while it stays down, every 1m to 365d, as in 6h; 0 = never
    #[arg(long, value_name = "DURATION", value_parser = REMINDER)]
    remind_every: Option<Seconds>,
    /// Channel to alert, by name or id; may be repeated
    #[arg(long = "channel", value_name = "CHANNEL")]
    channels: Vec<String>,
    /// Alert no channel
    #[arg(long, conflicts_with = "channels")]
    no_channels: bool,
    /// Parent: the monitor that it depends on, by name or id; while the parent is down, its messages cover
    /// this monitor
    #[arg(long, value_name = "MONITOR")]
    parent: Option<String>,
    /// What the monitor is about, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

impl Settings {
    /// Whether nothing was given.
    pub(super) const fn is_empty(&self) -> bool {
        self.timezone.is_none()
            && self.grace.is_none()
            && self.interval.is_none()
            && self.remind_every.is_none()
            && self.channels.is_empty()
            && !self.no_channels
            && self.parent.is_none()
            && self.description.is_none()
    }

    /// Whether a parent was named.
    pub(super) const fn says_parent(&self) -> bool {
        self.parent.is_some()
    }

    /// Puts the fields that were given into a request's body.
    pub(super) async fn fill(&self, body: &mut Map<String, Value>, api: &Api) -> anyhow::Result<()> {
        let parent = match &self.parent {
            Some(wanted) => Some(id_of(api, Kind::Monitor, wanted).await?),
            None => None,
        };
        let given = [
            ("timezone", self.timezone.as_ref().map(|zone| json!(zone))),
            ("grace", self.grace.map(|grace| json!(grace))),
            ("interval", self.interval.map(|interval| json!(interval))),
            ("remind_every", self.remind_every.map(|span| json!(span))),
            ("channels", self.channel_ids(api).await?.map(|ids| json!(ids))),
            ("parent", parent.map(Value::String)),
            ("description", self.description.as_ref().map(|text| json!(text))),
        ];
        for (field, value) in given {
            if let Some(value) = value {
                body.insert(field.to_owned(), value);
            }
        }
        Ok(())
    }

    async fn channel_ids(&self, api: &Api) -> anyhow::Result<Option<Vec<String>>> {
        if self.no_channels {
            return Ok(Some(Vec::new()));
        }
        if self.channels.is_empty() {
            return Ok(None);
        }
        let all = names(api, Kind::Channel).await?;
        let ids = self.channels.iter().map(|wanted| Ok(choose(Kind::Channel, &all, wanted)?.id.clone()));
        ids.collect::<anyhow::Result<_>>().map(Some)
    }
}
