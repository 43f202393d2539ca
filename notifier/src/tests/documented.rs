//! `docs/channels.md` tells of everything that there is.

use sending::presets::{self, Settings};
use sending::template::{self, Escape};

const DOCS: &str = include_str!("../../../docs/channels.md");

/// The first cells of the table under a heading of a column.
fn first_cells<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let begin = text.find(heading).unwrap_or_else(|| panic!("there is no table `{heading}`"));
    let rows = text[begin..].lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split('`').nth(1)).collect()
}

#[test]
fn the_variables_of_templates_are_the_fields_of_a_message() {
    let mut told = first_cells(DOCS, "| variable | what it is |");
    told.sort_unstable();
    // Another test sees to it that the sample has a message's fields.
    let mut fields: Vec<&String> = template::sample().as_object().unwrap().keys().collect();
    fields.sort_unstable();
    assert_eq!(told, fields);
}

#[test]
fn every_preset_is_told_of_with_its_settings() {
    for preset in presets::all() {
        let heading = format!("### {}: `{}`\n", preset.title, preset.name);
        let (_, section) = DOCS.split_once(&heading).unwrap_or_else(|| panic!("no heading {heading}"));
        let section = section.split("\n#").next().unwrap();
        assert!(section.contains(&format!("\nlubdub channel create ops {} --", preset.name)), "{section}");
        let fields: Vec<&str> = preset.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(first_cells(section, "| setting | | what it is |"), fields, "{}", preset.name);
        for field in &preset.fields {
            let need = match &field.default {
                Some(default) => format!("`{default}`"),
                None if field.optional => "may be left out".to_owned(),
                None => "needed".to_owned(),
            };
            let secret = if field.shown { "" } else { ", secret" };
            let row = format!("| `{}` | {need}{secret} | {} |", field.name, field.described());
            assert!(section.contains(&row), "{}: {row}", preset.name);
        }
    }
    let headings = DOCS.lines().filter(|line| line.starts_with("### ") && line.contains(": `")).count();
    assert_eq!(headings, presets::all().len());
}

/// The settings of the command that makes a channel of this preset.
fn example(preset: &str) -> Settings {
    let begin = format!("\nlubdub channel create ops {preset} ");
    let (_, command) = DOCS.split_once(&begin).unwrap_or_else(|| panic!("no example of {preset}"));
    let words = command.lines().next().unwrap().split(' ').collect::<Vec<_>>();
    let flag = |pair: &[&str]| {
        (pair[0].trim_start_matches("--").replace('-', "_"), pair[1].trim_matches('\'').to_owned())
    };
    words.chunks(2).map(flag).collect()
}

#[test]
fn the_settings_of_every_example_have_the_form_that_the_service_demands() {
    for preset in presets::all() {
        let settings = example(&preset.name);
        let checked = preset.check_change(&settings, &Settings::new());
        let checked = checked.unwrap_or_else(|errors| panic!("{}: {errors:?}", preset.name));
        assert!(settings.iter().all(|given| checked.get_key_value(given.0) == Some(given)), "{settings:?}");
    }
}

#[tokio::test]
async fn the_templates_that_are_printed_can_be_used() {
    let on_the_command_line = DOCS.split("--template '").nth(1).unwrap().split("'\n").next().unwrap();
    assert_eq!(template::check(on_the_command_line, Escape::Json).await, Ok(()));
    let digest = DOCS.split("```jinja\n").nth(1).unwrap().split("```").next().unwrap();
    let variables =
        serde_json::json!({"title": "2 down", "digest": {"down": {"first": [{"line": "a"}, {"line": "b"}]}}});
    let made = template::fill_in(digest, Escape::Nothing, &variables).await;
    assert_eq!(made.unwrap(), "2 down\n- a\n- b\n");
}

/// What stands between backquotes behind `begin`, up to `end`.
fn named<'a>(begin: &str, end: &str) -> Vec<&'a str> {
    let told = DOCS.split(begin).nth(1).unwrap().split(end).next().unwrap();
    told.split('`').skip(1).step_by(2).map(|name| name.split('(').next().unwrap()).collect()
}

#[test]
fn the_filters_and_tests_that_are_told_of_are_the_ones_that_are_there() {
    let sorted = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names
    };
    let mut filters = named("- Filters: ", "; and of our own");
    filters.extend(named("; and of our own: ", "\n- Tests: ").into_iter().filter(|name| *name != "@all"));
    assert_eq!(sorted(filters), sorted(template::filter_names().collect()));
    assert_eq!(sorted(named("- Tests: ", "; the only function")), sorted(template::test_names().collect()));
}
