//! Clients that push as fast as they are answered: keep-alive connections, no pipelining, one thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::report::Times;
use crate::server::processor_time;

/// The time at the beginning that is not measured.
pub(crate) const WARM_UP: Duration = Duration::from_millis(700);

/// Longest answer.
const ANSWER_BYTES: usize = 4_096;

/// The outcome of a load.
pub(crate) struct Outcome {
    /// Answers 200 a second.
    pub(crate) rate: f64,
    pub(crate) times: Times,
    /// Answers other than 200.
    pub(crate) errors: usize,
    /// Processor time of each of the processes.
    processor: Vec<Duration>,
}

impl Outcome {
    /// Processor time of one of the processes for each push.
    pub(crate) fn processor_per_push(&self, process: usize) -> Duration {
        let used = self.processor.get(process).copied().unwrap_or_default();
        used / u32::try_from(self.times.count().max(1)).unwrap_or(u32::MAX)
    }
}

/// Answers of one connection.
#[derive(Default)]
struct Answers {
    times: Vec<Duration>,
    errors: usize,
}

/// Pushes to random tokens over this many connections for this long, and measures the processor time of the
/// processes meanwhile.
pub(crate) fn run(
    address: SocketAddr,
    processes: &[u32],
    tokens: &Arc<[String]>,
    connections: usize,
    lasting: Duration,
) -> anyhow::Result<Outcome> {
    on_one_thread(async {
        let begin = Instant::now() + WARM_UP;
        let end = begin + lasting;
        let mut clients = JoinSet::new();
        for _ in 0..connections {
            clients.spawn(push_until(address, Arc::clone(tokens), begin, end));
        }
        tokio::time::sleep_until(begin.into()).await;
        let before = processor_times(processes)?;
        tokio::time::sleep_until(end.into()).await;
        let after = processor_times(processes)?;
        let mut all = Answers::default();
        while let Some(answers) = clients.join_next().await {
            let answers = answers?.context("push over a connection")?;
            all.times.extend(answers.times);
            all.errors += answers.errors;
        }
        let answered = all.times.len();
        Ok(Outcome {
            rate: answered as f64 / lasting.as_secs_f64(),
            times: Times::new(all.times),
            errors: all.errors,
            processor: after.iter().zip(before).map(|(after, before)| after.saturating_sub(before)).collect(),
        })
    })
}

fn processor_times(processes: &[u32]) -> anyhow::Result<Vec<Duration>> {
    processes.iter().map(|process| processor_time(*process)).collect()
}

/// Pushes once to each token, over 64 connections; every push must be answered 200. A token may bring its
/// query along.
pub(crate) fn push_each(address: SocketAddr, tokens: &[String]) -> anyhow::Result<()> {
    on_one_thread(async {
        let mut clients = JoinSet::new();
        for share in tokens.chunks(tokens.len().div_ceil(64).max(1)) {
            let share = share.to_vec();
            clients.spawn(async move {
                let mut connection = Connection::open(address).await?;
                for token in share {
                    anyhow::ensure!(connection.push(&token).await?, "a push was not answered 200");
                }
                anyhow::Ok(())
            });
        }
        while let Some(client) = clients.join_next().await {
            client??;
        }
        Ok(())
    })
}

/// Runs `work` on a runtime of one thread, so that the clients take one processor at most.
pub(crate) fn on_one_thread<T: Send>(
    work: impl Future<Output = anyhow::Result<T>> + Send,
) -> anyhow::Result<T> {
    // A runtime cannot be started on a thread of another one.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(work)
        });
        thread.join().map_err(|_| anyhow::anyhow!("the clients panicked"))?
    })
}

async fn push_until(
    address: SocketAddr,
    tokens: Arc<[String]>,
    begin: Instant,
    end: Instant,
) -> anyhow::Result<Answers> {
    let mut connection = Connection::open(address).await?;
    let mut answers = Answers::default();
    let mut random = rand::random::<u64>() | 1;
    loop {
        // xorshift: a better source would cost more than the push.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let nth = usize::try_from(random % tokens.len() as u64)?;
        let sent = Instant::now();
        let recorded = connection.push(&tokens[nth]).await?;
        let answered = Instant::now();
        if answered >= end {
            return Ok(answers);
        }
        if sent >= begin {
            if recorded {
                answers.times.push(answered - sent);
            } else {
                answers.errors += 1;
            }
        }
    }
}

/// A keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: [u8; ANSWER_BYTES],
    /// Bytes of the last answer.
    answered: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::with_capacity(256), answer: [0; ANSWER_BYTES], answered: 0 })
    }

    /// Pushes and reads the whole answer: whether it is 200.
    pub(crate) async fn push(&mut self, token: &str) -> anyhow::Result<bool> {
        self.request.clear();
        self.request.extend_from_slice(b"POST /api/push/");
        self.request.extend_from_slice(token.as_bytes());
        self.request.extend_from_slice(b" HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
        self.stream.write_all(&self.request).await?;
        let mut filled = 0;
        loop {
            anyhow::ensure!(filled < ANSWER_BYTES, "an answer has more than {ANSWER_BYTES} bytes");
            let read = self.stream.read(&mut self.answer[filled..]).await?;
            anyhow::ensure!(
                read > 0,
                "the server closed the connection after {:?}",
                String::from_utf8_lossy(&self.answer[..self.answered])
            );
            filled += read;
            if is_complete(&self.answer[..filled])? {
                self.answered = filled;
                return Ok(self.answer.starts_with(b"HTTP/1.1 200 "));
            }
        }
    }
}

/// Whether the head is there, and as much body as it announces.
fn is_complete(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(false) };
    let name = b"content-length: ";
    let at = answer[..head].windows(name.len()).position(|found| found == name);
    let at = at.context("an answer without content-length")? + name.len();
    let digits = answer[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    Ok(answer.len() >= head + 4 + length)
}
