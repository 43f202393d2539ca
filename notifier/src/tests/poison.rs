//! What ends the process three times is given up in sight. What was in hand beside it, or waited, is not.

mod waits;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doubles::{Fault, FaultPlan, FaultyDeliveryHistory, FaultyLedger, FaultyQueue, Switch, eventually};
use model::delivery::DeliveryState;
use model::ids::{AlertId, DeliveryId};
use model::notice::{ChannelFailing, Notice};
use model::wire;
use ports::clock::Clock;
use ports::queue::{MessageId, QueueWithDeadLetters, Standing};

use super::receiver::{Receiver, Reply};
use super::world::{Running, World};
use crate::in_hand::{AT_WORK, GIVEN_UP_AT, InHandNote, NEW_FOR, WAITING, scope};
use crate::service::Limits;
use crate::trouble::to_itself;

/// How many notifiers must end amid the wait for a receiver.
const WAITS: usize = (GIVEN_UP_AT / WAITING) as usize;

/// Never answered while the notifier lives.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// A notifier that will be killed.
struct Mortal {
    running: Running,
    alerts: Arc<FaultyQueue>,
    deliveries: Arc<FaultyQueue>,
}

impl Mortal {
    fn start(world: &mut World) -> Self {
        let alerts = Arc::new(FaultyQueue::new(Arc::clone(&world.alerts), Switch::default()));
        let deliveries = Arc::new(FaultyQueue::new(Arc::clone(&world.deliveries), Switch::default()));
        let queues = (Arc::clone(&world.alerts), Arc::clone(&world.deliveries));
        world.alerts = Arc::clone(&alerts) as Arc<dyn QueueWithDeadLetters>;
        world.deliveries = Arc::clone(&deliveries) as _;
        let running = world.start();
        (world.alerts, world.deliveries) = queues;
        Self { running, alerts, deliveries }
    }

    /// kill -9. What it had claimed returns to the queues.
    async fn die(self, world: &World) {
        let Self { running, alerts, deliveries } = self;
        running.kill().await;
        recover(world, &alerts, &deliveries).await;
    }

    /// A stop in order. What it could not finish returns to the queues.
    async fn drain(self, world: &World) {
        let Self { running, alerts, deliveries } = self;
        running.drain().await;
        recover(world, &alerts, &deliveries).await;
    }
}

async fn recover(world: &World, alerts: &FaultyQueue, deliveries: &FaultyQueue) {
    alerts.recover(world.clock.now()).await.unwrap();
    deliveries.recover(world.clock.now()).await.unwrap();
}

/// Waits until so many requests came by a path.
async fn came(receiver: &Receiver, path: &str, count: usize) {
    eventually(&format!("{count} requests at {path}"), async || {
        (receiver.count(path) >= count).then_some(())
    })
    .await;
    assert_eq!(receiver.count(path), count, "{path}");
}

/// Hangs every call while it is set, as a call does that never ends.
#[derive(Debug, Clone, Default)]
struct Hangs(Switch);

impl FaultPlan for Hangs {
    fn next(&self) -> Fault {
        Fault::None
    }

    fn is_dead(&self) -> bool {
        self.0.is_set()
    }
}

#[tokio::test]
async fn a_delivery_that_ends_notifiers_while_it_waits_is_given_up_and_can_be_sent_again() {
    let receiver = Receiver::start(|all| match all.last() {
        Some(one) if one.path == "/bad" => Reply::after(FOR_EVER),
        _ => Reply::status(200),
    })
    .await;
    let mut world = World::new();
    let bad = world.channel(receiver.url("/bad")).await;
    let fine = world.channel(receiver.url("/fine")).await;
    let monitor = world.monitor("backup", None).await;
    let id = world.alert(monitor, 1, bad).await;
    let beside = DeliveryId::derive(world.flip(monitor, 1).id(), fine);
    for death in 1..=WAITS {
        let mortal = Mortal::start(&mut world);
        came(&receiver, "/bad", death).await;
        world.delivery(beside, DeliveryState::Delivered, 1).await;
        assert_eq!(world.history.get(id).await.unwrap().unwrap().state, DeliveryState::Pending);
        mortal.die(&world).await;
    }
    let last = Mortal::start(&mut world);
    let dead = world.delivery(id, DeliveryState::Dead, 1).await;
    let why = dead.attempts[0].error.clone().unwrap();
    assert!(why.contains("again and again with this in hand"), "{why}");
    eventually("it is a dead letter", async || {
        let letters = world.deliveries.dead_letters(None, 10).await.unwrap();
        letters.iter().any(|letter| letter.id == id.into()).then_some(())
    })
    .await;
    came(&receiver, "/bad", WAITS).await;
    came(&receiver, "/fine", 1).await;
    // What was given up begins anew when people send it again.
    receiver.behave(|_| Reply::status(200));
    assert!(world.redrive(id).await);
    world.delivery(id, DeliveryState::Delivered, 2).await;
    world.nothing_left().await;
    last.drain(&world).await;
}

#[tokio::test]
async fn a_delivery_that_ends_three_notifiers_while_they_work_on_it_is_given_up() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let gathers = |channel: &mut model::channel::Channel| World::webhook(channel).digest = true;
    let bad = world.channel_with(receiver.url("/bad"), gathers).await;
    let fine = world.channel_with(receiver.url("/fine"), gathers).await;
    let monitor = world.monitor("backup", None).await;
    let hangs = Hangs::default();
    // The desk of a channel reads what it remembers.
    world.ledger = Arc::new(FaultyLedger::new(Arc::clone(&world.ledger), hangs.clone()).only(bad.as_uuid()));
    hangs.0.set(true);
    let id = world.alert(monitor, 1, bad).await;
    let beside = DeliveryId::derive(world.flip(monitor, 1).id(), fine);
    for deaths in 1..=3 {
        let mortal = Mortal::start(&mut world);
        world.noted(id.into(), deaths * AT_WORK).await;
        world.delivery(beside, DeliveryState::Delivered, 1).await;
        mortal.die(&world).await;
    }
    hangs.0.set(false);
    let last = Mortal::start(&mut world);
    let dead = world.delivery(id, DeliveryState::Dead, 1).await;
    assert!(dead.attempts[0].error.as_deref().unwrap().contains("with this in hand"));
    last.drain(&world).await;
    assert_eq!((receiver.count("/bad"), receiver.count("/fine")), (0, 1));
}

#[tokio::test]
async fn a_suspect_is_in_hand_until_its_outcome_is_written() {
    let receiver = Receiver::start(|_| Reply::after(FOR_EVER)).await;
    let mut world = World::new();
    let broken = Switch::default();
    world.deliveries = Arc::new(FaultyQueue::new(Arc::clone(&world.deliveries), broken.clone()));
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let id = world.alert(monitor, 1, channel).await;
    let mortal = Mortal::start(&mut world);
    came(&receiver, "/", 1).await;
    mortal.die(&world).await;
    receiver.behave(|_| Reply::after(Duration::from_millis(300)));
    let last = Mortal::start(&mut world);
    came(&receiver, "/", 2).await;
    broken.set(true);
    world.delivery(id, DeliveryState::Delivered, 1).await;
    assert!(world.noted_of(id.into()).await > 0, "the queue does not know yet what came of it");
    broken.set(false);
    world.noted(id.into(), 0).await;
    last.drain(&world).await;
}

#[tokio::test]
async fn a_message_of_a_channel_to_itself_that_ends_notifiers_is_put_off_and_not_buried() {
    let mut world = World::new();
    let channel = world.channel("http://127.0.0.1:9/".to_owned()).await;
    let failing = ChannelFailing {
        id: AlertId::of_channel(channel, "no room"),
        channel,
        name: String::new(),
        since: world.clock.now(),
        disabled: false,
        detail: String::new(),
    };
    let message = to_itself(channel, &Notice::ChannelFailing(Box::new(failing)), world.clock.now());
    let id = message.id;
    world.deliveries.enqueue(vec![message]).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    let hangs = Hangs::default();
    world.history = Arc::new(FaultyDeliveryHistory::new(Arc::clone(&world.history), hangs.clone()));
    hangs.0.set(true);
    for deaths in 1..=3 {
        let mortal = Mortal::start(&mut world);
        world.noted(id, deaths * AT_WORK).await;
        mortal.die(&world).await;
    }
    hangs.0.set(false);
    let last = Mortal::start(&mut world);
    world.noted(id, 0).await;
    assert!(world.deliveries.dead_letters(None, 10).await.unwrap().is_empty());
    let standing = world.deliveries.standing(channel.into(), &[id]).await.unwrap();
    assert_eq!(standing, [Some(Standing::Open)], "it waits");
    world.clock.advance(Duration::from_secs(3_600));
    eventually("the channel has caught up", async || {
        let standing = world.deliveries.standing(channel.into(), &[id]).await.unwrap();
        (standing != [Some(Standing::Open)]).then_some(())
    })
    .await;
    last.drain(&world).await;
}

#[tokio::test]
async fn an_alert_that_ends_three_notifiers_is_a_dead_delivery_for_each_channel() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channels = [world.channel(receiver.url("/a")).await, world.channel(receiver.url("/b")).await];
    let bad = world.monitor("bad", None).await;
    let fine = world.monitor("fine", None).await;
    let hangs = Hangs::default();
    let ledger = FaultyLedger::new(Arc::clone(&world.ledger), hangs.clone());
    // A recovery is looked up among what is remembered of its monitor.
    world.ledger = Arc::new(ledger.only(bad.as_uuid()));
    hangs.0.set(true);
    let alert = world.flip(bad, 2);
    world.publish(std::slice::from_ref(&alert)).await;
    for deaths in 1..=3 {
        let mortal = Mortal::start(&mut world);
        world.noted(alert.id().into(), deaths * AT_WORK).await;
        mortal.die(&world).await;
    }
    let last = Mortal::start(&mut world);
    for channel in channels {
        let dead = world.delivery(DeliveryId::derive(alert.id(), channel), DeliveryState::Dead, 0).await;
        assert!(dead.note.unwrap().contains("again and again with this in hand"));
        let other = world.alert(fine, 2, channel).await;
        world.delivery(other, DeliveryState::Delivered, 1).await;
    }
    last.drain(&world).await;
    assert_eq!((receiver.count("/a"), receiver.count("/b")), (1, 1));
}

#[tokio::test]
async fn two_alerts_that_end_notifiers_are_given_up_one_after_the_other() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let bad = [world.monitor("bad", None).await, world.monitor("worse", None).await];
    let hangs = Hangs::default();
    for monitor in bad {
        let ledger = FaultyLedger::new(Arc::clone(&world.ledger), hangs.clone());
        world.ledger = Arc::new(ledger.only(monitor.as_uuid()));
    }
    hangs.0.set(true);
    let alerts = bad.map(|monitor| world.flip(monitor, 2));
    world.publish(&alerts).await;
    // Both were in hand at the first death. From then on one is, and the second one's turn comes only when
    // the first one is a dead delivery.
    for (first, second) in [(1, 1), (2, 1), (3, 1), (0, 2), (0, 3)] {
        let mortal = Mortal::start(&mut world);
        for (alert, deaths) in alerts.iter().zip([first, second]) {
            world.noted(alert.id().into(), deaths * AT_WORK).await;
        }
        mortal.die(&world).await;
    }
    let last = Mortal::start(&mut world);
    for alert in alerts {
        world.delivery(DeliveryId::derive(alert.id(), channel), DeliveryState::Dead, 0).await;
    }
    last.drain(&world).await;
}

#[tokio::test]
async fn an_alert_that_ends_the_notifier_while_it_is_given_up_is_buried_unseen() {
    let mut world = World::new();
    let channel = world.channel("http://127.0.0.1:9/".to_owned()).await;
    let monitor = world.monitor("backup", None).await;
    let hangs = Hangs::default();
    world.history = Arc::new(FaultyDeliveryHistory::new(Arc::clone(&world.history), hangs.clone()));
    hangs.0.set(true);
    let alert = world.flip(monitor, 1);
    world.publish(std::slice::from_ref(&alert)).await;
    for deaths in 1..=4 {
        let mortal = Mortal::start(&mut world);
        world.noted(alert.id().into(), deaths * AT_WORK).await;
        mortal.die(&world).await;
    }
    let last = Mortal::start(&mut world);
    eventually("the alert is a dead letter", async || {
        let letters = world.alerts.dead_letters(None, 10).await.unwrap();
        letters.iter().any(|letter| letter.id == alert.id().into()).then_some(())
    })
    .await;
    hangs.0.set(false);
    let after = world.alert(monitor, 3, channel).await;
    world.delivery(after, DeliveryState::Pending, 1).await;
    last.drain(&world).await;
}

#[tokio::test]
async fn what_waits_while_notifiers_are_killed_is_not_given_up() {
    let receiver = Receiver::start(|_| Reply::status(503)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let id = world.alert(monitor, 1, channel).await;
    let behind = world.alert(monitor, 2, channel).await;
    let first = Mortal::start(&mut world);
    world.delivery(id, DeliveryState::Pending, 1).await;
    world.delivery(behind, DeliveryState::Pending, 0).await;
    first.die(&world).await;
    for _ in 0..5 {
        let mortal = Mortal::start(&mut world);
        // Something else is delivered meanwhile, so the notifier was at work.
        let test = world.test(channel).await;
        world.delivery(test, DeliveryState::Dead, 1).await;
        mortal.die(&world).await;
    }
    receiver.behave(|_| Reply::status(200));
    world.clock.advance(Duration::from_secs(10));
    let last = Mortal::start(&mut world);
    world.delivery(id, DeliveryState::Delivered, 2).await;
    world.delivery(behind, DeliveryState::Delivered, 1).await;
    last.drain(&world).await;
    assert_eq!(world.noted_of(id.into()).await, 0);
}

#[tokio::test]
async fn what_is_broken_off_by_a_stop_in_order_is_not_given_up() {
    let receiver = Receiver::start(|_| Reply::after(FOR_EVER)).await;
    let mut world = World::new();
    world.limits = Limits { drain: Duration::from_millis(20), ..world.limits };
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let id = world.alert(monitor, 1, channel).await;
    for stop in 1..=4 {
        let running = Mortal::start(&mut world);
        came(&receiver, "/", stop).await;
        running.drain(&world).await;
        assert_eq!(world.noted_of(id.into()).await, 0);
    }
    receiver.behave(|_| Reply::status(200));
    let last = Mortal::start(&mut world);
    world.delivery(id, DeliveryState::Delivered, 1).await;
    last.drain(&world).await;
}

#[tokio::test]
async fn what_was_in_hand_beside_it_is_handled_by_itself_and_not_given_up() {
    let receiver = Receiver::start(|_| Reply::after(FOR_EVER)).await;
    let mut world = World::new();
    let bad = world.channel(receiver.url("/bad")).await;
    let mut innocent = Vec::new();
    for n in 0..6 {
        innocent.push(world.channel(receiver.url(&format!("/{n}"))).await);
    }
    let monitor = world.monitor("backup", None).await;
    let id = world.alert(monitor, 1, bad).await;
    let alert = world.flip(monitor, 1).id();
    let first = Mortal::start(&mut world);
    for n in 0..6 {
        came(&receiver, &format!("/{n}"), 1).await;
    }
    came(&receiver, "/bad", 1).await;
    first.die(&world).await;
    // All were in hand together. From now on the others are accepted, if the notifier lives for so long.
    receiver.behave(|all| match all.last() {
        Some(one) if one.path == "/bad" => Reply::after(FOR_EVER),
        _ => Reply::after(Duration::from_millis(300)),
    });
    for death in 2..=WAITS {
        let mortal = Mortal::start(&mut world);
        came(&receiver, "/bad", death).await;
        mortal.die(&world).await;
    }
    let last = Mortal::start(&mut world);
    world.delivery(id, DeliveryState::Dead, 1).await;
    for channel in innocent {
        world.delivery(DeliveryId::derive(alert, channel), DeliveryState::Delivered, 1).await;
    }
    last.drain(&world).await;
}

#[tokio::test]
async fn nothing_is_noted_of_a_lane_that_is_known_for_long() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let calls = Calls::default();
    world.ledger = Arc::new(FaultyLedger::new(Arc::clone(&world.ledger), calls.clone()));
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let noted = world.alert(monitor, 1, channel).await;
    world.delivery(noted, DeliveryState::Delivered, 1).await;
    world.nothing_left().await;
    let before = calls.0.load(Ordering::SeqCst);
    assert!(before > 0, "it is noted at first");
    world.advance(NEW_FOR).await;
    let later = world.alert(monitor, 3, channel).await;
    world.delivery(later, DeliveryState::Delivered, 1).await;
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(calls.0.load(Ordering::SeqCst), before);
    for id in [noted, later] {
        assert_eq!(world.noted_of(id.into()).await, 0);
    }
}

/// Counts calls. Clones share the number.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl FaultPlan for Calls {
    fn next(&self) -> Fault {
        self.0.fetch_add(1, Ordering::SeqCst);
        Fault::None
    }
}

impl World {
    /// The suspicion that is noted of this message.
    async fn noted_of(&self, id: MessageId) -> u32 {
        let page = self.ledger.load(scope(id)).await.unwrap();
        page.rows.first().map_or(0, |(_, note)| wire::decode::<InHandNote>(note).unwrap().suspicion)
    }

    async fn noted(&self, id: MessageId, suspicion: u32) {
        eventually("it is noted that it is in hand", async || {
            (self.noted_of(id).await == suspicion).then_some(())
        })
        .await;
    }
}
