use std::time::Instant;

use serde_json::{Value, json};

use super::*;

mod limits;

fn render(source: &str, escape: Escape, variables: &Value) -> Result<String, TemplateError> {
    waited_for(fill_in(source, escape, variables))
}

fn waited_for<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(future)
}

fn plain(source: &str) -> Result<String, TemplateError> {
    render(source, Escape::Nothing, sample())
}

#[test]
fn no_name_breaks_out_of_json() {
    for name in [
        "plain",
        "a \"quoted\" name",
        "two\nlines",
        "\\",
        "\u{0}\u{7f}\u{2028}",
        "</script>",
        "{{ title }}",
        "é🚨",
    ] {
        let text = render("{\"text\": {{ title }}}", Escape::Json, &json!({ "title": name })).expect(name);
        let value: Value = serde_json::from_str(&text).expect(name);
        assert_eq!(value, json!({ "text": name }), "{text}");
    }
    let joined = render("[{{ \"DOWN: \" ~ title }}]", Escape::Json, &json!({"title": "a\"b"})).expect("JSON");
    assert_eq!(joined, r#"["DOWN: a\"b"]"#);
    let whole = render("{{ digest }}", Escape::Json, &json!({"digest": {"down": [1, null]}})).expect("JSON");
    assert_eq!(whole, r#"{"down":[1,null]}"#);
}

#[test]
fn what_is_to_be_json_and_is_not_is_refused() {
    let error = render("{\"text\": \"{{ title }}\"}", Escape::Json, sample()).expect_err("quoted twice");
    let TemplateError::NotJson { what } = &error else { panic!("{error:?}") };
    assert!(what.contains("line 1"), "{what}");
    assert!(error.to_string().ends_with(r#"as in {"text": {{ title }}}"#), "{error}");
}

#[test]
fn html_is_escaped_and_other_text_is_not() {
    let variables = json!({"title": "<b>&\"'"});
    assert_eq!(render("{{ title }}", Escape::Html, &variables).expect("text"), "&lt;b&gt;&amp;&quot;&#x27;");
    assert_eq!(render("{{ title }}", Escape::Nothing, &variables).expect("text"), "<b>&\"'");
    for (content_type, expected) in [
        ("application/json", Escape::Json),
        ("Application/CloudEvents+JSON; charset=utf-8", Escape::Json),
        ("text/html", Escape::Html),
        ("application/xhtml+xml", Escape::Html),
        ("text/plain", Escape::Nothing),
        ("application/jsonl", Escape::Nothing),
        ("", Escape::Nothing),
    ] {
        assert_eq!(Escape::for_content_type(content_type), expected, "{content_type}");
    }
}

#[test]
fn an_error_names_the_line_and_what_is_wrong_there() {
    for (source, expected) in [
        ("a\n{{ title", "line 2: syntax error: unexpected end of input, expected end of variable block"),
        ("a\n\n{% if %}", "line 3: syntax error: unexpected end of block"),
        ("{% include 'x' %}", "line 1: syntax error: unknown statement include"),
        ("a\n{% import 'x' as y %}", "line 2: syntax error: unknown statement import"),
        ("{% extends 'x' %}", "line 1: syntax error: unknown statement extends"),
        ("{% from 'x' import y %}", "line 1: syntax error: unknown statement from"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "line 1: syntax error: unknown statement macro"),
        ("a\nb {{ tilte }}", "line 2: undefined value"),
        ("{{ monitor.nmae }}", "line 1: undefined value"),
        ("{{ monitor.nmae.x }}", "line 1: undefined value"),
        ("{{ value.x }}", "line 1: undefined value"),
        ("{% if tilte %}a{% endif %}", "line 1: undefined value"),
        ("{{ title|shout }}", "line 1: unknown filter: filter shout is unknown"),
        ("{{ open('/etc/passwd') }}", "line 1: unknown function: open is unknown"),
        ("{{ title.__class__ }}", "line 1: undefined value"),
        ("{{ title|map('lower') }}", "line 1: unknown filter: filter map is unknown"),
        ("{{ namespace() }}", "line 1: unknown function: namespace is unknown"),
        ("a + b\n{{ title + text }}", "line 2: + cannot be used; texts are joined by ~"),
        ("a * b {{ '*' }}\n\n{{ 2 * 3 }}", "line 3: * cannot be used"),
        ("{{ 1 + }}", "line 1: syntax error: unexpected"),
        ("a\n{% set x = [title] %}", "line 2: only constants can stand in a list or a map"),
        ("{% set x = (title, 1) %}", "line 1: only constants can stand in a list or a map"),
        ("{{ {'a': title} }}", "line 1: only constants can stand in a list or a map"),
        ("{{ text|indent(width=deaf_seconds) }}", "line 1: arguments are given by position"),
        ("{{ range(*dependent_names) }}", "line 1: * cannot be used"),
        ("{{ 1 / 0 }}", "line 1: invalid operation: unable to calculate 1 / 0"),
    ] {
        let error = plain(source).expect_err(source).to_string();
        assert!(error.starts_with(expected), "{source}: {error}");
    }
}

#[test]
fn what_takes_too_long_or_makes_too_much_is_stopped() {
    let doubling = format!("{{% set x = title %}}{}{{{{ x|length }}}}", "{% set x = x ~ x %}".repeat(60));
    let captured = format!(
        "{{% set x %}}{{{{ title }}}}{{% endset %}}{}{{{{ x|length }}}}",
        "{% set x %}{{ x }}{{ x }}{% endset %}".repeat(60)
    );
    let quoting = format!("{{{{ ('\"'{})|length }}}}", "|tojson".repeat(200));
    let long = "{% set x %}{% for a in range(3000) %}aaaaaaaaaa{% endfor %}{% endset %}";
    let replacing = format!("{long}{{{{ x|replace('a', x)|length }}}}");
    let joining = format!("{long}{{{{ range(30000)|join(x)|length }}}}");
    for (name, source) in [
        ("loops in loops", "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"),
        ("a long range", "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"),
        ("a range that is too long", "{{ range(1000000000000)|length }}"),
        ("an indented text", "{{ (text|indent(99999999))|length }}"),
        ("doubling", &doubling),
        ("doubling by capture", &captured),
        ("quoting quotes", &quoting),
        ("replacing", &replacing),
        ("joining", &joining),
        ("sorting", "{% for a in range(900) %}{{ range(9999)|sort|first }}{% endfor %}"),
        ("a recursive loop", "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}"),
        ("much output", "{% for a in range(9999) %}0123456789{% endfor %}"),
        ("comparing", "{% for a in range(9999) %}{{ range(99999) == range(99999) }}{% endfor %}"),
        ("looking into", "{% for a in range(9999) %}{{ 'x' in range(99999) }}{% endfor %}"),
        ("rounding", "{{ 1.5|round(999999999) }}{% for a in range(99999) %}{{ 1.5|round(300) }}{% endfor %}"),
    ] {
        let began = Instant::now();
        let error = plain(source).expect_err(name);
        let took = began.elapsed();
        assert!(took.as_secs() < 2, "{name}: {took:?}");
        assert!(!matches!(error, TemplateError::Syntax { .. }), "{name}: {error}");
    }
    let error = plain("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}");
    assert_eq!(error.expect_err("slow"), TemplateError::TooSlow);
    let error = plain("{% for a in range(9999) %}0123456789{% endfor %}");
    assert_eq!(error.expect_err("much"), TemplateError::TooMuch);
}

#[test]
fn no_nesting_is_too_deep_for_the_stack() {
    let nested = |open: &str, middle: &str, close: &str| {
        let times = (MAX_SOURCE_BYTES - 64) / (open.len() + close.len());
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let sources = [
        nested("(", "1", ")"),
        nested("[", "1", "]"),
        nested("{1:", "1", "}"),
        nested("not ", "1", ""),
        nested("-", "1", ""),
        nested("1 + ", "1", ""),
        nested("1 ** ", "1", ""),
        nested("1 if 1 else ", "1", ""),
        nested("x", "", "[0]"),
        nested("", "title", "|lower"),
        nested("range(", "1", ")"),
    ]
    .map(|expression| format!("{{{{ {expression} }}}}"));
    let blocks = [
        nested("{%if 1%}", "a", "{%endif%}"),
        nested("{%for x in [1]%}", "a", "{%endfor%}"),
        nested("{%with x=1%}", "a", "{%endwith%}"),
        nested("{%filter lower%}", "a", "{%endfilter%}"),
        nested("{%autoescape true%}", "a", "{%endautoescape%}"),
        "{%".repeat(8_000),
        "{{".repeat(8_000),
        format!("{}{}", "{%if 1%}a{%else%}".repeat(500), "{%endif%}".repeat(500)),
        format!("{{%if 0%}}{}{{%endif%}}", "{%elif 0%}".repeat(1_500)),
    ];
    let list = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    let values = [
        format!("{{%set a=1%}}{}{{{{a}}}}", format!("{{%set a={list}%}}").repeat(60)),
        format!("{{{{ range(99999){}|first }}}}", "[::1]".repeat(3_000)),
        format!("{{{{ range(99999){}|first }}}}", "|reverse".repeat(1_900)),
        format!("{{{{ range(99999){}|first }}}}", "|list".repeat(3_000)),
        format!("{{{{ range(99999){}|first }}}}", "|select".repeat(2_000)),
        format!("{{{{ {} }}}}", vec!["range(99999)"; 1_200].join(" == ")),
        format!("{{{{ {} }}}}", vec!["'x'"; 4_000].join(" in ")),
        format!("{{{{ 1{} }}}}", " ~ 1".repeat(4_000)),
        format!("{{{{ 'a'{} }}}}", " == 'a'".repeat(2_300)),
        format!("{{{{ {} }}}}", "-1 - ".repeat(3_000) + "1"),
    ];
    for source in sources.iter().chain(&blocks).chain(&values) {
        let began = Instant::now();
        let _ = plain(source);
        let took = began.elapsed();
        assert!(took.as_secs() < 5, "{}: {took:?}", &source[..40]);
    }
}

#[test]
fn a_source_has_a_longest_length() {
    let longest = "x".repeat(MAX_SOURCE_BYTES);
    assert_eq!(plain(&longest).expect("text").len(), MAX_SOURCE_BYTES);
    let error = plain(&format!("{longest}x")).expect_err("too long");
    assert_eq!(error, TemplateError::TooManyBytes { bytes: MAX_SOURCE_BYTES + 1 });
}

#[test]
fn a_check_finds_what_only_filling_in_shows() {
    let checked = |source: &str| waited_for(check(source, Escape::Json));
    assert!(checked("{\"a\": {{ titel }}}").is_err());
    assert_eq!(checked("{\"a\": {{ title|html(20) }}, \"b\": {{ now|default(none) }}}"), Ok(()));
}
