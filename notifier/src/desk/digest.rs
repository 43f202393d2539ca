//! Pure. Many monitors in one message.

use std::collections::HashMap;

use model::flip::{Flip, State};
use model::ids::{AlertId, DeliveryId, MonitorId};
use model::natural::compare;
use model::notice::{Brief, Digest, Group, LabelledFlip, MAX_DIGEST_FLIPS, MAX_NAMES};
use model::time::EventTime;

use super::state::chat::ChatEntry;
use crate::message::message_of;

#[derive(Default)]
struct Gathering {
    briefs: Vec<Brief>,
}

impl Gathering {
    fn group(mut self) -> Group {
        self.briefs
            .sort_unstable_by(|a, b| compare(&a.name, &b.name).then_with(|| a.monitor.cmp(&b.monitor)));
        let count = u32::try_from(self.briefs.len()).unwrap_or(u32::MAX);
        self.briefs.truncate(MAX_NAMES);
        Group { count, first: self.briefs }
    }
}

/// When a flapping monitor came back, if it is up.
fn came_back(last: &Flip) -> Option<EventTime> {
    (last.to != State::Down).then_some(last.at)
}

/// The content of the message `carrier` about all its monitors.
pub(super) fn digest(
    id: AlertId,
    carrier: DeliveryId,
    from: EventTime,
    to: EventTime,
    monitors: &HashMap<MonitorId, ChatEntry>,
) -> Digest {
    let [mut down, mut up, mut still_down, mut flapping] = std::array::from_fn(|_| Gathering::default());
    let mut flips: Vec<(&str, LabelledFlip)> = Vec::new();
    let mut count = 0;
    for (monitor, entry) in monitors {
        let brief = |since: Option<EventTime>, until: Option<EventTime>, flip: &Flip, flips| Brief {
            monitor: *monitor,
            name: entry.label.name.clone(),
            since,
            until,
            message: message_of(flip, to),
            flips,
        };
        let carried = entry.carried.as_ref().filter(|_| entry.carrier == Some(carrier));
        let Some(carried) = carried else {
            let flaps = entry.flaps.flapping.as_ref().map(|flapping| &flapping.last);
            match (flaps, &entry.told_down) {
                // What it does waits for the next summary, but how it stands now is said.
                (Some(last), told) if last.to == State::Down || told.is_some() => {
                    flapping.briefs.push(brief(Some(last.at), came_back(last), last, 0));
                }
                (None, Some(told)) => still_down.briefs.push(brief(Some(told.at), None, told, 0)),
                (Some(_) | None, _) => {}
            }
            continue;
        };
        count += carried.flips;
        let last = &carried.last;
        let is_down = last.to == State::Down;
        let began = entry.told_down.as_ref().or(carried.first_down.as_ref()).map(|flip| flip.at);
        match &carried.flapping {
            Some((told, false)) => {
                flapping.briefs.push(brief(Some(last.at), came_back(last), last, told.flips));
            }
            Some((_, true)) | None if is_down && carried.flips == 0 => {
                still_down.briefs.push(brief(Some(last.at), None, last, 0));
            }
            Some((_, true)) | None if is_down => {
                down.briefs.push(brief(Some(last.at), None, last, carried.flips))
            }
            Some((_, true)) | None => {
                let since = last.down_for.map(|span| last.at - span).or(began);
                up.briefs.push(brief(since, Some(last.at), last, carried.flips));
            }
        }
        if carried.flips > 0 {
            let labelled = LabelledFlip { flip: last.clone(), monitor: entry.label.clone() };
            flips.push((&entry.label.name, labelled));
        }
    }
    flips.sort_unstable_by(|(a, x), (b, y)| compare(a, b).then_with(|| x.flip.monitor.cmp(&y.flip.monitor)));
    flips.truncate(MAX_DIGEST_FLIPS);
    Digest {
        id,
        from,
        to,
        count,
        down: down.group(),
        up: up.group(),
        still_down: still_down.group(),
        flapping: flapping.group(),
        flips: flips.into_iter().map(|(_, labelled)| labelled).collect(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_group_names_its_monitors_in_the_order_in_which_people_count() {
        let brief = |name: &str| Brief {
            monitor: MonitorId::from_uuid(Uuid::nil()),
            name: name.to_owned(),
            since: None,
            until: None,
            message: None,
            flips: 0,
        };
        let names: Vec<String> = (1..=25).rev().map(|number| format!("web{number}")).collect();
        let group = Gathering { briefs: names.iter().map(|name| brief(name)).collect() }.group();
        let expected: Vec<String> = (1..=20).map(|number| format!("web{number}")).collect();
        assert_eq!(group.first.iter().map(|brief| brief.name.clone()).collect::<Vec<_>>(), expected);
        assert_eq!(group.count, 25);
    }
}
