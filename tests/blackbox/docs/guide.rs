//! The guide's examples: fenced blocks with a name in a comment before them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Process, python_with};

/// The placeholder that the guide prints instead of a push URL.
const PLACEHOLDER: &str = "https://lubdub.example.com/api/push/YOUR_TOKEN";

/// Languages whose blocks are run. A block of another language is not an example.
const RUNNABLE: [&str; 5] = ["sh", "js", "python", "crontab", "ini"];

/// One example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Example {
    pub(super) language: String,
    pub(super) code: String,
}

/// Every example by its name.
pub(super) fn examples() -> BTreeMap<String, Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/push.md");
    let text = std::fs::read_to_string(&path).expect("the guide is there");
    read(&text)
}

/// The example of that name.
#[track_caller]
pub(super) fn example(name: &str) -> Example {
    examples().remove(name).unwrap_or_else(|| panic!("docs/push.md has no example named {name}"))
}

fn read(text: &str) -> BTreeMap<String, Example> {
    let mut examples = BTreeMap::new();
    let mut name = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("<!-- example: ") {
            name = rest.strip_suffix(" -->");
            assert!(name.is_some(), "an unfinished comment: {line}");
            continue;
        }
        let Some(language) = line.strip_prefix("```") else {
            assert!(name.is_none(), "no block follows the name {name:?}");
            continue;
        };
        let code: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let example = Example { language: language.to_owned(), code: code.join("\n") + "\n" };
        match name.take() {
            Some(name) => {
                assert!(RUNNABLE.contains(&language), "example {name} is in {language:?}");
                assert_eq!(examples.insert(name.to_owned(), example), None, "{name} comes twice");
            }
            None => assert!(!RUNNABLE.contains(&language), "an example without a name: {example:?}"),
        }
    }
    examples
}

impl Example {
    /// The example with a push URL of one's own and a short interval.
    pub(super) fn adapted(&self, push_url: &str) -> String {
        assert!(!push_url.contains('\''), "a plain URL");
        self.code
            .replace(PLACEHOLDER, push_url)
            .replace("INTERVAL = 60", "INTERVAL = 0.2")
            .replace("INTERVAL=60", "INTERVAL=0.2")
    }

    /// Starts it in a directory, as its reader would.
    #[track_caller]
    pub(super) fn start(&self, push_url: &str, directory: &Path, setting: &[(&str, &str)]) -> Process {
        let (file, program) = match self.language.as_str() {
            "sh" => ("example.sh", PathBuf::from("sh")),
            "js" => ("heartbeat.mjs", PathBuf::from("node")),
            "python" => ("example.py", python_with("requests")),
            other => panic!("do not know how to run {other}"),
        };
        std::fs::write(directory.join(file), self.adapted(push_url)).expect("written");
        let mut command = Command::new(program);
        command.arg(file).current_dir(directory).env("PATH", path()).envs(setting.iter().copied());
        Process::start(&mut command)
    }
}

/// The path on which the example finds the `lubdub` that is tested.
pub(super) fn path() -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_lubdub")).parent().expect("it lies in a folder");
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    format!("{}:{}", binary.display(), inherited.to_string_lossy())
}

#[test]
fn blocks_are_read_with_their_names() {
    let text = "# A\n<!-- example: a -->\n```sh\none\n\ntwo\n```\n```text\nnot run\n```\n<!-- example: b -->\n```js\nx\n```\n";
    let examples = read(text);
    assert_eq!(examples.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(examples["a"], Example { language: "sh".to_owned(), code: "one\n\ntwo\n".to_owned() });
}
