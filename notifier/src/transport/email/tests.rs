//! The content of mails and the outcomes of sending, without a mail server.

use std::time::Duration;

use doubles::samples;
use model::channel::{Channel, ChannelKind};
use model::delivery::DeliveryTask;
use model::flip::{Alert, Flip, Reason, State};
use model::ids::{AlertId, MonitorId};
use model::notice::{Brief, Digest, Group, MonitorLabel, Notice};
use uuid::Uuid;

use super::*;
use crate::message::Facts;
use crate::sample::{at, down, facts, telling};

fn channel(to: &[&str]) -> Channel {
    let kind = ChannelKind::Email(Email { to: to.iter().map(|&to| to.to_owned()).collect() });
    Channel { name: "night <watch>".to_owned(), ..samples::channel(kind) }
}

fn up() -> Flip {
    let down = down();
    let span = Duration::from_secs(3_600);
    let at = down.at + span;
    Flip {
        id: AlertId::derive(down.monitor, at, "up"),
        from: State::Down,
        to: State::Up,
        reason: Reason::Recovered,
        at,
        down_for: Some(span),
        ..down
    }
}

fn task(notice: impl Into<Notice>, name: &str) -> DeliveryTask {
    let notice = notice.into();
    let channel = channel(&[]).id;
    DeliveryTask {
        id: DeliveryId::derive(notice.id(), channel),
        channel,
        created_at: at("2026-11-22T10:00:07.120Z"),
        monitor: notice.monitor().map(|_| MonitorLabel {
            name: name.to_owned(),
            tags: vec!["prod".to_owned()],
            ..MonitorLabel::default()
        }),
        notice,
        redriven: false,
        attempts: 0,
        sent_to: vec![],
        at_desk: false,
        folded_into: None,
    }
}

fn request(task: &DeliveryTask, to: &[&str]) -> EmailRequest {
    request_with(task, to, &Facts::default())
}

fn request_with(task: &DeliveryTask, to: &[&str], facts: &Facts) -> EmailRequest {
    let channel = channel(to);
    let ChannelKind::Email(email) = &channel.kind else { unreachable!() };
    EmailRequest::new(&telling(task, &channel, facts), email)
}

#[test]
fn a_down_mail_reads_well_as_text_and_as_html() {
    let reported = Flip { reason: Reason::Reported, message: Some("disk full".to_owned()), ..down() };
    let task = task(Alert::Flip(reported), "nightly backup");
    let mail = request_with(&task, &["a@example.net"], &facts()).mail;
    assert_eq!(mail.subject, "DOWN: nightly backup");
    assert_eq!(
        mail.text,
        "DOWN: nightly backup\n\n\
         It said: disk full\n\
         Down since: 2026-11-22 10:00:05 UTC\n\
         Last heartbeat: 2026-11-22 09:58:59 UTC\n\
         Schedule: at 02:30 from Monday to Friday, Europe/Berlin, 1 h of grace\n\
         What to do:\n| Look at /var/log/backup.log.\n| If the disk is full, ring Ann: 0123 456.\n\
         Tags: prod\n\
         Last lines of its output:\n| copying /srv\n| error: No space left on device (os error 28)\n\n\
         -- \n\
         Lubdub sent this to channel night <watch>.\n"
    );
    let html = mail.html.expect("there is HTML");
    for part in [
        "<title>DOWN: nightly backup</title>",
        "background:#b42318;color:#ffffff;",
        ">DOWN: nightly backup</h1>",
        ">disk full</div>",
        ">Down since</td>",
        ">2026-11-22 10:00:05 UTC</td></tr>",
        ">Look at /var/log/backup.log.\nIf the disk is full, ring Ann: 0123 456.</div>",
        ">copying /srv\nerror: No space left on device (os error 28)</div>",
        "@media (prefers-color-scheme:dark)",
        "Lubdub sent this to channel night &lt;watch&gt;.</p>",
    ] {
        assert!(html.contains(part), "{part} is not in\n{html}");
    }
    for outside in ["<img", "http", "<script", "<link", "url("] {
        assert!(!html.contains(outside), "{outside} is in\n{html}");
    }
}

#[test]
fn what_a_monitor_is_called_and_says_is_text_only() {
    let evil = "<script>alert('x')</script> & \"q\" <img src=x>";
    let flip = Flip { reason: Reason::Reported, message: Some(format!("{evil}\n\n- {evil}")), ..down() };
    let all = Some(evil.to_owned());
    let facts = Facts { description: all.clone(), schedule: all.clone(), output: all, heard_at: None };
    let mail = request_with(&task(Alert::Flip(flip), evil), &["a@example.net"], &facts).mail;
    let html = mail.html.expect("there is HTML");
    let text = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;q&quot; &lt;img src=x&gt;";
    assert_eq!(html.matches(text).count(), 7, "{html}");
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
}

#[test]
fn a_digest_is_a_list_for_each_group() {
    let brief = |name: &str| Brief {
        monitor: MonitorId::from_uuid(Uuid::from_u128(7)),
        name: name.to_owned(),
        since: Some(down().at),
        until: None,
        message: None,
        flips: 1,
    };
    let group =
        |count, names: &[&str]| Group { count, first: names.iter().map(|name| brief(name)).collect() };
    let digest = Digest {
        id: AlertId::from_uuid(Uuid::from_u128(5)),
        from: down().at,
        to: down().at + Duration::from_secs(30),
        count: 31,
        down: group(30, &["a", "b"]),
        up: group(1, &["c"]),
        still_down: group(0, &[]),
        flapping: group(0, &[]),
        flips: vec![],
    };
    let mail = request(&task(Notice::Digest(Box::new(digest)), ""), &["a@example.net"]).mail;
    assert_eq!((mail.subject.as_str(), mail.thread), ("Monitors: 30 down, 1 up", None));
    let html = mail.html.expect("there is HTML");
    let since = "down since 2026-11-22 10:00:05 UTC";
    let items: Vec<&str> = html.split("<li style=\"margin:0 0 4px\">").skip(1).collect();
    let items: Vec<&str> = items.iter().filter_map(|item| item.split("</li>").next()).collect();
    assert_eq!(
        items,
        [&format!("a, {since}"), &format!("b, {since}"), "and 28 more", &format!("c, {since}")]
    );
    let heads: Vec<usize> =
        [">Down (30):</p>", ">Up again (1):</p>"].map(|head| html.find(head).expect(head)).into();
    assert!(heads.is_sorted(), "{html}");
}

#[test]
fn mails_of_an_incident_are_one_thread() {
    let to = ["a@example.net"];
    let down_mail = request(&task(Alert::Flip(down()), "backup"), &to).mail;
    let up_mail = request(&task(Alert::Flip(up()), "backup"), &to).mail;
    let reminder =
        Alert::Reminder { id: AlertId::from_uuid(Uuid::from_u128(3)), number: 1, at: up().at, down: down() };
    let reminder = request(&task(reminder, "backup"), &to).mail;
    assert_eq!(down_mail.thread, None);
    assert_eq!((up_mail.thread, reminder.thread), (Some(down_mail.id), Some(down_mail.id)));
    assert!(down_mail.id != up_mail.id && reminder.id != down_mail.id);
    assert_eq!(down_mail.date, at("2026-11-22T10:00:07.120Z"));
}

#[test]
fn severities_have_their_colours() {
    let colour = |alert: Alert| {
        let html = request(&task(alert, "backup"), &["a@example.net"]).mail.html.expect("there is HTML");
        html.split("<h1 ").nth(1).and_then(|rest| rest.split("background:").nth(1)).expect("a colour")[..7]
            .to_owned()
    };
    let test = Alert::Test { id: down().id, channel: channel(&[]).id, at: down().at };
    assert_eq!([Alert::Flip(down()), Alert::Flip(up()), test].map(colour), ["#b42318", "#1a7f37", "#0b5cad"]);
}

#[test]
fn each_address_is_sent_to_once_and_those_that_have_it_not_again() {
    let had =
        DeliveryTask { sent_to: vec!["b@example.net".to_owned()], ..task(Alert::Flip(down()), "backup") };
    let request = request(&had, &["a@example.net", "b@example.net", "a@example.net", "c@example.net"]);
    assert_eq!((request.to, request.had), (vec!["a@example.net".to_owned(), "c@example.net".to_owned()], 1));
}

fn accepted() -> Result<AcceptedMail, MailError> {
    Ok(AcceptedMail { code: 250, text: "OK".to_owned() })
}

fn refused(code: u16) -> Result<AcceptedMail, MailError> {
    Err(MailError::Refused { code, text: "no".to_owned() })
}

fn outcome(
    outcomes: Vec<Result<AcceptedMail, MailError>>,
    had: usize,
) -> (Option<u16>, Option<(String, bool)>, Vec<String>) {
    let to: Vec<String> = ["a", "b", "c"].iter().take(outcomes.len()).map(|&to| to.to_owned()).collect();
    let answer = summary(&to, outcomes, had);
    let failure = answer.failure.map(|failure| (failure.to_string(), failure.is_permanent()));
    (answer.status, failure, answer.sent_to)
}

#[test]
fn a_delivery_is_permanently_refused_when_no_address_is_left_to_try() {
    let failed = |text: &str, permanent| Some((text.to_owned(), permanent));
    let limit = Duration::from_secs(15);
    for (outcomes, had, status, failure) in [
        (vec![accepted(), accepted()], 0, Some(250), None),
        (vec![], 2, None, None),
        (vec![refused(550)], 0, Some(550), failed("a: 550 no", true)),
        (vec![refused(451)], 0, Some(451), failed("a: 451 no", false)),
        (vec![accepted(), refused(550)], 0, Some(550), failed("1 of 2 accepted; b: 550 no", true)),
        (
            vec![refused(550), accepted(), refused(451)],
            0,
            Some(451),
            failed("1 of 3 accepted; c: 451 no; a: 550 no", false),
        ),
        (vec![refused(550), refused(550)], 1, Some(550), failed("1 of 3 accepted; a, b: 550 no", true)),
        (
            vec![refused(550), Err(MailError::TimedOut(limit))],
            0,
            Some(550),
            failed("0 of 2 accepted; a: 550 no; b: the mail server did not take it within 15 s", false),
        ),
    ] {
        let reached = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let (found_status, found_failure, sent_to) = outcome(outcomes, had);
        assert_eq!((found_status, found_failure, sent_to.len()), (status, failure, reached));
    }
}

#[test]
fn a_summary_is_not_endless() {
    let long = || Err(MailError::Refused { code: 550, text: "x".repeat(300) });
    let to: Vec<String> = (0..20).map(|n| format!("{n}{}@example.net", "a".repeat(240))).collect();
    let answer = summary(&to, to.iter().map(|_| long()).collect(), 0);
    assert!(answer.body.expect("there were answers").len() <= KEPT_BYTES);
    assert!(answer.failure.expect("it failed").to_string().len() <= KEPT_BYTES);
}
