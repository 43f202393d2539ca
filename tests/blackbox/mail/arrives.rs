//! A channel of kind e-mail, from its making to the mails of an incident.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use servers::{Authority, SinkOptions, SmtpSink};

use super::{IN_URL, LOGIN};
use crate::api::{Api, KEY};
use crate::harness::{Process, directory, eventually, free_port, lubdub};
use crate::http::Client;

#[test]
fn an_incident_is_mailed_to_each_address_over_tls() {
    let authority = Authority::new();
    let sink = SmtpSink::with(SinkOptions {
        authority: Some(&authority),
        login: Some(LOGIN),
        ..SinkOptions::default()
    });
    let home = directory();
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let url = format!("smtp://{IN_URL}@localhost:{}", sink.port());
    let mut command = lubdub(home.path());
    command.args(["up", "--listen", &address.to_string(), "--mail-from", "Lubdub <lubdub@example.org>"]);
    command.arg("--smtp-ca").arg(sink.ca()).env("LUBDUB_SMTP_URL", url).env("LUBDUB_API_KEY", KEY);
    let server = Process::start(&mut command);
    eventually("it is ready", || {
        let answer = Client::new(address, Duration::from_secs(5)).ask("GET /readyz", "", b"").ok()?;
        (answer.status == 200).then_some(())
    });

    let api = Api::new(address);
    let to = ["a@example.net", "b@example.net"];
    let channel = api.api("POST /channels", &json!({"name": "ops", "kind": "email", "to": to}));
    let id = channel["id"].as_str().expect("an id");
    let tested = api.api(&format!("POST /channels/{id}/test"), &Value::Null);
    assert_eq!((&tested["delivered"], &tested["status"]), (&json!(true), &json!(250)), "{tested}");
    assert_eq!(sink.wait_for(2).len(), 2);

    let monitor = api.monitor("nightly <backup>", 60, None);
    let push = |query: &str| {
        let line = format!("POST /api/push/{}?{query}", monitor.token);
        let answer = Client::new(address, Duration::from_secs(30)).ask(&line, "", b"").expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    push("");
    push("status=down&msg=disk%20%3Cfull%3E");
    sink.wait_for(4);
    push("");
    let mails = sink.wait_for(6);
    assert!(
        mails.iter().all(|mail| mail.tls && mail.user.as_deref() == Some(LOGIN.0) && mail.defects.is_empty())
    );
    for to in to {
        let own: Vec<_> = mails.iter().filter(|mail| mail.to == [to]).collect();
        let subjects: Vec<&str> = own.iter().map(|mail| mail.header("Subject")).collect();
        assert_eq!(subjects, ["Test of channel ops", "DOWN: nightly <backup>", "UP: nightly <backup>"]);
        assert!(own.iter().all(|mail| mail.header("To") == to));
        let [_, down, up] = own[..] else { unreachable!() };
        assert!(down.bodies["text/plain"].contains("It said: disk <full>"), "{:?}", down.bodies);
        assert!(down.bodies["text/html"].contains("disk &lt;full&gt;"), "{:?}", down.bodies);
        let root = down.header("Message-ID");
        assert!(!down.has("In-Reply-To") && root.ends_with("@example.org>"), "{root}");
        assert_eq!((up.header("In-Reply-To"), up.header("References")), (root, root));
    }
    let said = server.kill();
    assert!(!format!("{said:?}").contains("hush"), "{}", said.stderr);
}
