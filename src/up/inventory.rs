//! What an installation has, for the line that tells of its start.

use std::fmt;

use model::channel::{Channel, ChannelKind};
use model::wire;
use ports::registry::{Record, RecordKind, Registry, RegistryError};

/// Records that are read at once.
const PAGE: usize = 1_000;

/// How many there are of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Inventory {
    pub(super) monitors: usize,
    pub(super) channels: usize,
    pub(super) mail_channels: usize,
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted =
            |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        write!(f, "{}, {}", counted(self.monitors, "monitor"), counted(self.channels, "channel"))
    }
}

impl Inventory {
    /// # Errors
    /// The registry cannot be read.
    pub(super) async fn of(registry: &dyn Registry) -> Result<Self, RegistryError> {
        let mut found = Self::default();
        look_through(registry, RecordKind::Monitor, |_| found.monitors += 1).await?;
        look_through(registry, RecordKind::Channel, |record| {
            found.channels += 1;
            let channel = wire::decode::<Channel>(&record.value);
            found.mail_channels += usize::from(channel.is_ok_and(|channel| is_mail(&channel.kind)));
        })
        .await?;
        Ok(found)
    }
}

const fn is_mail(kind: &ChannelKind) -> bool {
    match kind {
        ChannelKind::Email(_) => true,
        ChannelKind::Webhook(_) | ChannelKind::Preset(_) => false,
    }
}

async fn look_through(
    registry: &dyn Registry,
    kind: RecordKind,
    mut look: impl FnMut(&Record),
) -> Result<(), RegistryError> {
    let mut after: Option<String> = None;
    loop {
        let page = registry.list(kind, after.as_deref(), PAGE).await?;
        page.iter().for_each(&mut look);
        match page.into_iter().last() {
            Some(last) => after = Some(last.key.id),
            None => return Ok(()),
        }
    }
}
