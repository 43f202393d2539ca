//! Changes of monitors, in an order in which a crash at any point leaves nothing half done for good: claim
//! the token, write the registry record, append the definition to the log.

use std::sync::Arc;

use model::chain::Chain;
use model::ids::{ChannelId, MonitorId, Revision};
use model::monitor::{Monitor, OldToken, Token};
use ports::registry::{RecordKey, RecordKind};

use crate::app::App;
use crate::draft::monitor::{MonitorDraft, NewMonitor};
use crate::mint;
use crate::precondition::Precondition;
use crate::records::{Changed, Records, Stored};
use crate::refusal::Refusal;
use crate::tokens::{self, Claimed};

/// Rotated tokens that are kept.
const MAX_OLD_TOKENS: usize = 5;

impl App {
    /// The stored monitors.
    pub fn monitors(&self) -> Records<Monitor> {
        Records::new(&self.ports.registry)
    }

    /// A monitor as the registry has it now.
    ///
    /// # Errors
    /// `NotFound` if there is no such monitor; or the record cannot be read.
    pub async fn load_monitor(&self, id: MonitorId) -> Result<Stored<Monitor>, Refusal> {
        self.monitors().load(id).await
    }

    /// 404 unless there is such a monitor.
    pub async fn require_monitor(&self, id: MonitorId) -> Result<(), Refusal> {
        if self.directory.monitor_exists(id) {
            return Ok(());
        }
        // Another console may have made it a moment ago.
        self.load_monitor(id).await.map(|_| ())
    }

    /// The channels that a monitor's alerts go to.
    pub fn channels_of(&self, monitor: &Monitor) -> Vec<ChannelId> {
        self.channels_among(monitor, &self.directory.default_channels())
    }

    /// As [`Self::channels_of`], where `defaults` are the default channels.
    ///
    /// A deleted channel stays in the records of monitors that named it, and nowhere else: ids are never used
    /// again.
    pub fn channels_among(&self, monitor: &Monitor, defaults: &[ChannelId]) -> Vec<ChannelId> {
        match &monitor.channels {
            None => defaults.to_vec(),
            Some(named) => named.iter().copied().filter(|id| self.directory.channel_exists(*id)).collect(),
        }
    }

    /// Says which of the named channels do not exist.
    pub(crate) async fn check_channels(&self, draft: &mut MonitorDraft) -> Result<(), Refusal> {
        let unknown: Vec<ChannelId> = draft
            .named_channels()
            .iter()
            .copied()
            .filter(|channel| !self.directory.channel_exists(*channel))
            .collect();
        for channel in unknown {
            if self.ports.registry.get(&RecordKey::new(RecordKind::Channel, channel)).await?.is_none() {
                draft.refuse_channel(channel);
            }
        }
        Ok(())
    }

    /// Makes a monitor. When it returns, every ready node of this process knows the token. If the log cannot
    /// be reached now the monitor is there all the same, and its owner finds it in the registry.
    ///
    /// # Errors
    /// A field is refused, the token is taken, so is a name that is to be its own, or the registry cannot be
    /// reached.
    pub async fn create_monitor(
        self: &Arc<Self>,
        mut draft: MonitorDraft,
    ) -> Result<Stored<Monitor>, Refusal> {
        self.check_channels(&mut draft).await?;
        let stored = if draft.named_parent().is_some() || draft.own_name().is_some() {
            self.store_in_turn(draft).await?
        } else {
            self.store_monitor(draft.into_new().map_err(Refusal::fields)?).await?
        };
        let Monitor { id, created_at, definition, .. } = &stored.value;
        let definition = Some(definition.clone());
        if let Err(error) = self.definitions.append(*id, stored.revision, *created_at, definition).await {
            // A client that is told 503 would make it twice.
            tracing::warn!(error = %Chain(&error), monitor.id = %id, "a new monitor waits for the log");
        }
        Ok(stored)
    }

    /// Claims the token of a new monitor and writes its record.
    pub(crate) async fn store_monitor(&self, new: NewMonitor) -> Result<Stored<Monitor>, Refusal> {
        let id = MonitorId::from_uuid(self.ids.next(self.ports.clock.as_ref()));
        let token = new.token.unwrap_or_else(mint::token);
        match tokens::claim(self.ports.registry.as_ref(), self.ports.clock.as_ref(), &token, id).await? {
            Claimed::Yes => {}
            Claimed::Taken => return Err(Refusal::conflict("this token is taken; choose another one")),
        }
        let now = self.ports.clock.now();
        let monitor = Monitor {
            id,
            name: new.name,
            description: new.description,
            tags: new.tags,
            definition: new.definition,
            own_grace: Some(new.own_grace),
            interval: new.interval,
            channels: new.channels,
            parent: new.parent,
            token,
            old_tokens: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        self.monitors().create(id, monitor).await
    }

    /// Changes a monitor by `change`, which may be asked several times. A change that changes nothing writes
    /// nothing.
    pub async fn change_monitor(
        &self,
        id: MonitorId,
        precondition: &Precondition,
        change: impl Fn(&Monitor) -> Result<Monitor, Refusal> + Send + Sync,
    ) -> Result<Stored<Monitor>, Refusal> {
        let change = |old: &Monitor| Ok(self.dated(old, change(old)?));
        let changed = self.monitors().change(id, precondition, change).await?;
        self.record_definition(changed).await
    }

    /// A monitor that is to take the place of `old`, with the time of the change if it is one.
    pub(crate) fn dated(&self, old: &Monitor, changed: Monitor) -> Monitor {
        let updated_at = if changed == *old { old.updated_at } else { self.ports.clock.now() };
        Monitor { updated_at, ..changed }
    }

    /// Appends the definition of a changed monitor to the log, if it is another one.
    pub(crate) async fn record_definition(
        &self,
        Changed { before, after }: Changed<Monitor>,
    ) -> Result<Stored<Monitor>, Refusal> {
        if after.value.definition != before.value.definition {
            let (id, definition) = (after.value.id, Some(after.value.definition.clone()));
            self.definitions.append(id, after.revision, after.value.updated_at, definition).await?;
        }
        Ok(after)
    }

    /// Gives a monitor a new token. After `overlap` seconds no other works, of earlier rotations neither.
    pub async fn rotate_token(
        &self,
        id: MonitorId,
        precondition: &Precondition,
        overlap: u32,
    ) -> Result<Stored<Monitor>, Refusal> {
        let before = self.load_monitor(id).await?;
        precondition.check(before.revision)?;
        let token = mint::token();
        match tokens::claim(self.ports.registry.as_ref(), self.ports.clock.as_ref(), &token, id).await? {
            Claimed::Yes => {}
            Claimed::Taken => return Err(Refusal::unavailable("no new token could be made; try again")),
        }
        let rotated =
            self.change_monitor(id, precondition, |old| Ok(self.with_token(old, &token, overlap))).await;
        match rotated {
            Ok(held) => {
                let gone = self.tokens_lost(&before.value, &held.value);
                tokens::release(&self.ports.registry, gone, id).await;
                Ok(held)
            }
            Err(refusal) => {
                let now = self.ports.clock.now();
                let held = self.load_monitor(id).await;
                if held.is_ok_and(|held| !tokens::holds(&held.value, token.expose(), now)) {
                    tokens::release(&self.ports.registry, vec![token], id).await;
                }
                Err(refusal)
            }
        }
    }

    fn tokens_lost(&self, before: &Monitor, after: &Monitor) -> Vec<Token> {
        let now = self.ports.clock.now();
        known_tokens(before).filter(|token| !tokens::holds(after, token.expose(), now)).cloned().collect()
    }

    fn with_token(&self, old: &Monitor, token: &Token, overlap: u32) -> Monitor {
        let now = self.ports.clock.now();
        let expires_at = now + std::time::Duration::from_secs(overlap.into());
        let mut old_tokens = old.old_tokens.clone();
        old_tokens.push(OldToken { token: old.token.clone(), expires_at });
        // Otherwise a token with a long overlap that became known could not be ended but by deleting the
        // monitor.
        for old in &mut old_tokens {
            old.expires_at = old.expires_at.min(expires_at);
        }
        old_tokens.retain(|old| old.expires_at > now);
        let surplus = old_tokens.len().saturating_sub(MAX_OLD_TOKENS);
        old_tokens.drain(..surplus);
        Monitor { token: token.clone(), old_tokens, ..old.clone() }
    }

    /// Deletes a monitor, with its tokens.
    pub async fn delete_monitor(&self, id: MonitorId, precondition: &Precondition) -> Result<(), Refusal> {
        let (revision, monitor) = self.monitors().delete(id, precondition).await?;
        // Claims of a monitor that cannot be read are replaced when another monitor wants them.
        if let Some(monitor) = monitor {
            tokens::release(&self.ports.registry, known_tokens(&monitor).cloned().collect(), id).await;
        }
        // `revision` was the record's last one, so any greater one is newer.
        let newer = Revision(revision.0.saturating_add(1));
        self.definitions.append(id, newer, self.ports.clock.now(), None).await?;
        Ok(())
    }
}

fn known_tokens(monitor: &Monitor) -> impl Iterator<Item = &Token> {
    std::iter::once(&monitor.token).chain(monitor.old_tokens.iter().map(|old| &old.token))
}
