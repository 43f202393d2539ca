//! Changes of API keys.

use std::sync::Arc;

use model::channel::Secret;
use model::ids::KeyId;
use model::key::{ApiKey, Scope};
use ports::registry::{RecordKey, RecordKind};
use ports::turns::Turn;

use crate::admin_key;
use crate::app::App;
use crate::draft::key::KeyDraft;
use crate::in_turn;
use crate::mint;
use crate::names;
use crate::records::Records;
use crate::refusal::Refusal;

impl App {
    /// The stored API keys.
    pub fn keys(&self) -> Records<ApiKey> {
        Records::new(&self.ports.registry)
    }

    /// Makes a key. The key itself is answered here and stored nowhere.
    ///
    /// # Errors
    /// The name is to be its own and is taken, or the registry cannot be reached.
    pub async fn create_key(self: &Arc<Self>, new: KeyDraft) -> Result<(ApiKey, Secret), Refusal> {
        let Some(name) = new.own_name.clone() else { return self.store_key(new).await };
        let app = Arc::clone(self);
        let make = move |_| async move {
            names::check_is_free(&app.keys(), |key: &ApiKey| key.name == name).await?;
            app.store_key(new).await
        };
        self.in_turn(None, make).await
    }

    async fn store_key(&self, new: KeyDraft) -> Result<(ApiKey, Secret), Refusal> {
        let secret = mint::api_key();
        let key = ApiKey {
            id: KeyId::from_uuid(self.ids.next(self.ports.clock.as_ref())),
            name: new.name,
            scope: new.scope,
            hash: mint::hash(secret.expose()).to_vec(),
            created_at: self.ports.clock.now(),
        };
        let stored = self.keys().create(key.id, key).await?;
        tracing::info!(key.id = %stored.value.id, "made an API key");
        Ok((stored.value, secret))
    }

    /// Deletes a key: it stops working at once.
    ///
    /// # Errors
    /// If there is no such key, it is the last admin key, another client changes it meanwhile, or the
    /// registry cannot be reached.
    pub async fn delete_key(self: &Arc<Self>, id: KeyId) -> Result<(), Refusal> {
        let app = Arc::clone(self);
        let delete = move |turn: Arc<Turn>| async move { app.delete_unless_last(&turn, id).await };
        self.in_turn(Some(RecordKey::new(RecordKind::Key, id)), delete).await?;
        tracing::info!(key.id = %id, "deleted an API key");
        Ok(())
    }

    async fn delete_unless_last(&self, turn: &Turn, id: KeyId) -> Result<(), Refusal> {
        let keys = self.keys();
        // Read before the check, so that a key that is changed afterwards is not deleted unchecked.
        let revision = keys.revision(id).await?;
        in_turn::check(turn).await?;
        let all = admin_key::keys(self.ports.registry.as_ref()).await?;
        let is_other_admin = |key: &ApiKey| key.scope == Scope::Admin && key.id != id;
        if !all.iter().any(|(_, key)| is_other_admin(key)) && keys.load(id).await?.value.scope == Scope::Admin
        {
            return Err(Refusal::conflict("it is the last admin key; make another one first"));
        }
        keys.delete_at(id, revision).await
    }
}
