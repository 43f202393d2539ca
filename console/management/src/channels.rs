//! Changes of channels.

mod test;

use std::sync::Arc;

use model::channel::{Channel, ChannelKind, Secret};
use model::ids::ChannelId;

use sending::template::{self, CheckError, TemplateError};

use crate::app::App;
use crate::draft::channel::{ChangedChannel, ChannelDraft, NewChannel};
use crate::mint;
use crate::names;
use crate::precondition::Precondition;
use crate::reach;
use crate::records::{Records, Stored, WRITE_TRIES};
use crate::refusal::Refusal;

impl App {
    /// The stored channels.
    pub fn channels(&self) -> Records<Channel> {
        Records::new(&self.ports.registry)
    }

    /// Makes a channel. It is a default channel unless the request says otherwise.
    ///
    /// # Errors
    /// A field is refused, the name is to be its own and is taken, or the registry cannot be reached.
    pub async fn create_channel(self: &Arc<Self>, draft: ChannelDraft) -> Result<Stored<Channel>, Refusal> {
        let draft = self.tried(draft, None).await?;
        let own_name = draft.own_name();
        let new = draft.into_new(&mint::webhook_secret()).map_err(Refusal::fields)?;
        let Some(name) = own_name else { return self.store_channel(new).await };
        let app = Arc::clone(self);
        let make = move |_| async move {
            names::check_is_free(&app.channels(), |channel: &Channel| channel.name == name).await?;
            app.store_channel(new).await
        };
        self.in_turn(None, make).await
    }

    async fn store_channel(&self, new: NewChannel) -> Result<Stored<Channel>, Refusal> {
        let channel = Channel {
            id: ChannelId::from_uuid(self.ids.next(self.ports.clock.as_ref())),
            name: new.name,
            kind: new.kind,
            default: new.default.unwrap_or(true),
            state: new.state,
            state_detail: None,
            failing_since: None,
            timezone: new.timezone,
            created_at: self.ports.clock.now(),
        };
        self.channels().create(channel.id, channel).await
    }

    /// Changes a channel: only the fields that are given. Answers the secret that the change made, if it made
    /// one.
    ///
    /// # Errors
    /// A field is refused, or the record cannot be changed.
    pub async fn change_channel(
        &self,
        id: ChannelId,
        precondition: &Precondition,
        draft: ChannelDraft,
    ) -> Result<(Stored<Channel>, Option<Secret>), Refusal> {
        let (fresh, now) = (mint::webhook_secret(), self.ports.clock.now());
        let channels = self.channels();
        for _ in 0..WRITE_TRIES {
            let old = channels.load(id).await?;
            precondition.check(old.revision)?;
            let draft = self.tried(draft.clone(), Some(&old.value.kind)).await?;
            let ChangedChannel { channel, made_secret } =
                draft.onto(&old.value, now, &fresh).map_err(Refusal::fields)?;
            if channel == old.value {
                return Ok((old, None));
            }
            if let Some(stored) = channels.replace(id, old.revision, channel).await? {
                return Ok((stored, made_secret));
            }
        }
        Err(Refusal::contended())
    }

    /// The draft, with what is wrong with the URLs and the template of the channel that it leads to.
    async fn tried(
        &self,
        mut draft: ChannelDraft,
        old: Option<&ChannelKind>,
    ) -> Result<ChannelDraft, Refusal> {
        for (field, url) in draft.urls(old) {
            if let Some(refusal) = reach::refusal(&self.guard, &url).await {
                draft.refuse(field, refusal);
            }
        }
        if let Some((template, escape)) = draft.template(old) {
            match template::check(&template, escape).await {
                Ok(()) => {}
                Err(CheckError::Source(TemplateError::NoRoom)) => {
                    return Err(Refusal::unavailable("there is no room to try the template just now"));
                }
                Err(error) => draft.refuse("template", error.to_string()),
            }
        }
        Ok(draft)
    }
}
