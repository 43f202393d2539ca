//! A name server, as the one of the containers' network: each service has the addresses of its nodes.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

const HEAD_BYTES: usize = 12;
const TYPE_A: [u8; 2] = [0, 1];

/// The server. It serves until the test's process ends.
#[derive(Debug)]
pub(super) struct Names {
    address: SocketAddr,
    known: Arc<Mutex<HashMap<String, Vec<Ipv4Addr>>>>,
}

impl Names {
    /// Starts one that knows no name.
    pub(super) fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        let known = Arc::new(Mutex::new(HashMap::new()));
        let asked = Arc::clone(&known);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                let known = asked.lock().expect("no holder panicked");
                if let Some(answer) = answer(&query[..length], &known) {
                    // A client that gave up asks again.
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Self { address, known }
    }

    /// The address that it listens on.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, these are the nodes of a service; without any, its name is unknown.
    pub(super) fn set(&self, name: &str, nodes: &[Ipv4Addr]) {
        self.known.lock().expect("no holder panicked").insert(name.to_owned(), nodes.to_vec());
    }
}

/// The answer to a query with one question (RFC 1035).
fn answer(query: &[u8], known: &HashMap<String, Vec<Ipv4Addr>>) -> Option<Vec<u8>> {
    let mut at = HEAD_BYTES;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        let label = query.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(label).into_owned());
    }
    let question = query.get(HEAD_BYTES..at + 4)?;
    let nodes = known.get(&labels.join(".")).map_or(&[][..], Vec::as_slice);
    let no_such_name = if nodes.is_empty() { 3 } else { 0 };
    let nodes = if query.get(at..at + 2)? == TYPE_A { nodes } else { &[] };
    let count = u8::try_from(nodes.len()).ok()?;
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x81, 0x80 | no_such_name, 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend(question);
    for node in nodes {
        // The name of the question, an address, to be kept for a second.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(node.octets());
    }
    Some(answer)
}
