//! `lubdub push`

mod output;
mod retry;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::{StatusCode, Url, header};
use serde_json::{Map, Value, json};

use super::api::{below, failure, http_client};
use super::connection::Server;
use super::discreet;
use super::duration::{Seconds, within};
use super::terminal::is_error_seen;
use crate::harmless::harmless;
use crate::terminal::Terminal;
use retry::{Outcome, wait_before_next};

/// The time limit of one attempt. A healthy server answers within 2 s.
const TIMEOUT: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  lubdub push https://lubdub.example.com/api/push/YOUR_TOKEN
  lubdub push YOUR_TOKEN --url https://lubdub.example.com --msg 'copied 120 files' --value 120
  lubdub push YOUR_TOKEN --status down --msg 'disk full'
  backup > backup.log 2>&1; lubdub push YOUR_TOKEN --exit-code $? --output backup.log

--exit-code is ?exit_code= of the push URL: 0 is up, any other is down. Without it, and without --status, a heartbeat
is up: `backup | lubdub push …` does not tell that the backup failed.

No API key is needed. A server that cannot be reached, or is busy, is tried again for 30s.
It prints nothing when all is well and there is no terminal, so that cron sends no mail.
Exit codes: 0 the heartbeat is recorded, 1 it is not, 2 bad usage.";

/// How long a push may be tried again, in seconds: an hour.
const LONGEST_RETRY_SECS: u64 = 3_600;

/// Sends one heartbeat.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Push {
    /// Push token, or the whole push URL
    #[arg(value_name = "TOKEN-OR-URL", env = "LUBDUB_PUSH_URL", hide_env_values = true,
          value_parser = discreet::parsed::<Target>())]
    target: Target,
    /// Status to report; down alerts at once [default: what the URL says, else up]
    #[arg(long, value_enum, ignore_case = true)]
    status: Option<Status>,
    /// Exit code of the job, 0 to 255, as in $?: 0 is up, any other is down
    #[arg(long, value_name = "CODE", conflicts_with = "status")]
    exit_code: Option<u8>,
    /// Message, kept with the heartbeat; longer than 1,000 characters is cut
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    msg: Option<String>,
    /// A number to keep with it, as in 12.5
    #[arg(long, value_name = "NUMBER", value_parser = finite, allow_negative_numbers = true)]
    value: Option<f64>,
    /// File whose end, 10,000 bytes, is kept as the job's output; - = standard input, which does not tell
    /// whether the command in front of a pipe failed
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long to try again, at most 1h, while the server cannot be reached or is busy; 0 = try once
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = within(0, LONGEST_RETRY_SECS))]
    retry_for: Seconds,
    /// Print the server's answer
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Status {
    Up,
    Down,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// The push URL. Its holder can push, so its `Debug` shows nothing.
#[derive(Clone)]
enum Target {
    Token(String),
    Url(Url),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Target(…)")
    }
}

impl std::str::FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str =
            "give a push token (8 to 64 of A-Z a-z 0-9 _ -) or a push URL (https://…/api/push/…)";
        if !text.contains("://") {
            return match model::monitor::Token::parse(text) {
                Some(token) => Ok(Self::Token(token.expose().to_owned())),
                None => Err(RULE),
            };
        }
        let url = Url::parse(text).map_err(|_| RULE)?;
        if matches!(url.scheme(), "http" | "https") { Ok(Self::Url(url)) } else { Err(RULE) }
    }
}

fn finite(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or("write a decimal number, as in 12.5")
}

impl Push {
    pub(super) async fn run(self, terminal: &Terminal) -> anyhow::Result<ExitCode> {
        let output = match &self.output {
            Some(path) => Some(output::read(path).context("failed to read --output")?),
            None => None,
        };
        let (url, parameters) = self.address(output.is_some());
        let client = http_client(TIMEOUT)?;
        // Errors name the server, never the token.
        let mut server = url.clone();
        server.set_path("");
        server.set_query(None);
        let (began, retry_for) = (Instant::now(), Duration::from_secs(self.retry_for.0));
        let mut tried = 0;
        loop {
            tried += 1;
            let request = client.post(url.clone());
            let request = match (&output, &parameters) {
                (Some(bytes), _) => {
                    request.header(header::CONTENT_TYPE, "application/octet-stream").body(bytes.clone())
                }
                (None, Value::Object(parameters)) if parameters.is_empty() => request,
                (None, parameters) => request.json(parameters),
            };
            let failed = match request.send().await {
                Ok(answer) if answer.status() == StatusCode::OK => {
                    self.tell(answer, terminal).await?;
                    return Ok(ExitCode::SUCCESS);
                }
                Ok(answer) => Outcome::refused(answer).await,
                Err(error) => Outcome::NoAnswer(failure(&server, &error)),
            };
            let left = retry_for.saturating_sub(began.elapsed());
            let Some(wait) = wait_before_next(tried, left, &failed) else {
                let tries = match tried {
                    1 => String::new(),
                    _ => format!("; tried {tried} times in {} s", began.elapsed().as_secs()),
                };
                let advice =
                    if self.is_advised(&server, &failed) { ": start one with `lubdub up`" } else { "" };
                bail!("the heartbeat was not recorded: {}{tries}{advice}", failed.told(&server));
            };
            if terminal.is_interactive() {
                let secs = wait.as_secs_f64();
                terminal.warn(format_args!("{}; trying again in {secs:.1} s", failed.told(&server)));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether a person is there who may have to start a server first: a job cannot.
    fn is_advised(&self, server: &Url, failed: &Outcome) -> bool {
        let is_default = self.server.is_default() && server.origin() == self.server.url().origin();
        is_default && failed.is_unreachable() && is_error_seen()
    }

    /// The URL and the body of the request. An output takes the body, so the parameters go into the query. A
    /// flag replaces a parameter in the given URL's own query.
    fn address(&self, has_output: bool) -> (Url, Value) {
        let mut url = match &self.target {
            Target::Token(token) => below(self.server.url(), &["api", "push", token]),
            Target::Url(url) => url.clone(),
        };
        let mut parameters = Map::new();
        if let Some(status) = self.status {
            parameters.insert("status".to_owned(), json!(status.as_str()));
        }
        if let Some(code) = self.exit_code {
            parameters.insert("exit_code".to_owned(), json!(code));
        }
        if let Some(msg) = &self.msg {
            let cut: String = msg.chars().take(model::heartbeat::MAX_MESSAGE_CHARS).collect();
            parameters.insert("msg".to_owned(), json!(cut));
        }
        if let Some(value) = self.value {
            parameters.insert("value".to_owned(), json!(value));
        }
        // The status of a copied URL would stand above the exit code.
        let given = |name: &str| match name {
            "ping" => parameters.contains_key("value"),
            "status" if parameters.contains_key("exit_code") => true,
            name => parameters.contains_key(name),
        };
        let is_kept = |(name, _): &(String, String)| !given(&name.to_ascii_lowercase());
        let kept: Vec<(String, String)> = url.query_pairs().into_owned().filter(is_kept).collect();
        url.set_query(None);
        let in_query = parameters.iter().filter(|_| has_output).map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        });
        let pairs: Vec<(String, String)> = kept.into_iter().chain(in_query).collect();
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        (url, Value::Object(if has_output { Map::new() } else { parameters }))
    }

    async fn tell(&self, answer: reqwest::Response, terminal: &Terminal) -> anyhow::Result<()> {
        // The push is recorded, even if the rest of the answer is lost.
        let text = answer.text().await.unwrap_or_default();
        let body: Option<Value> = serde_json::from_str(&text).ok();
        match body {
            Some(body) if body["ok"] == true => {
                if self.json {
                    terminal.json(&body)?;
                } else if terminal.is_interactive() {
                    terminal.line("recorded")?;
                }
                Ok(())
            }
            // A login page of some proxy also answers 200.
            Some(_) | None => bail!(
                "something answered 200 that is not Lubdub: {}",
                harmless(&text.chars().take(100).collect::<String>())
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        push: Push,
    }

    fn address(arguments: &[&str]) -> (String, Value) {
        let push = Arguments::parse_from([&["push"], arguments].concat()).push;
        let has_output = push.output.is_some();
        let (url, body) = push.address(has_output);
        (url.to_string(), body)
    }

    #[test]
    fn flags_win_over_the_query_of_the_given_url() {
        let base = "http://x.example/api/push/abcdefgh";
        let widely_copied = "http://x.example/api/push/abcdefgh?status=up&msg=OK&ping=";
        for (arguments, expected_url, expected_body) in [
            (&["abcdefgh", "--url", "x.example"][..], base, json!({})),
            (&[base, "--value", "-1.5"], base, json!({"value": -1.5})),
            (&[base, "--status", "DOWN", "--msg", "-v"], base, json!({"status": "down", "msg": "-v"})),
            (
                &[widely_copied, "--status", "down"],
                "http://x.example/api/push/abcdefgh?msg=OK&ping=",
                json!({"status": "down"}),
            ),
            (
                &[widely_copied, "--msg", "m", "--value", "2"],
                "http://x.example/api/push/abcdefgh?status=up",
                json!({"msg": "m", "value": 2.0}),
            ),
            (&[base, "--exit-code", "3"], base, json!({"exit_code": 3})),
            (
                &[&widely_copied.replace("status", "Status"), "--exit-code", "1", "--output", "-"],
                "http://x.example/api/push/abcdefgh?msg=OK&ping=&exit_code=1",
                json!({}),
            ),
            (
                &["http://x.example/api/push/abcdefgh?status=down", "--msg", "m"],
                "http://x.example/api/push/abcdefgh?status=down",
                json!({"msg": "m"}),
            ),
            (
                &[base, "--msg", "a b&c", "--status", "down", "--output", "-"],
                "http://x.example/api/push/abcdefgh?msg=a+b%26c&status=down",
                json!({}),
            ),
        ] {
            assert_eq!(address(arguments), (expected_url.to_owned(), expected_body), "{arguments:?}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let (_, body) = address(&["abcdefgh", "--msg", &"ü".repeat(1_500)]);
        assert_eq!(body["msg"].as_str().map(|msg| msg.chars().count()), Some(1_000));
    }

    #[test]
    fn bad_targets_and_values_are_bad_usage() {
        for arguments in [
            &["push", "short"][..],
            &["push", "ftp://x.example/api/push/abcdefgh"],
            &["push", "abcdefgh", "--value", "NaN"],
            &["push", "abcdefgh", "--value", "ten"],
            &["push", "abcdefgh", "--status", "late"],
            &["push", "abcdefgh", "--exit-code", "256"],
            &["push", "abcdefgh", "--exit-code", "killed"],
            &["push", "abcdefgh", "--exit-code", ""],
            &["push", "abcdefgh", "--exit-code", "1", "--status", "up"],
        ] {
            let error = Arguments::try_parse_from(arguments).expect_err("refused");
            assert_eq!(error.exit_code(), 2, "{arguments:?}");
        }
    }
}
