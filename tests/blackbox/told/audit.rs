//! Compares what receivers got, what the deliveries say, and what monitors did (P4, I14).

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use model::ids::{AlertId, ChannelId, DeliveryId};
use serde_json::Value;
use uuid::Uuid;

use super::{Channel, Ears};
use crate::api::{Api, Monitor};
use crate::stub::Request;

/// A storm's window, and what else takes time on a loaded machine.
const SETTLED_WITHIN: Duration = Duration::from_secs(75);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The most defects that are shown.
const SHOWN: usize = 20;
/// Reasons of flips that no message tells of by itself.
const UNTOLD: [&str; 4] = ["first", "paused", "resumed", "changed"];

/// How often each flip was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Flips of monitors, each counted for every channel that is to hear of it.
    pub(crate) flips: usize,
    /// Flips that another message tells of.
    pub(crate) folded: usize,
    /// Different messages.
    pub(crate) messages: usize,
    /// Messages that came again.
    pub(crate) duplicates: usize,
    /// Messages among them that came after a newer message about the same monitor.
    pub(crate) late: usize,
}

/// The data to compare.
pub(crate) struct Audit<'a> {
    pub(crate) api: Api,
    pub(crate) ears: &'a Ears,
    pub(crate) channels: &'a [Channel],
    /// Each with the places of its channels.
    pub(crate) monitors: &'a [(Monitor, Vec<usize>)],
}

/// Monitor and running number of a flip.
type ToldFlip = (String, u64);

/// A message, as far as it counts here.
struct Message<'a> {
    id: &'a str,
    request: &'a Request,
    /// Each flip.
    tells: Vec<ToldFlip>,
    /// Flips that it tells of, by name or not.
    count: u64,
    /// Whether there are more than the message names.
    truncated: bool,
}

impl<'a> Message<'a> {
    fn read(request: &'a Request) -> Self {
        let event = request.json();
        let one = |data: &Value| {
            let monitor = data["monitor"]["id"].as_str()?.to_owned();
            Some((monitor, data["flip"]["sequence"].as_u64()?))
        };
        let data = &event["data"];
        let tells: Vec<_> = match data["flips"].as_array() {
            Some(flips) => flips.iter().filter_map(one).collect(),
            None => one(data).into_iter().collect(),
        };
        let count = data["count"].as_u64().unwrap_or(tells.len() as u64);
        let truncated = data["truncated"] == true;
        Self { id: request.header("webhook-id"), request, tells, count, truncated }
    }
}

impl Audit<'_> {
    /// Waits until nothing is on its way any more, and then until every flip is accounted for; how much it
    /// was.
    #[track_caller]
    pub(crate) fn settled(&self) -> [Tally; 2] {
        let begin = Instant::now();
        loop {
            let (tallies, wrong) = self.look();
            if wrong.is_empty() {
                return tallies;
            }
            let shown = wrong.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n  ");
            assert!(begin.elapsed() < SETTLED_WITHIN, "{} things are wrong:\n  {shown}", wrong.len());
            sleep(LOOK_EVERY);
        }
    }

    /// The tallies of channels that hear of each flip and of those that gather, and the defects.
    fn look(&self) -> ([Tally; 2], Vec<String>) {
        let mut wrong = Vec::new();
        let deliveries: BTreeMap<String, Value> = self
            .api
            .list("/deliveries")
            .into_iter()
            .map(|delivery| (delivery["id"].as_str().expect("a text").to_owned(), delivery))
            .collect();
        for state in ["pending", "dead", "suppressed"] {
            let count = deliveries.values().filter(|delivery| delivery["state"] == state).count();
            if count > 0 {
                wrong.push(format!("{count} deliveries are {state}"));
            }
        }
        if !wrong.is_empty() {
            return (Default::default(), wrong);
        }
        let flips: Vec<Vec<(String, u64)>> =
            self.monitors.iter().map(|(monitor, _)| told_flips(&self.api, monitor)).collect();
        let requests = self.ears.requests();
        let mut tallies = [Tally::default(); 2];
        for (place, channel) in self.channels.iter().enumerate() {
            let of_channel: Vec<Message<'_>> =
                requests.iter().filter(|one| one.path == channel.path).map(Message::read).collect();
            let heard = self.monitors.iter().zip(&flips).filter(|((_, at), _)| at.contains(&place));
            let heard: Vec<(&Monitor, &[(String, u64)])> =
                heard.map(|((monitor, _), flips)| (monitor, flips.as_slice())).collect();
            let tally = &mut tallies[usize::from(channel.digest)];
            one_channel(channel, &of_channel, &heard, &deliveries, tally, &mut wrong);
        }
        (tallies, wrong)
    }
}

/// The number of flips that the messages of a channel tell of; the last message of an id counts.
pub(crate) fn counted(ears: &Ears, channel: &Channel) -> u64 {
    let requests = ears.requests();
    let of_channel = requests.iter().filter(|one| one.path == channel.path).map(Message::read);
    of_channel.map(|message| (message.id, message.count)).collect::<BTreeMap<&str, u64>>().values().sum()
}

/// Id and running number of the flips of a monitor that channels hear of, oldest first.
fn told_flips(api: &Api, monitor: &Monitor) -> Vec<(String, u64)> {
    let flips = api.flips(monitor);
    let numbers: Vec<u64> = flips.iter().map(|flip| flip.sequence).collect();
    assert!(numbers.iter().copied().eq(1..=flips.len() as u64), "{}: {numbers:?}", monitor.name);
    let told = flips.into_iter().filter(|flip| !UNTOLD.contains(&&*flip.reason));
    told.map(|flip| (flip.id, flip.sequence)).collect()
}

fn one_channel(
    channel: &Channel,
    messages: &[Message<'_>],
    monitors: &[(&Monitor, &[(String, u64)])],
    deliveries: &BTreeMap<String, Value>,
    tally: &mut Tally,
    wrong: &mut Vec<String>,
) {
    let came: BTreeSet<&str> = messages.iter().map(|message| message.id).collect();
    tally.messages += came.len();
    tally.duplicates += messages.len() - came.len();
    tally.late += order(channel, messages, wrong);
    repeats(channel, messages, wrong);
    let nameless = messages.iter().any(|message| message.truncated);
    for (monitor, flips) in monitors {
        for (flip, sequence) in *flips {
            tally.flips += 1;
            let told_by = match follow(&delivery_of(flip, &channel.id), deliveries) {
                Ok(told_by) => told_by,
                Err(why) => {
                    wrong.push(format!("{} {sequence} on {}: {why}", monitor.name, channel.path));
                    continue;
                }
            };
            tally.folded += usize::from(told_by != delivery_of(flip, &channel.id));
            if !came.contains(&*told_by) {
                let what = format!("{} {sequence} on {}", monitor.name, channel.path);
                wrong.push(format!("{what}: {told_by} counts as delivered and never came"));
            }
        }
        let told = messages.iter().flat_map(|message| &message.tells).filter(|(id, _)| *id == monitor.id);
        let (told, last) = (told.map(|(_, sequence)| *sequence).max(), flips.last().map(|flip| flip.1));
        if told != last && !nameless {
            wrong.push(format!("{} on {}: told {told:?}, was {last:?}", monitor.name, channel.path));
        }
    }
}

/// The delivery of a flip to a channel.
fn delivery_of(flip: &str, channel: &str) -> String {
    let id = |text: &str| text.parse::<Uuid>().expect("an id");
    DeliveryId::derive(AlertId::from_uuid(id(flip)), ChannelId::from_uuid(id(channel))).to_string()
}

/// The delivered one that tells of what `id` was to tell.
fn follow(id: &str, deliveries: &BTreeMap<String, Value>) -> Result<String, String> {
    let mut id = id.to_owned();
    let mut steps = Vec::new();
    loop {
        let Some(delivery) = deliveries.get(&id) else {
            return Err(format!("{id} is unknown, after {steps:?}"));
        };
        match (delivery["state"].as_str(), delivery["folded_into"].as_str()) {
            (Some("delivered"), _) => return Ok(id),
            (Some("folded"), Some(into)) if steps.len() < 5 => {
                steps.push(std::mem::replace(&mut id, into.to_owned()));
            }
            _ => return Err(format!("{delivery}, after {steps:?}")),
        }
    }
}

/// Checks that only repeats tell of an older state of a monitor than an earlier message; the number of such
/// repeats.
fn order(channel: &Channel, messages: &[Message<'_>], wrong: &mut Vec<String>) -> usize {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut late = 0;
    for message in messages {
        let is_new = seen.insert(message.id);
        let mut is_late = false;
        for (monitor, sequence) in &message.tells {
            let known = newest.entry(monitor).or_default();
            is_late |= sequence < known;
            // The two flips of one that was down and is up come together.
            if is_new && sequence < known {
                let what = format!("{monitor} on {}", channel.path);
                wrong.push(format!("{what}: {sequence} came after {known}: {:?}", message.request.json()));
            }
            *known = (*known).max(*sequence);
        }
        late += usize::from(is_late);
    }
    late
}

/// One id says one thing about a flip, and on a channel that hears of each flip one flip has one id.
fn repeats(channel: &Channel, messages: &[Message<'_>], wrong: &mut Vec<String>) {
    let mut bodies: BTreeMap<(&str, &[ToldFlip]), &[u8]> = BTreeMap::new();
    let mut ids: BTreeMap<&[ToldFlip], &str> = BTreeMap::new();
    for message in messages {
        let is_flip =
            message.request.json()["type"].as_str().is_some_and(|kind| kind.starts_with("monitor."));
        if !is_flip {
            continue;
        }
        let body = bodies.entry((message.id, &message.tells)).or_insert(&message.request.body);
        if *body != message.request.body {
            wrong.push(format!("{} on {}: the body of a repeat differs", message.id, channel.path));
        }
        let id = ids.entry(&message.tells).or_insert(message.id);
        if !channel.digest && *id != message.id {
            wrong.push(format!("{:?} on {}: {id} and {}", message.tells, channel.path, message.id));
        }
    }
    let several = |id: &str| bodies.keys().filter(|(one, _)| *one == id).count() > 1;
    if !channel.digest
        && let Some(id) = bodies.keys().map(|(id, _)| *id).find(|id| several(id))
    {
        wrong.push(format!("{id} on {} told of several flips", channel.path));
    }
}

mod tests {
    use axum::http::{HeaderMap, Method};
    use serde_json::json;

    use super::*;

    fn channel(digest: bool) -> Channel {
        Channel { id: Uuid::nil().to_string(), path: "/hook".to_owned(), digest }
    }

    /// Messages of one monitor, each an id and running numbers.
    fn wrong(digest: bool, told: &[(&str, &[u64], &str)]) -> (usize, Vec<String>) {
        let request = |(id, numbers, text): &(&str, &[u64], &str)| {
            let one = |number: &u64| json!({"monitor": {"id": "m"}, "flip": {"sequence": number}});
            let event = match numbers {
                [number] => json!({"type": "monitor.down", "data": one(number), "text": text}),
                many => {
                    json!({"type": "digest", "data": {"flips": many.iter().map(one).collect::<Vec<_>>()}})
                }
            };
            let mut headers = HeaderMap::new();
            headers.insert("webhook-id", id.parse().expect("a header's value"));
            let (path, query, body) = ("/hook".to_owned(), String::new(), event.to_string().into_bytes());
            Request { method: Method::POST, path, query, headers, body }
        };
        let requests: Vec<Request> = told.iter().map(request).collect();
        let messages: Vec<Message<'_>> = requests.iter().map(Message::read).collect();
        let mut wrong = Vec::new();
        let late = order(&channel(digest), &messages, &mut wrong);
        repeats(&channel(digest), &messages, &mut wrong);
        (late, wrong)
    }

    #[test]
    fn an_older_state_after_a_newer_one_is_found_unless_it_is_a_repeat() {
        assert_eq!(wrong(false, &[("a", &[1], ""), ("a", &[1], ""), ("b", &[2], "")]), (0, Vec::new()));
        assert_eq!(wrong(false, &[("a", &[1], ""), ("b", &[2], ""), ("a", &[1], "")]), (1, Vec::new()));
        let (late, wrong) = wrong(false, &[("b", &[2], ""), ("a", &[1], "")]);
        assert!(late == 1 && wrong.len() == 1 && wrong[0].contains("1 came after 2"), "{wrong:?}");
    }

    #[test]
    fn a_repeat_that_says_something_else_is_found() {
        let different = [("a", [1].as_slice(), "x"), ("a", &[1], "y")];
        assert_eq!(wrong(false, &different).1.len(), 1);
        assert_eq!(wrong(true, &different).1.len(), 1);
        let under_two_ids = [("a", [1].as_slice(), ""), ("b", &[1], "")];
        assert!(wrong(false, &under_two_ids).1.iter().any(|one| one.contains("a and b")));
        let of_two_flips = [("a", [1].as_slice(), ""), ("a", &[2], "")];
        assert!(wrong(false, &of_two_flips).1.iter().any(|one| one.contains("several flips")));
        assert_eq!(wrong(true, &of_two_flips).1, Vec::<String>::new(), "what came meanwhile is a part of it");
    }

    #[test]
    fn what_is_folded_leads_to_what_was_delivered() {
        let delivery = |state: &str, into: Option<&str>| json!({"state": state, "folded_into": into});
        let deliveries = BTreeMap::from([
            ("a".to_owned(), delivery("folded", Some("b"))),
            ("b".to_owned(), delivery("delivered", None)),
            ("c".to_owned(), delivery("folded", Some("d"))),
            ("e".to_owned(), delivery("folded", Some("e"))),
            ("f".to_owned(), delivery("suppressed", None)),
        ]);
        assert_eq!(follow("a", &deliveries), Ok("b".to_owned()));
        for lost in ["c", "d", "e", "f"] {
            assert!(follow(lost, &deliveries).is_err(), "{lost}");
        }
    }
}
