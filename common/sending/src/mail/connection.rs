//! One connection to the mail server.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::response::Response;

use super::error::MailError;
use super::settings::{MailSettings, Security};

/// The time limit for one address of the server, so that there is time for its others.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Most characters that are kept of what the server says.
const LONGEST_TEXT: usize = 300;

/// The server's answer when it took the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedMail {
    /// Its code, 2xx.
    pub code: u16,
    /// The rest, in one line; it often names the mail's place in the server's queue.
    pub text: String,
}

/// A connection that was let in.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    sent: u32,
    usable: bool,
}

impl Connection {
    pub(super) async fn open(settings: &MailSettings) -> Result<Self, MailError> {
        let hello = settings.hello();
        let tls = match settings.security() {
            Security::Implicit => Some(settings.tls().clone()),
            Security::IfOffered => None,
        };
        let mut smtp =
            AsyncSmtpConnection::connect_tokio1(settings.server(), Some(CONNECT_TIMEOUT), &hello, tls, None)
                .await
                .map_err(|error| not_let_in(error, settings, MailError::Connect))?;
        if smtp.can_starttls() {
            smtp.starttls(settings.tls().clone(), &hello)
                .await
                .map_err(|error| not_let_in(error, settings, MailError::Broken))?;
        }
        if let Some(credentials) = settings.credentials() {
            if !smtp.is_encrypted() {
                return Err(MailError::NoTls);
            }
            if smtp.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
                return Err(MailError::NoLogin);
            }
            smtp.auth(DEFAULT_MECHANISMS, &credentials)
                .await
                .map_err(|error| not_let_in(error, settings, MailError::Broken))?;
        }
        Ok(Self { smtp, sent: 0, usable: true })
    }

    /// Sends one mail to one recipient.
    pub(super) async fn send(
        &mut self,
        from: &Mailbox,
        to: &str,
        mail: &[u8],
    ) -> Result<AcceptedMail, MailError> {
        let to: Address = to.parse().map_err(|_| MailError::Address)?;
        // The connection is not usable until the outcome of the exchange is known.
        self.usable = false;
        self.sent += 1;
        match self.exchange(from.email.clone(), to, mail).await {
            Ok(response) => {
                self.usable = true;
                let text = one_line(&response.message().collect::<Vec<_>>().join(" "));
                Ok(AcceptedMail { code: response.code().into(), text })
            }
            Err(error) => Err(match error.status() {
                Some(code) => {
                    // A server that says 421 hangs up.
                    self.usable = u16::from(code) != 421;
                    MailError::Refused { code: code.into(), text: one_line(&said(&error)) }
                }
                None => MailError::Broken(error),
            }),
        }
    }

    async fn exchange(&mut self, from: Address, to: Address, mail: &[u8]) -> Result<Response, smtp::Error> {
        self.smtp.command(Mail::new(Some(from), Vec::new())).await?;
        self.smtp.command(Rcpt::new(to, Vec::new())).await?;
        self.smtp.command(Data).await?;
        self.smtp.message(mail).await
    }

    /// Whether the connection is between two mails.
    pub(super) const fn is_usable(&self) -> bool {
        self.usable
    }

    /// How many mails were tried over it.
    pub(super) const fn sent(&self) -> u32 {
        self.sent
    }

    /// Whether the server is still there and has forgotten the mail before.
    pub(super) async fn begins_anew(&mut self) -> bool {
        self.smtp.command(Rset).await.is_ok()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// `other` is what it is if the server did not refuse and TLS did not fail.
fn not_let_in(error: smtp::Error, settings: &MailSettings, other: fn(smtp::Error) -> MailError) -> MailError {
    match error.status() {
        Some(code) => {
            // Some repeat what they did not understand.
            let text =
                settings.secrets().iter().fold(said(&error), |text, secret| text.replace(secret, "***"));
            MailError::NotLetIn { code: code.into(), text: one_line(&text) }
        }
        None if is_of_tls(&error) => MailError::Tls(error),
        None => other(error),
    }
}

fn said(error: &smtp::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// A failed handshake comes as a failure of the connection.
fn is_of_tls(error: &smtp::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        cause = error.source();
    }
    error.is_tls()
}

fn one_line(text: &str) -> String {
    let words: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_TEXT).collect()
}
