//! E-mail, by SMTP: what the notifier sends to channels, and a scheduler to its operator.
//!
//! - [`MailSettings`]: the server and the sender, as the operator gave them.
//! - [`Mail`]: what is said. Each recipient gets it in an envelope of its own.
//! - [`Mailer`]: sends it, over a few connections at most, within a time limit.
//! - [`MailError`]: why it was not accepted, and whether trying again can help.

mod connection;
mod error;
mod message;
mod settings;

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use connection::AcceptedMail;
use connection::Connection;
pub use error::MailError;
pub use message::Mail;
pub use settings::{MailSettings, MailSettingsError};

/// How many connections are open at once. A mail beyond them waits, and that time counts: the one server has
/// limits too.
const CONNECTIONS: usize = 4;

/// An idle connection is used again within this; after it the server or a firewall may have forgotten it.
const IDLE: Duration = Duration::from_secs(20);

/// Mails over one connection; servers refuse more in the end.
const MAILS_PER_CONNECTION: u32 = 50;

/// Sends mail.
#[derive(Debug)]
pub struct Mailer {
    settings: MailSettings,
    time_limit: Duration,
    room: Semaphore,
    // Only connections between two mails. A connection that is dropped in the middle of one is closed,
    // because its next answer would be taken for the answer to another command.
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Mailer {
    /// A mailer that gives up a mail to one recipient after `time_limit`, counted from the wait for a
    /// connection to the server's last answer.
    pub const fn new(settings: MailSettings, time_limit: Duration) -> Self {
        Self { settings, time_limit, room: Semaphore::const_new(CONNECTIONS), idle: Mutex::new(Vec::new()) }
    }

    /// Sends a mail to one address.
    ///
    /// # Errors
    /// Why the server did not take it. After a time-out or a broken connection it may have taken the mail: a
    /// repeat goes under the same id.
    pub async fn send(&self, mail: &Mail, to: &str) -> Result<AcceptedMail, MailError> {
        let sending = self.send_in_turn(mail, to);
        tokio::time::timeout(self.time_limit, sending)
            .await
            .unwrap_or(Err(MailError::TimedOut(self.time_limit)))
    }

    /// The envelopes and the mail, as they are sent to these addresses, at most `limit` bytes; there are no
    /// credentials in it.
    pub fn shown(&self, mail: &Mail, to: &[String], limit: usize) -> String {
        let from = self.settings.sender();
        let Some((first, rest)) = to.split_first() else { return String::new() };
        let mut shown = format!("MAIL FROM:<{}>\r\nRCPT TO:<{first}>\r\n\r\n", from.email);
        match mail.written(from, first) {
            Ok(bytes) => shown.push_str(&String::from_utf8_lossy(&bytes)),
            Err(error) => shown.push_str(&error.to_string()),
        }
        let rest = match rest {
            [] => String::new(),
            rest => format!(
                "\r\n\r\nThe same, with its own To and in an envelope of its own, for {}",
                rest.join(", ")
            ),
        };
        let room = limit.saturating_sub(rest.len());
        shown.truncate(shown.floor_char_boundary(room));
        shown.push_str(&rest);
        shown.truncate(shown.floor_char_boundary(limit));
        shown
    }

    async fn send_in_turn(&self, mail: &Mail, to: &str) -> Result<AcceptedMail, MailError> {
        // The semaphore is never closed.
        let _room = self.room.acquire().await.map_err(|_| MailError::TimedOut(self.time_limit))?;
        // Written only now, so that what waits takes no room.
        let written = mail.written(self.settings.sender(), to)?;
        let mut connection = match self.reuse().await {
            Some(connection) => connection,
            None => Connection::open(&self.settings).await?,
        };
        let outcome = connection.send(self.settings.sender(), to, &written).await;
        if connection.is_usable() && connection.sent() < MAILS_PER_CONNECTION {
            self.idle.lock().push(Idle { connection, since: Instant::now() });
        }
        outcome
    }

    /// An idle connection that still answers. There are never more than there is room for.
    async fn reuse(&self) -> Option<Connection> {
        loop {
            let Idle { mut connection, since } = self.idle.lock().pop()?;
            if since.elapsed() < IDLE && connection.begins_anew().await {
                return Some(connection);
            }
        }
    }
}
