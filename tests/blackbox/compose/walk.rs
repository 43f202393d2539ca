//! From a fresh clone to the first webhook.

use std::time::Duration;

use serde_json::{Value, json};

use super::docker::{self, Tool};
use super::stack::{Files, Stack};
use crate::harness::eventually;
use crate::http::Client;

/// The admin key that the console made, from its log.
#[track_caller]
fn made_key(stack: &Stack) -> String {
    let console = stack.one("console");
    eventually("the console prints the admin key", || {
        let said = console.said();
        let line = said.lines().find_map(|line| line.split_once("Admin key (shown once): "))?;
        Some(line.1.trim().to_owned())
    })
}

/// The client, run as the documents show it; what it printed as JSON.
#[track_caller]
fn client(stack: &Stack, key: &str, arguments: &[&str]) -> Value {
    let run = ["run", "--rm", "-T", "cli"];
    let mut command = stack.compose(&[&run[..], arguments, &["--json"]].concat());
    let output = docker::done(command.env("LUBDUB_API_KEY", key));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Starts everything without a setting, watches a monitor go down and come back.
#[track_caller]
fn walk(tool: Tool) {
    let mut stack = Stack::new(tool, Files::Plain);
    // The receiver is at a private address.
    stack.set("LUBDUB_ALLOW_PRIVATE", &format!("{}/32", docker::bridge()));
    stack.up(&[]);
    stack.until_well();

    let key = made_key(&stack);
    client(&stack, &key, &["channel", "create", "screen", "webhook", "--url", &stack.receiver.url()]);
    let monitor =
        client(&stack, &key, &["monitor", "create", "nightly backup", "--timeout", "2s", "--grace", "1s"]);
    let text = |field: &str| monitor[field].as_str().expect("a text").to_owned();
    assert_eq!(text("push_url"), format!("http://localhost/api/push/{}", text("token")));

    let mut door = Client::new(stack.proxy(), Duration::from_secs(10));
    let line = format!("POST /api/push/{}", text("token"));
    let answer = door.ask(&line, "x-forwarded-for: 192.0.2.9\r\n", b"").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let shown = client(&stack, &key, &["monitor", "show", "nightly backup"]);
    let source = shown["last_heartbeat"]["source"].as_str().expect("an address");
    let proxy = stack.one("proxy").address(&stack.network("front")).expect("an address").ip().to_string();
    assert!(source != "192.0.2.9" && source != proxy, "the source is the client, not {source}");

    stack.receiver.until_types(&text("id"), &["monitor.down"]);
    let answer = door.ask(&line, "", b"").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    stack.receiver.until_types(&text("id"), &["monitor.down", "monitor.up"]);

    nothing_is_public_but_the_proxy(&stack);
    nobody_is_root(&stack);
    what_is_for_operators_is_not_public(&stack);
    again(&mut stack, &key);
}

#[track_caller]
fn nothing_is_public_but_the_proxy(stack: &Stack) {
    for container in stack.containers() {
        let ports = container
            .inspect("{{range $port, $to := .NetworkSettings.Ports}}{{if $to}}{{$port}} {{end}}{{end}}");
        let expected = if container.service == "proxy" { "443/tcp 80/tcp" } else { "" };
        assert_eq!(ports.trim(), expected, "{}", container.name);
    }
}

#[track_caller]
fn nobody_is_root(stack: &Stack) {
    let format =
        "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{gt .HostConfig.Memory 0}}";
    for container in stack.containers() {
        assert_eq!(container.inspect(format), "65532:65532 true [ALL] true", "{}", container.name);
    }
}

#[track_caller]
fn what_is_for_operators_is_not_public(stack: &Stack) {
    let mut door = Client::new(stack.proxy(), Duration::from_secs(10));
    let mut status = |line: &str| door.ask(line, "", b"").expect("an answer").status;
    assert_eq!(status("GET /metrics"), 404);
    assert_eq!(status("GET /readyz"), 200);
    assert_eq!(status("GET /api/v1/monitors"), 401);
}

/// A second `up`, and a `down` and `up`, change nothing.
#[track_caller]
fn again(stack: &mut Stack, key: &str) {
    stack.up(&[]);
    stack.run(&["down", "--timeout", "15"]);
    stack.up(&[]);
    stack.until_well();
    let monitors = client(stack, key, &["monitor", "list"]);
    let items = monitors["items"].as_array().or_else(|| monitors.as_array()).expect("a list");
    assert_eq!(items.len(), 1, "{monitors}");
    assert!(!stack.one("console").said().contains("Admin key"), "the key is shown once");
}

#[test]
#[ignore = "needs Docker: make compose-test"]
fn a_fresh_clone_is_brought_up_by_the_compose_that_is_there() {
    walk(Tool::usual());
}

#[test]
#[ignore = "needs Docker: make compose-test"]
fn a_fresh_clone_is_brought_up_by_compose_v2() {
    walk(Tool::Second);
}

/// With a domain, the proxy gets itself a certificate; for `localhost` it is its own authority.
#[test]
#[ignore = "needs Docker: make compose-test"]
fn a_domain_makes_it_https() {
    let mut stack = Stack::new(Tool::usual(), Files::Plain);
    stack.set("LUBDUB_DOMAIN", "localhost");
    stack.set("LUBDUB_API_KEY", crate::api::KEY);
    stack.up(&[]);
    stack.until_well();
    let authority = stack.folder().join("root.crt");
    let root = eventually("the proxy has made its authority", || {
        let path = "/data/caddy/pki/authorities/local/root.crt";
        let output = stack.compose(&["exec", "-T", "proxy", "cat", path]).output().ok()?;
        output.status.success().then_some(output.stdout)
    });
    std::fs::write(&authority, root).expect("a file");
    let port = stack.https;
    let url = format!("https://localhost:{port}/api/v1/monitors");
    let body = json!({"name": "over TLS", "timeout": 60}).to_string();
    let curl = |arguments: &[&str]| {
        let mut command = std::process::Command::new("curl");
        command.args(["-sS", "--cacert"]).arg(&authority).args(arguments);
        String::from_utf8_lossy(&docker::done(&mut command).stdout).into_owned()
    };
    let bearer = format!("authorization: Bearer {}", crate::api::KEY);
    let made = curl(&["-H", &bearer, "-H", "content-type: application/json", "-d", &body, &url]);
    let made: Value = serde_json::from_str(&made).expect("a monitor");
    let push_url = made["push_url"].as_str().expect("a URL");
    assert!(push_url.starts_with(&format!("https://localhost:{port}/api/push/")), "{push_url}");
    assert_eq!(curl(&["-X", "POST", "-o", "/dev/null", "-w", "%{http_code}", push_url]), "200");
    // Plain HTTP leads to it.
    let (http, target) = (stack.proxy().port(), "%{http_code} %{redirect_url}");
    let plain = curl(&["-o", "/dev/null", "-w", target, &format!("http://localhost:{http}/api/v1/monitors")]);
    assert_eq!(plain, "308 https://localhost/api/v1/monitors");
}

/// The services that `--profile dev` adds.
#[test]
#[ignore = "needs Docker: make compose-test"]
fn the_dev_profile_shows_webhooks() {
    let mut stack = Stack::new(Tool::usual(), Files::Plain);
    stack.set("LUBDUB_API_KEY", crate::api::KEY);
    stack.set("LUBDUB_ALLOW_PRIVATE", "172.16.0.0/12,192.168.0.0/16,10.0.0.0/8");
    stack.up(&["nats", "redis", "ingest", "scheduler", "notifier", "console", "proxy", "webhook-echo"]);
    stack.until_well();
    let (channel, _) = stack.api().channel("echo", "http://webhook-echo:8080/hook");
    let tested = stack.api().api(&format!("POST /channels/{channel}/test"), &Value::Null);
    assert_eq!(tested["delivered"], true, "{tested}");
    let echo = stack.one("webhook-echo");
    eventually("the echo shows the webhook", || {
        let said = echo.said();
        (said.contains("channel.test") && said.contains("webhook-id ")).then_some(())
    });
}
