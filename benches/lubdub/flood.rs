//! The messages that a channel that gathers gets when very many monitors go down at once.

use crate::report::{Report, count, seconds};
use crate::scene::Scene;
use crate::sections::Size;

pub(crate) async fn measure<S: Scene>(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(10_000, 500);
    let scene = S::gathering(monitors).await?;
    let told = scene.gathered().await?;
    let title = format!("{} flips to a channel that gathers, by {}", count(monitors as f64), S::WHERE);
    let mut report = Report::new(title, &["flips told of", "messages", "pushed in", "last message after"]);
    report.row([
        count(told.flips as f64),
        told.messages.to_string(),
        seconds(told.pushed_in),
        seconds(told.after),
    ]);
    report.print();
    scene.stop()
}
