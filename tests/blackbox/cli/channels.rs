//! `lubdub channel …` and `lubdub key …`

use serde_json::{Value, json};

use super::{run, run_well};
use crate::harness::{Process, directory, lubdub};
use crate::stub::{Answer, Stub};

const ID: &str = "0199a3c4-7d2e-7000-8000-00000000000c";

fn channel() -> Value {
    channel_of("webhook")
}

fn channel_of(kind: &str) -> Value {
    json!({"id": ID, "name": "ops", "kind": kind, "url": "https://x.example/hook", "headers": {"x-key": "***"},
           "default": true, "state": "ok", "state_detail": null, "created_at": "2026-11-22T10:00:00.000Z", "revision": 1})
}

/// Answers every list with one channel and everything else with that channel.
fn server() -> Stub {
    Stub::start(|request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/api/v1/channels") => Answer::json(200, &json!({"items": [channel()], "next_cursor": null})),
        ("GET", "/api/v1/monitors") => Answer::json(200, &json!({"items": [], "next_cursor": null})),
        ("POST", "/api/v1/channels") => {
            let mut made = channel();
            made["secret"] = json!("whsec_c2VjcmV0");
            Answer::json(201, &made)
        }
        ("DELETE", _) => Answer::text(204, ""),
        (_, _) => Answer::json(200, &channel()),
    })
}

#[test]
fn a_url_before_the_kind_that_was_forgotten_gets_no_key() {
    let (receiver, server) = (Stub::start(|_| Answer::text(200, "")), server());
    let hook = format!("{}/hook", receiver.url());
    for arguments in [
        &["channel", "edit", "ops", "--url", &hook, "--default"][..],
        &["channels", "edit", "ops", "--default", "--url", &hook],
    ] {
        let refused = run(&server, arguments);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(refused.stderr.contains("--url before the channel's kind names the server"), "{refused:?}");
        assert!(refused.stderr.contains("channel edit ops webhook --url URL"), "{refused:?}");
    }
    assert_eq!((receiver.lines(), server.lines()), (Vec::new(), Vec::new()));
    // Without it, the server is that of the environment.
    run_well(&server, &["channel", "edit", "ops", "--default"]);
}

#[test]
fn create_sends_what_each_kind_needs() {
    for (arguments, expected) in [
        (
            &["webhook", "--url", "https://x.example/hook"][..],
            json!({"name": "ops", "kind": "webhook", "url": "https://x.example/hook"}),
        ),
        (
            &[
                "webhook",
                "--url",
                "https://x.example/",
                "--secret",
                "whsec_x",
                "--header",
                "X-Key: a:b",
                "--no-default",
            ],
            json!({"name": "ops", "kind": "webhook", "url": "https://x.example/", "secret": "whsec_x",
                   "headers": {"X-Key": "a:b"}, "default": false}),
        ),
        (
            &["--default", "email", "--to", "a@x.example", "--to", "b@x.example"],
            json!({"name": "ops", "kind": "email", "to": ["a@x.example", "b@x.example"], "default": true}),
        ),
        (
            &[
                "webhook",
                "--url",
                "https://x.example/",
                "--method",
                "put",
                "--template",
                "{{ title }}",
                "--content-type",
                "text/plain",
                "--digest",
            ],
            json!({"name": "ops", "kind": "webhook", "url": "https://x.example/", "method": "put", "template": "{{ title }}",
                   "content_type": "text/plain", "digest": true}),
        ),
        (
            &["slack", "--url", "https://hooks.x.example/services/a", "--no-default"],
            json!({"name": "ops", "kind": "slack", "url": "https://hooks.x.example/services/a", "default": false}),
        ),
    ] {
        let server = server();
        let printed =
            run_well(&server, &[&["channel", "create", "ops", "--allow-same-name"], arguments].concat());
        assert_eq!(server.requests()[0].json(), expected);
        assert!(printed.contains("whsec_c2VjcmV0"), "the secret is shown once: {printed}");
        assert!(printed.contains(&format!("{} channel test ops", env!("CARGO_BIN_EXE_lubdub"))), "{printed}");
    }
}

#[test]
fn the_servers_address_and_the_webhooks_are_told_apart() {
    let (server, other) = (server(), server());
    let hook = "https://x.example/hook";
    run_well(&other, &["channel", "create", "chat", "--url", &server.url(), "webhook", "--url", hook]);
    let requests = server.requests();
    let made = requests.iter().find(|request| request.method == "POST").expect("a request");
    assert_eq!(made.json()["url"], hook);
    assert_eq!(other.lines(), [""; 0]);
}

#[test]
fn each_command_makes_its_request() {
    for (arguments, line, body) in [
        (&["enable", "ops"][..], "PATCH /api/v1/channels/ID", json!({"state": "ok"})),
        (&["edit", "ops", "--name", "x"], "PATCH /api/v1/channels/ID", json!({"name": "x"})),
        (&["edit", "ops", "--no-default"], "PATCH /api/v1/channels/ID", json!({"default": false})),
        (
            &["edit", "ops", "webhook", "--url", "https://y.example/", "--new-secret", "--no-headers"],
            "PATCH /api/v1/channels/ID",
            json!({"kind": "webhook", "url": "https://y.example/", "secret": null, "headers": {}}),
        ),
        (
            &[
                "edit",
                "ops",
                "webhook",
                "--new-secret",
                "--secret-overlap",
                "2h",
                "--no-template",
                "--no-digest",
            ],
            "PATCH /api/v1/channels/ID",
            json!({"kind": "webhook", "secret": null, "secret_overlap": 7_200, "template": null, "digest": false}),
        ),
        (&["delete", ID, "--yes"], "DELETE /api/v1/channels/ID", Value::Null),
    ] {
        let server = server();
        run_well(&server, &[&["channel"], arguments].concat());
        let requests = server.requests();
        let made = requests.iter().find(|request| request.method != "GET").expect("a change");
        assert_eq!((made.line(), made.json()), (line.replace("ID", ID), body), "{arguments:?}");
    }
}

#[test]
fn an_edit_keeps_the_kind_and_changes_what_that_kind_has() {
    let edits = [
        (
            "slack",
            &["slack", "--url", "https://hooks.x.example/b"][..],
            json!({"kind": "slack", "url": "https://hooks.x.example/b"}),
        ),
        ("email", &["email", "--to", "a@x.example"], json!({"kind": "email", "to": ["a@x.example"]})),
        (
            "webhook",
            &["webhook", "--url", "https://y.example/"],
            json!({"kind": "webhook", "url": "https://y.example/"}),
        ),
    ];
    for (has, _, _) in &edits {
        for (asked, arguments, body) in &edits {
            let kind = (*has).to_owned();
            let server = Stub::start(move |request| match request.path.as_str() {
                "/api/v1/channels" => {
                    Answer::json(200, &json!({"items": [channel_of(&kind)], "next_cursor": null}))
                }
                _ => Answer::json(200, &channel_of(&kind)),
            });
            let finished = run(&server, &[&["channel", "edit", "ops"], *arguments].concat());
            let requests = server.requests();
            let change = requests.iter().find(|request| request.method != "GET");
            if has == asked {
                assert_eq!(change.map(|change| change.json()).as_ref(), Some(body), "{has}: {finished:?}");
                assert_eq!(change.map(|change| change.header("if-match")), Some("\"1\""));
                continue;
            }
            assert_eq!((finished.status.code(), change.is_none()), (Some(1), true), "{has}: {finished:?}");
            let why = format!("error: ops is a channel of kind {has}, not {asked}, and keeps its kind");
            assert!(finished.stderr.starts_with(&why), "{}", finished.stderr);
            assert!(finished.stderr.contains(&format!("channel edit ops {has}")), "{}", finished.stderr);
        }
    }
}

#[test]
fn a_channel_is_listed_and_shown() {
    let listed = run_well(&server(), &["channel", "list"]);
    assert_eq!(listed.lines().last(), Some("ops   webhook  ok     yes      https://x.example/hook  -"));
    let shown = run_well(&server(), &["channel", "show", "ops"]);
    assert!(shown.contains("header   x-key: ***"), "{shown}");
}

#[test]
fn the_exit_code_of_a_test_says_whether_it_was_delivered() {
    for (delivered, code, told) in [(true, 0, "delivered (204)\n"), (false, 1, "not delivered (204): why\n")]
    {
        let server = Stub::start(move |_| {
            let detail = if delivered { Value::Null } else { json!("why") };
            Answer::json(200, &json!({"delivered": delivered, "status": 204, "detail": detail}))
        });
        let finished = run(&server, &["channel", "test", ID]);
        assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(code), told));
        assert_eq!(server.lines(), [format!("POST /api/v1/channels/{ID}/test")]);
    }
}

#[test]
fn a_test_shows_what_was_sent_and_answered() {
    let server = Stub::start(|_| {
        let request = "POST https://x.example/***\nx-key: ***\n\n{\"title\": \"Test\"}";
        let tested =
            json!({"delivered": true, "status": 200, "detail": "ok\n", "request": request, "answer": "ok\n"});
        Answer::json(200, &tested)
    });
    let printed = run_well(&server, &["channel", "test", ID]);
    let expected = "delivered (200)\n\nSent:\n  POST https://x.example/***\n  x-key: ***\n\n  {\"title\": \"Test\"}\n\nAnswered:\n  ok\n";
    assert_eq!(printed, expected);
}

#[test]
fn a_template_is_read_from_a_file() {
    let server = server();
    let directory = directory();
    std::fs::write(directory.path().join("body.json"), "{\"text\": {{ title }}}").expect("written");
    let create = |template: &str| {
        let mut command = lubdub(directory.path());
        command.args([
            "channel",
            "create",
            "board",
            "webhook",
            "--url",
            "https://x.example/",
            "--template",
            template,
        ]);
        command
            .env("LUBDUB_URL", server.url())
            .env("LUBDUB_API_KEY", "test-key")
            .current_dir(directory.path());
        Process::start(&mut command).finish()
    };
    assert_eq!(create("@body.json").status.code(), Some(0));
    assert_eq!(server.requests()[0].json()["template"], "{\"text\": {{ title }}}");
    let missing = create("@nothing.json");
    assert_eq!(missing.status.code(), Some(2));
    assert!(missing.stderr.contains("failed to read nothing.json"), "{}", missing.stderr);
}

#[test]
fn every_preset_has_a_command_with_help() {
    let server = server();
    let help = run_well(&server, &["channel", "create", "--help"]);
    let kinds: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Kinds:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(kinds.starts_with(&["webhook", "email"]) && kinds.contains(&"slack"), "{kinds:?}");
    for kind in kinds {
        for verb in ["create", "edit"] {
            let help = run_well(&server, &["channel", verb, "ops", kind, "--help"]);
            let example = format!("{} channel {verb} ", env!("CARGO_BIN_EXE_lubdub"));
            assert!(help.contains("Examples:\n") && help.contains(&example), "{verb} {kind}:\n{help}");
        }
    }
}

#[test]
fn a_new_key_is_alone_on_the_last_line() {
    for (arguments, scope) in
        [(&["key", "create", "dash", "--read"][..], "read"), (&["key", "create", "dash"], "admin")]
    {
        let server = Stub::start(|request| {
            let scope = request.json()["scope"].clone();
            Answer::json(
                201,
                &json!({"id": "k1", "name": "dash", "scope": scope, "key": "lubdub_abc", "created_at": ""}),
            )
        });
        let printed = run_well(&server, arguments);
        assert_eq!(printed.lines().last(), Some("lubdub_abc"));
        assert_eq!(server.requests()[0].json(), json!({"name": "dash", "scope": scope, "unique_name": true}));
    }
}
