//! Mail goes to a real mail server, whatever that does.

mod content;
mod refusals;
mod room;
mod security;

use std::time::Duration;

use model::time::EventTime;
use sending::mail::{Mail, MailSettings, Mailer};
use servers::SmtpSink;
use uuid::Uuid;

const FROM: &str = "Lubdub <lubdub@example.org>";

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Short enough to wait for.
const SHORT: Duration = Duration::from_secs(2);

fn mailer(sink: &SmtpSink, time_limit: Duration) -> Mailer {
    Mailer::new(settings(&format!("smtp://127.0.0.1:{}", sink.port())), time_limit)
}

fn settings(url: &str) -> MailSettings {
    MailSettings::new(url, FROM, None).expect("settings")
}

fn mail(number: u128) -> Mail {
    Mail {
        id: Uuid::from_u128(number),
        thread: None,
        date: EventTime::parse_rfc3339("2026-11-22T10:00:07.120Z").expect("a time"),
        subject: format!("DOWN: backup {number}"),
        text: "No heartbeat for 66 s\nDown since 2026-11-22 10:00:05 UTC\n".to_owned(),
        html: Some("<p>No heartbeat for 66 s</p>\n".to_owned()),
        unsubscribe: None,
    }
}
