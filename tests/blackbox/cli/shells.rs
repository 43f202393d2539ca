//! `lubdub completions` and `lubdub man`, by the programs that read what they print.

use std::process::{Command, Stdio};

use crate::harness::{Process, directory, lubdub};

fn printed(arguments: &[&str]) -> String {
    let directory = directory();
    let finished = Process::start(lubdub(directory.path()).args(arguments)).finish();
    assert_eq!(finished.status.code(), Some(0), "{arguments:?}: {finished:?}");
    finished.stdout
}

/// What bash offers after these words, the last of which is begun.
fn offered(script: &std::path::Path, words: &[&str]) -> Vec<String> {
    let line = words.join(" ");
    let array = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let last = words.len() - 1;
    let ask = format!(
        "source '{}'; COMP_WORDS=({array}); COMP_CWORD={last}; COMP_LINE='{line}'; COMP_POINT={}; \
         _lubdub lubdub '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        line.len(),
        words[last],
        words[last - 1],
    );
    let output = Command::new("bash").args(["--norc", "-c", &ask]).output().expect("bash");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let directory = directory();
    let script = directory.path().join("lubdub.bash");
    std::fs::write(&script, printed(&["completions", "bash"])).expect("written");
    for (words, expected) in [
        (&["lubdub", "mon"][..], &["monitor", "monitors"][..]),
        (&["lubdub", "monitor", "pau"], &["pause"]),
        (&["lubdub", "monitor", "create", "--if"], &["--if-missing"]),
        (&["lubdub", "monitor", "delete", "--state", "do"], &["down"]),
        (&["lubdub", "channel", "create", "sla"], &["slack"]),
        (&["lubdub", "completions", "z"], &["zsh"]),
    ] {
        assert_eq!(offered(&script, words), expected, "{words:?}");
    }
}

#[test]
fn the_other_shells_get_a_script_of_their_own() {
    let zsh = printed(&["completions", "zsh"]);
    assert!(zsh.starts_with("#compdef lubdub") && zsh.contains("rotate-token"), "{zsh}");
    let fish = printed(&["completions", "fish"]);
    assert!(fish.contains("complete -c lubdub") && fish.contains("rotate-token"), "{fish}");
    let finished = Process::start(lubdub(directory().path()).args(["completions", "tcsh"])).finish();
    assert_eq!(finished.status.code(), Some(2));
    assert!(finished.stderr.contains("bash, zsh, fish"), "{}", finished.stderr);
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let directory = directory();
    let folder = directory.path().join("share/man1");
    printed(&["man", folder.to_str().expect("a path")]);
    let names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder is made")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    for name in ["lubdub.1", "lubdub-up.1", "lubdub-monitor-create.1", "lubdub-channel-create-slack.1"] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
    for name in &names {
        let page = std::fs::read_to_string(folder.join(name)).expect("a page");
        assert!(page.contains("\n.TH ") || page.starts_with(".TH "), "{name}: {page}");
        assert!(page.contains("\n.SH NAME\n") && page.contains("\n.SH SYNOPSIS\n"), "{name}: {page}");
        assert!(!page.contains('\u{a0}'), "{name}");
    }
    let shown = rendered(&folder.join("lubdub-monitor-create.1"));
    for part in ["--timeout", "--if-missing", "lubdub monitor create heartbeat --timeout 60s"] {
        assert!(shown.contains(part), "{part} in:\n{shown}");
    }
    let page = printed(&["man"]);
    assert!(page.contains(".TH lubdub 1"), "{page}");
}

/// A page as `man` shows it, or as it is written where there is no man with a formatter.
fn rendered(page: &std::path::Path) -> String {
    let mut man = Command::new("man");
    man.arg("-l")
        .arg(page)
        .env("MANPAGER", "cat")
        .env("MANWIDTH", "200")
        .env("LC_ALL", "C")
        .stderr(Stdio::null());
    match man.output() {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        Ok(_) | Err(_) => std::fs::read_to_string(page).expect("a page").replace("\\-", "-"),
    }
}
