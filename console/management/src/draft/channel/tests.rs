use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use doubles::samples;
use model::channel::{OldSecret, Webhook, WebhookMethod};
use serde_json::json;

use super::*;

fn draft(value: Value) -> ChannelDraft {
    let Value::Object(map) = value else { panic!("an object") };
    ChannelDraft::read(map)
}

fn secret(n: u8) -> Secret {
    Secret::new(format!("whsec_{}", STANDARD.encode([n; 32])))
}

fn new(value: Value) -> NewChannel {
    draft(value).into_new(&secret(99)).expect("a good draft")
}

fn lines(errors: Vec<FieldError>) -> Vec<String> {
    errors.into_iter().map(|error| format!("{} {}", error.field, error.message)).collect()
}

fn refused(value: Value) -> Vec<String> {
    lines(draft(value).into_new(&secret(99)).expect_err("a bad draft"))
}

fn at(secs: i64) -> EventTime {
    EventTime::from_secs(secs)
}

fn onto(value: Value, old: &Channel) -> Result<ChangedChannel, Vec<FieldError>> {
    draft(value).onto(old, at(1_000), &secret(99))
}

fn changed(value: Value, old: &Channel) -> Channel {
    onto(value, old).expect("a good change").channel
}

fn refused_change(value: Value, old: &Channel) -> Vec<String> {
    lines(onto(value, old).expect_err("a bad change"))
}

fn webhook() -> Webhook {
    Webhook {
        url: Secret::new("https://example.com/hook".to_owned()),
        secret: secret(7),
        old_secrets: vec![],
        headers: BTreeMap::from([("x-key".to_owned(), Secret::new("old".to_owned()))]),
        method: WebhookMethod::Post,
        template: None,
        content_type: None,
        digest: false,
    }
}

fn stored(kind: ChannelKind) -> Channel {
    Channel {
        state: ChannelState::Disabled,
        state_detail: Some("410".to_owned()),
        failing_since: Some(at(5)),
        ..samples::channel(kind)
    }
}

fn stored_webhook() -> Channel {
    stored(ChannelKind::Webhook(Box::new(webhook())))
}

fn preset(name: &str, settings: &[(&str, &str)]) -> ChannelKind {
    let settings =
        settings.iter().map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned())));
    ChannelKind::Preset(PresetChannel { preset: name.to_owned(), settings: settings.collect() })
}

fn webhook_of(channel: Channel) -> Webhook {
    let ChannelKind::Webhook(webhook) = channel.kind else { panic!("a webhook") };
    *webhook
}

fn settings_of(kind: &ChannelKind) -> BTreeMap<&str, &str> {
    let ChannelKind::Preset(channel) = kind else { panic!("a preset's") };
    channel.settings.iter().map(|(name, value)| (name.as_str(), value.expose())).collect()
}

#[test]
fn every_refused_field_is_named_at_once() {
    let errors = refused(json!({
        "name": "", "kind": "webhook", "url": "ftp://x", "secret": "whsec_c2hvcnQ=", "default": "yes", "colour": 1,
        "headers": {"Host": "x", "a b": "x", "X-Ok": "x", "Webhook-Id": "1", "x-num": 1, "x-nl": "a\nb"},
        "method": "GET", "template": "", "content_type": "text", "digest": 1, "to": ["a@example.com"], "settings": {},
        "state": "failing", "id": "x",
    }));
    for start in [
        "name ",
        "url ",
        "secret ",
        "default ",
        "colour unknown field",
        "method must be \"POST\", \"PUT\" or \"PATCH\"",
        "template ",
        "content_type ",
        "digest ",
        "to is not for channels of the kind \"webhook\"",
        "settings is not for",
        "state must be \"ok\" or \"disabled\"",
        "id ",
    ] {
        assert!(errors.iter().any(|error| error.starts_with(start)), "{start} in {errors:#?}");
    }
    assert_eq!(errors.iter().filter(|error| error.starts_with("headers ")).count(), 5, "{errors:?}");
    let needed = refused(json!({}));
    assert_eq!(needed.len(), 2, "{needed:?}");
    assert!(needed[1].starts_with("kind is needed: one of \"webhook\", \"email\", "), "{needed:?}");
    assert!(needed[1].contains("\"slack\""), "{needed:?}");
    let unknown = refused(json!({"name": "x", "kind": "pigeon"}));
    assert!(unknown.len() == 1 && unknown[0].starts_with("kind must be one of \"webhook\", "), "{unknown:?}");
}

#[test]
fn a_new_webhook_has_what_was_asked_for_and_defaults() {
    let made = new(json!({"name": "ops", "kind": "webhook", "url": "https://example.com/hook"}));
    let expected = Webhook { secret: secret(99), headers: BTreeMap::new(), ..webhook() };
    assert_eq!((made.kind, made.state), (ChannelKind::Webhook(Box::new(expected)), ChannelState::Ok));
    let made = new(json!({
        "name": "ops", "kind": "webhook", "url": "https://example.com/hook", "state": "disabled",
    }));
    assert_eq!(made.state, ChannelState::Disabled);
    let made = new(json!({
        "name": "ops", "kind": "webhook", "url": "https://example.com/hook", "secret": secret(1).expose(), "method": "put",
        "template": "{{ title }}", "content_type": "text/plain; charset=utf-8", "digest": true, "headers": {"X-Key": "old"},
    }));
    let expected = Webhook {
        secret: secret(1),
        method: WebhookMethod::Put,
        template: Some("{{ title }}".to_owned()),
        content_type: Some("text/plain; charset=utf-8".to_owned()),
        digest: true,
        ..webhook()
    };
    assert_eq!(made.kind, ChannelKind::Webhook(Box::new(expected)));
}

#[test]
fn enabling_clears_the_state_and_a_masked_header_keeps_its_value() {
    let change = json!({"state": "ok", "headers": {"X-Key": "***", "x-new": "v"}});
    let channel = changed(change, &stored_webhook());
    assert_eq!(
        (channel.state, &channel.state_detail, channel.failing_since),
        (ChannelState::Ok, &None, None)
    );
    let headers = webhook_of(channel).headers;
    assert_eq!((headers["x-key"].expose(), headers["x-new"].expose()), ("old", "v"));
    let errors = refused_change(json!({"state": "failing", "headers": {"other": "***"}}), &stored_webhook());
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn a_secret_that_is_rotated_away_signs_on_for_a_while() {
    let old_secret =
        |n, secs| OldSecret { secret: secret(n), expires_at: at(1_000) + Duration::from_secs(secs) };
    let expired = OldSecret { secret: secret(3), expires_at: at(999) };
    let with = |old_secrets| stored(ChannelKind::Webhook(Box::new(Webhook { old_secrets, ..webhook() })));
    let rotate = |change, old: &Channel| webhook_of(changed(change, old));

    let rotated = rotate(json!({"secret": null}), &with(vec![expired, old_secret(4, 90_000)]));
    assert_eq!(rotated.secret, secret(99));
    assert_eq!(
        rotated.old_secrets,
        [old_secret(4, 86_400), old_secret(7, 86_400)],
        "none outlives the rotation"
    );
    let made = onto(json!({"secret": null}), &stored_webhook()).expect("good").made_secret;
    assert_eq!(made, Some(secret(99)));

    let own = json!({"secret": secret(4).expose(), "secret_overlap": 60});
    let rotated = rotate(own.clone(), &with(vec![old_secret(4, 10), old_secret(5, 10)]));
    assert_eq!(
        (rotated.secret, rotated.old_secrets),
        (secret(4), vec![old_secret(5, 10), old_secret(7, 60)])
    );
    assert_eq!(onto(own, &stored_webhook()).expect("good").made_secret, None);

    let four = (1..=4).map(|n| old_secret(n, 10)).collect();
    let kept: Vec<Secret> =
        rotate(json!({"secret": null}), &with(four)).old_secrets.into_iter().map(|old| old.secret).collect();
    assert_eq!(kept, [secret(3), secret(4), secret(7)]);
    assert!(
        rotate(json!({"secret": null, "secret_overlap": 0}), &with(vec![old_secret(4, 9)]))
            .old_secrets
            .is_empty()
    );
    let same = json!({"secret": secret(7).expose()});
    assert_eq!(changed(same, &stored_webhook()), stored_webhook(), "the same secret is no rotation");
    for bad in [json!({"secret_overlap": 5}), json!({"secret": null, "secret_overlap": 2_592_001})] {
        let errors = refused_change(bad, &stored_webhook());
        assert!(errors.len() == 1 && errors[0].starts_with("secret_overlap "), "{errors:?}");
    }
}

#[test]
fn a_content_type_goes_with_its_template() {
    let change = json!({"template": "x", "content_type": "text/plain"});
    let templated = changed(change, &stored_webhook());
    assert_eq!(webhook_of(templated.clone()).content_type.as_deref(), Some("text/plain"));
    let bare = webhook_of(changed(json!({"template": null, "method": null, "digest": null}), &templated));
    assert_eq!((bare.template, bare.content_type, bare.digest), (None, None, false));
    let errors = refused_change(json!({"content_type": "text/plain"}), &stored_webhook());
    assert!(errors[0].starts_with("content_type is allowed with template only"), "{errors:?}");
}

#[test]
fn an_email_channel_has_its_addresses_each_once() {
    let made = new(
        json!({"name": "m", "kind": "email", "to": ["a@Example.com", "a@example.com", " b@example.com"]}),
    );
    let to = vec!["a@example.com".to_owned(), "b@example.com".to_owned()];
    assert_eq!(made.kind, ChannelKind::Email(Email { to }));
    let many: Vec<String> = (0..21).map(|n| format!("{n}@example.com")).collect();
    for bad in [
        json!([]),
        json!(many),
        json!(["a@example.com", "b"]),
        json!([1]),
        json!("a@example.com"),
        json!(null),
    ] {
        let errors = refused(json!({"name": "m", "kind": "email", "to": bad}));
        assert!(errors.len() == 1 && errors[0].starts_with("to "), "{errors:?}");
    }
    let errors =
        refused(json!({"name": "m", "kind": "email", "url": "https://example.com/", "secret": null}));
    assert_eq!(errors.len(), 3, "{errors:?}");
    let mail = stored(ChannelKind::Email(Email { to: vec!["a@example.com".to_owned()] }));
    assert_eq!(changed(json!({"kind": "email", "name": "x"}), &mail).kind, mail.kind);
    let errors = refused_change(
        json!({"kind": "slack", "secret": null, "secret_overlap": 9, "digest": true, "to": null}),
        &mail,
    );
    assert_eq!(errors.len(), 5, "{errors:?}");
}

#[test]
fn a_presets_settings_are_merged_and_its_url_is_one_of_them() {
    let made = new(
        json!({"name": "t", "kind": "telegram", "settings": {"token": "123456:secret-token-of-the-bot", "chat_id": -1001}}),
    );
    assert_eq!(settings_of(&made.kind)["chat_id"], "-1001", "numbers are taken as texts");
    let chat = stored(made.kind);
    let kept = changed(json!({"settings": {"token": "***", "chat_id": "@ops_team"}}), &chat);
    assert_eq!(settings_of(&kept.kind)["token"], "123456:secret-token-of-the-bot");
    assert_eq!(settings_of(&kept.kind)["chat_id"], "@ops_team");
    assert_eq!(changed(json!({"name": "ops"}), &chat), chat);

    let errors = refused_change(json!({"settings": {"chat_id": null}}), &chat);
    assert!(errors.len() == 1 && errors[0].starts_with("settings.chat_id "), "{errors:?}");
    let errors = refused_change(json!({"to": ["a@example.com"], "headers": {}, "secret_overlap": 1}), &chat);
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(
        errors.iter().all(|error| error.ends_with("is not for channels of the kind \"telegram\"")),
        "{errors:?}"
    );
    let errors =
        refused(json!({"name": "t", "kind": "telegram", "settings": {"token": "***", "chat_id": ["x"]}}));
    assert!(
        errors.iter().any(|error| error.starts_with("settings.token there is no value to keep")),
        "{errors:?}"
    );
    assert!(errors.iter().any(|error| error.starts_with("settings.chat_id must be a text")), "{errors:?}");

    let slack = "https://hooks.slack.com/services/T000/B000/abc";
    let made = new(json!({"name": "s", "kind": "slack", "url": slack}));
    assert_eq!(settings_of(&made.kind)["url"], slack);
    let urls = |value, old: Option<&ChannelKind>| {
        let urls = draft(value).urls(old).into_iter();
        urls.map(|(field, url)| format!("{field} {url}")).collect::<Vec<_>>()
    };
    assert_eq!(urls(json!({"kind": "slack", "url": slack}), None), [format!("url {slack}")]);
    assert_eq!(
        urls(json!({"name": "x"}), Some(&made.kind)),
        [""; 0],
        "a host that went away forbids no other change"
    );
    let stands = stored(made.kind.clone());
    for same in ["https://hooks.slack.com/***", "***", slack] {
        assert_eq!(changed(json!({"url": same}), &stands), stands, "as it is shown: {same}");
    }
    let errors = refused(json!({"name": "s", "kind": "slack", "settings": {"url": slack}}));
    assert!(errors.iter().any(|error| error.starts_with("settings.url is given as url")), "{errors:?}");
}

/// A kind, its fields as they are taken, and for some of them values that the service would not take.
type Form = (&'static str, Value, Vec<(&'static str, Vec<&'static str>)>);

fn forms_of_texts() -> Vec<Form> {
    let telegram = json!({"token": "123456:ABC-def_7", "chat_id": "-1001234567890", "thread_id": "7"});
    let chat_ids = vec!["ops", "-", "@ops", "@a-b-c-d", "0", "-0", "1_5", "12345678901234567", "@", "--5"];
    vec![
        (
            "telegram",
            json!({"settings": telegram}),
            vec![
                ("settings.chat_id", chat_ids),
                ("settings.thread_id", vec!["abc", "0", "-7", "07", "1_0"]),
                ("settings.token", vec!["123456", "bot123456:ABC", ":ABC", "123456:", "1:a:b"]),
            ],
        ),
        (
            "pagerduty",
            json!({"settings": {"routing_key": "0123456789abcdef0123456789ABCDEF"}}),
            vec![(
                "settings.routing_key",
                vec!["short", "0123456789abcdef0123456789ABCDE_", "0123456789abcdef0123456789ABCDEF0"],
            )],
        ),
        (
            "pushover",
            json!({"settings": {"token": "a0123456789012345678901234567Z", "user": "u0123456789012345678901234567Z"}}),
            vec![
                ("settings.token", vec!["short", "a0123456789012345678901234567-"]),
                ("settings.user", vec!["short", "u0123456789012345678901234567ZZ"]),
            ],
        ),
        (
            "ntfy",
            json!({"settings": {"topic": "alerts_7-x", "token": "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"}}),
            vec![
                ("settings.topic", vec!["x234567890123456789012345678901234567890123456789012345678901234_"]),
                ("settings.token", vec!["AgQdq7mVBoFD37zQVN29RhuMzNIz2AgQ", "tk_short"]),
            ],
        ),
    ]
}

fn forms_of_urls() -> Vec<Form> {
    vec![
        (
            "slack",
            json!({"url": "https://hooks.slack.com/services/T000/B000/abc"}),
            vec![(
                "url",
                vec![
                    "https://app.slack.com/client/T000/C000",
                    "https://hooks.slack.com/services/T000/secret",
                ],
            )],
        ),
        (
            "discord",
            json!({"url": "https://discord.com/api/webhooks/12345/ab-C_d"}),
            vec![(
                "url",
                vec![
                    "https://discord.com/channels/1/2",
                    "https://discordapp.com/api/webhooks/12345",
                    "https://ptb.discord.com/api/webhooks/12345/abc/slack",
                    "https://discord.com./api/webhooks/x/abc",
                ],
            )],
        ),
        (
            "googlechat",
            json!({"url": "https://chat.googleapis.com/v1/spaces/AAA-b_c/messages?key=k&token=t%3D"}),
            vec![(
                "url",
                vec![
                    "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k",
                    "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k&token=",
                    "https://chat.googleapis.com/v1/spaces/AAA?key=k&token=t",
                ],
            )],
        ),
        (
            "teams",
            json!({"url": "https://prod-00.westeurope.logic.azure.com:443/workflows/ab/triggers/manual/paths/invoke?sp=%2Ft&sig=s"}),
            vec![(
                "url",
                vec![
                    "https://prod-00.westeurope.logic.azure.com/workflows/ab?sp=x",
                    "https://prod-00.westeurope.logic.azure.com/?sig=s",
                ],
            )],
        ),
    ]
}

#[test]
fn a_new_channel_has_settings_that_its_service_takes() {
    for (kind, good, bad) in forms_of_texts().into_iter().chain(forms_of_urls()) {
        let mut body = json!({"name": "c", "kind": kind});
        body.as_object_mut().expect("one").extend(good.as_object().expect("one").clone());
        new(body.clone());
        for (field, values) in bad {
            for value in values {
                let mut body = body.clone();
                let place = body.pointer_mut(&format!("/{}", field.replace('.', "/"))).expect(field);
                *place = json!(value);
                let errors = refused(body);
                assert_eq!(errors.len(), 1, "{kind} {value}: {errors:?}");
                let (named, why) = errors[0].split_once(' ').expect("a message");
                assert_eq!(named, field, "{kind} {value}: {why}");
                assert!(why.contains("must be ") || why.contains("query has no"), "{kind} {value}: {why}");
                assert!(value.len() < 6 || !why.contains(value), "it may be secret: {why}");
            }
        }
    }
}

#[test]
fn a_url_to_a_proxy_of_ones_own_may_have_any_form() {
    for (kind, url) in [
        ("slack", "https://discord.com/api/webhooks/12345/abc/slack"),
        ("slack", "https://notslack.com/x"),
        ("discord", "http://relay.example.com/discord"),
        ("discord", "https://canary.discord.com/api/v10/webhooks/12345/abc?thread_id=7"),
        ("googlechat", "https://relay.example.com/chat"),
        ("teams", "https://default0.00.environment.api.powerplatform.com/powerautomate/x?sig=s"),
    ] {
        new(json!({"name": "c", "kind": kind, "url": url}));
    }
}

#[test]
fn only_what_a_change_gives_must_have_the_form_that_the_service_demands() {
    let old = stored(preset("telegram", &[("token", "secret"), ("chat_id", "ops"), ("thread_id", "abc")]));
    assert_eq!(changed(json!({"name": "y"}), &old).name, "y");
    let kept = json!({"settings": {"token": "***", "chat_id": "ops", "thread_id": 7}});
    let settings = changed(kept, &old).kind;
    let settings = settings_of(&settings);
    assert_eq!((settings["token"], settings["chat_id"], settings["thread_id"]), ("secret", "ops", "7"));
    let errors = refused_change(json!({"settings": {"thread_id": "x", "chat_id": "other"}}), &old);
    let fields: Vec<&str> = errors.iter().filter_map(|error| error.split(' ').next()).collect();
    assert_eq!(fields, ["settings.chat_id", "settings.thread_id"], "{errors:?}");
    let slack = stored(preset("slack", &[("url", "https://app.slack.com/client/a")]));
    assert_eq!(
        changed(json!({"url": "https://app.slack.com/***", "default": true}), &slack).kind,
        slack.kind
    );
}

#[test]
fn a_channel_of_an_unknown_preset_can_be_renamed_and_no_more() {
    let strange = stored(preset("of_a_later_version", &[("token", "x")]));
    assert_eq!(changed(json!({"name": "y", "state": "ok"}), &strange).kind, strange.kind);
    let errors = refused_change(json!({"settings": {"token": "y"}}), &strange);
    assert!(errors[0].starts_with("settings this server does not know"), "{errors:?}");
}

#[test]
fn a_user_and_a_password_in_a_url_become_a_secret_header() {
    let made = new(json!({"name": "w", "kind": "webhook", "url": "https://o%40ps:s3cret@example.com/hook"}));
    let ChannelKind::Webhook(webhook) = made.kind else { panic!("a webhook") };
    assert_eq!(webhook.url.expose(), "https://example.com/hook");
    let expected = format!("Basic {}", STANDARD.encode("o@ps:s3cret"));
    assert_eq!(webhook.headers["authorization"].expose(), expected);
    let both = json!({"name": "w", "kind": "webhook", "url": "https://ops:s3cret@example.com/",
        "headers": {"Authorization": "Bearer x"}});
    let errors = refused(both);
    assert!(errors[0].starts_with("url has a user or a password") && errors.len() == 1, "{errors:?}");
    let token = json!({"name": "n", "kind": "ntfy", "url": "https://ops:s3cret@ntfy.example/",
        "settings": {"topic": "t", "token": "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"}});
    let errors = refused(token);
    assert!(errors[0].starts_with("url it has a user or a password") && errors.len() == 1, "{errors:?}");
}

#[test]
fn a_channel_has_the_time_zone_of_the_installation_unless_it_names_one() {
    let email = || json!({"name": "mail", "kind": "email", "to": ["a@example.com"]});
    assert_eq!(new(email()).timezone, None);
    let named = |zone: Value| {
        let mut body = email();
        body["timezone"] = zone;
        body
    };
    assert_eq!(new(named(json!("Europe/Berlin"))).timezone.as_deref(), Some("Europe/Berlin"));
    for wrong in [json!("Mars/Olympus"), json!(""), json!(1)] {
        let errors = refused(named(wrong));
        assert!(matches!(errors.as_slice(), [one] if one.starts_with("timezone ")), "{errors:?}");
    }
    let kind = ChannelKind::Email(Email { to: vec!["a@example.com".to_owned()] });
    let old = Channel { timezone: Some("Asia/Kolkata".to_owned()), ..samples::channel(kind) };
    for (change, zone) in [
        (json!({"name": "m"}), Some("Asia/Kolkata")),
        (json!({"timezone": "UTC"}), Some("UTC")),
        (json!({"timezone": null}), None),
    ] {
        assert_eq!(changed(change, &old).timezone.as_deref(), zone);
    }
}
