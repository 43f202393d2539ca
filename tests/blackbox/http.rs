//! A client that hides nothing: one request on one connection, its answer or why there is none.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// For the metrics of a node.
const METRICS_PATIENCE: Duration = Duration::from_secs(5);

/// An answer that came whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(known, value)| known.eq_ignore_ascii_case(name).then(|| value.trim()))
    }
}

/// A connection that is kept alive, and made anew after a failure.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    /// The address that it has itself.
    from: Option<Ipv4Addr>,
    patience: Duration,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client that waits up to this long for each answer.
    pub(crate) const fn new(address: SocketAddr, patience: Duration) -> Self {
        Self { address, from: None, patience, connection: None }
    }

    /// The same at an address of its own, for servers that tell clients apart by it.
    pub(crate) fn at(self, from: Ipv4Addr) -> Self {
        Self { address: self.address, from: Some(from), patience: self.patience, connection: None }
    }

    /// Sends a request and reads its answer. `head` is further lines of the head, each with its end.
    ///
    /// # Errors
    /// The answer is not whole: the server is gone, or too slow.
    pub(crate) fn ask(&mut self, line: &str, head: &str, body: &[u8]) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let length = body.len();
        let mut request =
            format!("{line} HTTP/1.1\r\nhost: test\r\n{head}content-length: {length}\r\n\r\n").into_bytes();
        request.extend_from_slice(body);
        connection.get_mut().write_all(&request)?;
        let answer = read(&mut connection)?;
        if answer.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = match self.from {
            None => TcpStream::connect_timeout(&self.address, self.patience)?,
            Some(from) => connect_from(from, self.address, self.patience)?,
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        Ok(BufReader::new(stream))
    }
}

/// Connects from an address of this machine.
///
/// # Errors
/// That of the system, or `TimedOut`.
pub(crate) fn connect_from(from: Ipv4Addr, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = tokio::time::timeout(patience, socket.connect(to)).await??.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    })
}

/// The sum of a metric over its labels at `/metrics` of a node; nothing if the node does not answer.
pub(crate) fn metric(address: SocketAddr, name: &str) -> Option<f64> {
    let answer = Client::new(address, METRICS_PATIENCE).ask("GET /metrics", "", b"").ok()?;
    let values = answer.body.lines().filter_map(|line| {
        let (found, value) = line.rsplit_once(' ')?;
        let found = found.split_once('{').map_or(found, |(bare, _)| bare);
        (found == name).then(|| value.parse::<f64>().ok()).flatten()
    });
    // The sum of nothing is -0, which a role that is starting says of everything.
    Some(values.sum::<f64>() + 0.0)
}

/// Reads one answer.
///
/// # Errors
/// The answer does not come whole.
pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Answer> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(invalid)?;
    let answer = Answer { status, head, body: String::new() };
    let length = answer.header("content-length").map_or(Ok(0), str::parse).map_err(|_| invalid())?;
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Answer { body: String::from_utf8_lossy(&body).into_owned(), ..answer })
}
