//! SIGSTOP for longer than the lease, then SIGCONT, under load.

use std::time::Duration;

use super::checker::Allowed;
use super::node::Role;
use super::scene::Scene;

/// Longer than the lease time of 5 s, and than the timeouts of the clients' monitors.
const FROZEN: Duration = Duration::from_secs(8);

#[test]
fn a_frozen_scheduler_is_replaced_and_harms_nobody_when_it_wakes() {
    let mut scene = Scene::usual();
    scene.silence(3);
    scene.go_on(Duration::from_secs(2));
    scene.cluster.node(Role::Scheduler, 0).freeze();
    scene.note("froze a scheduler");
    scene.go_on(FROZEN);
    scene.silence(3);
    scene.cluster.node(Role::Scheduler, 0).thaw();
    scene.note("thawed it");
    scene.until_well();
    scene.go_on(Duration::from_secs(6));
    scene.check(&Allowed::default());
    scene.check_deliveries();
}

#[test]
fn a_frozen_node_of_ingest_costs_its_clients_one_retry() {
    let mut scene = Scene::usual();
    scene.silence(2);
    scene.go_on(Duration::from_secs(2));
    scene.cluster.node(Role::Ingest, 0).freeze();
    scene.note("froze a node of ingest");
    scene.go_on(Duration::from_secs(1));
    scene.silence(2);
    scene.go_on(FROZEN);
    scene.cluster.node(Role::Ingest, 0).thaw();
    scene.note("thawed it");
    scene.until_well();
    scene.silence(2);
    scene.go_on(Duration::from_secs(6));
    scene.check(&Allowed { deaf: true, errors: &[APPEND], ..Allowed::default() });
    scene.check_deliveries();
}

/// The error of an ingest node whose append was not acknowledged in time.
const APPEND: &str = "failed to append; pushes are answered 503";

#[test]
fn a_frozen_notifier_is_replaced() {
    let mut scene = Scene::usual();
    scene.silence(3);
    scene.go_on(Duration::from_secs(3));
    scene.cluster.node(Role::Notifier, 0).freeze();
    scene.note("froze a notifier");
    scene.go_on(FROZEN);
    scene.silence(3);
    scene.cluster.node(Role::Notifier, 0).thaw();
    scene.note("thawed it");
    scene.until_well();
    scene.go_on(Duration::from_secs(4));
    scene.check(&Allowed { late_repeats: true, ..Allowed::default() });
    scene.check_deliveries();
}
