//! The operator, and the ways there.

use std::time::Duration;

use model::chain::Chain;
use model::ids::PartitionId;
use model::time::EventTime;
use sending::mail::{Mail, Mailer};
use serde::Serialize;
use uuid::Uuid;

use crate::config::{Config, MetaWebhook};
use crate::error::Error;

/// The time that sending one alert may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// News for the operator.
#[derive(Debug, Clone)]
pub(super) struct News {
    id: Uuid,
    kind: Kind,
    at: EventTime,
    /// The stall that this ends: the id of its own news.
    ends: Option<Uuid>,
}

#[derive(Debug, Clone)]
enum Kind {
    Stalled { partition: PartitionId, watermark: Option<EventTime> },
    Recovered,
}

impl News {
    /// Lubdub stands still.
    pub(super) fn stalled(at: EventTime, partition: PartitionId, watermark: Option<EventTime>) -> Self {
        Self { id: Uuid::new_v4(), kind: Kind::Stalled { partition, watermark }, at, ends: None }
    }

    /// Lubdub moves again.
    pub(super) fn ended(&self, at: EventTime) -> Self {
        // The id is the same at each try, so that a repeat is recognised.
        Self { id: Uuid::new_v5(&self.id, b"ended"), kind: Kind::Recovered, at, ends: Some(self.id) }
    }

    const fn message(&self) -> &'static str {
        match self.kind {
            Kind::Stalled { .. } => {
                "Lubdub has not moved on for more than 60 s: no monitor is watched until it does"
            }
            Kind::Recovered => "Lubdub moves again",
        }
    }

    fn alert(&self) -> MetaAlert {
        let (kind, partition, watermark) = match self.kind {
            Kind::Stalled { partition, watermark } => ("lubdub.stalled", Some(partition.0), watermark),
            Kind::Recovered => ("lubdub.recovered", None, None),
        };
        let watermark = watermark.map(EventTime::to_rfc3339);
        let message = self.message().to_owned();
        MetaAlert { kind, timestamp: self.at.to_rfc3339(), data: MetaData { partition, watermark, message } }
    }

    fn mail(&self) -> Mail {
        let (subject, more) = match self.kind {
            Kind::Stalled { partition, watermark } => (
                "Lubdub stands still",
                match watermark {
                    Some(at) => format!("Partition {partition} has come to {at}, and no further.\n"),
                    None => format!("Partition {partition} has not begun.\n"),
                },
            ),
            Kind::Recovered => ("Lubdub moves again", String::new()),
        };
        Mail {
            id: self.id,
            thread: self.ends,
            date: self.at,
            subject: subject.to_owned(),
            text: format!("{}.\n{more}", self.message()),
            html: None,
            // The operator asked for it.
            unsubscribe: None,
        }
    }
}

/// The body that a webhook receives.
#[derive(Debug, Serialize)]
struct MetaAlert {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: MetaData,
}

#[derive(Debug, Serialize)]
struct MetaData {
    partition: Option<u16>,
    watermark: Option<String>,
    message: String,
}

/// A way to the operator: the address, and what sends there.
pub(super) enum Operator {
    Webhook { webhook: MetaWebhook, client: reqwest::Client },
    Mail { to: String, mailer: Box<Mailer> },
}

impl Operator {
    /// Every way that is configured.
    pub(super) fn all(config: Config) -> Result<Vec<Self>, Error> {
        config.validate()?;
        let webhook = config.meta_webhook.map(Self::webhook).transpose()?;
        let mail = config.meta_mail.zip(config.mail);
        let mail =
            mail.map(|(to, mail)| Self::Mail { to, mailer: Box::new(Mailer::new(mail, SEND_TIMEOUT)) });
        Ok(webhook.into_iter().chain(mail).collect())
    }

    fn webhook(webhook: MetaWebhook) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .timeout(SEND_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(Error::MetaClient)?;
        Ok(Self::Webhook { webhook, client })
    }

    /// Sends news; whether it was accepted.
    pub(super) async fn tell(&self, news: &News) -> bool {
        match self {
            Self::Webhook { webhook, client } => {
                match client.post(webhook.url().clone()).json(&news.alert()).send().await {
                    Ok(answer) if answer.status().is_success() => true,
                    Ok(answer) => {
                        let status = answer.status().as_u16();
                        tracing::warn!(status, "the operator's webhook refused the alert");
                        false
                    }
                    Err(error) => {
                        tracing::warn!(error = %Chain(&error.without_url()), "failed to reach the operator's webhook");
                        false
                    }
                }
            }
            Self::Mail { to, mailer } => match mailer.send(&news.mail(), to).await {
                Ok(_) => true,
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "failed to send the operator a mail");
                    false
                }
            },
        }
    }
}
