//! The alerts, their cases, and the examples of a configuration.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::exposition;
use crate::expressions::{grouping_labels, selectors};
use crate::grafana;
use crate::programs::{deploy, promtool, read, succeeds, yaml};

/// Metrics that Prometheus makes.
const OF_OTHERS: [&str; 3] = ["up", "scrape_duration_seconds", "ALERTS"];

/// Metrics that roles in a cluster show and a process that is everything does not, with their labels.
const OF_CLUSTERS: [(&str, &str); 2] =
    [("lubdub_connected", "server"), ("lubdub_installation_info", "installation")];

/// Labels that a target has.
const OF_TARGETS: [&str; 2] = ["job", "instance"];

fn rules() -> Vec<Value> {
    let file = yaml(&deploy("prometheus/lubdub.rules.yml"));
    let groups = file[0]["groups"].as_array().expect("groups").iter();
    groups.flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} of {value}"))
}

#[test]
fn the_rules_are_valid_and_their_cases_hold() {
    let folder = deploy("prometheus");
    succeeds(promtool().current_dir(&folder).args(["check", "rules", "lubdub.rules.yml"]));
    succeeds(promtool().current_dir(&folder).args(["test", "rules", "lubdub.rules.test.yml"]));
}

#[test]
fn every_alert_has_a_case_in_which_it_fires() {
    let cases = yaml(&deploy("prometheus/lubdub.rules.test.yml"));
    let tests = cases[0]["tests"].as_array().expect("tests").iter();
    let expected = tests.flat_map(|test| test["promql_expr_test"].as_array().expect("expressions"));
    let samples = expected.flat_map(|case| case["exp_samples"].as_array().expect("samples"));
    let fired: Vec<&str> = samples.map(|sample| text(sample, "labels")).collect();
    for rule in rules().iter().filter(|rule| rule["alert"].is_string()) {
        let name = format!("alertname=\"{}\"", text(rule, "alert"));
        assert!(fired.iter().any(|labels| labels.contains(&name)), "no case has {name} fire");
    }
}

#[test]
fn every_alert_says_how_bad_it_is_and_the_guide_says_what_to_do() {
    let guide = read(&deploy("../docs/cluster.md"));
    let (_, when) = guide.split_once("## What to do when").expect("the chapter");
    let paragraphs: Vec<&str> = when.split("\n\n").map(str::trim_start).collect();
    for rule in rules().iter().filter(|rule| rule["alert"].is_string()) {
        let name = text(rule, "alert");
        let severity = text(&rule["labels"], "severity");
        assert!(["critical", "warning"].contains(&severity), "{name}: {severity}");
        let annotations = &rule["annotations"];
        assert!(text(annotations, "summary").len() < 120, "{name}");
        assert!(text(annotations, "description").len() > 60, "{name}");
        let runbook = text(annotations, "runbook");
        let when = runbook.strip_prefix("docs/cluster.md, \"What to do when\": ");
        let when = when.unwrap_or_else(|| panic!("{name}: {runbook}"));
        let told = paragraphs.iter().any(|paragraph| {
            paragraph.to_lowercase().starts_with(&format!("**{}", when.to_lowercase()))
                && paragraph.contains(name)
        });
        assert!(told, "docs/cluster.md has no paragraph on {when:?} that names {name}");
    }
}

#[test]
fn the_examples_of_a_configuration_are_valid_and_name_the_jobs_of_the_rules() {
    succeeds(promtool().current_dir(deploy("prometheus")).args(["check", "config", "prometheus.yml"]));

    // Debian's promtool knows nothing of Kubernetes, so that its discovery is replaced by another one.
    let folder = tempfile::tempdir().expect("a folder");
    let text_of = read(&deploy("prometheus/kubernetes.yml"));
    let discovery = "kubernetes_sd_configs: [{role: pod, namespaces: {names: [lubdub]}}]";
    assert!(text_of.contains(discovery));
    let other = text_of.replace(discovery, "static_configs: [{targets: ['127.0.0.1:8080']}]");
    std::fs::write(folder.path().join("prometheus.yml"), other).expect("write it");
    std::fs::copy(deploy("prometheus/lubdub.rules.yml"), folder.path().join("lubdub.rules.yml"))
        .expect("copy");
    succeeds(promtool().current_dir(folder.path()).args(["check", "config", "prometheus.yml"]));

    let configuration = yaml(&deploy("prometheus/prometheus.yml"));
    let jobs = configuration[0]["scrape_configs"].as_array().expect("jobs").iter();
    let mut jobs: BTreeSet<&str> = jobs.map(|job| text(job, "job_name")).collect();
    // The file names this job in a comment.
    jobs.insert("lubdub");
    for rule in &rules() {
        for (name, pattern) in selectors(text(rule, "expr")).into_values().flatten() {
            let plain = name == "job" && !pattern.contains('~') && !pattern.contains('(');
            assert!(!plain || jobs.contains(pattern.as_str()), "no job is called {pattern}");
        }
    }
}

#[test]
fn the_rules_and_the_dashboard_speak_of_metrics_that_there_are() {
    let mut shown = exposition::metrics();
    for (metric, label) in OF_CLUSTERS {
        shown.entry(metric.to_owned()).or_default().insert(label.to_owned());
    }
    let rules = rules();
    let recorded: BTreeSet<&str> = rules.iter().filter_map(|rule| rule["record"].as_str()).collect();
    let mut used: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    let mut expressions: Vec<String> = rules.iter().map(|rule| text(rule, "expr").to_owned()).collect();
    expressions.extend(grafana::expressions());
    let mut labels: BTreeSet<String> = OF_TARGETS.map(str::to_owned).into();
    labels.extend(shown.values().flatten().cloned());
    for expression in &expressions {
        for (metric, asked) in selectors(expression) {
            used.entry(metric).or_default().extend(asked);
        }
        let unknown: Vec<_> =
            grouping_labels(expression).into_iter().filter(|label| !labels.contains(label)).collect();
        assert!(unknown.is_empty(), "nothing has the labels {unknown:?} of {expression}");
    }
    let results = read(&deploy("../notifier/src/metrics.rs"));
    for (metric, asked) in &used {
        if OF_OTHERS.contains(&metric.as_str()) || recorded.contains(metric.as_str()) {
            continue;
        }
        let Some(has) = shown.get(metric) else {
            panic!("Lubdub does not show {metric}; it shows {shown:#?}")
        };
        for (label, pattern) in asked {
            assert!(
                has.contains(label) || OF_TARGETS.contains(&label.as_str()),
                "{metric} has no label {label}"
            );
            for result in pattern.split('|').filter(|_| label == "result") {
                assert!(results.contains(&format!("    {result},\n")), "{metric} has no result {result}");
            }
        }
    }
    // A metric that no rule and no dashboard uses should not be exported.
    let families = |name: &String| {
        let name =
            ["_sum", "_count", "_bucket"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        name.to_owned()
    };
    let used: BTreeSet<String> = used.keys().map(families).collect();
    let unused: BTreeSet<String> = shown.keys().map(families).filter(|name| !used.contains(name)).collect();
    assert_eq!(unused, BTreeSet::new(), "neither an alert nor the dashboard shows these");
}
