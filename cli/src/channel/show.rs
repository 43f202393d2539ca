//! `lubdub channel show`

use super::super::connection::Connection;
use super::super::details::Details;
use super::super::lookup::{Kind, id_of};
use super::super::times::Times;
use super::super::view::Channel;
use crate::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  lubdub channel show ops
  lubdub channel show ops --json";

/// Shows a channel.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// Name or id
    channel: String,
    #[command(flatten)]
    connection: Connection,
}

impl Show {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<()> {
        let api = self.connection.open()?;
        let id = id_of(&api, Kind::Channel, &self.channel).await?;
        let answer = api.get(&["channels", &id]).await?;
        if self.connection.json() {
            return Ok(terminal.json(&answer)?);
        }
        Ok(terminal.print(&details(&api.view(&answer)?, &terminal.times()))?)
    }
}

fn details(channel: &Channel, times: &Times) -> String {
    let mut details = Details::default();
    details.add("name", &channel.name);
    details.add("id", &channel.id);
    details.add("kind", &channel.kind);
    details.add("to", &channel.target());
    for (name, value) in &channel.settings {
        details.add("setting", &format!("{name}: {value}"));
    }
    details.add_some("method", channel.method.as_ref().filter(|method| *method != "POST"));
    for (name, value) in &channel.headers {
        details.add("header", &format!("{name}: {value}"));
    }
    details.add_some("template", channel.template.as_ref());
    details.add_some("content type", channel.content_type.as_ref());
    if channel.digest {
        details.add("digests", "yes");
    }
    for old in &channel.old_secrets {
        details.add("old secret", &format!("signs until {}", times.told(&old.expires_at)));
    }
    details.add("default", if channel.default { "yes" } else { "no" });
    details.add_some("times in", channel.timezone.as_ref());
    details.add("state", &channel.state);
    details.add_some("failing since", channel.failing_since.as_ref().map(|at| times.told(at)).as_ref());
    details.add_some("note", channel.state_detail.as_ref());
    details.add("created", &times.told(&channel.created_at));
    details.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_shown_with_where_it_leads() {
        let times = Times::at("2026-11-22T10:05:00Z", "Europe/Berlin");
        let shown = |value| details(&serde_json::from_value(value).expect("a channel"), &times);
        let webhook = shown(serde_json::json!({
            "id": "1", "name": "ops", "kind": "webhook", "url": "https://x.example/", "headers": {"x-key": "***"}, "method": "PUT",
            "template": "{{ title }}\n", "content_type": "text/plain", "digest": true, "default": true, "timezone": "Europe/Berlin", "state": "failing",
            "state_detail": "answered 500", "failing_since": "2026-11-22T10:00:00.000Z", "created_at": "2026-11-22T09:00:00.000Z",
            "old_secrets": [{"expires_at": "2026-11-23T10:00:00.000Z"}],
        }));
        assert_eq!(
            webhook,
            "name           ops\n\
             id             1\n\
             kind           webhook\n\
             to             https://x.example/\n\
             method         PUT\n\
             header         x-key: ***\n\
             template       {{ title }}\n\
             content type   text/plain\n\
             digests        yes\n\
             old secret     signs until 2026-11-23 11:00:00 CET (in 23 h)\n\
             default        yes\n\
             times in       Europe/Berlin\n\
             state          failing\n\
             failing since  11:00:00 CET (5 min ago)\n\
             note           answered 500\n\
             created        10:00:00 CET (1 h ago)\n"
        );
        let telegram = shown(serde_json::json!({
            "id": "2", "name": "chat", "kind": "telegram", "settings": {"token": "***", "chat_id": "-1"}, "state": "ok",
        }));
        assert!(
            telegram.contains("to       chat_id -1\nsetting  chat_id: -1\nsetting  token: ***\n"),
            "{telegram}"
        );
    }
}
