//! The dashboard.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::programs::{deploy, promtool, read, succeeds};

/// The panels of the dashboard.
fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&read(&deploy("grafana/lubdub.json"))).expect("JSON");
    dashboard["panels"].as_array().expect("panels").clone()
}

fn targets(panel: &Value) -> &[Value] {
    panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Its expressions, with what Grafana fills in filled in.
pub(crate) fn expressions() -> Vec<String> {
    let panels = panels();
    let targets = panels.iter().flat_map(targets);
    targets
        .map(|target| target["expr"].as_str().expect("an expression").replace("$__rate_interval", "2m"))
        .collect()
}

#[test]
fn its_expressions_are_valid() {
    let expressions = expressions();
    assert!(expressions.len() > 40, "they are where this test looks");
    // promtool checks rules, and JSON is YAML.
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    for (index, expression) in expressions.iter().enumerate() {
        assert!(!expression.contains('$'), "a variable that this test does not know: {expression}");
        let expression = Value::from(expression.as_str());
        writeln!(rules, "      - {{record: panel:{index}, expr: {expression}}}").expect("a string takes all");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dashboard.yml");
    std::fs::write(&file, rules).expect("write it");
    succeeds(promtool().args(["check", "rules"]).arg(file));
}

#[test]
fn its_panels_have_a_place_each_and_ask_the_chosen_server() {
    let panels = panels();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "ids are given once");
    let mut taken = BTreeSet::new();
    for panel in &panels {
        let title = panel["title"].as_str().expect("a title");
        let at = |side: &str| panel["gridPos"][side].as_u64().expect("a place");
        assert!(at("x") + at("w") <= 24, "{title} is beyond the edge");
        for cell in
            (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
        {
            assert!(taken.insert(cell), "{title} covers another panel");
        }
        let is_row = panel["type"] == "row";
        assert_eq!(targets(panel).is_empty(), is_row, "{title}");
        for asked in targets(panel).iter().chain((!is_row).then_some(panel)) {
            assert_eq!(asked["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}
