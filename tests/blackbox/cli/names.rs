//! Names that repeat, and scripts that run twice.

use serde_json::json;

use super::whole::Server;

fn count(server: &Server) -> Option<usize> {
    server.json(&["monitor", "list"])["items"].as_array().map(Vec::len)
}

#[test]
fn a_monitor_of_a_name_that_another_has_is_made_on_purpose_only() {
    let server = Server::start();
    let first = server.json(&["monitor", "create", "web", "--timeout", "5m"]);
    let (id, url) = (first["id"].as_str().expect("an id"), first["push_url"].as_str().expect("a URL"));
    let again = ["monitor", "create", "web", "--timeout", "5m"];
    let why = format!("there is a monitor named web already ({id}): `");
    server.refused(&again, &why);
    server.refused(&[&again[..], &["--json"]].concat(), "monitor push-url web` prints its push URL");
    assert_eq!(server.well(&["monitor", "push-url", "web"]), format!("{url}\n"));
    assert_eq!(server.json(&["monitor", "push-url", "web"]), json!({"push_url": url}));
    assert_eq!(count(&server), Some(1));

    server.well(&[&again[..], &["--allow-same-name"]].concat());
    assert_eq!(count(&server), Some(2));
    server.refused(
        &["monitor", "push-url", "web"],
        "2 monitors are named \"web\": say which one by its id\n  ",
    );
    server.refused(&[&again[..], &["--if-missing"]].concat(), "2 monitors are named");
    // As much of the id as tells it from the other one is in the list.
    let listed = server.run(&["monitor", "push-url", "web"]).stderr;
    let short: Vec<&str> = listed.lines().filter_map(|line| line.trim().strip_suffix("  web")).collect();
    assert_eq!(short.len(), 2, "{listed}");
    let named = short.iter().find(|short| id.starts_with(**short)).expect("the first one");
    assert!((8..36).contains(&named.len()), "{named}");
    assert_eq!(server.well(&["monitor", "push-url", named]), format!("{url}\n"));
    let renamed = server.run(&["monitor", "edit", named, "--name", "api"]);
    assert!(!renamed.stderr.contains("is named"), "{renamed:?}");
    let warned = server.run(&["monitor", "edit", named, "--name", "web"]).stderr;
    assert!(warned.contains("another monitor is named web already"), "{warned}");
}

#[test]
fn a_script_that_makes_monitors_can_be_run_twice() {
    let server = Server::start();
    let script = || {
        let mut urls = Vec::new();
        for name in ["a", "b", "a"] {
            let made = server.well(&["monitor", "create", name, "--timeout", "5m", "--if-missing"]);
            urls.push(made.lines().last().expect("the push URL").to_owned());
        }
        urls
    };
    let first = script();
    assert_eq!(first[0], first[2]);
    assert_eq!(script(), first);
    assert_eq!(count(&server), Some(2));

    let update = |timeout| server.well(&["monitor", "create", "a", "--timeout", timeout, "--or-update"]);
    let updated = update("10m");
    assert!(updated.contains("\n  timeout: 5 min -> 10 min\n"), "{updated}");
    assert_eq!(updated.lines().last(), Some(first[0].as_str()));
    assert!(update("10m").starts_with("nothing to change: a is like that already\n"));
    let made = server.well(&["monitor", "create", "c", "--cron", "0 3 * * *", "--or-update"]);
    assert!(made.starts_with("Created c\n"), "{made}");
    let other =
        ["monitor", "create", "a", "--timeout", "1h", "--or-update", "--token", "kd83-Fw0a-92mX-qP4z"];
    server.refused(&other, "a has another push token");
    assert_eq!(server.json(&["monitor", "show", "a"])["timeout"], 600);
}

#[test]
fn a_channel_of_a_name_that_another_has_is_made_on_purpose_only() {
    let server = Server::start();
    let create = |url: &'static str| ["channel", "create", "on call", "webhook", "--url", url];
    let (first, other) = ("https://one.example.com/hook", "https://two.example.com/hook");
    let id = server.json(&create(first))["id"].as_str().expect("an id").to_owned();
    let url = || server.json(&["channel", "show", "on call"])["url"].clone();
    server.refused(&create(other), &format!("there is a channel named 'on call' already ({id})"));
    server
        .refused(&["channel", "create", " on  call ", "webhook", "--url", other], "there is a channel named");

    let kept = server.run(&[&create(first)[..], &["--if-missing"]].concat());
    assert_eq!(kept.stdout, format!("'on call' is there already ({id}), and stays as it is\n"));
    assert!(!kept.stderr.contains("differs"), "{kept:?}");
    let other_url =
        server.run(&[&create(other)[..], &["--timezone", "Europe/Berlin", "--if-missing"]].concat());
    assert_eq!((other_url.status.code(), url()), (Some(0), json!(first)), "{other_url:?}");
    assert!(
        other_url.stderr.contains("differs from these settings, in timezone, url: --or-update"),
        "{other_url:?}"
    );
    assert!(!other_url.stderr.contains("example.com"), "a URL may be a secret: {other_url:?}");

    let updated = server.well(&[&create(other)[..], &["--or-update"]].concat());
    assert!(updated.contains(&format!("changed on call ({id})\n")), "{updated}");
    assert_eq!(url(), json!(other));
    let mail = ["channel", "create", "on call", "email", "--to", "a@example.com"];
    server.refused(&[&mail[..], &["--or-update"]].concat(), "is a channel of kind webhook, not email");
    let kind = server.run(&[&mail[..], &["--if-missing"]].concat());
    assert!(kind.stderr.contains("in kind, to"), "{kind:?}");
    server.well(&[&mail[..], &["--allow-same-name"]].concat());
    assert_eq!(server.json(&["channel", "list"])["items"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_window_of_a_name_that_another_has_is_made_on_purpose_only() {
    let server = Server::start();
    let create = ["maintenance", "create", "move", "--tag", "a", "--cron", "0 2 * * *", "--for", "30m"];
    server.run(&create);
    server.refused(&create, "there is a maintenance window named move already");
    let count = || server.json(&["maintenance", "list"])["items"].as_array().map(Vec::len);
    assert_eq!(count(), Some(1));
    let kept = server.run(&[&create[..], &["--if-missing"]].concat());
    assert!(kept.status.success() && !kept.stderr.contains("differs"), "{kept:?}");
    let longer = ["maintenance", "create", "move", "--tag", "a,b", "--cron", "0 2 * * *", "--for", "1h"];
    let kept = server.run(&[&longer[..], &["--if-missing"]].concat());
    assert!(kept.stderr.contains("differs from these settings, in for, tags"), "{kept:?}");
    let updated = server.well(&[&longer[..], &["--or-update"]].concat());
    assert!(updated.contains("tags: a -> a, b") && updated.contains("for: 30 min -> 1 h"), "{updated}");
    let once = ["maintenance", "create", "move", "--tag", "a", "--for", "1h", "--or-update"];
    server.refused(&once, "--or-update keeps that");
    server.run(&[&create[..], &["--allow-same-name"]].concat());
    assert_eq!(count(), Some(2));
}

#[test]
fn a_key_of_a_name_that_another_has_is_made_on_purpose_only() {
    let server = Server::start();
    server.well(&["key", "create", "deploy", "--read"]);
    server.refused(&["key", "create", "deploy"], "there is a key named deploy already");
    server.well(&["key", "create", "deploy", "--allow-same-name"]);
}

#[test]
fn no_schedule_gets_another_kind_by_a_script_that_is_run_twice() {
    let server = Server::start();
    server.run(&["monitor", "create", "job", "--cron", "0 3 * * *", "--timezone", "Europe/Berlin"]);
    let timeout = ["monitor", "create", "job", "--timeout", "5m"];
    server.refused(
        &[&timeout[..], &["--or-update"]].concat(),
        "job has another kind of schedule (0 3 * * * (Europe/Berlin)), and --or-update keeps the kind",
    );
    let kept = server.run(&[&timeout[..], &["--if-missing"]].concat());
    assert!(kept.stderr.contains("differs from these settings, in timeout"), "{kept:?}");
    let later = server.well(&["monitor", "create", "job", "--cron", "0 4 * * *", "--or-update"]);
    assert!(later.contains("cron: 0 3 * * * -> 0 4 * * *"), "{later}");
    let shown = server.json(&["monitor", "show", "job"]);
    assert_eq!((&shown["cron"], &shown["timezone"]), (&json!("0 4 * * *"), &json!("Europe/Berlin")));
    server.run(&["monitor", "create", "web", "--timeout", "5m"]);
    server.refused(
        &["monitor", "create", "web", "--cron", "0 3 * * *", "--or-update"],
        "web has another kind of schedule (every 5 min)",
    );
}

#[test]
fn commas_separate_tags_wherever_tags_are_given() {
    let server = Server::start();
    server.run(&["monitor", "create", "web", "--timeout", "5m", "--tag", "a, b,", "--tag", "c"]);
    assert_eq!(server.json(&["monitor", "show", "web"])["tags"], json!(["a", "b", "c"]));
    let paused = server.well(&["monitor", "pause", "--tag", "b,c", "--yes"]);
    assert!(paused.contains("web"), "{paused}");
    server.run(&["maintenance", "create", "move", "--tag", "a,c", "--for", "1h"]);
    assert_eq!(server.json(&["maintenance", "show", "move"])["tags"], json!(["a", "c"]));
    server.run(&["maintenance", "edit", "move", "--tag", "b,c"]);
    assert_eq!(server.json(&["maintenance", "show", "move"])["tags"], json!(["b", "c"]));
}

#[test]
fn monitors_that_would_alert_nobody_are_named_before_it_happens() {
    let server = Server::start();
    for name in ["ops", "spare"] {
        server.well(&["channel", "create", name, "webhook", "--url", "https://x.example.com/hook"]);
    }
    server.well(&["channel", "edit", "spare", "--no-default"]);
    server.well(&["monitor", "create", "web", "--timeout", "5m"]);
    server.well(&["monitor", "create", "db", "--timeout", "5m", "--parent", "web"]);
    server.well(&["monitor", "create", "both", "--timeout", "5m", "--channel", "ops", "--channel", "spare"]);
    let edited = server.run(&["channel", "edit", "ops", "--no-default"]);
    assert!(edited.stderr.contains("no channel is alerted any more for 2 monitors: web, db"), "{edited:?}");
    server.well(&["channel", "edit", "ops", "--default"]);
    let deleted = server.run(&["channel", "delete", "ops", "--yes"]);
    assert!(
        deleted.stderr.contains("without this channel no channel is alerted for 2 monitors: web, db"),
        "{deleted:?}"
    );
    let quiet = server.run(&["monitor", "delete", "both", "--yes"]);
    assert!(!quiet.stderr.contains("parent"), "{quiet:?}");
    let parent = server.run(&["monitor", "delete", "web", "--yes"]);
    assert!(parent.stderr.contains("nothing holds back the alerts of monitor db"), "{parent:?}");
}

#[test]
fn a_name_that_looks_like_another_one_is_warned_of() {
    let server = Server::start();
    let made = server.run(&["monitor", "create", "b\u{430}ckup", "--timeout", "5m"]);
    assert!(made.stderr.contains("letters of several alphabets"), "{made:?}");
    let plain = server.run(&["monitor", "create", "backup  two", "--timeout", "5m"]);
    assert!(!plain.stderr.contains("alphabets"), "{plain:?}");
    assert_eq!(server.json(&["monitor", "show", "backup   two"])["name"], "backup two");
}
