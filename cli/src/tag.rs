//! Tags by which monitors are chosen.

use std::collections::BTreeSet;

use anyhow::bail;

use super::api::Api;
use super::lookup::SEARCHED;
use super::names::kept;
use super::near::did_you_mean;
use super::view::Monitor;
use crate::bad_usage::BadUsage;

/// Reads one tag, as the server keeps it.
///
/// # Errors
/// It is empty, which would choose every monitor, or several.
pub(super) fn one(text: &str) -> Result<String, BadUsage> {
    match kept(text) {
        tag if tag.is_empty() => Err(BadUsage("a tag is not empty")),
        tag if tag.contains(',') => Err(BadUsage("one tag, which holds no comma")),
        tag => Ok(tag),
    }
}

/// Refuses a tag that no monitor has: it is mistyped more likely than meant, and an answer about no monitor
/// reads as good news.
///
/// # Errors
/// No monitor has the tag, or the server could not be asked.
pub(super) async fn check(api: &Api, tag: &str) -> anyhow::Result<()> {
    match unknown(api, tag).await? {
        None => Ok(()),
        Some(why) => bail!(why),
    }
}

/// The text that no monitor has the tag, with the tags that may have been meant; `None` if one has it.
///
/// # Errors
/// The server could not be asked.
pub(super) async fn unknown(api: &Api, tag: &str) -> anyhow::Result<Option<String>> {
    if !api.list(&["monitors"], &[("tag", Some(tag))], 1).await?.items.is_empty() {
        return Ok(None);
    }
    let all = api.list(&["monitors"], &[], SEARCHED).await?;
    let monitors: Vec<Monitor> = all.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?;
    let tags: BTreeSet<&str> =
        monitors.iter().flat_map(|monitor| monitor.tags.iter().map(String::as_str)).collect();
    Ok(Some(format!("no monitor has the tag {tag:?}{}", did_you_mean(tag, tags))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_would_choose_every_monitor_or_several_tags_are_refused() {
        assert_eq!(one(" on  call ").expect("a tag"), "on call");
        for bad in ["", "  ", "a,b", "a,"] {
            assert!(one(bad).is_err(), "{bad:?}");
        }
    }
}
