//! What is in `deploy/` for Prometheus, Grafana, systemd and Kubernetes: whether its readers take it, and
//! whether it speaks of things that Lubdub has.

mod exposition;
mod expressions;
mod grafana;
mod kubernetes;
mod programs;
mod prometheus;
mod systemd;
