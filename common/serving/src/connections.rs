//! The connections of a listener: who has how many, what each is at, and which is closed when there is no
//! room.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::entrance::{Entrance, Refusal};
use super::wire::Wire;

/// A connection is left alone for so long whatever happens: the first bytes of a request need their time.
const UNDISTURBED_IDLE: Duration = Duration::from_millis(500);
/// The same while it sends a body, or is being answered.
const UNDISTURBED_AT_WORK: Duration = Duration::from_secs(10);

/// Of the connections that could be closed, this part is closed at once: looking for them takes a look at
/// all.
const PART: usize = 64;

/// Every connection has a buffer of this size, whatever it sends: a head that fits in is always let in.
const FIRST_BUFFER: usize = 8 * 1024;

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It waits for a request, or in the middle of a request's head.
    Head,
    /// The body of a request has not arrived whole.
    Body,
    /// The request has arrived, and there is no answer yet.
    Answer,
    /// The client has not taken its answer whole.
    Taking,
}

impl Phase {
    const fn bits(self) -> u64 {
        match self {
            Self::Head => 0,
            Self::Body => 1,
            Self::Answer => 2,
            Self::Taking => 3,
        }
    }

    const fn of(bits: u64) -> Self {
        match bits & 3 {
            0 => Self::Head,
            1 => Self::Body,
            2 => Self::Answer,
            _ => Self::Taking,
        }
    }
}

/// Which connections may be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Those that were left alone for their time.
    Room,
    /// Also those by which nobody says anything: they wait for another request, or do not take an answer.
    ///
    /// For an address that has its share alone: what it loses makes room for what it brings. So nobody keeps
    /// others behind that address out by connections that are merely used often.
    Turn,
}

/// The limits of [`Connections`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Connections of one address.
    pub(super) of_an_address: usize,
    /// Bytes of request heads in memory.
    pub(super) head_bytes: usize,
}

/// The connections of a listener. Cloning shares them.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    room: Room,
    entrance: Entrance,
    open: Mutex<Open>,
    head_bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    connections: HashMap<u64, Arc<Connection>>,
    addresses: HashMap<IpAddr, usize>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// The client's address; `None` for a trusted proxy, behind which are many.
    address: Option<IpAddr>,
    /// The phase in two bits, and above them the milliseconds of `elapsed` since when.
    standing: AtomicU64,
    /// Whether a request came over it.
    used: AtomicBool,
    /// Bytes of the head that is being read.
    head: AtomicUsize,
    /// Bytes of the buffer beyond the first one. It stays as large as the largest head made it.
    head_bytes: AtomicUsize,
    closing: CancellationToken,
    wire: OnceLock<Arc<Wire>>,
}

impl Connections {
    pub(super) fn new(room: Room, entrance: Entrance) -> Self {
        Self(Arc::new(Shared { room, entrance, open: Mutex::default(), head_bytes: AtomicUsize::new(0) }))
    }

    /// Takes a connection in. An address that has as many as it may loses the ones that it makes the least
    /// use of. If it is just about to say something by all of them, the connection is refused: `None`, and
    /// the entrance knows.
    pub(super) fn admit(&self, address: Option<IpAddr>) -> Option<Admitted> {
        if let Some(address) = address {
            let has = |open: &Open| open.addresses.get(&address).copied().unwrap_or(0);
            let most = self.0.room.of_an_address;
            let of_its_own = |other: &Connection| other.address == Some(address);
            let part = 1.max(most / PART);
            if has(&self.0.open.lock()) >= most
                && self.close(part, Need::Room, of_its_own) == 0
                && self.close(part, Need::Turn, of_its_own) == 0
            {
                self.0.entrance.refused(Refusal::Address);
                return None;
            }
        }
        let connection = Arc::new(Connection {
            address,
            standing: AtomicU64::new(standing(Phase::Head, self.0.entrance.elapsed())),
            used: AtomicBool::new(false),
            head: AtomicUsize::new(0),
            head_bytes: AtomicUsize::new(0),
            closing: CancellationToken::new(),
            wire: OnceLock::new(),
        });
        let mut open = self.0.open.lock();
        open.last += 1;
        let id = open.last;
        open.connections.insert(id, Arc::clone(&connection));
        if let Some(address) = address {
            *open.addresses.entry(address).or_default() += 1;
        }
        drop(open);
        Some(Admitted { id, connection, connections: self.clone() })
    }

    /// Closes connections of which the least use is made, to make room for others; how many. Their tasks
    /// still have to end.
    pub(super) fn make_room(&self) -> usize {
        let open = self.0.open.lock().connections.len();
        self.close(1.max(open / PART), Need::Room, |_| true)
    }

    /// After a standstill: looks which sockets are empty, so that what comes over them from now on counts.
    pub(super) fn look(&self) {
        let wires: Vec<Arc<Wire>> =
            self.0.open.lock().connections.values().filter_map(|one| one.wire.get().cloned()).collect();
        wires.iter().for_each(|wire| wire.look());
    }

    /// Closes up to `count` of those that `eligible` says: first those that are idle or in the middle of a
    /// head, then those that send a body, then those that do not take their answer; the longest ones first.
    fn close(&self, count: usize, need: Need, eligible: impl Fn(&Connection) -> bool) -> usize {
        let now = self.0.entrance.elapsed();
        let mut open = self.0.open.lock();
        let mut idle: Vec<(Phase, u64, u64)> = open
            .connections
            .iter()
            .filter(|(_, connection)| eligible(connection))
            .filter_map(|(id, connection)| {
                let (phase, since) = connection.standing();
                let undisturbed = connection.undisturbed(phase, need);
                let idles = now.saturating_sub(since) >= undisturbed;
                idles.then_some((phase, millis(since), *id))
            })
            .collect();
        if count < idle.len() {
            idle.select_nth_unstable(count);
            idle.truncate(count);
        }
        for (_, _, id) in &idle {
            open.remove(*id);
        }
        idle.len()
    }

    /// Counts the buffer of a head that grew to `bytes`. `false` if there is no room for them, even after
    /// others were closed; then the entrance knows.
    fn head_grew(&self, connection: &Connection, bytes: usize) -> bool {
        let bytes = buffer_of(bytes);
        if bytes == 0 {
            return true;
        }
        let before = connection.head_bytes.fetch_max(bytes, Ordering::Relaxed);
        let more = bytes.saturating_sub(before);
        let most = self.0.room.head_bytes;
        let all = self.0.head_bytes.fetch_add(more, Ordering::Relaxed) + more;
        if all <= most {
            return true;
        }
        let least = most / self.0.open.lock().connections.len().max(1);
        let closing = self.close(1.max(most / PART / bytes.max(1)), Need::Room, |other| {
            !std::ptr::eq(other, connection) && other.head_bytes.load(Ordering::Relaxed) > least
        });
        // Those that are closing still hold their buffers for a moment.
        let has_room = closing > 0 && all <= most + most / 4;
        if !has_room {
            self.0.entrance.refused(Refusal::Heads);
        }
        has_room
    }
}

impl Open {
    /// Takes a connection out of the count, and lets it end.
    fn remove(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else { return };
        connection.closing.cancel();
        if let Some(address) = connection.address
            && let Some(count) = self.addresses.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

impl Connection {
    /// For how long it is left alone in that phase.
    fn undisturbed(&self, phase: Phase, need: Need) -> Duration {
        match (phase, need) {
            (Phase::Head, Need::Turn) if self.used.load(Ordering::Relaxed) => Duration::ZERO,
            (Phase::Taking, Need::Turn) => Duration::ZERO,
            (Phase::Head, Need::Room | Need::Turn) => UNDISTURBED_IDLE,
            (Phase::Body | Phase::Answer | Phase::Taking, Need::Room | Need::Turn) => UNDISTURBED_AT_WORK,
        }
    }

    fn standing(&self) -> (Phase, Duration) {
        let standing = self.standing.load(Ordering::Relaxed);
        (Phase::of(standing), Duration::from_millis(standing >> 2))
    }
}

/// A connection that was taken in. When this is dropped, its place is free.
#[derive(Debug)]
pub(super) struct Admitted {
    id: u64,
    connection: Arc<Connection>,
    connections: Connections,
}

impl Admitted {
    /// Its socket.
    pub(super) fn over(&self, wire: Arc<Wire>) {
        let _ = self.connection.wire.set(wire);
    }

    /// Returns when the connection is to be closed for want of room.
    pub(super) async fn closing(&self) {
        self.connection.closing.cancelled().await;
    }

    /// What is told of the connection by those who read and write it.
    pub(super) fn report(&self) -> Report {
        Report { connection: Arc::clone(&self.connection), connections: self.connections.clone() }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connections.0.open.lock().remove(self.id);
        let bytes = self.connection.head_bytes.load(Ordering::Relaxed);
        self.connections.0.head_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Tells what a connection is at.
#[derive(Debug, Clone)]
pub(super) struct Report {
    connection: Arc<Connection>,
    connections: Connections,
}

impl Report {
    pub(super) fn phase(&self) -> Phase {
        self.connection.standing().0
    }

    pub(super) fn is_at(&self, phase: Phase) {
        let since = self.connections.0.entrance.elapsed();
        // A head ends with its request: the next one is counted from its own first byte.
        self.connection.head.store(0, Ordering::Relaxed);
        self.connection.used.store(true, Ordering::Relaxed);
        self.connection.standing.store(standing(phase, since), Ordering::Relaxed);
    }

    /// So many bytes were read; `false` if they belong to a head for which there is no room.
    pub(super) fn read(&self, bytes: usize) -> bool {
        match self.phase() {
            Phase::Head => {
                let head = self.connection.head.fetch_add(bytes, Ordering::Relaxed) + bytes;
                self.connections.head_grew(&self.connection, head)
            }
            Phase::Body | Phase::Answer | Phase::Taking => true,
        }
    }
}

fn standing(phase: Phase, since: Duration) -> u64 {
    millis(since) << 2 | phase.bits()
}

/// What a head of so many bytes takes beside the first buffer: buffers are doubled.
const fn buffer_of(bytes: usize) -> usize {
    if bytes <= FIRST_BUFFER { 0 } else { bytes.next_power_of_two() }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use model::time::EventTime;
    use ports::clock::ManualClock;

    use super::*;

    const CLIENT: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)));
    const OTHER: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)));

    fn connections(of_an_address: usize, head_bytes: usize) -> (Arc<ManualClock>, Connections) {
        let clock = Arc::new(ManualClock::new(EventTime::EPOCH));
        let room = Room { of_an_address, head_bytes };
        let entrance = Entrance::undoubted(Arc::clone(&clock) as _);
        (clock, Connections::new(room, entrance))
    }

    fn closing(admitted: &[Admitted]) -> Vec<usize> {
        let closing = admitted.iter().enumerate();
        closing.filter(|(_, one)| one.connection.closing.is_cancelled()).map(|(n, _)| n).collect()
    }

    #[test]
    fn the_one_that_is_idle_longest_makes_room() {
        let (clock, connections) = connections(100, 1_000);
        let mut open = Vec::new();
        for phase in [Phase::Taking, Phase::Body, Phase::Head, Phase::Head, Phase::Body] {
            open.push(connections.admit(CLIENT).unwrap());
            open.last().unwrap().report().is_at(phase);
            clock.advance(Duration::from_secs(1));
        }
        // It begins a new request.
        open[2].report().is_at(Phase::Answer);
        open[2].report().is_at(Phase::Head);
        clock.advance(UNDISTURBED_IDLE);
        for expected in [vec![3], vec![2, 3]] {
            assert_eq!(connections.make_room(), 1);
            assert_eq!(closing(&open), expected);
        }
        assert_eq!(connections.make_room(), 0, "the others are being dealt with");
        clock.advance(UNDISTURBED_AT_WORK);
        for expected in [vec![1, 2, 3], vec![1, 2, 3, 4], vec![0, 1, 2, 3, 4]] {
            assert_eq!(connections.make_room(), 1);
            assert_eq!(closing(&open), expected);
        }
    }

    #[test]
    fn an_address_that_has_too_many_loses_its_own() {
        let (clock, connections) = connections(3, 1_000);
        let other = [connections.admit(OTHER).unwrap()];
        let proxy = [(); 9].map(|()| connections.admit(None).unwrap());
        clock.advance(Duration::from_secs(1));
        let mut open: Vec<Admitted> = (0..3).map(|_| connections.admit(CLIENT).unwrap()).collect();
        assert!(connections.admit(CLIENT).is_none(), "all have just come");
        assert!(closing(&open).is_empty());
        clock.advance(Duration::from_secs(1));
        open.push(connections.admit(CLIENT).unwrap());
        assert_eq!(closing(&open).len(), 1);
        open.retain(|one| !one.connection.closing.is_cancelled());
        open.iter().for_each(|one| one.report().is_at(Phase::Answer));
        assert!(connections.admit(CLIENT).is_none(), "all are in use");
        assert_eq!(connections.0.entrance.refusals(), 2);
        drop(open);
        assert!(connections.admit(CLIENT).is_some());
        assert!(closing(&other).is_empty() && closing(&proxy).is_empty());
    }

    #[test]
    fn who_uses_all_of_its_share_often_keeps_nobody_behind_its_address_out() {
        let (clock, connections) = connections(4, 1_000);
        let mut open: Vec<Admitted> = (0..4).map(|_| connections.admit(CLIENT).unwrap()).collect();
        let requests = |open: &[Admitted], phase| open.iter().for_each(|one| one.report().is_at(phase));
        for (phase, says_something) in
            [(Phase::Head, false), (Phase::Body, true), (Phase::Answer, true), (Phase::Taking, false)]
        {
            for passed in [Duration::ZERO, UNDISTURBED_IDLE - Duration::from_millis(1)] {
                requests(&open, phase);
                clock.advance(passed);
                let another = connections.admit(CLIENT);
                assert_eq!(another.is_none(), says_something, "{phase:?}");
                if let Some(another) = another {
                    assert_eq!(closing(&open).len(), 1);
                    assert!(!another.connection.closing.is_cancelled(), "it has not said anything yet");
                    open.retain(|one| !one.connection.closing.is_cancelled());
                    open.push(another);
                }
            }
        }
        assert_eq!(connections.make_room(), 0, "others have no part in that");
    }

    #[test]
    fn a_head_without_room_is_a_refusal() {
        let (_, connections) = connections(9, 20_000);
        let open = [(); 2].map(|()| connections.admit(CLIENT).unwrap());
        assert!(open[0].report().read(9_000));
        assert_eq!(connections.0.entrance.refusals(), 0);
        assert!(!open[1].report().read(9_000), "the other has just come");
        let usual = connections.admit(OTHER).unwrap();
        assert!(usual.report().read(8_000), "it takes no more than it has");
        assert_eq!(connections.0.entrance.refusals(), 1);
    }

    #[test]
    fn a_head_takes_what_its_buffer_takes() {
        let (_, connections) = connections(9, 100_000);
        let one = connections.admit(CLIENT).unwrap();
        for (bytes, expected) in [(100, 0), (8_192, 0), (8_193, 16_384), (33_000, 65_536), (99, 65_536)] {
            one.report().is_at(Phase::Head);
            assert!(one.report().read(bytes));
            assert_eq!(connections.0.head_bytes.load(Ordering::Relaxed), expected, "{bytes}");
        }
    }

    #[test]
    fn heads_take_no_more_than_their_share() {
        let (clock, connections) = connections(1_000, 1 << 20);
        let small: Vec<Admitted> = (0..100).map(|_| connections.admit(CLIENT).unwrap()).collect();
        assert!(small.iter().all(|one| one.report().read(100)));
        clock.advance(Duration::from_secs(1));
        let mut large: Vec<Admitted> = Vec::new();
        for _ in 0..200 {
            let one = connections.admit(CLIENT).unwrap();
            clock.advance(UNDISTURBED_IDLE);
            assert!((1..=4).all(|_| one.report().read(16_000)));
            large.push(one);
            // The tasks of those that are closing end.
            large.retain(|one| !one.connection.closing.is_cancelled());
            let all = connections.0.head_bytes.load(Ordering::Relaxed);
            assert!(all <= 1 << 20, "{all}");
        }
        assert!(closing(&small).is_empty(), "they are not what takes the room");
        drop((small, large));
        assert_eq!(connections.0.head_bytes.load(Ordering::Relaxed), 0);
        assert!(connections.0.open.lock().addresses.is_empty());
    }
}
