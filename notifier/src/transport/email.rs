//! A mail to each of a channel's addresses.

mod html;

use std::time::Duration;

use futures_util::future::join_all;
use model::channel::Email;
use model::ids::DeliveryId;
use sending::mail::{AcceptedMail, Mail, MailError, MailSettings, Mailer};

use super::answer::{Answer, Failure};
use super::undelivered::{KEPT_BYTES, UndeliveredMail};
use crate::message::{self, Length, Message, Telling};

/// Most bytes that are shown of what a test sent.
const SHOWN: usize = 16 * 1024;

/// Sends mails.
pub(crate) struct EmailTransport {
    mailer: Mailer,
}

/// A mail, and the recipients that have not got it yet.
pub(crate) struct EmailRequest {
    mail: Mail,
    /// Each address once.
    to: Vec<String>,
    /// How many of the channel's addresses got it by earlier attempts.
    had: usize,
    is_test: bool,
}

impl EmailRequest {
    pub(super) fn new(telling: &Telling<'_>, email: &Email) -> Self {
        let task = telling.task;
        let mut all: Vec<&String> = Vec::new();
        for address in &email.to {
            if !all.contains(&address) {
                all.push(address);
            }
        }
        let to: Vec<String> =
            all.iter().filter(|to| !task.sent_to.contains(to)).map(|to| (*to).clone()).collect();
        Self { had: all.len() - to.len(), to, is_test: task.notice.is_test(), mail: mail(telling) }
    }
}

fn mail(telling: &Telling<'_>) -> Mail {
    let Telling { task, channel, .. } = *telling;
    let message = Message::new(telling);
    let text = message::text(&message.parts, Length::Whole);
    let root = DeliveryId::derive(message::incident(&task.notice), channel.id);
    let foot = format!("Lubdub sent this to channel {}.", channel.name);
    Mail {
        id: task.id.as_uuid(),
        thread: (root != task.id).then(|| root.as_uuid()),
        date: task.created_at,
        subject: message.title.clone(),
        text: format!("{}\n\n{text}\n\n-- \n{foot}\n", message.title),
        html: Some(html::page(&message, &foot)),
        // The reader may not be the owner of the channel, so an unsubscription is a mail to the sender, a
        // person. A link would be followed by the first scanner of links, which would end the alerts.
        unsubscribe: Some(format!("unsubscribe from channel {} ({})", channel.name, channel.id)),
    }
}

impl EmailTransport {
    pub(super) const fn new(settings: MailSettings, time_limit: Duration) -> Self {
        Self { mailer: Mailer::new(settings, time_limit) }
    }

    /// Sends the mail to all that have not got it, side by side, so that a slow recipient takes no time from
    /// the others.
    pub(super) async fn send(&self, request: &EmailRequest) -> Answer {
        let EmailRequest { mail, to, had, is_test } = request;
        let outcomes = join_all(to.iter().map(|to| self.mailer.send(mail, to))).await;
        let shown = is_test.then(|| self.mailer.shown(mail, to, SHOWN));
        Answer { request: shown, ..summary(to, outcomes, *had) }
    }
}

fn summary(to: &[String], outcomes: Vec<Result<AcceptedMail, MailError>>, had: usize) -> Answer {
    let of = had + to.len();
    let (mut sent_to, mut failed, mut answers, mut code) = (Vec::new(), Vec::new(), String::new(), None);
    for (to, outcome) in to.iter().zip(outcomes) {
        match outcome {
            Ok(AcceptedMail { code: accepted, text }) => {
                code.get_or_insert(accepted);
                answers.push_str(&format!("{to}: {accepted} {text}\n"));
                sent_to.push(to.clone());
            }
            Err(error) => {
                if error.code().is_some() {
                    answers.push_str(&format!("{to}: {error}\n"));
                }
                failed.push((to.clone(), error));
            }
        }
    }
    let undelivered = UndeliveredMail { accepted: had + sent_to.len(), of, failed };
    answers.truncate(answers.floor_char_boundary(KEPT_BYTES));
    let answers = answers.trim_end();
    Answer {
        // The code for a recipient who did not get the mail says more.
        status: if undelivered.failed.is_empty() { code } else { undelivered.code() },
        retry_after: None,
        body: (!answers.is_empty()).then(|| answers.to_owned()),
        failure: (!undelivered.failed.is_empty()).then_some(Failure::Mail(undelivered)),
        request: None,
        sent_to,
        moved: None,
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
