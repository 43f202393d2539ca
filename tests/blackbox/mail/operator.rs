//! The operator hears that Lubdub stands still while neither NATS nor Redis is there.

use std::time::{Duration, Instant};

use servers::{Authority, NatsServer, RedisServer, SinkOptions, SmtpSink};

use super::{IN_URL, LOGIN};
use crate::harness::{Process, directory, free_port, lubdub};
use crate::http::Client;

/// The time after which the operator is alerted, and some more.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_scheduler_that_has_lost_nats_and_redis_mails_its_operator() {
    let (nats, redis) = (NatsServer::start(), RedisServer::start());
    let authority = Authority::new();
    let sink = SmtpSink::with(SinkOptions {
        authority: Some(&authority),
        implicit: true,
        login: Some(LOGIN),
        ..SinkOptions::default()
    });
    let home = directory();
    let address = format!("127.0.0.1:{}", free_port());
    let url = format!("smtps://{IN_URL}@localhost:{}", sink.port());
    let mut init = lubdub(home.path());
    init.args(["init", "--nats", &nats.url(), "--redis", &redis.url()]);
    assert!(Process::start(&mut init).finish().status.success());
    let mut command = lubdub(home.path());
    command.args(["scheduler", "--listen", &address, "--nats", &nats.url(), "--redis", &redis.url()]);
    command.args(["--meta-mail", "ops@example.org", "--mail-from", "Lubdub <lubdub@example.org>"]);
    command.arg("--smtp-ca").arg(sink.ca()).env("LUBDUB_SMTP_URL", url);
    let scheduler = Process::start(&mut command);
    let ready = || {
        let answer = Client::new(address.parse().expect("an address"), PATIENCE).ask("GET /readyz", "", b"");
        answer.is_ok_and(|answer| answer.status == 200)
    };
    until("it is ready", ready);
    // No ingest ticks, and soon no scheduler listens.
    drop((nats, redis));
    until("the mail", || !sink.mails().is_empty());

    let mails = sink.mails();
    let [mail] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert_eq!(
        (&mail.to[..], mail.tls, mail.user.as_deref()),
        (&["ops@example.org".to_owned()][..], true, Some(LOGIN.0))
    );
    assert_eq!(mail.header("Subject"), "Lubdub stands still");
    let text = &mail.bodies["text/plain"];
    assert!(text.contains("has not moved on for more than 60 s"), "{text}");
    assert!(
        text.contains("The reason: ") && text.contains("the roster of schedulers cannot be used"),
        "{text}"
    );
    let said = scheduler.kill();
    assert!(!format!("{said:?}").contains("hush"), "{}", said.stderr);
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
