//! The delivery that a person names by its id, or by the beginning of it.

use anyhow::bail;
use model::ids::DeliveryId;
use serde::Deserialize;

use super::super::api::Api;

/// The most deliveries that are searched; the server keeps about as many.
const SEARCHED: usize = 20_000;

#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
}

/// The id of the delivery.
///
/// # Errors
/// No id or several begin so, or the server could not be asked.
pub(super) async fn id_of(api: &Api, wanted: &str) -> anyhow::Result<String> {
    if wanted.parse::<DeliveryId>().is_ok() || !is_beginning(wanted) {
        return Ok(wanted.to_owned());
    }
    let listing = api.list(&["deliveries"], &[], SEARCHED).await?;
    let mut found = Vec::new();
    for item in &listing.items {
        let Listed { id } = api.view(item)?;
        if id.starts_with(&wanted.to_ascii_lowercase()) {
            found.push(id);
        }
    }
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => bail!("there is no delivery whose id begins with {wanted}: see `lubdub deliveries list`"),
        several => bail!(
            "{} deliveries have an id that begins with {wanted}: say which one\n  {}",
            several.len(),
            several.join("\n  ")
        ),
    }
}

/// Whether an id may begin so.
fn is_beginning(text: &str) -> bool {
    !text.is_empty() && text.len() < 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
