//! Pure. The message of a delivery, for people and for templates.

mod body;
mod digest;
mod output;
#[cfg(test)]
mod tests;
mod told;
mod view;
mod words;

use jiff::tz::TimeZone;
use model::channel::Channel;
use model::delivery::DeliveryTask;
use model::notice::MonitorLabel;

pub(crate) use body::{Length, OUTPUT_OF_THE_JOB, Part, WHAT_TO_DO, text};
pub(crate) use output::readable;
use told::Teller;
pub(crate) use told::message_of;
pub(crate) use view::{Facts, FlipView, Message, MonitorView, Severity, incident, incident_of};

/// What a message is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling<'a> {
    pub(crate) task: &'a DeliveryTask,
    pub(crate) channel: &'a Channel,
    pub(crate) facts: &'a Facts,
    /// In which the reader is shown times.
    pub(crate) zone: &'a TimeZone,
}

impl Message {
    /// The message of a delivery.
    pub(crate) fn new(telling: &Telling<'_>) -> Self {
        let Telling { task, channel, facts, zone } = *telling;
        let none = MonitorLabel::default();
        let label = task.monitor.as_ref().unwrap_or(&none);
        let told = Teller { facts, zone, label }.tell(Self::blank(task, channel), &task.notice, channel);
        told.finished(zone, task.notice.at())
    }
}
