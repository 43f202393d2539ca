//! Something that is wrong, and what the operator was told of it over each way.

use std::time::Duration;

use futures_util::future::join_all;
use model::time::EventTime;

use super::board::{Board, Sight, Teller};
use super::operator::{News, Operator};
use super::turn::STAND_BY;

/// A kind of trouble.
pub(super) struct Incident {
    kind: &'static str,
    subject: &'static str,
    /// What was noticed, until it is over.
    news: Option<News>,
    lines: Vec<Line>,
}

/// How it is with a kind of trouble.
pub(super) enum State {
    /// It is there, for this long beyond the patience with it.
    Lasts(Duration, News),
    /// Nothing can be said yet.
    Unclear,
    /// It is not there.
    Over,
}

/// The time of a look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: EventTime,
    pub(super) elapsed: Duration,
}

/// A way accepted news: of the trouble at that time, or (`None`) of its end.
pub(super) type Told = (&'static str, Option<EventTime>);

/// What was told over one way.
#[derive(Default)]
struct Line {
    /// News that were accepted, until news of their end are. This scheduler tells that.
    accepted: Option<News>,
    /// News that this scheduler was to tell and that were not accepted: what was wrong may have kept them
    /// from being sent, too. They stand for all that follows them.
    owed: Option<News>,
    /// When the news of a dead scheduler were taken on.
    taken_on_at: Option<Duration>,
    /// Since when the note of a dead scheduler has stood.
    dead_since: Option<Duration>,
    /// When the note of another scheduler was last seen to stand, while the trouble lasts.
    noted_at: Option<Duration>,
}

impl Incident {
    /// None yet. `was_told` says when an earlier life of the process told over a way.
    pub(super) fn new(
        (kind, subject): (&'static str, &'static str),
        ways: &[Operator],
        was_told: impl Fn(&'static str) -> Option<EventTime>,
    ) -> Self {
        let news = |at| News::trouble(at, kind, subject, subject.to_owned());
        let lines = ways
            .iter()
            .map(|way| Line { accepted: was_told(way.name()).map(news), ..Line::default() })
            .collect();
        Self { kind, subject, news: None, lines }
    }

    pub(super) const fn kind(&self) -> &'static str {
        self.kind
    }

    pub(super) const fn subject(&self) -> &'static str {
        self.subject
    }

    /// Whether it was noticed, and is not over.
    pub(super) const fn is_noticed(&self) -> bool {
        self.news.is_some()
    }

    /// Tells the operator what is to be told, one message over each way at most. What changed.
    pub(super) async fn look(
        &mut self,
        ways: &[Operator],
        state: State,
        (board, sight): (&Board, &Sight),
        moment: Moment,
    ) -> Vec<Told> {
        let state = match state {
            State::Lasts(lasts, news) => State::Lasts(lasts, self.news.get_or_insert(news).clone()),
            State::Unclear => State::Unclear,
            State::Over => {
                self.news = None;
                State::Over
            }
        };
        let (kind, subject, state) = (self.kind, self.subject, &state);
        let looks = ways.iter().zip(&mut self.lines).map(async |(way, line)| {
            let about = format!("{kind} {}", way.name());
            let before = line.accepted.as_ref().map(News::at);
            let teller = sight.teller(&about);
            let known = |at| News::trouble(at, kind, subject, subject.to_owned());
            let desk = Desk { way, about: &about, board, sight, moment };
            if !line.leaves_to_another(&desk, teller, known).await {
                line.tell(&desk, teller, state).await;
            }
            let after = line.accepted.as_ref().map(News::at);
            (before != after).then_some((way.name(), after))
        });
        join_all(looks).await.into_iter().flatten().collect()
    }
}

/// What a line tells with.
struct Desk<'a> {
    way: &'a Operator,
    about: &'a str,
    board: &'a Board,
    sight: &'a Sight,
    moment: Moment,
}

impl Line {
    /// Whether another scheduler tells, or told and is dead. The note of a dead one is taken on in time.
    async fn leaves_to_another(
        &mut self,
        desk: &Desk<'_>,
        teller: Teller,
        known: impl Fn(EventTime) -> News,
    ) -> bool {
        let elapsed = desk.moment.elapsed;
        match teller {
            Teller::Living => {
                *self = Self { noted_at: Some(elapsed), ..Self::default() };
                true
            }
            Teller::Dead(at) if self.accepted.is_none() => {
                let since = *self.dead_since.get_or_insert(elapsed);
                let takes = desk.sight.turn.takes_on(elapsed.saturating_sub(since));
                if takes && desk.board.note(desk.sight, desk.about, at).await {
                    *self = Self { accepted: Some(known(at)), taken_on_at: Some(elapsed), ..Self::default() };
                }
                true
            }
            Teller::Me | Teller::Dead(_) | Teller::None | Teller::Unknown => {
                self.dead_since = None;
                false
            }
        }
    }

    async fn tell(&mut self, desk: &Desk<'_>, teller: Teller, state: &State) {
        let elapsed = desk.moment.elapsed;
        if teller == Teller::Me && self.accepted.is_none() {
            // The end was told, and the note could not be taken off.
            desk.board.forget(desk.sight, desk.about).await;
        }
        match state {
            State::Lasts(lasts, news) => {
                let unnoted_for = self.noted_at.map(|at| elapsed.saturating_sub(at));
                let is_due = self.owed.is_some() || desk.sight.turn.tells(*lasts, unnoted_for);
                if self.accepted.is_none() && is_due {
                    self.begin(desk, news.clone()).await;
                } else if let Some(begun) = &self.accepted
                    && teller != Teller::Me
                {
                    desk.board.note(desk.sight, desk.about, begun.at()).await;
                }
            }
            State::Unclear => {}
            State::Over => {
                self.noted_at = None;
                // The one that takes news on may meet the trouble itself only now.
                let knows = self.taken_on_at.is_none_or(|at| elapsed.saturating_sub(at) >= STAND_BY);
                if let Some(begun) = &self.accepted {
                    if knows && desk.way.tell(&begun.ended(desk.moment.now)).await {
                        *self = Self::default();
                        desk.board.forget(desk.sight, desk.about).await;
                    }
                } else if let Some(owed) = self.owed.take() {
                    // The end follows with the next look: until then the other schedulers see the note.
                    self.begin(desk, owed).await;
                }
            }
        }
    }

    /// Tells of a beginning: of the first one that was not accepted.
    async fn begin(&mut self, desk: &Desk<'_>, news: News) {
        let news = self.owed.take().unwrap_or(news);
        if desk.way.tell(&news).await {
            desk.board.note(desk.sight, desk.about, news.at()).await;
            self.accepted = Some(news);
        } else {
            self.owed = Some(news);
        }
    }
}
