//! Free ports.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Mutex;

/// Ports that this process gave out: they are not listened on yet, so the system would give them again.
static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port on loopback, below the range that the system hands out by itself, on which nobody listens.
#[expect(clippy::missing_panics_doc, reason = "for tests")]
pub fn free_port() -> u16 {
    for _ in 0..1_000 {
        let port = rand::random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            let mut given = GIVEN.lock().expect("nobody panics with it");
            if given.get_or_insert_default().insert(port) {
                return port;
            }
        }
    }
    panic!("there is no free port between 10000 and 32000");
}
