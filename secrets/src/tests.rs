use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use model::time::EventTime;
use ports::clock::ManualClock;
use tempfile::TempDir;

use super::*;

/// 2026-11-22T10:00:00Z
const TODAY: EventTime = EventTime::from_micros(1_795_341_600_000_000);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Ten years from `TODAY`, with their leap days.
const TEN_YEARS: u32 = 3_653;

fn in_folder(folder: &Path) -> Secrets {
    Secrets {
        folder: folder.to_owned(),
        nats_hosts: vec!["nats".to_owned(), "10.1.2.3".to_owned()],
        redis_hosts: vec!["redis".to_owned()],
        prefix: "lubdub".to_owned(),
        changed: Vec::new(),
        retire: false,
    }
}

/// The report.
#[track_caller]
fn write(secrets: &Secrets, now: EventTime) -> String {
    let mut folders = Folders::open(&secrets.folder).expect("open");
    secrets.write(&mut folders, &ManualClock::new(now)).expect("write");
    folders.told()
}

fn after(days: u32) -> EventTime {
    TODAY + DAY * days
}

/// The files by their names.
fn files(folder: &TempDir) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for inner in fs::read_dir(folder.path()).expect("a folder").flatten() {
        for file in fs::read_dir(inner.path()).expect("a folder").flatten() {
            let name = format!("{}/{}", inner.file_name().display(), file.file_name().display());
            files.insert(name, fs::read(file.path()).expect("a file"));
        }
    }
    files
}

/// The names of what differs.
fn changed(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    assert!(before.keys().eq(after.keys()));
    after.iter().filter(|(name, bytes)| before[*name] != **bytes).map(|(name, _)| name.clone()).collect()
}

#[test]
fn doing_it_again_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = in_folder(folder.path());
    let told = write(&secrets, TODAY);
    assert!(told.lines().all(|line| line.starts_with("made ")), "{told}");
    let made = files(&folder);
    assert_eq!(told.lines().count(), made.len(), "{told}");
    let kept = format!("kept     {} files\n", made.len());
    assert_eq!(write(&secrets, after(400)), kept);
    assert_eq!(changed(&made, &files(&folder)), Vec::<String>::new());
}

#[test]
fn nobody_else_can_read_what_is_made_and_nothing_of_it_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = write(&in_folder(folder.path()), TODAY);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    for (name, bytes) in files(&folder) {
        let path = folder.path().join(&name);
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700), "{name}");
        for line in String::from_utf8(bytes).expect("text").lines() {
            assert!(!told.contains(line), "{name} was told");
        }
    }
}

#[test]
fn folders_that_are_there_stay_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let volume = folder.path().join("ingest");
    fs::create_dir(&volume).expect("a folder");
    fs::set_permissions(&volume, fs::Permissions::from_mode(0o755)).expect("it is ours");
    write(&in_folder(folder.path()), TODAY);
    assert_eq!(fs::metadata(&volume).expect("it is there").permissions().mode() & 0o777, 0o755);
    assert!(volume.join("nats.nk").is_file());
}

#[test]
fn certificates_are_renewed_before_they_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = in_folder(folder.path());
    write(&secrets, TODAY);
    let made = files(&folder);
    write(&secrets, after(TEN_YEARS - 92));
    assert_eq!(changed(&made, &files(&folder)), Vec::<String>::new(), "there is time yet");
    write(&secrets, after(TEN_YEARS - 89));
    let renewed = files(&folder);
    assert!(
        changed(&made, &renewed).iter().all(|name| name.ends_with("/ca.pem") || name.ends_with("/cert.pem"))
    );
    // The authority's, its seven copies, and those of the two servers.
    assert_eq!(changed(&made, &renewed).len(), 10);
    let trusted: Vec<_> = renewed.iter().filter(|(name, _)| name.ends_with("/ca.pem")).collect();
    assert!(trusted.windows(2).all(|pair| pair[0].1 == pair[1].1));
}

#[test]
fn a_certificate_is_renewed_when_it_lacks_a_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = in_folder(folder.path());
    write(&secrets, TODAY);
    let made = files(&folder);
    let fewer = Secrets { nats_hosts: vec!["nats".to_owned()], ..in_folder(folder.path()) };
    write(&fewer, after(1));
    assert_eq!(changed(&made, &files(&folder)), Vec::<String>::new());
    let other = Secrets { nats_hosts: vec!["nats".to_owned(), "nats-2".to_owned()], ..secrets };
    write(&other, after(1));
    assert_eq!(changed(&made, &files(&folder)), ["nats/cert.pem"]);
}

#[test]
fn with_another_authority_everything_is_certified_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = in_folder(folder.path());
    write(&secrets, TODAY);
    let made = files(&folder);
    fs::remove_file(folder.path().join("authority/ca-key.pem")).expect("it is there");
    write(&secrets, TODAY);
    let changed = changed(&made, &files(&folder));
    assert!(changed.contains(&"authority/ca.pem".to_owned()), "{changed:?}");
    assert!(changed.contains(&"nats/cert.pem".to_owned()) && changed.contains(&"redis/cert.pem".to_owned()));
    assert!(
        !changed.iter().any(|name| name.ends_with("nats.nk") || name.ends_with("/key.pem")),
        "{changed:?}"
    );
}

#[test]
fn a_damaged_file_is_named_and_stays() {
    for (file, text) in [("ingest/nats.nk", "SUA"), ("console/redis-password", "\n"), ("nats/key.pem", "")] {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = in_folder(folder.path());
        write(&secrets, TODAY);
        fs::write(folder.path().join(file), text).expect("write");
        let mut folders = Folders::open(folder.path()).expect("open");
        let refused = secrets.write(&mut folders, &ManualClock::new(TODAY)).expect_err("it is damaged");
        assert!(format!("{refused:#}").contains(file), "{refused:#}");
        assert_eq!(fs::read_to_string(folder.path().join(file)).expect("it is there"), text);
    }
}

#[test]
fn what_is_no_host_and_no_prefix_is_refused() {
    let folder = Path::new("secrets");
    for host in ["", "a b", "*", "nats:4222", "nats/x"] {
        let secrets = Secrets { nats_hosts: vec![host.to_owned()], ..in_folder(folder) };
        let refused = secrets.validate().expect_err("it is no host");
        assert!(format!("{refused:#}").contains("--nats-host"), "{refused:#}");
    }
    let dotted = Secrets { prefix: "a.b".to_owned(), ..in_folder(folder) };
    assert!(dotted.validate().is_err());
    in_folder(folder).validate().expect("good");
}

fn changing(folder: &Path, names: &[&str]) -> Secrets {
    let changed = names.iter().map(|name| name.parse().expect("a name")).collect();
    Secrets { changed, ..in_folder(folder) }
}

fn text(folder: &TempDir, file: &str) -> String {
    fs::read_to_string(folder.path().join(file)).expect("it is there")
}

/// The line of a user in an ACL file.
fn user(acl: &str, name: &str) -> String {
    acl.lines().find(|line| line.starts_with(&format!("user {name} "))).expect("there is one").to_owned()
}

#[test]
fn a_changed_role_has_two_keys_and_passwords_until_the_former_are_retired() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&in_folder(folder.path()), TODAY);
    let made = files(&folder);
    let keys = || text(&folder, "nats/users.conf").matches("nkey: ").count();
    let hashes = || user(&text(&folder, "redis/users.acl"), "scheduler").matches('#').count();
    assert_eq!((keys(), hashes()), (5, 1));
    let former = user(&text(&folder, "redis/users.acl"), "scheduler");

    let told = write(&changing(folder.path(), &["scheduler"]), TODAY);
    for file in ["scheduler/nats.nk", "scheduler/redis-password", "nats/users.conf", "redis/users.acl"] {
        assert!(told.contains(&format!("changed  {file}\n")), "{told}");
    }
    assert_eq!((keys(), hashes()), (6, 2));
    let seed = String::from_utf8(made["scheduler/nats.nk"].clone()).expect("text");
    assert_ne!(text(&folder, "scheduler/nats.nk"), seed);
    assert!(!text(&folder, "authority/former").contains(seed.trim()), "no secret is kept twice");

    let both = files(&folder);
    write(&in_folder(folder.path()), TODAY);
    assert_eq!(changed(&both, &files(&folder)), Vec::<String>::new(), "both stay valid");
    let mut folders = Folders::open(folder.path()).expect("open");
    for again in ["scheduler", "all"] {
        let again = changing(folder.path(), &[again]);
        let refused = again.write(&mut folders, &ManualClock::new(TODAY)).expect_err("it is pending");
        assert!(refused.to_string().contains("change scheduler: it was changed already"), "{refused}");
        assert!(refused.to_string().contains("lubdub secrets FOLDER --retire"), "{refused}");
    }
    assert_eq!(changed(&both, &files(&folder)), Vec::<String>::new());

    write(&Secrets { retire: true, ..in_folder(folder.path()) }, TODAY);
    assert_eq!((keys(), hashes()), (5, 1));
    assert_ne!(user(&text(&folder, "redis/users.acl"), "scheduler"), former);
    assert!(!folder.path().join("authority/former").exists());
    write(&changing(folder.path(), &["all"]), TODAY);
    assert_eq!(keys(), 10, "another change can begin");
}

#[test]
fn a_changed_authority_is_trusted_beside_the_former_one_and_certifies_once_that_is_retired() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&in_folder(folder.path()), TODAY);
    let (former, certified) = (text(&folder, "ingest/ca.pem"), text(&folder, "nats/cert.pem"));
    write(&changing(folder.path(), &["authority"]), TODAY);
    let both = text(&folder, "ingest/ca.pem");
    assert!(both.starts_with(&former) && both.len() > former.len());
    assert_eq!(text(&folder, "nats/ca.pem"), both);
    assert_eq!(text(&folder, "nats/cert.pem"), certified, "a node that has not the new one yet trusts it");
    let mut folders = Folders::open(folder.path()).expect("open");
    let again = changing(folder.path(), &["authority"]);
    let refused = again.write(&mut folders, &ManualClock::new(TODAY)).expect_err("it is pending");
    assert!(refused.to_string().contains("--retire"), "{refused}");
    write(&Secrets { retire: true, ..in_folder(folder.path()) }, TODAY);
    let present = text(&folder, "ingest/ca.pem");
    assert_eq!(both, format!("{former}{present}"));
    assert_ne!(text(&folder, "nats/cert.pem"), certified);
    let kept = write(&in_folder(folder.path()), TODAY);
    assert!(kept.starts_with("kept ") && kept.lines().count() == 1, "{kept}");
}
