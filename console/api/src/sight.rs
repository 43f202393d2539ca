//! Pure. What the scope of a key sees of a resource: the one place that decides it.
//!
//! Views are made whole. [`Caller::sees`](crate::auth::Caller::sees) then takes out of them what the caller's
//! scope must not see: tokens, secrets, addresses of people and clients, those of receivers but for their
//! host or domain, the text of templates, and what was sent to receivers and answered by them. A receiver may
//! echo all of these.

use api::channels::ChannelView;
use api::deliveries::{AttemptView, DeliveryView};
use api::heartbeats::HeartbeatView;
use api::monitors::MonitorView;
use api::page::Page;
use management::draft::channel::MASK;
use url::Url;

/// A resource of which read keys see a part.
pub(crate) trait Secretive {
    /// Takes out what a read key must not see.
    fn hide_secrets(&mut self);
}

impl<T: Secretive> Secretive for Page<T> {
    fn hide_secrets(&mut self) {
        self.items.iter_mut().for_each(T::hide_secrets);
    }
}

impl Secretive for MonitorView {
    fn hide_secrets(&mut self) {
        self.token = None;
        self.push_url = None;
        self.last_heartbeat.iter_mut().for_each(HeartbeatView::hide_secrets);
    }
}

impl Secretive for HeartbeatView {
    fn hide_secrets(&mut self) {
        self.source = None;
    }
}

impl Secretive for ChannelView {
    fn hide_secrets(&mut self) {
        self.secret = None;
        self.url = self.url.as_deref().map(host_only);
        self.to.iter_mut().flatten().for_each(|address| *address = domain_only(address));
        let settings = self.settings.iter_mut().flat_map(|settings| settings.values_mut());
        let headers = self.headers.iter_mut().flat_map(|headers| headers.values_mut());
        settings.chain(headers).for_each(|value| MASK.clone_into(value));
        self.template.iter_mut().flatten().for_each(|text| MASK.clone_into(text));
        // It may hold the words of a receiver.
        self.state_detail.iter_mut().for_each(|detail| "an admin key sees why".clone_into(detail));
    }
}

impl Secretive for DeliveryView {
    fn hide_secrets(&mut self) {
        self.attempts.iter_mut().for_each(AttemptView::hide_secrets);
    }
}

impl Secretive for AttemptView {
    fn hide_secrets(&mut self) {
        self.answer = None;
        self.request = None;
        // The words of a receiver, or of an error that names an address, may be part of it.
        self.error = self.error.take().map(|_| match self.status {
            Some(status) => format!("the receiver answered {status}"),
            None => "there was no answer".to_owned(),
        });
    }
}

/// The beginning of a URL, without its path and what follows.
pub(crate) fn host_only(url: &str) -> String {
    let Ok(url) = url.parse::<Url>() else { return MASK.to_owned() };
    format!("{}/{MASK}", url.origin().ascii_serialization())
}

fn domain_only(address: &str) -> String {
    address.rsplit_once('@').map_or_else(|| MASK.to_owned(), |(_, domain)| format!("{MASK}@{domain}"))
}
