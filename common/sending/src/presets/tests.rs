use std::collections::BTreeSet;

use super::*;
use model::channel::WebhookMethod;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A preset that has every kind of field.
fn everything() -> Preset {
    let text = r#"
        title = "Everything"
        class = "pager"
        [[field]]
        name = "url"
        help = "where to"
        kind = "url"
        [[field]]
        name = "token"
        help = "a token"
        allowed = ":."
        [[field]]
        name = "room"
        help = "a room"
        kind = "text"
        optional = true
        shown = true
        [[field]]
        name = "priority"
        help = "how loud"
        kind = "choice"
        allowed = "low high"
        default = "high"
        shown = true
        [[request]]
        on = ["trigger", "none"]
        endpoint = "{{ settings.url }}/{{ settings.token }}/open"
        headers = { x-room = "{{ settings.room }}", x-now = "{{ now }}" }
        body = '{"title": {{ title }}, "priority": {{ settings.priority }}}'
        [[request]]
        on = ["resolve", "channel.test"]
        method = "PUT"
        content_type = "text/plain"
        endpoint = "{{ settings.url }}/{{ incident|urlencode }}/close"
        body = "{{ title }}"
    "#;
    Preset::read("everything", text).expect("a preset")
}

fn message(event: &str, action: &str) -> serde_json::Value {
    serde_json::json!({"event": event, "action": action, "title": "a \"b\"", "incident": "x y"})
}

#[test]
fn every_file_can_be_read_and_says_what_it_needs() {
    let mut names = BTreeSet::new();
    for file in FILES.files().filter(|file| file.path().extension().is_some_and(|end| end == "toml")) {
        let name = file.path().file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let preset = Preset::read(name, file.contents_utf8().expect("text"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        names.insert(name);
        assert!(!matches!(name, "webhook" | "email"), "{name} is a kind of its own");
        let fields: BTreeSet<&str> = preset.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(fields.len(), preset.fields.len(), "{name}: a field twice");
        for field in &preset.fields {
            let good = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
            assert!(field.name.chars().all(good), "{name}: {}", field.name);
            assert!(!field.help.is_empty() && !field.help.contains('\n'), "{name}: {}", field.name);
            if let Some(form) = &field.form {
                assert_eq!(form.hosts.is_empty(), field.kind != FieldKind::Url, "{name}: {}", field.name);
                let words = form.words();
                assert!(
                    !words.is_empty() && !words.contains('\n') && !words.ends_with('.'),
                    "{name}: {words}"
                );
            }
            if let (Some(form), Some(default)) = (&field.form, &field.default) {
                assert_eq!(form.check(default), Ok(()), "{name}: {}", field.name);
            }
            // The console keeps these for itself.
            assert!(!["name", "kind", "default", "settings"].contains(&field.name.as_str()), "{name}");
        }
        if let Some(rule) = &preset.answer.moved {
            let field = preset.fields.iter().find(|field| field.name == rule.setting).expect(&rule.setting);
            // Nobody but the channel's owner may say which server is called.
            assert_ne!(field.kind, FieldKind::Url, "{name}: {}", field.name);
            assert!(field.form.is_some(), "{name}: {}", field.name);
        }
        let ends = preset.requests.iter().any(|request| request.is_for(&message("monitor.up", "resolve")));
        assert!(ends, "{name} says nothing when a monitor is up again");
    }
    let known: BTreeSet<&str> = all().iter().map(|preset| preset.name.as_str()).collect();
    assert_eq!(known, names);
    assert!(find("slack").is_some() && find("smoke-signals").is_none());
}

#[test]
fn settings_are_checked_and_filled_in() {
    let preset = everything();
    let given = settings(&[("url", " https://example.com/x "), ("token", "aZ09-_:."), ("room", "")]);
    let checked = preset.check(&given).expect("good settings");
    let expected = settings(&[("url", "https://example.com/x"), ("token", "aZ09-_:."), ("priority", "high")]);
    assert_eq!(checked, expected);
}

#[test]
fn each_refusal_names_the_field_and_what_is_allowed() {
    let long_url = format!("https://example.com/{}", "x".repeat(2_000));
    let long = "x".repeat(501);
    for (field, value, expected) in [
        ("url", "", "Everything needs it: where to"),
        ("url", "secret.example", "it is not a URL such as https://example.com/path"),
        ("url", "ftp://example.com", "it must begin with http:// or https://"),
        ("url", "https://example.com/a b", "blanks and control characters are not allowed"),
        ("url", "https://exa\nmple.com/", "blanks and control characters are not allowed"),
        ("url", "https://example.com/#x", "it must not have a fragment"),
        ("url", &long_url, "it has 2020 characters; at most 2000 are allowed"),
        ("token", "a/b", "only these characters are allowed: A-Z a-z 0-9 - _ : ."),
        ("token", "a\r\nx: y", "only these characters are allowed"),
        ("token", &long, "it has 501 characters; at most 500 are allowed"),
        ("room", "a\tb", "control characters such as line breaks are not allowed"),
        ("room", &long[..201], "it has 201 characters; at most 200 are allowed"),
        ("priority", "loud", "it must be one of: low, high"),
        ("colour", "red", "Everything has no such setting; it has url, token, room, priority"),
    ] {
        let mut given = settings(&[("url", "https://example.com/"), ("token", "t")]);
        given.insert(field.to_owned(), value.to_owned());
        let errors = everything().check(&given).expect_err(field);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].field, field);
        assert!(errors[0].message.starts_with(expected), "{}", errors[0].message);
        assert!(value.len() < 4 || !errors[0].message.contains(value), "it may be secret");
    }
    let errors =
        everything().check(&settings(&[("priority", "x"), ("colour", "red")])).expect_err("all of them");
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["url", "token", "priority", "colour"]);
}

#[test]
fn the_form_is_asked_of_what_is_new_only() {
    let telegram = find("telegram").expect("a preset");
    let old = settings(&[("token", "1:a"), ("chat_id", "ops")]);
    assert!(telegram.check(&old).is_ok(), "a notifier sends on");
    let error = telegram.check_change(&old, &Settings::new()).expect_err("it is new");
    assert_eq!(error.len(), 1, "{error:?}");
    assert!(
        error[0].field == "chat_id" && error[0].message.starts_with("it must be a number such as"),
        "{error:?}"
    );
    assert!(telegram.check_change(&old, &old).is_ok(), "it is stored");
    let blanks = settings(&[("token", "1:a"), ("chat_id", " ops ")]);
    assert!(telegram.check_change(&blanks, &old).is_ok(), "blanks around it change nothing");
}

#[test]
fn a_service_can_move_a_setting_to_what_a_person_could_have_given() {
    let telegram = find("telegram").expect("a preset");
    let given = settings(&[("token", "1:a"), ("chat_id", "-5")]);
    let given = telegram.check(&given).expect("good settings");
    let moved =
        |to: &str| telegram.moved(&given, &Moved { setting: "chat_id".to_owned(), to: to.to_owned() });
    let changed = moved("-1005").expect("it moved");
    assert_eq!(changed["chat_id"], "-1005");
    assert_eq!(changed.len(), given.len());
    assert!(given.iter().all(|(name, value)| name == "chat_id" || changed[name] == *value), "{changed:?}");
    for to in ["-5", "", " ", "ops", "0", "-5\n"] {
        assert_eq!(moved(to), None, "{to:?}");
    }
    let strange = Moved { setting: "colour".to_owned(), to: "red".to_owned() };
    assert_eq!(telegram.moved(&given, &strange), None);
}

#[test]
fn every_url_that_would_be_called_is_told() {
    let given = settings(&[("url", "https://example.com"), ("token", "t")]);
    let urls = everything().urls(&given).expect("addresses");
    let texts: Vec<&str> = urls.iter().map(|url| url.as_str()).collect();
    assert_eq!(texts[0], "https://example.com/t/open");
    assert!(texts[1].starts_with("https://example.com/") && texts[1].ends_with("/close"), "{texts:?}");
    for preset in all() {
        let mut given = Settings::new();
        for field in &preset.fields {
            let value = if field.kind == FieldKind::Url { "https://example.com/x" } else { "7" };
            given.insert(field.name.clone(), field.default.clone().unwrap_or_else(|| value.to_owned()));
        }
        let given = preset.check(&given).unwrap_or_else(|errors| panic!("{}: {errors:?}", preset.name));
        assert!(!preset.urls(&given).expect(&preset.name).is_empty());
    }
}

#[test]
fn a_message_picks_its_requests() {
    let given = settings(&[("url", "https://example.com"), ("token", "t")]);
    let now = "2026-11-22T10:00:00.000Z";
    let made = |event, action| {
        let null = serde_json::Value::Null;
        let requests = everything().requests(&message(event, action), &given, now, &null).expect("requests");
        requests.into_iter().map(|request| request.url.path().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(made("monitor.down", "trigger"), ["/t/open"]);
    assert_eq!(made("channel.failing", "none"), ["/t/open"]);
    assert_eq!(made("monitor.up", "resolve"), ["/x%20y/close"]);
    assert_eq!(made("channel.test", "trigger"), ["/t/open", "/x%20y/close"]);
    let null = serde_json::Value::Null;
    let requests =
        everything().requests(&message("channel.test", "trigger"), &given, now, &null).expect("requests");
    assert_eq!(requests[0].method, WebhookMethod::Post);
    assert_eq!(requests[0].headers, [("x-now".to_owned(), now.to_owned())], "what is empty is not sent");
    assert_eq!(requests[0].body, r#"{"title": "a \"b\"", "priority": "high"}"#);
    assert_eq!((requests[1].method, requests[1].body.as_str()), (WebhookMethod::Put, "a \"b\""));
}

#[test]
fn secrets_are_masked_and_a_url_shows_its_host() {
    let given = settings(&[
        ("url", "https://user:pass@example.com:8443/secret?key=1"),
        ("token", "t"),
        ("room", "ops"),
        ("unknown", "x"),
    ]);
    let expected = settings(&[
        ("url", "https://example.com:8443/***?***"),
        ("token", "***"),
        ("room", "ops"),
        ("unknown", "***"),
    ]);
    assert_eq!(everything().masked(&given), expected);
    assert_eq!(masked_url("not a URL"), "***");
}

#[test]
fn how_a_storm_is_told_is_said_by_the_file() {
    assert_eq!(everything().storm_limit(), Some(20));
    let endless = Preset { storm_limit: 0, ..everything() };
    assert_eq!(endless.storm_limit(), None);
}
