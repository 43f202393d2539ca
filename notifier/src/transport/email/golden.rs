//! Exactly how mails look: `golden/NAME.html` and `golden/NAME.txt`, the two parts of each.
//!
//! This test writes them if `LUBDUB_WRITE_GOLDEN` is set. Open the pages in a browser, narrow and wide, on a
//! light and on a dark screen, before you commit them.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use model::flip::{Alert, Flip, Reason, State};
use model::ids::{AlertId, MonitorId};
use model::notice::{Brief, Dependents, Digest, Group, MonitorLabel, Notice};
use uuid::Uuid;

use super::*;
use crate::message::Facts;
use crate::sample::{channel, down, facts, task};

fn reported() -> Flip {
    let message = Some("backup failed after 3 tries".to_owned());
    Flip { reason: Reason::Reported, message, value: Some(97.5), deadline: None, silent_for: None, ..down() }
}

/// An output with long lines, an address without a blank and a traceback.
fn long_facts() -> Facts {
    let output = "\
2026-11-22T10:00:01Z INFO  backup: copying /srv/postgres/base/16384/2619 to s3://backups.example.com/nightly/2026-11-22/base/16384/2619.zst\n\
Traceback (most recent call last):\n  File \"/opt/backup/run.py\", line 118, in <module>\n    main(sys.argv[1:])\n\
OSError: [Errno 28] No space left on device: '/mnt/spool/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'";
    Facts { output: Some(output.to_owned()), ..facts() }
}

fn digest() -> Digest {
    let brief = |(number, name): (u128, &str)| Brief {
        monitor: MonitorId::from_uuid(Uuid::from_u128(number)),
        name: name.to_owned(),
        since: Some(down().at),
        until: None,
        message: Some("no heartbeat for 1 min 6 s".to_owned()),
        flips: 1,
    };
    let group =
        |count, names: &[&str]| Group { count, first: (1..).zip(names.iter().copied()).map(brief).collect() };
    let mut up = group(1, &["router-berlin-basement-2"]);
    up.first.iter_mut().for_each(|one| one.until = Some(down().at + Duration::from_secs(246)));
    Digest {
        id: AlertId::from_uuid(Uuid::from_u128(5)),
        from: down().at,
        to: down().at + Duration::from_secs(780),
        count: 31,
        down: group(
            30,
            &[
                "web2",
                "web10",
                "a-monitor-with-a-name-that-is-rather-long-and-has-no-blank-in-it-at-all-up-to-the-limit-of-100-chars",
            ],
        ),
        up,
        still_down: group(1, &["mail"]),
        flapping: group(1, &["dsl"]),
        flips: vec![],
    }
}

fn mails() -> Vec<(&'static str, Notice, Facts)> {
    let up = Flip {
        from: State::Down,
        to: State::Up,
        reason: Reason::Recovered,
        at: down().at + Duration::from_secs(246),
        message: Some("OK".to_owned()),
        down_for: Some(Duration::from_secs(246)),
        ..down()
    };
    let reminded_at = down().at + Duration::from_secs(780);
    let reminder = Alert::Reminder {
        id: AlertId::from_uuid(Uuid::from_u128(3)),
        number: 1,
        at: reminded_at,
        down: down(),
    };
    let test = Alert::Test { id: down().id, channel: channel().id, at: down().at };
    vec![
        ("down", Alert::Flip(down()).into(), Facts { output: None, ..facts() }),
        ("reported", Alert::Flip(reported()).into(), long_facts()),
        ("reminder", reminder.into(), Facts { output: None, ..facts() }),
        ("up", Alert::Flip(up).into(), facts()),
        ("digest", Notice::Digest(Box::new(digest())), Facts::default()),
        ("test", test.into(), Facts::default()),
    ]
}

fn made(notice: Notice, facts: &Facts) -> Mail {
    let channel = channel();
    let dependents = Dependents { down: 3, names: vec!["restore test".to_owned(), "wiki".to_owned()] };
    let label = MonitorLabel {
        name: "nightly backup of the database on db-primary-1.internal.example.com".to_owned(),
        tags: vec!["prod".to_owned(), "db".to_owned()],
        dependents,
    };
    let task = task(notice, &channel, label);
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    mail(&Telling { task: &task, channel: &channel, facts, zone: &zone })
}

#[test]
fn every_mail_is_exactly_what_its_golden_files_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/transport/email/golden");
    for (name, notice, facts) in mails() {
        let mail = made(notice, &facts);
        for (ending, found) in [("txt", mail.text), ("html", mail.html.expect("a page"))] {
            let file = folder.join(format!("{name}.{ending}"));
            if std::env::var_os("LUBDUB_WRITE_GOLDEN").is_some() {
                std::fs::create_dir_all(&folder).expect("a folder");
                std::fs::write(&file, &found).expect("written");
            }
            let expected = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(found, expected, "{}", file.display());
        }
    }
}
