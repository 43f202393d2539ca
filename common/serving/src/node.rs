//! What every node shows of itself, besides what its roles count.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use rustix::param::page_size;

use super::readiness::Readiness;

/// Shows the version of the program, whether each of its roles is ready, and the memory and files of the
/// process, from now on.
pub fn register_node(registry: &mut Registry, version: &'static str, roles: Vec<Readiness>) {
    registry.register_collector(Box::new(Node { version, roles }));
}

#[derive(Debug)]
struct Node {
    version: &'static str,
    roles: Vec<Readiness>,
}

impl Collector for Node {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let build = Family::<[(&str, &str); 1], Gauge>::default();
        build.get_or_create(&[("version", self.version)]).set(1);
        build.encode(encoder.encode_descriptor(
            "lubdub_build_info",
            "The version of the program",
            None,
            MetricType::Gauge,
        )?)?;
        let ready = Family::<[(&str, &str); 1], Gauge>::default();
        for role in &self.roles {
            ready.get_or_create(&[("role", role.role())]).set(i64::from(role.check().is_ok()));
        }
        let help = "1 while the role can do its job; /readyz says why not";
        ready.encode(encoder.encode_descriptor("lubdub_ready", help, None, MetricType::Gauge)?)?;
        let lacking = Family::<[(&str, &str); 1], Gauge>::default();
        for role in &self.roles {
            let lacks = i64::try_from(role.lacks().len()).unwrap_or(i64::MAX);
            lacking.get_or_create(&[("role", role.role())]).set(lacks);
        }
        let help = "Number of things that the role lacks although it is ready; /readyz names them";
        lacking.encode(encoder.encode_descriptor("lubdub_lacks", help, None, MetricType::Gauge)?)?;
        // Where there is no /proc, nothing is said.
        let figures = [
            ("process_resident_memory_bytes", "Memory of the process", resident_bytes()),
            ("process_open_fds", "Open files of the process", open_files()),
            ("process_max_fds", "Most files that the process may open", most_files()),
        ];
        for (name, help, figure) in figures {
            if let Some(figure) = figure {
                let gauge = ConstGauge::new(figure);
                gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
            }
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<i64> {
    // statm: pages in all, then those in memory (proc(5)).
    let pages: i64 = fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(i64::try_from(page_size()).ok()?)
}

fn open_files() -> Option<i64> {
    // The folder that is read is one of them.
    i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1)).ok()
}

fn most_files() -> Option<i64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    i64::try_from(limit.current?).ok()
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn a_node_shows_its_version_its_readiness_and_what_it_takes() {
        let (ready, starting) = (Readiness::new("ingest"), Readiness::new("console"));
        ready.set_ready();
        let mut registry = Registry::default();
        register_node(&mut registry, "1.2.3", vec![ready.clone(), starting]);
        let shown = || {
            let mut text = String::new();
            encode(&mut text, &registry).expect("text");
            text
        };
        let text = shown();
        for line in [
            "lubdub_build_info{version=\"1.2.3\"} 1",
            "lubdub_ready{role=\"ingest\"} 1",
            "lubdub_ready{role=\"console\"} 0",
            "lubdub_lacks{role=\"console\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        let figure = |name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|figure| figure.parse().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
        };
        assert!((1 << 20..1 << 32).contains(&figure("process_resident_memory_bytes")), "{text}");
        assert!((3..figure("process_max_fds")).contains(&figure("process_open_fds")), "{text}");
        ready.drain();
        ready.set_lack("mail", Some("no mail is sent".to_owned()));
        let text = shown();
        assert!(text.contains("lubdub_ready{role=\"ingest\"} 0"), "{text}");
        assert!(text.contains("lubdub_lacks{role=\"ingest\"} 1"), "{text}");
    }
}
