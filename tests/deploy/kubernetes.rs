//! The manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::programs::{deploy, kubectl, kubernetes_validate, run, secrets, variables, yaml};

const BUILT: [&str; 2] = ["base", "overlays/example"];

/// `LUBDUB_DRAIN_DELAY` of the base, seconds.
const DRAIN_DELAY: u64 = 5;

/// The roles that run for good.
const NODES: [&str; 4] = ["ingest", "scheduler", "notifier", "console"];

/// Builds a folder with kustomize.
fn build(folder: &str) -> (TempDir, PathBuf) {
    let (output, said) = run(kubectl().arg("kustomize").arg(deploy("kubernetes").join(folder)));
    assert!(output.status.success(), "{said}");
    // kubectl warns of deprecated fields there.
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("built.yaml");
    std::fs::write(&file, output.stdout).expect("write it");
    (home, file)
}

/// The objects of a folder.
fn objects(folder: &str) -> Vec<Value> {
    let (_home, file) = build(folder);
    yaml(&file)
}

fn of_kind<'o>(objects: &'o [Value], kind: &str) -> Vec<&'o Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("a name")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Pairs of a map of strings.
fn pairs(value: &Value) -> BTreeMap<&str, &str> {
    let map = value.as_object().into_iter().flatten();
    map.map(|(name, value)| (name.as_str(), value.as_str().expect("a string"))).collect()
}

/// The deployments and the job, each with its role and the description of its pods.
fn workloads(objects: &[Value]) -> Vec<(String, &Value)> {
    let kinds = ["Deployment", "Job"];
    let found = objects.iter().filter(|object| kinds.iter().any(|kind| object["kind"] == *kind));
    found
        .map(|object| {
            let role = name(object).strip_prefix("lubdub-").expect("it is named after its role").to_owned();
            (role, &object["spec"]["template"])
        })
        .collect()
}

#[test]
fn kustomize_builds_what_the_schemas_of_kubernetes_take() {
    for folder in BUILT {
        let (_home, file) = build(folder);
        let said = run(kubernetes_validate().args(["--strict", "--no-warn"]).arg(&file));
        assert!(said.0.status.success(), "{folder}: {}", said.1);
        let passed = said.1.lines().filter(|line| line.contains(" passed for ")).count();
        assert_eq!(passed, yaml(&file).len(), "every object was looked at: {}", said.1);
    }
}

#[test]
fn every_role_has_a_workload_and_selectors_find_its_pods() {
    for folder in BUILT {
        let objects = objects(folder);
        let roles: BTreeSet<String> = workloads(&objects).into_iter().map(|(role, _)| role).collect();
        assert_eq!(roles, NODES.into_iter().chain(["init"]).map(str::to_owned).collect(), "{folder}");
        let pods: Vec<(String, BTreeMap<&str, &str>)> = workloads(&objects)
            .into_iter()
            .map(|(role, template)| (role, pairs(&template["metadata"]["labels"])))
            .collect();
        let chosen = |selector: &Value| -> BTreeSet<&str> {
            let wanted = pairs(selector);
            assert!(!wanted.is_empty(), "a selector that chooses everything");
            let found = pods
                .iter()
                .filter(|(_, labels)| wanted.iter().all(|(label, value)| labels.get(label) == Some(value)));
            found.map(|(role, _)| role.as_str()).collect()
        };
        for object in &objects {
            let selector = match object["kind"].as_str().expect("a kind") {
                "Service" => &object["spec"]["selector"],
                "Deployment" | "PodDisruptionBudget" => &object["spec"]["selector"]["matchLabels"],
                "NetworkPolicy" if name(object) != "lubdub" => &object["spec"]["podSelector"]["matchLabels"],
                _ => continue,
            };
            let role = name(object).strip_prefix("lubdub-").expect("it is named after a role");
            assert_eq!(chosen(selector), BTreeSet::from([role]), "{folder}: {}", name(object));
        }
        for scaler in of_kind(&objects, "HorizontalPodAutoscaler") {
            let target = scaler["spec"]["scaleTargetRef"]["name"].as_str().expect("a target");
            let deployments = of_kind(&objects, "Deployment");
            let scaled =
                deployments.iter().find(|deployment| name(deployment) == target).expect("it is there");
            assert!(scaled["spec"]["replicas"].is_null(), "an apply must not undo what the autoscaler did");
        }
        for path in of_kind(&objects, "Ingress").iter().flat_map(|ingress| {
            list(&ingress["spec"]["rules"]).iter().flat_map(|rule| list(&rule["http"]["paths"]))
        }) {
            let service = path["backend"]["service"]["name"].as_str().expect("a service");
            assert!(of_kind(&objects, "Service").iter().any(|object| name(object) == service), "{service}");
        }
    }
}

#[test]
fn pods_set_what_their_role_reads_and_mount_what_lubdub_secrets_makes_for_it() {
    for folder in BUILT {
        let objects = objects(folder);
        let settings = of_kind(&objects, "ConfigMap");
        let [settings] = settings.as_slice() else { panic!("{folder}: one map of settings") };
        let mut known_to_any = BTreeSet::new();
        for (role, template) in workloads(&objects) {
            let known = variables(&role);
            let [container] = list(&template["spec"]["containers"]) else { panic!("one container") };
            assert_eq!(list(&container["args"]), [Value::from(role.as_str())], "{folder}");
            assert_eq!(container["envFrom"][0]["configMapRef"]["name"], name(settings), "{folder}: {role}");
            let mut files = BTreeSet::new();
            for variable in list(&container["env"]) {
                let variable_name = variable["name"].as_str().expect("a name");
                assert!(known.contains(variable_name), "lubdub {role} knows nothing of {variable_name}");
                let file = variable["value"].as_str().and_then(|value| value.strip_prefix("/secrets/"));
                files.extend(file.map(str::to_owned));
            }
            assert_eq!(files, secrets(&role), "{folder}: {role}");
            let [volume] = list(&template["spec"]["volumes"]) else { panic!("one volume") };
            assert_eq!(volume["secret"]["secretName"], format!("lubdub-{role}"), "{folder}");
            assert_eq!(container["volumeMounts"][0]["mountPath"], "/secrets", "{folder}: {role}");
            assert_eq!(container["volumeMounts"][0]["name"], volume["name"], "{folder}: {role}");
            known_to_any.extend(known);
        }
        for variable in pairs(&settings["data"]).keys() {
            assert!(known_to_any.contains(*variable), "{folder}: no role knows {variable}");
        }
    }
}

#[test]
fn pods_have_no_rights_and_are_restarted_for_nothing_but_a_standstill() {
    for folder in BUILT {
        let objects = objects(folder);
        for (role, template) in workloads(&objects) {
            let pod = &template["spec"];
            let container = &pod["containers"][0];
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{role}");
            assert_eq!(pod["securityContext"]["runAsUser"], 65_532, "{role}");
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{role}");
            assert_eq!(pod["automountServiceAccountToken"], false, "{role}");
            let rights = &container["securityContext"];
            assert_eq!(rights["readOnlyRootFilesystem"], true, "{role}");
            assert_eq!(rights["allowPrivilegeEscalation"], false, "{role}");
            assert_eq!(rights["capabilities"]["drop"], Value::from(vec!["ALL"]), "{role}");
            assert!(container["resources"]["requests"]["cpu"].is_string(), "{role}");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{role}");
            if !NODES.contains(&role.as_str()) {
                continue;
            }
            // A role that waits for NATS or Redis is not ready, and must be left alone.
            let path = |probe: &str| container[probe]["httpGet"]["path"].as_str().expect("a path").to_owned();
            assert_eq!(path("livenessProbe"), "/healthz", "{role}");
            assert_eq!(path("startupProbe"), "/healthz", "{role}");
            assert_eq!(path("readinessProbe"), "/readyz", "{role}");
            let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("a grace");
            assert!(grace >= DRAIN_DELAY + 15, "{role} has no time to drain");
        }
    }
}

#[test]
fn the_example_names_its_image_in_every_pod_and_its_namespace_in_every_object() {
    let example = objects("overlays/example");
    let images: BTreeSet<&str> = workloads(&example)
        .iter()
        .map(|(_, template)| template["spec"]["containers"][0]["image"].as_str().expect("an image"))
        .collect();
    assert_eq!(images, BTreeSet::from(["registry.example.com/lubdub:0.1.0"]));
    for object in example.iter().filter(|object| object["kind"] != "Namespace") {
        assert_eq!(object["metadata"]["namespace"], "lubdub", "{}", name(object));
    }
    // Objects of the base have no namespace, so that an overlay can choose it.
    for object in objects("base") {
        assert!(object["metadata"]["namespace"].is_null(), "{}", name(&object));
    }
}
