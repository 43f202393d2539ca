//! Pure. Messages of a chat's desk that the desk does not remember: the ledger was lost, or is older. They
//! may come after newer ones.

use model::delivery::DeliveryTask;
use model::flip::Flip;
use model::ids::{DeliveryId, MonitorId};
use model::notice::{Brief, Digest, Group, LabelledFlip, Notice};
use model::time::EventTime;

use super::chat::Chat;
use super::gather::UntoldChanges;
use super::outcome::{Admission, DropReason, lean};

impl Chat {
    /// A digest goes out with what it says of monitors of which nothing newer was told.
    pub(super) fn forgotten_digest(&mut self, id: DeliveryId, digest: &Digest, now: EventTime) -> Admission {
        let (current, stale): (Vec<_>, Vec<_>) =
            digest.flips.iter().cloned().partition(|one| !self.has_newer(&one.flip));
        if current.is_empty() && !stale.is_empty() {
            return Admission::Dropped(DropReason::NothingToSay);
        }
        for one in &current {
            self.carries(id, one);
        }
        self.goes_out(id, None, None, now);
        let stale: Vec<MonitorId> = stale.iter().map(|one| one.flip.monitor).collect();
        let left = |group: &Group| without(group, &stale);
        Admission::Send(Box::new(Notice::Digest(Box::new(Digest {
            count: digest.count.saturating_sub(u32::try_from(stale.len()).unwrap_or(u32::MAX)),
            down: left(&digest.down),
            up: left(&digest.up),
            still_down: left(&digest.still_down),
            flapping: left(&digest.flapping),
            flips: current,
            ..digest.clone()
        }))))
    }

    /// A message about one monitor goes out, unless something newer was told of it.
    pub(super) fn forgotten(&mut self, task: &DeliveryTask, now: EventTime) -> Admission {
        if let Some(flip) = task.notice.flip() {
            if self.has_newer(flip) {
                return Admission::Dropped(DropReason::NothingToSay);
            }
            let one = LabelledFlip { flip: flip.clone(), monitor: task.monitor.clone().unwrap_or_default() };
            self.carries(task.id, &one);
            // Its words are its own, so it is not said to be about one monitor.
            self.goes_out(task.id, None, None, now);
        }
        Admission::Send(Box::new(task.notice.clone()))
    }

    /// The message `id` tells of this flip, and so of what came before it.
    fn carries(&mut self, id: DeliveryId, one: &LabelledFlip) {
        let entry = self.entry(one.flip.monitor, one.monitor.clone());
        entry.sequence = entry.sequence.max(one.flip.sequence);
        entry.untold.take_if(|untold| untold.last.sequence <= one.flip.sequence);
        if entry.carried.as_ref().is_some_and(|carried| carried.last.sequence > one.flip.sequence) {
            return;
        }
        entry.told_by = Some(id);
        entry.carried = Some(UntoldChanges::flip(&lean(&one.flip)));
        let before = entry.carrier.replace(id).filter(|before| *before != id);
        let Some(before) = before else { return };
        if !self.monitors.values().any(|entry| entry.carrier == Some(before)) {
            self.head.outstanding.remove(&before);
            self.head.adopted.push((before, id));
        }
    }

    fn has_newer(&self, flip: &Flip) -> bool {
        self.monitors.get(&flip.monitor).is_some_and(|entry| entry.sequence > flip.sequence)
    }
}

fn without(group: &Group, monitors: &[MonitorId]) -> Group {
    let is_left = |brief: &&Brief| !monitors.contains(&brief.monitor);
    let first: Vec<Brief> = group.first.iter().filter(is_left).cloned().collect();
    let gone = group.first.len() - first.len();
    Group { count: group.count.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX)), first }
}
