//! The OpenAPI document, as tools that read such documents see it.

use std::process::Command;

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
