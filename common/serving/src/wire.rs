//! A client's socket, and whether what it sent came while the process ran.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use parking_lot::{Mutex, MutexGuard};
use rustix::io::ioctl_fionread;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use super::behind::HeadEnd;
use super::entrance::Entrance;

/// Bytes that are read at once. hyper makes the buffer of a connection larger when a read fills it; a piece
/// is smaller than the first buffer, so that the buffer grows with a long head only.
pub(super) const PIECE: usize = 4_096;

/// A client's socket.
///
/// What lies in a socket when the process comes to itself after a standstill was sent into it, and its sender
/// may have given up long ago. So the socket must have been seen empty since: what is read afterwards came
/// afterwards.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Mutex<Socket>,
    /// The number of standstills when the socket was last seen empty.
    empty_after: AtomicU32,
    entrance: Entrance,
}

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    /// Whether the last read found nothing, so that no whole request lies with the reader.
    starved: bool,
    /// The head that is being read, or was read last.
    pub(super) head_end: HeadEnd,
}

impl Wire {
    /// `empty_after`: the number of standstills when it was last known that this connection had not come yet.
    pub(super) fn new(stream: TcpStream, empty_after: u32, entrance: Entrance) -> Self {
        let socket = Mutex::new(Socket { stream, starved: false, head_end: HeadEnd::default() });
        Self { socket, empty_after: AtomicU32::new(empty_after), entrance }
    }

    pub(super) fn socket(&self) -> MutexGuard<'_, Socket> {
        self.socket.lock()
    }

    /// Whether all that was read so far came after the last standstill, or at least its end did.
    pub(super) fn is_fresh(&self) -> bool {
        self.empty_after.load(Ordering::Relaxed) == self.entrance.standstills()
    }

    /// Looks whether the socket of a reader that waits is empty, if that was not seen since the last
    /// standstill.
    pub(super) fn look(&self) {
        self.look_at(&self.socket.lock());
    }

    /// Whether bytes lie in the socket.
    pub(super) fn has_unread(&self) -> bool {
        ioctl_fionread(&self.socket.lock().stream).is_ok_and(|bytes| bytes > 0)
    }

    fn look_at(&self, socket: &Socket) {
        let standstills = self.entrance.standstills();
        // The system is asked, because the runtime may not have heard yet of what came.
        if self.empty_after.load(Ordering::Relaxed) != standstills
            && socket.starved
            && ioctl_fionread(&socket.stream).is_ok_and(|bytes| bytes == 0)
        {
            self.empty_after.store(standstills, Ordering::Relaxed);
        }
    }

    /// Reads a piece.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut socket = self.socket.lock();
        let mut piece = [0; PIECE];
        let wanted = buf.remaining().min(PIECE);
        let mut piece = ReadBuf::new(&mut piece[..wanted]);
        let read = std::pin::Pin::new(&mut socket.stream).poll_read(cx, &mut piece);
        socket.starved = read.is_pending();
        if socket.starved {
            self.look_at(&socket);
        }
        buf.put_slice(piece.filled());
        read
    }
}
