//! Webhooks a second of nine channels out of ten, while the tenth answers and while it hangs.

use crate::aims::{Figure, measured};
use crate::report::{Report, count, seconds};
use crate::scene::Scene;
use crate::sections::Size;

const CHANNELS: usize = 10;
/// Each on an installation of its own: a channel that hung has much to catch up on.
const RUNS: usize = 3;

pub(crate) async fn measure<S: Scene>(size: Size) -> anyhow::Result<()> {
    let monitors = size.pick(10_000, 500);
    let columns = ["run", "the tenth", "webhooks of nine", "last webhook after", "webhooks/s", "ratio"];
    let title =
        format!("{} flips to ten receivers, one of which hangs, by {}", count(monitors as f64), S::WHERE);
    let mut report = Report::new(title, &columns);
    for run in 1..=RUNS {
        let scene = S::start(monitors, CHANNELS).await?;
        // This is not measured: work that is done only once is done here.
        scene.told("down", CHANNELS).await?;
        let all = scene.told("up", CHANNELS - 1).await?;
        // The tenth may have some left; it is to have nothing to do but hang.
        scene.listeners().until_last_has(2 * monitors / CHANNELS).await?;
        scene.listeners().hang_last();
        let nine = scene.told("down", CHANNELS - 1).await?;
        measured(Figure::WhileOneHangs, nine.rate / all.rate);
        for (what, told, ratio) in
            [("answers", all, String::new()), ("hangs", nine, format!("{:.2}", nine.rate / all.rate))]
        {
            report.row([
                run.to_string(),
                what.to_owned(),
                count(told.number as f64),
                seconds(told.after),
                count(told.rate),
                ratio,
            ]);
        }
        scene.stop()?;
    }
    report.print();
    Ok(())
}
