//! Webhooks a second, from pushes that say down and up again to one fast receiver.

use crate::report::{Report, count, seconds};
use crate::scene::Scene;
use crate::sections::Size;

pub(crate) async fn measure<S: Scene>(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(10_000, 500);
    let scene = S::start(monitors, 1).await?;
    let columns = ["said", "webhooks", "pushed in", "last webhook after", "webhooks/s"];
    let mut report =
        Report::new(format!("{} flips to one receiver, by {}", count(monitors as f64), S::WHERE), &columns);
    for status in ["down", "up", "down"] {
        let told = scene.told(status, 1).await?;
        report.row([
            status.to_owned(),
            count(told.number as f64),
            seconds(told.pushed_in),
            seconds(told.after),
            count(told.rate),
        ]);
    }
    report.print();
    scene.stop()
}
