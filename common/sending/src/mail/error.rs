//! Why a mail was not accepted.

use std::error::Error;
use std::time::Duration;

use lettre::transport::smtp;

/// Why a mail was not accepted. The texts hold what the server said and nothing of the password or the
/// server's URL.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The server refused the sender, the recipient or the mail.
    #[error("{code} {text}")]
    Refused {
        /// Its code: 4xx may pass, 5xx will not.
        code: u16,
        /// The server's text, in one line.
        text: String,
    },
    /// The server refused to talk at all, or the user and password.
    #[error("the mail server does not let Lubdub in: {code} {text}")]
    NotLetIn {
        /// Its code.
        code: u16,
        /// The server's text, in one line.
        text: String,
    },
    /// The password would have gone over the network for all to read.
    #[error("the mail server offers no TLS, and without it the password is not sent")]
    NoTls,
    /// The server asks for the password in a way that Lubdub does not know.
    #[error("the mail server takes no password by PLAIN or LOGIN")]
    NoLogin,
    /// The server's certificate is not trusted, or what it speaks is not TLS.
    #[error("no TLS with the mail server: {}", innermost(.0))]
    Tls(smtp::Error),
    /// The server is not reached.
    #[error("failed to connect to the mail server: {}", innermost(.0))]
    Connect(smtp::Error),
    /// The server hung up, or talked nonsense.
    #[error("the exchange with the mail server broke off: {}", innermost(.0))]
    Broken(smtp::Error),
    /// The server took too long.
    #[error("the mail server did not take it within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The recipient is no address.
    #[error("not an e-mail address")]
    Address,
    /// No mail can be made of it.
    #[error("no mail can be made of it: {0}")]
    Unwritable(#[source] lettre::error::Error),
}

impl MailError {
    /// Whether the same again can hardly help. What stands in the way of every mail, a wrong password say, is
    /// the operator's to mend: mail waits for that as for a server that is down.
    pub const fn is_permanent(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code >= 500,
            Self::Address | Self::Unwritable(_) => true,
            Self::NotLetIn { .. }
            | Self::NoTls
            | Self::NoLogin
            | Self::Tls(_)
            | Self::Connect(_)
            | Self::Broken(_)
            | Self::TimedOut(_) => false,
        }
    }

    /// The server's code, if it answered.
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } | Self::NotLetIn { code, .. } => Some(*code),
            Self::NoTls
            | Self::NoLogin
            | Self::Tls(_)
            | Self::Connect(_)
            | Self::Broken(_)
            | Self::TimedOut(_)
            | Self::Address
            | Self::Unwritable(_) => None,
        }
    }
}

/// The innermost error says most.
fn innermost(error: &smtp::Error) -> String {
    let mut innermost: &(dyn Error + 'static) = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.to_string().as_str() {
        "incomplete response" => "it hung up".to_owned(),
        text => text.to_owned(),
    }
}
