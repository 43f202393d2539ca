//! Alerts that are not fanned out, seen in the metrics.

use std::sync::Arc;
use std::time::Duration;

use doubles::{FaultyDeliveryHistory, FaultyLedger, Switch, eventually};

use super::receiver::{Receiver, Reply};
use super::world::{Running, World};

const MINUTE: Duration = Duration::from_secs(60);

/// How many alerts wait, and for how many seconds.
fn shown(running: &Running) -> Option<(f64, f64)> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &running.metrics).unwrap();
    let value = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix("{} ")?.parse::<f64>().ok())
    };
    Some((value("lubdub_notifier_waiting_alerts")?, value("lubdub_notifier_oldest_waiting_alert_seconds")?))
}

async fn shows(running: &Running, what: &str, is: impl Fn(f64, f64) -> bool) {
    eventually(what, async || shown(running).filter(|(count, seconds)| is(*count, *seconds))).await;
}

#[tokio::test]
async fn alerts_that_no_history_takes_are_seen_to_wait_though_no_list_has_them() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let away = Switch::default();
    world.history = Arc::new(FaultyDeliveryHistory::new(Arc::clone(&world.history), away.clone()));
    world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    shows(&running, "nothing waits", |count, seconds| count == 0.0 && seconds == 0.0).await;
    away.set(true);
    let alerts = [world.flip(monitor, 1), world.flip(monitor, 2)];
    world.publish(&alerts).await;
    world.advance(3 * MINUTE).await;
    shows(&running, "two wait for 3 minutes", |count, seconds| count == 2.0 && seconds == 180.0).await;
    away.set(false);
    shows(&running, "none waits", |count, seconds| count == 0.0 && seconds == 0.0).await;
    running.drain().await;
}

#[tokio::test]
async fn an_alert_that_is_put_off_again_and_again_is_seen_to_wait_all_the_time() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let away = Switch::default();
    let ledger = FaultyLedger::new(Arc::clone(&world.ledger), away.clone());
    // A recovery is looked up among what is remembered of its monitor.
    world.ledger = Arc::new(ledger.only(monitor.as_uuid()));
    away.set(true);
    let running = world.start();
    let alert = world.flip(monitor, 2);
    world.publish(std::slice::from_ref(&alert)).await;
    shows(&running, "it waits", |count, _| count == 1.0).await;
    for minutes in 1..=4_u8 {
        world.advance(MINUTE).await;
        let so_long = f64::from(minutes) * 60.0;
        shows(&running, "it waits since then", |count, seconds| count == 1.0 && seconds >= so_long).await;
    }
    away.set(false);
    world.advance(MINUTE).await;
    shows(&running, "none waits", |count, seconds| count == 0.0 && seconds == 0.0).await;
    running.drain().await;
}
