//! What holds for every container of the compose files.

use std::path::Path;

use crate::programs::yaml;

const FILES: [&str; 2] = ["docker-compose.yml", "docker-compose.ha.yml"];

#[test]
fn no_container_leaves_a_core_or_takes_what_processes_and_files_it_likes() {
    for file in FILES {
        // The reader of YAML has merged what a service takes over (`<<`).
        let documents = yaml(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
        let services = documents[0]["services"].as_object().expect("services");
        let mut looked_at = 0;
        for (name, service) in services {
            // The second file only changes some services of the first.
            if file != FILES[0] && service["image"].is_null() {
                continue;
            }
            looked_at += 1;
            let ulimits = &service["ulimits"];
            assert_eq!(ulimits["core"], 0, "{file}: {name}");
            assert!(
                ulimits["nofile"]["hard"].as_u64().is_some_and(|files| (16_640..=20_000).contains(&files)),
                "{file}: {name}"
            );
            assert!(service["pids_limit"].is_u64(), "{file}: {name}");
        }
        assert!(looked_at >= 4, "{file}: {looked_at}");
    }
}
