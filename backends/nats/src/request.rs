//! Requests to JetStream, with one error type for all.

use std::time::Duration;

use async_nats::RequestErrorKind;
use async_nats::client::Request;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Config, Info};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::connection::Nats;
use super::ground::{MarkNames, Marks};
use super::timeouts::REQUEST_TIMEOUT;
use ports::BackendError;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// No answer came: it is unknown whether the request was carried out.
    #[error("get an answer from NATS")]
    Silent(#[source] BackendError),
    /// The subject has no listener: no JetStream, no leader, or no such stream.
    #[error("get an answer from NATS: there is no responder")]
    NoResponder,
    /// The server refused.
    #[error(transparent)]
    Refused(async_nats::jetstream::Error),
    /// This node lacks the right to publish to a subject.
    #[error("NATS does not permit this node to publish to {subject}")]
    Forbidden {
        /// The subject.
        subject: String,
    },
    /// The request could not be sent, or its answer cannot be read.
    #[error("exchange a request with NATS")]
    Unusable(#[source] BackendError),
}

impl RequestError {
    /// Whether trying again soon can help.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Silent(_) | Self::NoResponder => true,
            // 503: no leader yet, or too busy. No peers: the servers of a cluster are still finding each
            // other.
            Self::Refused(error) => {
                let no_peers = error.error_code() == ErrorCode::CLUSTER_NO_PEERS;
                error.code() == 503 || (no_peers && !self.lacks_room())
            }
            Self::Forbidden { .. } | Self::Unusable(_) => false,
        }
    }

    /// Whether a stream was refused because its bytes cannot be reserved. A cluster gives this reason only in
    /// words.
    pub(super) fn lacks_room(&self) -> bool {
        match self.refusal() {
            Some(ErrorCode::STORAGE_RESOURCES_EXCEEDED) => true,
            Some(ErrorCode::CLUSTER_NO_PEERS) => self.to_string().contains("insufficient storage"),
            Some(_) | None => false,
        }
    }

    /// The server's error code, if it refused.
    pub(super) fn refusal(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(error) => Some(error.error_code()),
            Self::Silent(_) | Self::NoResponder | Self::Forbidden { .. } | Self::Unusable(_) => None,
        }
    }
}

impl Nats {
    /// Sends a request and waits for JetStream's answer. Without a connection the client would keep the
    /// request and send it later, so this waits for a connection first.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        subject: String,
        payload: Bytes,
        within: Duration,
    ) -> Result<T, RequestError> {
        self.send(subject, Request::new().payload(payload).timeout(Some(within))).await
    }

    /// Like [`ask`](Self::ask), for a request with headers.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        subject: String,
        request: Request,
    ) -> Result<T, RequestError> {
        let _pass = self.turnstile.pass().await;
        let connection = self.connected().await.map_err(RequestError::Silent)?;
        let answer = self.exchange(subject, request).await?;
        // The client sends what was asked over a lost connection again over the next one.
        if self.connections() != connection {
            self.connected().await.map_err(RequestError::Silent)?;
        }
        Ok(answer)
    }

    /// Waits for a connection that leads to the installation, as long as a request may take; its number.
    pub(super) async fn connected(&self) -> Result<u64, BackendError> {
        let connection = self.connection().await?;
        if self.ground.unknown(connection).is_none() {
            return Ok(connection);
        }
        // On the heap: it is rarely needed, and every caller's future would hold it.
        let found = Box::pin(tokio::time::timeout(REQUEST_TIMEOUT, self.ground_found())).await;
        found.map_err(|_| BackendError::from("NATS has not said yet which installation it holds"))?
    }

    async fn ground_found(&self) -> Result<u64, BackendError> {
        loop {
            let connection = self.connection().await?;
            if self.ground.unknown(connection).is_none() {
                return Ok(connection);
            }
            let _one_looks = self.ground.looking.lock().await;
            if let Some((names, marks)) = self.ground.unknown(connection) {
                self.look_for(*names, marks).await?;
                self.ground.found(connection);
            }
        }
    }

    /// Looks whether the servers hold the installation.
    async fn look_for(&self, names: MarkNames, marks: &Marks) -> Result<(), BackendError> {
        let mut asked: FuturesUnordered<_> =
            marks.streams.keys().map(|stream| self.info_of_anything(stream)).collect();
        let mut failed = None;
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(Some(stream)) if marks.has(names, &stream) => return Ok(()),
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        }
        Err(match failed {
            Some(error) => error.into(),
            None => format!("NATS does not hold installation {} any more", marks.installation).into(),
        })
    }

    async fn info_of_anything(&self, stream: &str) -> Result<Option<Info>, RequestError> {
        let request = Request::new().payload(Bytes::new()).timeout(Some(REQUEST_TIMEOUT));
        match self.exchange(format!("$JS.API.STREAM.INFO.{stream}"), request).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.refusal() == Some(ErrorCode::STREAM_NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a request over whatever connection there is.
    async fn exchange<T: DeserializeOwned>(
        &self,
        subject: String,
        request: Request,
    ) -> Result<T, RequestError> {
        // Listen before sending, so that a refusal is not missed.
        let mut refusals = self.refusals.listen();
        let answered = tokio::select! {
            answered = self.client.send_request(subject.clone(), request) => answered,
            () = refusals.refused(&subject) => return Err(RequestError::Forbidden { subject }),
        };
        let answer = answered.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => RequestError::NoResponder,
            RequestErrorKind::TimedOut | RequestErrorKind::Other => RequestError::Silent(error.into()),
            RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                RequestError::Unusable(error.into())
            }
        })?;
        let answer =
            serde_json::from_slice(&answer.payload).map_err(|error| RequestError::Unusable(error.into()))?;
        match answer {
            Response::Ok(answer) => Ok(answer),
            Response::Err { error } => Err(RequestError::Refused(error)),
        }
    }

    /// Sends a request to the JetStream API.
    pub(super) async fn api<T: DeserializeOwned>(
        &self,
        what: &str,
        body: &impl Serialize,
    ) -> Result<T, RequestError> {
        let body = serde_json::to_vec(body).map_err(|error| RequestError::Unusable(error.into()))?;
        self.ask(format!("$JS.API.{what}"), body.into(), REQUEST_TIMEOUT).await
    }

    /// A stream's present state, from its leader; `None` if there is none.
    pub(super) async fn stream_info(&self, stream: &str) -> Result<Option<Info>, RequestError> {
        match self.api(&format!("STREAM.INFO.{stream}"), &()).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.refusal() == Some(ErrorCode::STREAM_NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a stream; `None` if there is another one of this name.
    pub(super) async fn create_stream(&self, config: &Config) -> Result<Option<Info>, RequestError> {
        match self.api(&format!("STREAM.CREATE.{}", config.name), config).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.refusal() == Some(ErrorCode::STREAM_NAME_EXIST) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives a stream other settings.
    pub(super) async fn update_stream(&self, config: &Config) -> Result<Info, RequestError> {
        self.api(&format!("STREAM.UPDATE.{}", config.name), config).await
    }
}
