//! Random patterns that come true.

/// Numbers by a seed, by SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) % u64::from(limit)).expect("it is below the limit")
    }

    fn between(&mut self, first: u32, last: u32) -> u32 {
        first + self.below(last - first + 1)
    }
}

/// One part of a list.
fn part(random: &mut Random, first: u32, last: u32, names: &[&str]) -> String {
    let value = random.between(first, last);
    let end = random.between(value, last);
    let step = random.between(1, (last - first).min(12));
    match random.below(8) {
        0 => format!("{value}-{end}"),
        // cronsim takes 3-3/4 for 3/4; Debian's cron does not.
        1 if end > value => format!("{value}-{end}/{step}"),
        2 => format!("{value}/{step}"),
        3 if !names.is_empty() => {
            names[random.below(u32::try_from(names.len()).expect("few")) as usize].to_owned()
        }
        _ => value.to_string(),
    }
}

fn field(random: &mut Random, first: u32, last: u32, stars: u32, names: &[&str]) -> String {
    if random.below(100) < stars {
        let step = random.between(2, (last - first).min(12));
        return if random.below(3) == 0 { format!("*/{step}") } else { "*".to_owned() };
    }
    let parts = if random.below(3) == 0 { random.between(2, 4) } else { 1 };
    (0..parts).map(|_| part(random, first, last, names)).collect::<Vec<_>>().join(",")
}

/// Five fields; no star begins minute or hour if the job is to go by the clock only. Days are taken from
/// those that every month has, so that times do not lie years away.
pub(crate) fn pattern(random: &mut Random, clock_only: bool) -> String {
    const MONTHS: [&str; 3] = ["jan", "MAR", "Oct"];
    const DAYS: [&str; 4] = ["sun", "MON", "mon-fri", "Sat"];
    let minute = field(random, 0, 59, if clock_only { 0 } else { 25 }, &[]);
    // Clocks change in the first hours of a day.
    let last = if random.below(2) == 0 { 4 } else { 23 };
    let hour = field(random, 0, last, if clock_only { 0 } else { 30 }, &[]);
    let day = field(random, 1, 28, 75, &[]);
    let month = field(random, 1, 12, 85, &MONTHS);
    let weekday = field(random, 0, 7, 60, &DAYS);
    let blank = if random.below(10) == 0 { "\t" } else { " " };
    [minute, hour, day, month, weekday].join(blank)
}
