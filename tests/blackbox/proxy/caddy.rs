//! The real proxy with the configuration that is shipped.

use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use servers::{find_program, free_port};
use tempfile::TempDir;

use super::names::Names;
use crate::harness::{PATIENCE, Process, directory, eventually};
use crate::http::{self, Answer};

/// A secret: it must not stand in anything that the proxy says.
pub(super) const TOKEN: &str = "only-for-those-who-push";

/// The proxy.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    process: Process,
    _home: TempDir,
}

impl Proxy {
    /// Starts one that finds its services by these names, all at this port.
    #[track_caller]
    pub(super) fn start(names: &Names, port: u16) -> Self {
        let home = directory();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/caddy/Caddyfile");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut command = Command::new(find_program("caddy", "LUBDUB_TEST_CADDY"));
        command.arg("run").arg("--adapter").arg("caddyfile").arg("--config").arg(file);
        command.current_dir(home.path()).env("HOME", home.path()).env("XDG_DATA_HOME", home.path());
        command.env("LUBDUB_DOMAIN", format!(":{}", address.port()));
        command.env("LUBDUB_RESOLVERS", format!("resolvers {}", names.address()));
        command.env("LUBDUB_PROXY_PORT", free_port().to_string());
        command.env("LUBDUB_INGEST_PORT", port.to_string()).env("LUBDUB_CONSOLE_PORT", port.to_string());
        let mut process = Process::start(&mut command);
        eventually("the proxy listens", || {
            assert!(!process.has_ended(), "the proxy ended: try it with `caddy run`");
            TcpStream::connect(address).ok()
        });
        Self { address, process, _home: home }
    }

    /// The address that it listens on.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A push with this body.
    #[track_caller]
    pub(super) fn push(&self, body: &[u8]) -> Answer {
        self.push_with(&format!("content-length: {}\r\n", body.len()), body)
    }

    /// A push with these lines of the head, each with its end, and this body as it is.
    #[track_caller]
    pub(super) fn push_with(&self, head: &str, body: &[u8]) -> Answer {
        self.send(&format!("POST /api/push/{TOKEN}?ping="), head, body)
    }

    /// A push whose client sends no more than this, and goes on listening.
    #[track_caller]
    pub(super) fn push_torn(&self, head: &str, body: &[u8]) -> Option<Answer> {
        let stream = self.begin(&format!("POST /api/push/{TOKEN}"), head, body);
        stream.shutdown(Shutdown::Write).expect("shut down");
        http::read(&mut BufReader::new(stream)).ok()
    }

    /// A request and its answer.
    #[track_caller]
    pub(super) fn send(&self, line: &str, head: &str, body: &[u8]) -> Answer {
        http::read(&mut BufReader::new(self.begin(line, head, body))).expect("an answer")
    }

    fn begin(&self, line: &str, head: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("the proxy listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let head =
            format!("{line} HTTP/1.1\r\nhost: beats.example\r\nreferer: http://{TOKEN}/\r\n{head}\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        // The proxy may answer before it has read everything.
        let _ = stream.write_all(body);
        stream
    }

    /// Ends it; what it said, which is no secret.
    #[track_caller]
    pub(super) fn end(self) -> String {
        let finished = self.process.kill();
        let said = finished.stdout + &finished.stderr;
        assert!(!said.contains(TOKEN), "{said}");
        assert!(!said.contains("/api/push/"), "{said}");
        said
    }
}
