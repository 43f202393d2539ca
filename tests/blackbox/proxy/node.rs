//! A node behind the proxy: it takes pushes, or fails in one of the ways in which nodes fail.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// How a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// 200.
    Takes,
    /// 503, as ingest does.
    Refuses,
    /// The node reads the whole request, and ends the connection.
    BreaksOff,
    /// The node reads the whole request, and sends nothing.
    IsSilent,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(super) struct Came {
    /// The request's head.
    pub(super) head: String,
    /// Its body; nothing if it did not come whole.
    pub(super) body: Option<Vec<u8>>,
}

impl Came {
    /// A header's values.
    pub(super) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }
}

#[derive(Debug)]
struct Inside {
    behaviour: Mutex<Behaviour>,
    came: Mutex<Vec<Came>>,
    connections: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

/// A node. When it is dropped its connections are closed and its port is free.
#[derive(Debug)]
pub(super) struct Node {
    address: SocketAddr,
    inside: Arc<Inside>,
    accepting: Option<JoinHandle<()>>,
}

impl Node {
    /// Starts one that listens at an address of this machine.
    pub(super) fn start(ip: Ipv4Addr, port: u16, behaviour: Behaviour) -> Self {
        let address = SocketAddr::from((ip, port));
        let listener = TcpListener::bind(address).expect("a free port");
        let inside = Arc::new(Inside {
            behaviour: Mutex::new(behaviour),
            came: Mutex::default(),
            connections: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let serving = Arc::clone(&inside);
        let accepting = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if serving.stopped.load(Ordering::Acquire) {
                    break;
                }
                let connection = connection.expect("a connection");
                let kept = connection.try_clone().expect("a handle");
                serving.connections.lock().expect("no holder panicked").push(kept);
                let inside = Arc::clone(&serving);
                // The proxy may end a connection at any time.
                std::thread::spawn(move || inside.serve(connection).unwrap_or_default());
            }
        });
        Self { address, inside, accepting: Some(accepting) }
    }

    /// From now on it answers so.
    pub(super) fn behave(&self, behaviour: Behaviour) {
        *self.inside.behaviour.lock().expect("no holder panicked") = behaviour;
    }

    /// The requests, in order.
    pub(super) fn came(&self) -> Vec<Came> {
        self.inside.came.lock().expect("no holder panicked").clone()
    }

    /// The bodies that came, in order; nothing for one that did not come whole.
    pub(super) fn bodies(&self) -> Vec<Option<Vec<u8>>> {
        self.came().into_iter().map(|came| came.body).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.inside.stopped.store(true, Ordering::Release);
        // So that it looks.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for connection in self.inside.connections.lock().expect("no holder panicked").iter() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Inside {
    fn serve(&self, connection: TcpStream) -> io::Result<()> {
        let mut connection = BufReader::new(connection);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if connection.read_line(&mut head)? == 0 {
                    return Ok(());
                }
            }
            let came = Came { head, body: None };
            let body = body(&mut connection, &came);
            let torn = body.is_err();
            let came = Came { body: body.ok(), ..came };
            self.came.lock().expect("no holder panicked").push(came);
            if torn {
                return Ok(());
            }
            let behaviour = *self.behaviour.lock().expect("no holder panicked");
            let (status, retry, text) = match behaviour {
                Behaviour::Takes => ("200 OK", "", r#"{"ok":true}"#),
                Behaviour::Refuses => {
                    ("503 Service Unavailable", "retry-after: 2\r\n", r#"{"ok":false,"error":"not ready"}"#)
                }
                Behaviour::BreaksOff => return connection.get_ref().shutdown(Shutdown::Both),
                Behaviour::IsSilent => continue,
            };
            let length = text.len();
            let kind = "content-type: application/json\r\n";
            let answer = format!("HTTP/1.1 {status}\r\n{kind}{retry}content-length: {length}\r\n\r\n{text}");
            connection.get_mut().write_all(answer.as_bytes())?;
        }
    }
}

/// The whole body, in one piece or in chunks.
fn body(from: &mut impl BufRead, came: &Came) -> io::Result<Vec<u8>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut body = Vec::new();
    if came.header("transfer-encoding") == ["chunked"] {
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim(), 16).map_err(|_| invalid())?;
            let mut chunk = vec![0; length + 2];
            from.read_exact(&mut chunk)?;
            body.extend(&chunk[..length]);
            if length == 0 {
                return Ok(body);
            }
        }
    }
    let length = came.header("content-length").first().map_or(Ok(0), |length| length.parse());
    body.resize(length.map_err(|_| invalid())?, 0);
    from.read_exact(&mut body)?;
    Ok(body)
}
