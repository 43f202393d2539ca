//! A mail server that writes down what it gets.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::authority::Authority;
use crate::free_port::free_port;
use crate::process::{Process, installed_tools};

/// The time for a start: long enough for a loaded machine with two cores.
const PATIENCE: Duration = Duration::from_secs(30);

/// How `smtp_sink.py` is to behave.
#[derive(Debug, Clone, Copy, Default)]
pub struct SinkOptions<'a> {
    /// The authority that certifies it; `None`: it speaks no TLS.
    pub authority: Option<&'a Authority>,
    /// TLS from the first byte, not by STARTTLS.
    pub implicit: bool,
    /// The only user that may send, and the password.
    pub login: Option<(&'a str, &'a str)>,
    /// The server refuses each login and repeats the credentials in its answer.
    pub echo: bool,
}

/// A mail server of a test's own. What it does to a mail stands in the recipient's address: see
/// `smtp_sink.py`.
#[derive(Debug)]
pub struct SmtpSink {
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    process: Option<Process>,
}

/// The events that it noted.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase", tag = "event")]
enum Event {
    Connected { connection: u64 },
    Closed { connection: u64 },
    Auth { tls: bool },
    Acted { to: String, what: String },
    Mail(Received),
}

/// A mail that it took, as Python's reader of mail understands it.
#[derive(Debug, Clone, Deserialize)]
pub struct Received {
    /// The sender of the envelope.
    pub sender: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// Whether the mail came over TLS.
    pub tls: bool,
    /// The user that logged in.
    pub user: Option<String>,
    /// The number of the connection that it came over.
    pub connection: u64,
    /// Its bytes.
    pub raw: String,
    /// Decoded, in their order.
    pub headers: Vec<(String, String)>,
    /// Its parts, by type.
    pub bodies: std::collections::BTreeMap<String, String>,
    /// Its content type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The defects that the reader found.
    pub defects: Vec<String>,
}

#[expect(clippy::missing_panics_doc, reason = "for tests")]
impl Received {
    /// A header that is there once.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let (_, value) = found.next().unwrap_or_else(|| panic!("there is no {name}: {:?}", self.headers));
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }

    /// Whether the mail has such a header.
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(found, _)| found.eq_ignore_ascii_case(name))
    }
}

#[expect(clippy::missing_panics_doc, reason = "for tests")]
impl SmtpSink {
    /// Starts a server that takes every mail from every client, without TLS.
    pub fn start() -> Self {
        Self::with(SinkOptions::default())
    }

    /// Starts a server with other behaviour.
    pub fn with(options: SinkOptions<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name).display().to_string();
        let mut arguments = vec!["--record".to_owned(), file("record")];
        if let Some(authority) = options.authority {
            authority.certify(folder.path());
            let tls = if options.implicit { "implicit" } else { "starttls" };
            arguments.extend(["--tls".to_owned(), tls.to_owned()]);
            arguments.extend(["--cert".to_owned(), file("cert.pem"), "--key".to_owned(), file("key.pem")]);
        }
        if let Some((user, password)) = options.login {
            arguments.extend(["--user", user, "--password", password].map(str::to_owned));
        }
        arguments.extend(options.echo.then(|| "--echo".to_owned()));
        let mut sink = Self { folder, port: free_port(), arguments, process: None };
        sink.restart();
        sink
    }

    /// Starts it again at its address.
    pub fn restart(&mut self) {
        self.stop();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("smtp_sink.py");
        let mut command = Command::new(python());
        command.arg(script).args(["--port", &self.port.to_string()]).args(&self.arguments);
        self.process = Some(Process::serve(&mut command, self.port, &self.folder.path().join("log")));
    }

    /// Ends it, with all connections.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Its port on 127.0.0.1, which its certificate names as well as localhost.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that certifies it.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The mails that it took, in their order.
    pub fn mails(&self) -> Vec<Received> {
        let mails = self.events().into_iter().filter_map(|event| match event {
            Event::Mail(mail) => Some(mail),
            Event::Connected { .. } | Event::Closed { .. } | Event::Auth { .. } | Event::Acted { .. } => None,
        });
        mails.collect()
    }

    /// Waits until it has taken this many mails.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            assert!(Instant::now() < deadline, "{} of {count} mails came: {}", mails.len(), self.said());
            sleep(Duration::from_millis(10));
        }
    }

    /// The number of logins that began, and whether each was over TLS.
    pub fn logins(&self) -> Vec<bool> {
        let logins = self.events().into_iter().filter_map(|event| match event {
            Event::Auth { tls } => Some(tls),
            Event::Connected { .. } | Event::Closed { .. } | Event::Mail(_) | Event::Acted { .. } => None,
        });
        logins.collect()
    }

    /// How often the server did this to mail for an address.
    pub fn acted(&self, address: &str, doing: &str) -> usize {
        let is_it =
            |event: &Event| matches!(event, Event::Acted { to, what } if to == address && what == doing);
        self.events().iter().filter(|event| is_it(event)).count()
    }

    /// The most connections at once, and the number of all connections.
    pub fn connections(&self) -> (usize, usize) {
        let (mut open, mut most, mut all) = (Vec::new(), 0, 0);
        for event in self.events() {
            match event {
                Event::Connected { connection } => {
                    open.push(connection);
                    all += 1;
                }
                Event::Closed { connection } => open.retain(|open| *open != connection),
                Event::Auth { .. } | Event::Acted { .. } | Event::Mail(_) => {}
            }
            most = most.max(open.len());
        }
        (most, all)
    }

    fn events(&self) -> Vec<Event> {
        let text = fs::read_to_string(self.folder.path().join("record")).unwrap_or_default();
        // The last line may be on its way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect("its own words")).collect()
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// The Python that has aiosmtpd.
fn python() -> PathBuf {
    let tools = installed_tools().join("python");
    let python = env::var_os("LUBDUB_TEST_PYTHON").map_or(tools, PathBuf::from);
    let imported = Command::new(&python).args(["-c", "import aiosmtpd"]).output();
    let usable = imported.is_ok_and(|output| output.status.success());
    assert!(
        usable,
        "{} cannot import aiosmtpd: run `make tools`, or set LUBDUB_TEST_PYTHON",
        python.display()
    );
    python
}
