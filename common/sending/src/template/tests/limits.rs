//! Everything that a template may call, with huge arguments, in a process that may take 100 MB more than it
//! has.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

/// Says to a copy of this test that it is the one with the limit.
const CHILD: &str = "LUBDUB_TEST_TEMPLATE_LIMITS";

/// For any template, its stack included.
const MEMORY: u64 = 100 * 1024 * 1024;

/// Generous: the slowest takes a few hundred milliseconds in a build without optimisation.
const TIME: Duration = Duration::from_secs(10);

/// Long texts and lists under names, as far as fuel allows.
fn with_names(expression: &str) -> String {
    let doubled = |name: &str, seed: &str, times: usize| {
        format!(
            "{{% set {name} = '{seed}' %}}{}",
            format!("{{% set {name} = {name} ~ {name} %}}").repeat(times)
        )
    };
    let needed = |name: &str| expression.contains(&format!("{name}_"));
    let mut source = String::new();
    for (name, seed, times) in [
        ("long_", "<&\"a<&\"a<&\"a<&\"a", 14),
        ("lines_", "\\n\\n\\n\\n\\n\\n\\n\\na\\na\\na\\na\\n", 14),
        ("endless_", "<<<<<<<<<<<<<<<<", 18),
    ] {
        if needed(name.trim_end_matches('_')) {
            source.push_str(&doubled(name, seed, times));
        }
    }
    format!("{source}{{% set made_ = {expression} %}}{{{{ made_|length if made_ is string else 1 }}}}")
}

fn sources() -> Vec<String> {
    let values = ["long_", "lines_", "endless_", "range(100000)", "1e308"];
    let arguments = [
        "",
        "(999999999)",
        "(long_)",
        "('a', long_)",
        "('in', long_)",
        "(999999999, true, true)",
        "(100000000000000000000000000000, 36)",
    ];
    let mut all = Vec::new();
    for value in values {
        for argument in arguments {
            all.extend(filter_names().map(|filter| format!("{value}|{filter}{argument}")));
        }
        for argument in ["(999999999)", "(long_)"] {
            all.extend(test_names().map(|test| format!("{value} is {test}{argument}")));
        }
    }
    for arguments in [
        "999999999999",
        "-9223372036854775808, 9223372036854775807",
        "9223372036854775807, -9223372036854775807, -9223372036854775807",
        "0, 9223372036854775807, 9223372036854775807",
        "-1000000000, 1000000000, 1",
        "1000000000, -1000000000, -1",
    ] {
        all.push(format!("range({arguments})|list|last"));
    }
    for test in test_names() {
        all.push(format!("range(100000)|select('{test}', long_)"));
        all.push(format!("(long_|split('a'))|select('{test}', long_)"));
    }
    all.extend(
        [
            "endless_ ~ endless_",
            "endless_[::-1] ~ endless_[::2]",
            "endless_ == endless_[::1]",
            "endless_ in endless_[1:]",
            "(long_|split(''))[::-1] == (long_|split(''))",
            "monitor.tags|tojson(1000000000)",
            "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]|tojson(8)",
            "(long_|split(''))|sort|tojson",
        ]
        .map(str::to_owned),
    );
    all.iter().map(|expression| with_names(expression)).collect()
}

/// The number in a line of `/proc/self/status`.
fn status(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the process's status");
    let line = status.lines().find(|one| one.starts_with(line)).expect(line);
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

#[test]
fn nothing_that_a_template_calls_takes_more_than_100_mb() {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program)
        .args(["--exact", "template::tests::limits::everything_within_the_limit", "--ignored", "--nocapture"])
        .env(CHILD, "1")
        // Otherwise every thread takes 64 MB of addresses for a heap of its own.
        .env("MALLOC_ARENA_MAX", "1")
        // To print one takes more memory than there is.
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the child runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().rev().take(3).collect::<Vec<_>>();
    assert!(output.status.success(), "{last:?}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{last:?}");
}

#[test]
#[ignore = "it limits the memory of its whole process: another test runs it"]
#[expect(clippy::disallowed_methods, reason = "the child knows by its environment that it is one")]
fn everything_within_the_limit() {
    assert!(std::env::var(CHILD).is_ok(), "another test runs this one");
    let sources = sources();
    assert!(sources.len() > 1_000);
    let (before, threads) = (status("VmSize:") * 1024, status("Threads:"));
    let limit = Rlimit { current: Some(before + MEMORY), ..getrlimit(Resource::As) };
    setrlimit(Resource::As, limit).expect("a limit");
    for source in &sources {
        println!("{}", &source[source.len().saturating_sub(200)..]);
        std::io::stdout().flush().expect("written");
        let began = Instant::now();
        let outcome = plain(source);
        assert!(!matches!(outcome, Err(TemplateError::Defect | TemplateError::NoRoom)), "{outcome:?}");
        assert!(began.elapsed() < TIME, "{:?}", began.elapsed());
        // The stack of the thread is given back a little later than its answer.
        while status("Threads:") > threads {
            std::thread::yield_now();
        }
    }
}
