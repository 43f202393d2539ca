//! A stretch of network that can fail: a relay before one server, for the nodes that have its address.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

/// The interval at which the threads look up.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A relay. It lets everything through until it is cut.
#[derive(Debug)]
pub(super) struct Relay {
    address: SocketAddr,
    shared: Arc<RelayState>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct RelayState {
    cut: AtomicBool,
    over: AtomicBool,
}

impl RelayState {
    /// Returns when bytes may pass; `false` if they never will.
    fn wait(&self) -> bool {
        while self.cut.load(Ordering::Relaxed) && !self.over.load(Ordering::Relaxed) {
            sleep(LOOK_EVERY);
        }
        !self.over.load(Ordering::Relaxed)
    }
}

impl Relay {
    /// Starts one before the server that listens on that port of loopback.
    pub(super) fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(RelayState::default());
        let theirs = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accept(&listener, port, &theirs));
        Self { address, shared, accepting: Some(accepting) }
    }

    /// The port that it listens on.
    pub(super) const fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on nothing passes, without a sign: connections stay open, and new ones get no answer.
    pub(super) fn cut(&self) {
        self.shared.cut.store(true, Ordering::Relaxed);
    }

    /// Lets the held bytes pass, and all later ones.
    pub(super) fn mend(&self) {
        self.shared.cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, port: u16, shared: &Arc<RelayState>) {
    let mut copying = Vec::new();
    while !shared.over.load(Ordering::Relaxed) {
        let Ok((near, _)) = listener.accept() else {
            sleep(LOOK_EVERY);
            continue;
        };
        let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
        for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
            let (from, to) = (from.expect("a socket"), to.expect("a socket"));
            let shared = Arc::clone(shared);
            copying.push(std::thread::spawn(move || copy(from, to, &shared)));
        }
    }
    for thread in copying {
        let _ = thread.join();
    }
}

/// Copies until one side closes.
fn copy(mut from: TcpStream, mut to: TcpStream, shared: &RelayState) {
    let set = from.set_nonblocking(false).and_then(|()| from.set_read_timeout(Some(LOOK_EVERY)));
    set.expect("a socket");
    let mut bytes = vec![0; 64 << 10];
    loop {
        if !shared.wait() {
            break;
        }
        let count = match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                continue;
            }
            Err(_) => break,
        };
        // The connection may have been cut while this waited for bytes.
        if !shared.wait() || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
