//! `lubdub replay export`

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use api::export::{Line, SummaryLine};
use model::time::EventTime;

use super::super::api::Api;
use super::super::api::stream::Chunks;
use super::super::connection::Connection;
use super::super::lookup::{Kind, ids_of};
use super::super::moment::{Here, Past};
use super::super::tag;
use super::progress::Progress;
use crate::harmless::harmless_json;
use crate::terminal::{self, Terminal};

const EXAMPLES: &str = "\
Examples:
  lubdub replay export --since 7d > heartbeats.ndjson
  lubdub replay export --since 7d --out heartbeats.ndjson.zst
  lubdub replay export --since 2026-11-01T00:00:00Z --until 2026-11-08T00:00:00Z --tag prod --out week.ndjson.zst

The file begins with a line for each monitor. An admin key's export holds push tokens: keep it as you keep those.";

/// Writes heartbeats, with what they are judged by, to a file.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    #[command(flatten)]
    what: What,
    /// Write to this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Compress with zstd; implied by a name that ends in .zst
    #[arg(long)]
    zstd: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What is exported.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct What {
    /// Beginning: how long ago, as in 12h or 7d, or a local time, as in 'yesterday 22:00', 2026-12-01, or RFC
    /// 3339
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    since: Past,
    /// End, in the same form [default: now]
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    until: Option<Past>,
    /// Only this monitor, by name or id; may be repeated [default: every monitor]
    #[arg(long, value_name = "MONITOR")]
    monitor: Vec<String>,
    /// Only monitors with this tag
    #[arg(long, value_parser = tag::one)]
    tag: Option<String>,
}

/// [`What`] as the API takes it. It stays the same when the request is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) since: EventTime,
    pub(super) until: Option<EventTime>,
    pub(super) query: Vec<(&'static str, String)>,
}

impl What {
    pub(super) async fn ask(&self, api: &Api) -> anyhow::Result<Asked> {
        let here = Here::of_this_machine();
        let since = self.since.at(&here)?;
        let until = self.until.as_ref().map(|until| until.at(&here)).transpose()?;
        if until.is_some_and(|until| until <= since) {
            bail!("--until must be after --since");
        }
        let mut query = vec![("since", since.to_rfc3339_micros())];
        query.extend(until.map(|until| ("until", until.to_rfc3339_micros())));
        let ids = ids_of(api, Kind::Monitor, &self.monitor).await?;
        query.extend(ids.into_iter().map(|id| ("monitor", id)));
        if let Some(tag) = &self.tag {
            tag::check(api, tag).await?;
            query.push(("tag", tag.clone()));
        }
        Ok(Asked { since, until, query })
    }
}

impl Asked {
    pub(super) async fn open(&self, api: &Api) -> anyhow::Result<Chunks> {
        Ok(api.stream(&["replay", "export"], &self.query).await?)
    }
}

impl Export {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let api = self.connection.open()?;
        let asked = self.what.ask(&api).await?;
        let mut chunks = asked.open(&api).await?;
        let named_so = self.out.as_ref().and_then(|path| path.extension()).is_some_and(|end| end == "zst");
        let mut output = Output::create(self.out.as_deref(), self.zstd || named_so)?;
        let mut progress = Progress::counting(self.out.is_some());
        let mut summary: Option<SummaryLine> = None;
        loop {
            let lines = match chunks.lines().await {
                Ok(Some(lines)) => lines,
                Ok(None) => break,
                Err(error) => {
                    output.abandon();
                    bail!("the export is not whole, it broke off: {error}");
                }
            };
            for line in lines {
                match output.line(&line) {
                    Ok(()) => {}
                    // `lubdub replay export | head` is not a failure.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                    Err(error) => return Err(error).context("failed to write the export"),
                }
                if line.starts_with(r#"{"type":"summary""#)
                    && let Ok(Some(Line::Summary(line))) = Line::parse(&line)
                {
                    summary = Some(line);
                }
                progress.line();
            }
        }
        let Some(summary) = summary else {
            output.abandon();
            bail!("the export is not whole: it ended without a summary");
        };
        output.finish().context("failed to write the export")?;
        progress.finish();
        tell(terminal, &summary, asked.since, self.out.as_deref());
        Ok(ExitCode::SUCCESS)
    }
}

/// Tells what the export holds, and what it does not.
pub(super) fn tell(terminal: &Terminal, summary: &SummaryLine, since: EventTime, out: Option<&Path>) {
    if summary.from.0 > since {
        terminal.warn(format_args!(
            "the log knows nothing from before {}: the export begins there",
            terminal.times().at_instant(summary.from.0)
        ));
    }
    let skipped = &summary.skipped;
    if skipped.count > 0 {
        let places: Vec<String> = skipped
            .entries
            .iter()
            .take(10)
            .map(|entry| format!("{} of partition {}", entry.offset, entry.partition))
            .collect();
        terminal.warn(format_args!(
            "{} damaged entries of the log were left out, at offset {}",
            skipped.count,
            places.join(", ")
        ));
    }
    if let Some(out) = out {
        terminal.note(format_args!(
            "{} heartbeats of {} monitors, up to {}, in {}",
            summary.heartbeats,
            summary.monitors,
            terminal.times().at_instant(summary.until.0),
            out.display()
        ));
    }
}

/// The output of an export. A file has another name until it is whole.
struct Output {
    writer: Option<Writer>,
    renamed: Option<(PathBuf, PathBuf)>,
    /// A person reads the lines on a terminal.
    is_seen: bool,
}

enum Writer {
    Plain(BufWriter<Box<dyn Write>>),
    Packed(zstd::stream::Encoder<'static, BufWriter<Box<dyn Write>>>),
}

impl Output {
    fn create(path: Option<&Path>, packed: bool) -> anyhow::Result<Self> {
        let (target, renamed): (Box<dyn Write>, _) = match path {
            None => {
                let (out, is_seen) = terminal::data_out();
                if is_seen && packed {
                    bail!("a terminal cannot show a compressed export; name a file with --out");
                }
                (Box::new(out), None)
            }
            Some(path) => {
                let mut name = path.file_name().context("--out must name a file")?.to_owned();
                name.push(format!(".{}.part", std::process::id()));
                let part = path.with_file_name(name);
                let file =
                    private_file(&part).with_context(|| format!("failed to create {}", part.display()))?;
                (Box::new(file), Some((part, path.to_owned())))
            }
        };
        let buffered = BufWriter::with_capacity(1 << 16, target);
        let writer = if packed {
            Writer::Packed(zstd::stream::Encoder::new(buffered, 3).context("failed to compress")?)
        } else {
            Writer::Plain(buffered)
        };
        Ok(Self { writer: Some(writer), renamed, is_seen: path.is_none() && terminal::data_out().1 })
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        let line = if self.is_seen { Cow::Owned(harmless_json(line)) } else { Cow::Borrowed(line) };
        match &mut self.writer {
            Some(Writer::Plain(writer)) => {
                writer.write_all(line.as_bytes()).and_then(|()| writer.write_all(b"\n"))
            }
            Some(Writer::Packed(writer)) => {
                writer.write_all(line.as_bytes()).and_then(|()| writer.write_all(b"\n"))
            }
            None => Ok(()),
        }
    }

    fn finish(mut self) -> io::Result<()> {
        match self.writer.take() {
            Some(Writer::Plain(mut writer)) => writer.flush()?,
            Some(Writer::Packed(writer)) => writer.finish()?.flush()?,
            None => {}
        }
        if let Some((part, path)) = self.renamed.take() {
            File::open(&part)?.sync_all()?;
            std::fs::rename(part, path)?;
        }
        Ok(())
    }

    /// Text on standard output stays written.
    fn abandon(self) {}
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(Writer::Plain(mut writer)) = self.writer.take() {
            // The failure was printed already.
            let _ = writer.flush();
        }
        if let Some((part, _)) = self.renamed.take() {
            let _ = std::fs::remove_file(part);
        }
    }
}

/// A file that only its owner may read: it may hold push tokens.
fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}
