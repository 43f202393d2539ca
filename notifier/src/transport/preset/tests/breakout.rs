//! No text of a user, a job or a monitor's owner breaks out of its place in a message, or makes it longer
//! than the service takes.

use proptest::prelude::*;

use super::*;

/// Joins an `@` to nothing.
const WORD_JOINER: char = '\u{2060}';

/// Characters that mean something to a service, and some that do not.
fn hostile_text(most: usize) -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<",
        ">",
        "&",
        "\"",
        "'",
        "\\",
        "`",
        "*",
        "_",
        "~",
        "|",
        "#",
        "[",
        "]",
        "(",
        ")",
        "{{",
        "}}",
        "{%",
        "%}",
        "@all",
        "@here",
        "<!channel>",
        "<@U1>",
        "<users/all>",
        "</b>",
        "<b>",
        "<br>",
        "]]>",
        "&amp;",
        "\n",
        "\n\n",
        "\t",
        "- ",
        "1. ",
        "---",
        "http://a.example",
        "{",
        "}",
        "!",
        ":",
        "é",
        "🚨",
        "a",
        "word ",
        "\u{202e}",
    ]);
    prop::collection::vec(pieces, 0..most).prop_map(|pieces| pieces.concat())
}

/// One line without control characters, as names and tags are.
fn hostile_line(most: usize) -> impl Strategy<Value = String> {
    hostile_text(most).prop_map(|text| text.chars().filter(|c| !c.is_control()).take(100).collect())
}

/// Every text of a body, by where it stands.
fn texts(body: &Value) -> Vec<(String, String)> {
    fn walk(at: String, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) => found.push((at, text.clone())),
            Value::Array(all) => all.iter().for_each(|one| walk(format!("{at}/*"), one, found)),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, one)| walk(format!("{at}/{name}"), one, found));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut found = Vec::new();
    walk(String::new(), body, &mut found);
    found
}

/// Where the fields of a body are, without how many entries a list has.
fn shape(body: &Value) -> std::collections::BTreeSet<String> {
    texts(body).into_iter().map(|(at, _)| at).collect()
}

fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Whether each `&` begins one of the entities that the filter makes, and there is no other markup than
/// `tags`.
fn is_escaped_html(text: &str, tags: &[&str]) -> bool {
    let mut text = text.to_owned();
    for tag in tags {
        text = text.replacen(tag, "", if *tag == "<br>" { usize::MAX } else { 1 });
    }
    let entities = |rest: &str| ["amp;", "lt;", "gt;"].iter().any(|entity| rest.starts_with(entity));
    !text.contains(['<', '>']) && text.split('&').skip(1).all(entities)
}

/// Whether every character of Markdown has a backslash before it.
fn is_escaped_markdown(text: &str) -> bool {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.next().is_none() => return false,
            '`' | '*' | '_' | '[' | ']' | '#' | '~' | '|' | '<' | '>' | '!' | '{' | '}' => return false,
            _ => {}
        }
    }
    true
}

fn mentions(text: &str) -> bool {
    text.split('@').skip(1).any(|rest| !rest.starts_with(WORD_JOINER))
}

/// Checks what a service demands of a text that stands at `at`.
fn check(preset: &str, at: &str, text: &str) {
    let said = || format!("{preset} {at}: {text:?}");
    match (preset, at) {
        ("slack", "/text" | "/attachments/*/blocks/*/text/text") => {
            assert!(is_escaped_html(text, &[]) && utf16(text) <= 3_000, "{}", said());
        }
        ("telegram", "/text") => {
            assert!(is_escaped_html(text, &["<b>", "</b>"]) && !mentions(text), "{}", said());
            assert!(utf16(text) <= 4_096, "{}", said());
        }
        ("discord", "/embeds/*/title" | "/embeds/*/description") => {
            let most = if at.ends_with("title") { 256 } else { 4_096 };
            assert!(is_escaped_markdown(text) && !mentions(text) && utf16(text) <= most, "{}", said());
        }
        ("mattermost", "/attachments/*/title" | "/attachments/*/text") => {
            assert!(is_escaped_markdown(text) && !mentions(text) && utf16(text) <= 16_383, "{}", said());
        }
        ("googlechat", "/cardsV2/*/card/sections/*/widgets/*/textParagraph/text") => {
            let colours = ["#d50200", "#b06000", "#137333", "#1a73e8"];
            let fonts: Vec<String> =
                colours.iter().map(|colour| format!("<b><font color=\"{colour}\">")).collect();
            let mut tags: Vec<&str> = fonts.iter().map(String::as_str).collect();
            tags.extend(["</font></b>", "<br>"]);
            assert!(is_escaped_html(text, &tags), "{}", said());
        }
        ("grafana", "/title" | "/message") => assert!(is_escaped_html(text, &[]), "{}", said()),
        ("pushover", "/title") => assert!(utf16(text) <= 250, "{}", said()),
        ("pushover", "/message") => assert!(utf16(text) <= 1_024, "{}", said()),
        ("ntfy", "/message") => assert!(text.len() <= 4_096, "{}", said()),
        ("ntfy", "/title") => assert!(text.len() <= 250, "{}", said()),
        ("pagerduty", "/payload/summary") => assert!(utf16(text) <= 1_024, "{}", said()),
        ("opsgenie", "/message") => assert!(utf16(text) <= 130, "{}", said()),
        ("opsgenie", "/description" | "/note") => assert!(utf16(text) <= 15_000, "{}", said()),
        _ => {}
    }
}

/// The greatest body that a service takes, in bytes.
fn most_bytes(preset: &str) -> usize {
    match preset {
        "teams" => 28_000,
        "googlechat" => 32_000,
        "pagerduty" => 512_000,
        _ => 64_000,
    }
}

fn bodies(preset: &str, settings: &Settings, flip: &Flip, label: &MonitorLabel, facts: &Facts) -> Vec<Value> {
    let notice = Alert::Flip(flip.clone()).into();
    let made = request(preset, settings, notice, Some(label.clone()), facts).made(settings, at(NOW));
    let made = made.unwrap_or_else(|error| panic!("{preset}: {error}"));
    for one in &made {
        assert!(one.body.len() <= most_bytes(preset), "{preset}: {} bytes", one.body.len());
    }
    made.iter().map(|one| serde_json::from_str(&one.body).expect("JSON")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn no_text_breaks_out_of_its_place(
        name in hostile_line(60),
        tag in hostile_line(12),
        said in hostile_text(300),
        description in hostile_text(600),
        output in hostile_text(600),
    ) {
        let plain = MonitorLabel { tags: vec!["tag".to_owned()], ..label("name") };
        let dependents = Dependents { down: 1, names: vec![name.clone()] };
        let named = MonitorLabel { name: format!("x{name}"), tags: vec![format!("t{tag}")], dependents };
        let text = |text: &str| Some(format!("x{text}"));
        let facts = Facts { description: text(&description), output: text(&output), ..sample::facts() };
        let flip = |message: &str| Flip {
            reason: Reason::Reported,
            message: Some(model::heartbeat::clean_message(format!("x{message}"))),
            ..down()
        };
        for preset in presets::all() {
            let settings = settings_of(&preset.name);
            let hostile = bodies(&preset.name, &settings, &flip(&said), &named, &facts);
            let benign = bodies(&preset.name, &settings, &flip("said"), &plain, &sample::facts());
            prop_assert_eq!(hostile.len(), benign.len());
            for (hostile, benign) in hostile.iter().zip(&benign) {
                // A webhook's event leaves out dependents that there are not.
                let same = |body: &Value| -> std::collections::BTreeSet<String> {
                    shape(body).into_iter().filter(|at| !at.contains("dependent")).collect()
                };
                prop_assert_eq!(same(hostile), same(benign), "{}", &preset.name);
                for (at, text) in texts(hostile) {
                    check(&preset.name, &at, &text);
                }
            }
        }
    }
}
