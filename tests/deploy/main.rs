//! The files of `deploy/` for Prometheus, Grafana, systemd and Kubernetes: whether these programs accept
//! them, and whether they name things that Lubdub has.

mod compose;
mod exposition;
mod expressions;
mod grafana;
mod kubernetes;
mod programs;
mod prometheus;
mod systemd;
