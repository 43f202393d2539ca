//! What is in `deploy/` for Prometheus and Grafana: whether its readers take it, and whether it speaks of things that
//! Lubdub has.

mod exposition;
mod expressions;
mod grafana;
mod programs;
mod prometheus;
