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
    server.refused(&other, "\"a\" has another push token");
    assert_eq!(server.json(&["monitor", "show", "a"])["timeout"], 600);
}
