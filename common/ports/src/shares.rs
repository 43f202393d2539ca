//! Pure. How the nodes of a role share numbered pieces of work (partitions, shards).
//!
//! Rendezvous hashing, with a bound: every piece goes to the node with the greatest weight among those that
//! have room. All nodes that see the same members compute the same result, and a node that comes or goes
//! moves few pieces. Plain rendezvous hashing would give four partitions to one of two nodes in every eighth
//! cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::roster::Member;

/// The member index for each share; all `None` without members.
///
/// Every member gets the number of shares divided by that of members, rounded down or up. The order of
/// `members` does not matter as long as their names differ.
pub fn assign(members: &[String], shares: u16) -> Vec<Option<usize>> {
    let shares_of_all = usize::from(shares);
    let least = shares_of_all / members.len().max(1);
    // Number of members that get one share more.
    let mut extra = shares_of_all % members.len().max(1);
    let mut had = vec![0_usize; members.len()];
    let mut choose = |share: u16| {
        let most = if extra > 0 { least + 1 } else { least };
        let with_room = members.iter().zip(&had).enumerate().filter(|(_, (_, had))| **had < most);
        let liked =
            with_room.max_by_key(|(_, (name, _))| (weight(name, share), *name)).map(|(index, _)| index);
        if let Some(had) = liked.and_then(|index| had.get_mut(index)) {
            *had += 1;
            extra -= usize::from(*had > least);
        }
        liked
    };
    (0..shares).map(&mut choose).collect()
}

/// The weight of a member for a share: FNV-1a of both, then mixed, for FNV alone hardly distinguishes names
/// that differ at their beginning.
fn weight(name: &str, share: u16) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in name.bytes().chain(share.to_be_bytes()) {
        hash ^= u64::from(byte);
        hash = hash.wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

/// The nodes that live, judged by whether their beats move between two looks.
#[derive(Debug)]
pub struct Liveness {
    /// How long the beat of a living node may stand still.
    lease: Duration,
    seen: BTreeMap<String, SeenBeat>,
}

#[derive(Debug)]
struct SeenBeat {
    beat: u64,
    /// When the beat was last seen to move, by the observer's clock.
    moved_at: Duration,
}

impl Liveness {
    /// No node was seen yet.
    pub const fn new(lease: Duration) -> Self {
        Self { lease, seen: BTreeMap::new() }
    }

    /// Takes the roster's members at `now`, by a clock that runs on through a freeze. A new node counts as
    /// alive.
    pub fn look(&mut self, members: &[Member], now: Duration) {
        self.seen.retain(|name, _| members.iter().any(|member| member.name == *name));
        for member in members {
            let seen =
                self.seen.entry(member.name.clone()).or_insert(SeenBeat { beat: member.beat, moved_at: now });
            if seen.beat != member.beat {
                *seen = SeenBeat { beat: member.beat, moved_at: now };
            }
        }
    }

    /// Counts no silence up to `now`: the roster could not be read for a while, or this node was frozen.
    pub fn forgive(&mut self, now: Duration) {
        for seen in self.seen.values_mut() {
            seen.moved_at = now;
        }
    }

    /// Whether a member lives; `None` if it is not on the roster.
    pub fn lives(&self, name: &str, now: Duration) -> Option<bool> {
        self.seen.get(name).map(|seen| now.saturating_sub(seen.moved_at) < self.lease)
    }

    /// The names of the living nodes, in order.
    pub fn living(&self, now: Duration) -> Vec<String> {
        self.seen.keys().filter(|name| self.lives(name, now) == Some(true)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("node-{n}")).collect()
    }

    fn owners(members: &[String], shares: u16) -> Vec<String> {
        assign(members, shares).into_iter().map(|index| members[index.expect("somebody")].clone()).collect()
    }

    #[test]
    fn everybody_has_a_fair_share() {
        for (members, shares) in [(1, 4), (2, 4), (3, 4), (4, 4), (7, 4), (3, 16), (5, 64)] {
            let owners = owners(&names(members), shares);
            let fair = usize::from(shares) / members..=usize::from(shares).div_ceil(members);
            for name in names(members) {
                let has = owners.iter().filter(|owner| **owner == name).count();
                assert!(fair.contains(&has), "{name} has {has} of {shares} among {members}");
            }
        }
        assert_eq!(assign(&[], 2), [None, None]);
    }

    #[test]
    fn the_order_in_which_members_are_listed_does_not_matter() {
        let mut members = names(5);
        let before = owners(&members, 16);
        members.reverse();
        assert_eq!(owners(&members, 16), before);
    }

    #[test]
    fn few_shares_move_when_a_member_goes() {
        let members = names(4);
        let before = owners(&members, 64);
        let after = owners(&members[..3], 64);
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!((16..=32).contains(&moved), "{moved} of 64 moved, 16 had to");
    }

    #[test]
    fn the_dead_are_those_whose_beat_stands_still_while_looked_at() {
        let member = |name: &str, beat| Member { name: name.to_owned(), beat };
        let secs = Duration::from_secs;
        let mut liveness = Liveness::new(secs(5));
        liveness.look(&[member("a", 1), member("b", 9)], secs(100));
        liveness.look(&[member("a", 2), member("b", 9)], secs(104));
        assert_eq!(liveness.living(secs(104)), ["a", "b"]);
        assert_eq!(liveness.living(secs(105)), ["a"]);
        liveness.look(&[member("a", 2), member("b", 10)], secs(106));
        assert_eq!(liveness.living(secs(106)), ["a", "b"], "it was only slow");
        liveness.forgive(secs(200));
        assert_eq!(liveness.living(secs(204)), ["a", "b"]);
        liveness.look(&[member("b", 11)], secs(204));
        assert_eq!(liveness.living(secs(204)), ["b"], "who left is not there");
        assert_eq!((liveness.lives("a", secs(204)), liveness.lives("b", secs(209))), (None, Some(false)));
    }
}
