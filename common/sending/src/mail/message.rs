//! Pure. A mail, and its bytes.

use std::time::{Duration, SystemTime};

use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use super::error::MailError;
use crate::mail_address::mail_address;
use model::time::EventTime;

/// The content of a mail. The same content always makes the same bytes, so that a repeat is the same mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its Message-ID is this at the sender's domain.
    pub id: Uuid,
    /// The id of the mail that began what this one goes on with: readers show them together.
    pub thread: Option<Uuid>,
    /// The time of its creation.
    pub date: EventTime,
    /// One line.
    pub subject: String,
    /// The plain text, lines ended by `\n`.
    pub text: String,
    /// The same as HTML, if the mail has an HTML part too.
    pub html: Option<String>,
    /// The subject of the mail by which a recipient asks the sender for no more mails; `None` = no such
    /// offer.
    pub unsubscribe: Option<String>,
}

impl Mail {
    /// The mail from `from` to `to`, as SMTP takes it.
    pub(super) fn written(&self, from: &Mailbox, to: &str) -> Result<Vec<u8>, MailError> {
        let to = mail_address(to).and_then(|to| to.parse().ok()).ok_or(MailError::Address)?;
        let domain = from.email.domain();
        let envelope = Envelope::new(Some(from.email.clone()), vec![to]).map_err(MailError::Unwritable)?;
        let recipient = envelope.to().iter().map(|to| Mailbox::new(None, to.clone()));
        let mut builder = recipient
            .fold(Message::builder().from(from.clone()), |builder, to| builder.to(to))
            .subject(one_line(&self.subject))
            .date(system_time(self.date))
            .message_id(Some(message_id(self.id, domain)))
            // RFC 3834: no automatic replies, please.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "All"));
        if let Some(thread) = self.thread {
            let root = message_id(thread, domain);
            builder = builder.in_reply_to(root.clone()).references(root);
        }
        if let Some(subject) = &self.unsubscribe {
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let (local, subject) = (encoded(from.email.user()), encoded(subject));
            builder = builder.raw_header(header(
                "List-Unsubscribe",
                &format!("<mailto:{local}@{domain}?subject={subject}>"),
            ));
        }
        let plain = || part(ContentType::TEXT_PLAIN, lines(&self.text));
        let message = match &self.html {
            None => builder.singlepart(plain()),
            Some(html) => {
                // No line of a quoted-printable part can be this one: there, hexadecimal digits follow a `=`.
                let parts = MultiPart::alternative().boundary(format!("=_{}", self.id.simple()));
                let html = part(ContentType::TEXT_HTML, lines(html));
                builder.multipart(parts.singlepart(plain()).singlepart(html))
            }
        };
        Ok(message.map_err(MailError::Unwritable)?.formatted())
    }
}

/// Always quoted-printable: what a monitor said can then be neither a boundary nor the end of the mail.
fn part(kind: ContentType, text: String) -> SinglePart {
    SinglePart::builder().header(kind).header(ContentTransferEncoding::QuotedPrintable).body(text)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn message_id(id: Uuid, domain: &str) -> String {
    format!("<{id}@{domain}>")
}

fn system_time(at: EventTime) -> SystemTime {
    // Within the years that can be shown, whatever was stored.
    let at = EventTime::from_micros(at.as_micros());
    SystemTime::UNIX_EPOCH + at.since(EventTime::EPOCH).max(Duration::ZERO)
}

/// The text without control characters, and without what mail readers would take for encoded words.
fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.trim().replace("=?", "= ?")
}

/// Lines that end by `\n`, without other control characters.
fn lines(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| line.chars().filter(|c| *c == '\t' || !c.is_control()).collect()).collect();
    lines.join("\n")
}
