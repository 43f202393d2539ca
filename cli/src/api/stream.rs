//! Answers that come line by line, for as long as it takes; and bodies of lines.

use std::time::Duration;

use reqwest::{Method, StatusCode, Url, header, redirect};
use serde_json::Value;

use super::super::problem::Problem;
use super::client::{Api, ApiError, CONNECT_TIMEOUT, failure, shown};

/// Something comes within this, if only an empty line, or the connection is dead.
const QUIET: Duration = Duration::from_secs(60);

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Chunks {
    answer: reqwest::Response,
    server: Url,
    /// The beginning of a line.
    begun: Vec<u8>,
}

impl Chunks {
    /// The lines that came next, at least one; `None` at the end. Empty lines are left out.
    ///
    /// # Errors
    /// The stream broke off.
    pub(crate) async fn lines(&mut self) -> Result<Option<Vec<String>>, ApiError> {
        loop {
            let chunk = self.answer.chunk().await.map_err(|error| failure(&self.server, &error))?;
            let Some(chunk) = chunk else {
                let rest = std::mem::take(&mut self.begun);
                return Ok(line(&rest).map(|rest| vec![rest]));
            };
            self.begun.extend_from_slice(&chunk);
            let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { continue };
            let rest = self.begun.split_off(end + 1);
            let whole = std::mem::replace(&mut self.begun, rest);
            let lines: Vec<String> = whole.split(|byte| *byte == b'\n').filter_map(line).collect();
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
        }
    }
}

fn line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl Api {
    /// Lines that the server sends for as long as it takes.
    pub(crate) async fn stream(&self, path: &[&str], query: &[(&str, String)]) -> Result<Chunks, ApiError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("lubdub/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(QUIET)
            .build()
            .map_err(ApiError::Client)?;
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(query);
        let request = client.request(Method::GET, url).bearer_auth(&self.key);
        let answer = request.send().await.map_err(|error| failure(&self.server, &error))?;
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(Chunks { answer, server: self.server.clone(), begun: Vec::new() });
        }
        let body = answer.bytes().await.map_err(|error| failure(&self.server, &error))?;
        Err(self.refusal(status, &body))
    }

    /// Posts lines.
    pub(crate) async fn post_lines(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        lines: Vec<u8>,
    ) -> Result<Value, ApiError> {
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs(query);
        let request = self
            .client
            .request(Method::POST, url)
            .bearer_auth(&self.key)
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .body(lines);
        let answer = request.send().await.map_err(|error| failure(&self.server, &error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| failure(&self.server, &error))?;
        if status == StatusCode::OK
            && let Ok(body) = serde_json::from_slice(&body)
        {
            return Ok(body);
        }
        Err(self.refusal(status, &body))
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> ApiError {
        match serde_json::from_slice::<Value>(body) {
            Ok(body) if Problem::is_one(&body) => {
                ApiError::Refused(Problem::read(status.as_u16(), &body, None))
            }
            Ok(_) | Err(_) => ApiError::Stranger { url: shown(&self.server), status },
        }
    }
}
