//! The proxy before ingest and console, as it is shipped.

mod behind;
mod caddy;
mod names;
mod node;

use std::net::Ipv4Addr;

use servers::free_port;

use self::caddy::{Proxy, TOKEN};
use self::names::Names;
use self::node::{Behaviour, Node};
use crate::harness::eventually;
use crate::http::Answer;

const ONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const CONSOLE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// Text that looks like a placeholder of the proxy must stay as it is.
const DOWN: &[u8] = b"status=down&msg={env.HOME}{http.request.uri}\xff\x00";

/// More than the proxy keeps.
fn long() -> Vec<u8> {
    let mut body = vec![b'x'; 100_000];
    body.extend(b"status=down");
    body
}

/// Two nodes of ingest, and the proxy before them.
struct Scene {
    names: Names,
    port: u16,
    one: Option<Node>,
    other: Node,
    proxy: Proxy,
}

impl Scene {
    #[track_caller]
    fn start(one: Behaviour, other: Behaviour) -> Self {
        let (names, port) = (Names::start(), free_port());
        names.set("ingest", &[ONE, OTHER]);
        let (one, other) = (Some(Node::start(ONE, port, one)), Node::start(OTHER, port, other));
        let proxy = Proxy::start(&names, port);
        Self { names, port, one, other, proxy }
    }

    fn one(&self) -> &Node {
        self.one.as_ref().expect("it was not stopped")
    }

    /// The bodies that both nodes got.
    fn bodies(&self) -> Vec<Option<Vec<u8>>> {
        let mut bodies = self.other.bodies();
        bodies.extend(self.one.iter().flat_map(Node::bodies));
        bodies
    }
}

#[track_caller]
fn is_the_proxys_own_refusal(answer: &Answer) {
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.body,
        r#"{"ok":false,"error":"no ingest node can be reached: try again","msg":"no ingest node can be reached: try again"}"#
    );
}

#[test]
fn a_push_that_met_the_wrong_node_goes_to_another_with_its_body() {
    for fault in [Behaviour::Refuses, Behaviour::BreaksOff, Behaviour::IsSilent] {
        let scene = Scene::start(fault, Behaviour::Takes);
        for count in 1..=4 {
            assert_eq!(scene.proxy.push(DOWN).status, 200, "{fault:?}");
            assert_eq!(scene.other.bodies(), vec![Some(DOWN.to_vec()); count], "{fault:?}");
        }
        let tried = scene.one().bodies();
        assert!(!tried.is_empty() && tried.iter().all(|body| body.as_deref() == Some(DOWN)), "{fault:?}");
        assert_eq!(scene.proxy.push(b"").status, 200, "{fault:?}");
        scene.proxy.end();
    }
}

#[test]
fn a_push_never_meets_a_node_that_is_gone() {
    let mut scene = Scene::start(Behaviour::Takes, Behaviour::Takes);
    eventually("both nodes took pushes", || {
        assert_eq!(scene.proxy.push(DOWN).status, 200);
        (!scene.one().came().is_empty() && !scene.other.came().is_empty()).then_some(())
    });
    scene.one = None;
    for body in [DOWN, b"", &long(), &[b'x'; 65_536], &[b'x'; 65_537]].iter().cycle().take(20) {
        assert_eq!(scene.proxy.push(body).status, 200, "{} bytes", body.len());
    }
    assert!(scene.other.bodies().iter().all(Option::is_some), "every body came whole");
    scene.proxy.end();
}

#[test]
fn what_was_sent_in_part_is_not_sent_again() {
    let scene = Scene::start(Behaviour::BreaksOff, Behaviour::BreaksOff);
    is_the_proxys_own_refusal(&scene.proxy.push(&long()));
    assert_eq!(scene.bodies(), [Some(long())]);
    let chunked = scene.proxy.push_with("transfer-encoding: chunked\r\n", b"b\r\nstatus=down\r\n0\r\n\r\n");
    is_the_proxys_own_refusal(&chunked);
    assert_eq!(scene.bodies().len(), 2);
    assert!(scene.bodies().contains(&Some(b"status=down".to_vec())));
    scene.proxy.end();
}

#[test]
fn a_body_that_breaks_off_is_not_taken_for_a_whole_one() {
    let scene = Scene::start(Behaviour::Takes, Behaviour::Takes);
    for sent in [&b""[..], b"msg=disk+full&status"] {
        let answer = scene.proxy.push_torn("content-length: 25\r\n", sent).expect("an answer");
        assert_eq!(
            (answer.status, &*answer.body),
            (400, r#"{"ok":false,"error":"the body broke off","msg":"the body broke off"}"#)
        );
    }
    assert_eq!(scene.bodies(), []);
    scene.proxy.push_torn("transfer-encoding: chunked\r\n", b"3\r\nmsg\r\n");
    scene.proxy.push_torn("content-length: 100000\r\n", b"msg");
    eventually("the nodes heard of them", || (scene.bodies().len() == 2).then_some(()));
    assert_eq!(scene.bodies(), [None, None]);
    scene.proxy.end();
}

#[test]
fn a_refusal_is_a_nodes_own_while_one_can_be_reached() {
    let scene = Scene::start(Behaviour::Refuses, Behaviour::Refuses);
    let check = |answer: Answer| {
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.body, r#"{"ok":false,"error":"not ready"}"#);
    };
    for _ in 0..3 {
        check(scene.proxy.push(DOWN));
        check(scene.proxy.push(b""));
        check(scene.proxy.push(&long()));
    }
    assert!(scene.bodies().iter().all(Option::is_some));
    assert!(scene.bodies().len() >= 9, "each refusal was a node's");
    // Both have just failed, and one is well again: no request waits.
    scene.other.behave(Behaviour::Takes);
    scene.one().behave(Behaviour::Takes);
    for body in [DOWN, b"", &long()] {
        assert_eq!(scene.proxy.push(body).status, 200);
    }
    scene.proxy.end();
}

#[test]
fn without_any_node_the_proxy_refuses_in_ingests_form() {
    let mut scene = Scene::start(Behaviour::BreaksOff, Behaviour::BreaksOff);
    is_the_proxys_own_refusal(&scene.proxy.push(DOWN));
    scene.one = None;
    let Scene { names, other, proxy, .. } = scene;
    drop(other);
    is_the_proxys_own_refusal(&proxy.push(DOWN));
    is_the_proxys_own_refusal(&proxy.push(&long()));
    names.set("ingest", &[]);
    let before = std::time::Instant::now();
    is_the_proxys_own_refusal(&proxy.push(b""));
    assert!(before.elapsed().as_secs() < 10, "{:?}", before.elapsed());
    assert_eq!(proxy.send("GET /api/v1/monitors", "", b"").status, 503);
    assert!(proxy.end().contains(r#""level":"error""#), "it does log errors");
}

#[test]
fn nodes_that_come_and_go_are_followed() {
    let mut scene = Scene::start(Behaviour::Takes, Behaviour::Takes);
    scene.names.set("ingest", &[ONE]);
    eventually("only one node is left", || {
        let before = scene.other.came().len();
        (0..4).for_each(|_| assert_eq!(scene.proxy.push(DOWN).status, 200));
        (scene.other.came().len() == before).then_some(())
    });
    scene.names.set("ingest", &[OTHER]);
    scene.one = None;
    eventually("the new node takes pushes", || (scene.proxy.push(DOWN).status == 200).then_some(()));
    scene.names.set("ingest", &[ONE, OTHER]);
    let back = Node::start(ONE, scene.port, Behaviour::Takes);
    eventually("the node that came back takes pushes", || {
        assert_eq!(scene.proxy.push(DOWN).status, 200);
        (!back.came().is_empty()).then_some(())
    });
    scene.proxy.end();
}

#[test]
fn clients_cannot_say_who_they_are() {
    let scene = Scene::start(Behaviour::Takes, Behaviour::Takes);
    let forged = "x-forwarded-for: 198.51.100.7\r\nx-forwarded-proto: https\r\n";
    scene.proxy.push_with(forged, b"");
    scene.one().behave(Behaviour::BreaksOff);
    scene.other.behave(Behaviour::BreaksOff);
    is_the_proxys_own_refusal(&scene.proxy.push_with(forged, b""));
    is_the_proxys_own_refusal(&scene.proxy.push_with(forged, b""));
    let came = [scene.one().came(), scene.other.came()].concat();
    assert!(came.len() > 3);
    for came in came {
        assert_eq!(came.header("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(came.header("x-forwarded-proto"), ["http"]);
        assert_eq!(came.header("host"), ["beats.example"]);
    }
    scene.proxy.end();
}

#[test]
fn everything_else_goes_to_the_console_but_for_the_metrics() {
    let scene = Scene::start(Behaviour::Takes, Behaviour::Takes);
    scene.names.set("console", &[CONSOLE]);
    let console = Node::start(CONSOLE, scene.port, Behaviour::Takes);
    for (path, expected) in [
        ("/", 200),
        ("/readyz", 200),
        ("/healthz", 200),
        ("/api/v1/monitors?limit=1", 200),
        ("/metrics", 404),
        ("/metrics?", 404),
        ("//metrics", 404),
        ("/%6detrics", 404),
    ] {
        let before = console.came().len();
        assert_eq!(scene.proxy.send(&format!("GET {path}"), "", b"").status, expected, "{path}");
        assert_eq!(console.came().len() - before, usize::from(expected == 200), "{path}");
    }
    assert_eq!(scene.bodies(), []);
    let body = vec![b' '; 1_100_000];
    let length = format!("content-length: {}\r\n", body.len());
    assert_eq!(scene.proxy.send("POST /api/v1/monitors", &length, &body).status, 413);
    for (size, expected) in [(8 << 20, 200), (9_000_001, 413)] {
        let body = vec![b' '; size];
        let length = format!("content-length: {size}\r\n");
        let answer = scene.proxy.send("POST /api/v1/import?mode=live", &length, &body);
        assert_eq!(answer.status, expected, "an import of {size} bytes");
    }
    assert_eq!(scene.proxy.send(&format!("GET /api/push/{TOKEN}"), "", b"").status, 200);
    assert_eq!(scene.bodies(), [Some(Vec::new())]);
    scene.proxy.end();
}
