//! The accept loop's view of its listener: takes connections, and states whether it could.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::fcntl_dupfd_cloexec;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connections::Connections;
use super::entrance::{Entrance, Obstacle};

/// An obstacle is over when it was not seen for so long: one line in the log for each.
const OVER_AFTER: Duration = Duration::from_secs(10);

/// A connection that was just accepted.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) permit: OwnedSemaphorePermit,
    /// The number of standstills when nobody waited before the door last.
    pub(super) standstills: u32,
}

/// The accept loop's view of its listener.
pub(super) struct Door {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
    connections: Connections,
    entrance: Entrance,
    standstills: u32,
    /// Why the last connection could not be accepted, until one is or none waits.
    failed: Option<Obstacle>,
    /// When an obstacle was last seen.
    obstructed_at: Option<Duration>,
}

impl Door {
    pub(super) fn new(
        listener: TcpListener,
        most: usize,
        connections: Connections,
        entrance: Entrance,
    ) -> Self {
        entrance.opened(listener.local_addr().ok());
        let standstills = entrance.standstills();
        let permits = Arc::new(Semaphore::new(most));
        Self {
            listener,
            permits,
            permit: None,
            connections,
            entrance,
            standstills,
            failed: None,
            obstructed_at: None,
        }
    }

    /// Waits for a connection with a permit in hand. It may be dropped while it waits.
    ///
    /// # Errors
    /// That of the system. The next connection can be waited for at once.
    pub(super) async fn accept(&mut self) -> io::Result<Accepted> {
        if self.permit.is_none() {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            self.permit = Some(permit.map_err(io::Error::other)?);
        }
        let (stream, peer) = self.listener.accept().await?;
        let permit = self.permit.take().ok_or_else(|| io::Error::other("no permit"))?;
        Ok(Accepted { stream, peer, permit, standstills: self.standstills })
    }

    /// States whether a connection could be taken just now, and makes room for one if there is none.
    pub(super) fn state(&mut self) {
        if self.permit.is_none() {
            self.permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        }
        let nobody_waits = self.nobody_waits();
        let obstacle = match self.failed.filter(|_| !nobody_waits) {
            Some(failed) => Some(failed),
            None if self.permit.is_none() => Some(Obstacle::Full),
            // A file of its own shows that there would be one for a connection.
            None => fcntl_dupfd_cloexec(&self.listener, 0).err().map(|error| of_system(&error.into())),
        };
        match obstacle {
            Some(obstacle) => self.obstructed(obstacle),
            None => self.could_take_one(),
        }
        let standstills = self.entrance.standstills();
        if standstills != self.standstills {
            self.connections.look();
            if nobody_waits {
                self.standstills = standstills;
            }
        }
    }

    /// A connection was taken.
    pub(super) fn could_take_one(&mut self) {
        self.failed = None;
        self.entrance.could_take_one();
        let now = self.entrance.elapsed();
        if self.obstructed_at.is_some_and(|at| now.saturating_sub(at) > OVER_AFTER) {
            self.obstructed_at = None;
            tracing::info!("accepts connections again");
        }
    }

    /// The system refused a connection that waits.
    pub(super) fn failed(&mut self, error: &io::Error) {
        let obstacle = of_system(error);
        self.failed = Some(obstacle);
        self.obstructed(obstacle);
    }

    fn obstructed(&mut self, obstacle: Obstacle) {
        self.entrance.could_take_none(obstacle);
        let closing = self.connections.make_room();
        if self.obstructed_at.replace(self.entrance.elapsed()).is_none() {
            tracing::warn!(reason = %obstacle, closing, "no room for a connection; closing those that are idle longest");
        }
    }

    /// Whether the system says that no connection waits to be accepted.
    fn nobody_waits(&self) -> bool {
        let mut listener = [PollFd::new(&self.listener, PollFlags::IN)];
        poll(&mut listener, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready == 0)
    }
}

/// What an error of the system means for the listener.
fn of_system(error: &io::Error) -> Obstacle {
    Obstacle::System(error.kind(), error.raw_os_error())
}
