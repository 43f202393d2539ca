//! Free ports.

use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;

/// The ports that this process gave out, kept by the UDP sockets of the same numbers: no server needs those,
/// and other tests that run now see that the numbers are taken, also while the server with such a port is
/// down.
static GIVEN: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A port on loopback, below the range that the system hands out by itself, on which no process listens. It
/// belongs to this process until the process ends.
#[expect(clippy::missing_panics_doc, reason = "for tests")]
pub fn free_port() -> u16 {
    for _ in 0..1_000 {
        let port = rand::random_range(10_000..32_000);
        let Ok(mark) = UdpSocket::bind(("127.0.0.1", port)) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            GIVEN.lock().expect("no holder panicked").push(mark);
            return port;
        }
    }
    panic!("there is no free port between 10000 and 32000");
}
