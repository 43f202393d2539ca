//! Bodies that tell what their connection is at.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};

use super::connections::{Phase, Report};

/// A body. When it is at its end, or is dropped, its connection enters another phase.
#[derive(Debug)]
pub(super) struct Watched<B> {
    body: B,
    then: Option<(Report, Phase)>,
}

impl<B> Watched<B> {
    pub(super) const fn new(body: B, report: Report, then: Phase) -> Self {
        Self { body, then: Some((report, then)) }
    }

    fn ends(&mut self) {
        if let Some((report, phase)) = self.then.take() {
            report.is_at(phase);
        }
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) {
            self.ends();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Watched<B> {
    fn drop(&mut self) {
        self.ends();
    }
}
