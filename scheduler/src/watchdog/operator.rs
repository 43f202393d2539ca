//! The operator, and the ways there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::chain::Chain;
use model::ids::PartitionId;
use model::time::EventTime;
use reqwest::Method;
use sending::mail::{Mail, Mailer};
use serde::Serialize;
use uuid::Uuid;

use crate::config::{Config, SecretUrl};
use crate::error::Error;

/// The time that sending one alert may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// The type and the subject of news that Lubdub stands still.
pub(super) const STALLED: (&str, &str) = ("lubdub.stalled", "Lubdub stands still");

/// News for the operator.
#[derive(Debug, Clone)]
pub(super) struct News {
    id: Uuid,
    kind: &'static str,
    at: EventTime,
    subject: String,
    /// Without a full stop at its end.
    message: String,
    stall: Option<(PartitionId, Option<EventTime>)>,
    /// The trouble that this ends: the id of its own news, and its kind.
    ends: Option<(Uuid, &'static str)>,
}

impl News {
    /// Lubdub stands still, for this reason.
    pub(super) fn stalled(
        at: EventTime,
        partition: PartitionId,
        watermark: Option<EventTime>,
        reason: &str,
    ) -> Self {
        let message = format!(
            "Lubdub has not moved on for more than 60 s, and no monitor is watched until it does. The reason: {reason}"
        );
        Self { stall: Some((partition, watermark)), ..Self::trouble(at, STALLED.0, STALLED.1, message) }
    }

    /// Something is wrong with Lubdub.
    pub(super) fn trouble(at: EventTime, kind: &'static str, subject: &str, message: String) -> Self {
        // The next life of the process comes to the same id, and so to the same thread of mails.
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{kind} {at}").as_bytes());
        Self { id, kind, at, subject: subject.to_owned(), message, stall: None, ends: None }
    }

    /// When this was noticed.
    pub(super) const fn at(&self) -> EventTime {
        self.at
    }

    /// What this told of is over.
    pub(super) fn ended(&self, at: EventTime) -> Self {
        let (subject, message) = if self.kind == STALLED.0 {
            ("Lubdub moves again".to_owned(), "Lubdub moves again".to_owned())
        } else {
            (format!("Over: {}", self.subject), format!("It is over: {}", self.message))
        };
        // The id is the same at each try, so that a repeat is recognised.
        let id = Uuid::new_v5(&self.id, b"ended");
        let ends = Some((self.id, self.kind));
        Self { id, kind: "lubdub.recovered", at, subject, message, stall: None, ends }
    }

    fn alert(&self) -> MetaAlert<'_> {
        let partition = self.stall.map(|(partition, _)| partition.0);
        let watermark = self.stall.and_then(|(_, watermark)| watermark).map(EventTime::to_rfc3339);
        let ended = self.ends.map(|(_, kind)| kind);
        MetaAlert {
            kind: self.kind,
            timestamp: self.at.to_rfc3339(),
            data: MetaData { partition, watermark, ended, message: &self.message },
        }
    }

    fn mail(&self) -> Mail {
        let more = match self.stall {
            Some((partition, Some(at))) => {
                format!("Partition {partition} has come to {at}, and no further.\n")
            }
            Some((partition, None)) => format!("Partition {partition} has not begun.\n"),
            None => String::new(),
        };
        Mail {
            id: self.id,
            thread: self.ends.map(|(begun, _)| begun),
            date: self.at,
            subject: self.subject.clone(),
            text: format!("{}.\n{more}", self.message),
            html: None,
            // The operator asked for it.
            unsubscribe: None,
        }
    }
}

/// The body that a webhook receives.
#[derive(Debug, Serialize)]
struct MetaAlert<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: MetaData<'a>,
}

#[derive(Debug, Serialize)]
struct MetaData<'a> {
    partition: Option<u16>,
    watermark: Option<String>,
    /// The type of the alert that this ends.
    ended: Option<&'static str>,
    message: &'a str,
}

/// The client by which the operator is told, with nothing between it and the other side.
pub(super) fn client() -> Result<reqwest::Client, Error> {
    let client = reqwest::Client::builder().timeout(SEND_TIMEOUT);
    client.redirect(reqwest::redirect::Policy::none()).no_proxy().build().map_err(Error::MetaClient)
}

/// A way to the operator.
pub(super) struct Operator {
    way: Way,
    /// Whether the last news were not accepted: one line in the log for each time that this begins.
    failing: AtomicBool,
}

/// The address, and what sends there.
enum Way {
    Webhook { webhook: SecretUrl, client: reqwest::Client },
    Mail { to: String, mailer: Box<Mailer> },
}

impl Operator {
    /// Every way that is configured.
    pub(super) fn all(config: Config) -> Result<Vec<Self>, Error> {
        config.validate()?;
        let webhook = config.meta_webhook.map(Way::webhook).transpose()?;
        let mail = config.meta_mail.zip(config.mail);
        let mail = mail.map(|(to, mail)| Way::Mail { to, mailer: Box::new(Mailer::new(mail, SEND_TIMEOUT)) });
        let ways = webhook.into_iter().chain(mail);
        Ok(ways.map(|way| Self { way, failing: AtomicBool::new(false) }).collect())
    }

    /// The name of the way, of which there is one of a kind.
    pub(super) const fn name(&self) -> &'static str {
        match self.way {
            Way::Webhook { .. } => "webhook",
            Way::Mail { .. } => "mail",
        }
    }

    /// Sends news; whether it was accepted.
    pub(super) async fn tell(&self, news: &News) -> bool {
        let sent = self.way.send(news).await;
        let was_failing = self.failing.swap(sent.is_err(), Ordering::Relaxed);
        if let Err(reason) = &sent
            && !was_failing
        {
            tracing::warn!(way = self.name(), reason, "failed to tell the operator; trying again");
        }
        sent.is_ok()
    }
}

impl Way {
    fn webhook(webhook: SecretUrl) -> Result<Self, Error> {
        Ok(Self::Webhook { webhook, client: client()? })
    }

    /// Sends news; the error says why they were not accepted, without the address.
    async fn send(&self, news: &News) -> Result<(), String> {
        match self {
            Self::Webhook { webhook, client } => {
                let sent = webhook.request(client, Method::POST).json(&news.alert()).send().await;
                let answer = sent.map_err(|error| Chain(&error.without_url()).to_string())?;
                if answer.status().is_success() {
                    Ok(())
                } else {
                    Err(format!("it was answered {}", answer.status().as_u16()))
                }
            }
            Self::Mail { to, mailer } => {
                mailer.send(&news.mail(), to).await.map(drop).map_err(|error| Chain(&error).to_string())
            }
        }
    }
}
