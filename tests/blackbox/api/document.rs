//! The OpenAPI document, as tools that read such documents see it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::KEY;
use crate::harness::{Process, python_with};
use crate::pipeline::server::Server;

const VALIDATE: &str = r#"
import json, sys, urllib.request
from openapi_spec_validator import OpenAPIV31SpecValidator
with urllib.request.urlopen(sys.argv[1], timeout=30) as answer:
    document = json.load(answer)
errors = list(OpenAPIV31SpecValidator(document).iter_errors())
for error in errors:
    print("/".join(map(str, error.absolute_path)), error.message)
names = [tag["name"] for tag in document["tags"]]
assert len(names) == len(set(names)), names
sys.exit(bool(errors))
"#;

#[test]
fn the_served_document_is_valid_openapi_3_1() {
    let server = Server::start(&[]);
    let url = format!("http://{}/api/v1/openapi.json", server.address());
    let mut python = Command::new(python_with("openapi_spec_validator"));
    let validated = Process::start(python.args(["-c", VALIDATE, &url])).finish();
    assert!(validated.status.success(), "{validated:?}");
}

/// The time that trying all operations may take on a loaded machine.
const AT_MOST: Duration = Duration::from_secs(180);

/// Schemathesis in positive and negative mode: lengths and values at their limits, and 20 random requests of
/// each operation, always the same. A tail never ends, so that operation is left out.
#[test]
fn valid_requests_are_accepted_and_invalid_ones_are_refused_as_the_document_says() {
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/blackbox/api");
    let server = Server::start(&["--push-limit", "0"]);
    let url = format!("http://{}/api/v1/openapi.json", server.address());
    let checks = [
        "not_a_server_error",
        "valid_requests_are_accepted",
        "invalid_requests_are_refused",
        "answers_are_as_described",
    ];
    let mut python = Command::new(python_with("schemathesis"));
    python
        .args(["-m", "schemathesis.cli", "run", &url])
        .args(["--header", &format!("Authorization: Bearer {KEY}")])
        .args(["--mode", "all", "--phases", "coverage,fuzzing", "--max-examples", "20", "--seed", "1"])
        .args(["--checks", &checks.join(",")])
        .args(["--exclude-path-regex", "/tail$", "--continue-on-failure", "--no-shrink"])
        .args(["--request-timeout", "30", "--warnings", "off", "--no-color"])
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", hooks)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(server.home());
    let tried = Process::start(&mut python).finish_within(AT_MOST);
    assert!(tried.status.success(), "{}{}", tried.stdout, tried.stderr);
}
