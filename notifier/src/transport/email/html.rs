//! Pure. A message as HTML for mail readers: one column, nothing to load.
//!
//! Styles stand at each element for readers that drop the sheet in the head. The sheet holds what only it can
//! say: the colours of a dark screen, which must win over those at the elements.

use std::fmt::Write;

use crate::message::{Message, OUTPUT_OF_THE_JOB, Part, Severity, WHAT_TO_DO};

const FONT: &str =
    "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

const MONOSPACE: &str = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace";

/// What the colours of a dark screen are.
const DARK: &str = ":root{color-scheme:light dark}\
    @media (prefers-color-scheme:dark){\
    .page{background:#0e1116!important;color:#e6e9ee!important}\
    .muted{color:#a8b0bb!important}\
    .rule{border-color:#343b45!important}\
    .box{background:#171b22!important;border-color:#343b45!important;color:#e6e9ee!important}\
    .critical{background:#b42318!important}.warning{background:#93540a!important}\
    .ok{background:#1a6b31!important}.info{background:#0b5cad!important}}";

/// The whole page; `foot` is its last line.
pub(super) fn page(message: &Message, foot: &str) -> String {
    let (class, colour) = colour(message.severity);
    let title = escaped(&message.title);
    let body = body(&message.parts);
    let foot = escaped(foot);
    format!(
        "<!DOCTYPE html>\n\
         <html lang=\"en\">\n\
         <head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"supported-color-schemes\" content=\"light dark\">\
         <title>{title}</title><style>{DARK}</style></head>\n\
         <body class=\"page\" style=\"margin:0;padding:16px;background:#ffffff;color:#1f2328;font-size:16px;line-height:1.5;{FONT}\">\n\
         <div style=\"max-width:640px;margin:0 auto\">\n\
         <h1 class=\"{class}\" style=\"margin:0 0 16px;padding:12px 16px;background:{colour};color:#ffffff;font-size:20px;line-height:1.3;border-radius:6px;overflow-wrap:anywhere\">{title}</h1>\n\
         {body}\
         <p class=\"muted rule\" style=\"margin:24px 0 0;padding-top:8px;border-top:1px solid #d0d7de;color:#59636e;font-size:13px;overflow-wrap:anywhere\">{foot}</p>\n\
         </div>\n\
         </body>\n\
         </html>\n"
    )
}

/// The class and the colour, dark enough for white letters on it.
const fn colour(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Critical => ("critical", "#b42318"),
        Severity::Warning => ("warning", "#93540a"),
        Severity::Ok => ("ok", "#1a7f37"),
        Severity::Info => ("info", "#0b5cad"),
    }
}

/// The parts, facts that follow each other in one table.
fn body(parts: &[Part]) -> String {
    let mut html = String::new();
    let mut in_table = false;
    for part in parts {
        let is_fact = matches!(part, Part::Fact { .. });
        if is_fact && !in_table {
            html.push_str("<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" style=\"margin:0 0 16px;width:100%;border-collapse:collapse\">\n");
        }
        if !is_fact && in_table {
            html.push_str("</table>\n");
        }
        in_table = is_fact;
        add(&mut html, part);
    }
    if in_table {
        html.push_str("</table>\n");
    }
    html
}

fn add(html: &mut String, part: &Part) {
    // Memory takes every write.
    let _ = match part {
        Part::Line(line) => {
            writeln!(html, "<p style=\"margin:0 0 12px;overflow-wrap:anywhere\">{}</p>", escaped(line))
        }
        Part::Fact { name, text } => writeln!(
            html,
            "<tr><td class=\"muted\" style=\"padding:2px 12px 2px 0;width:112px;color:#59636e;vertical-align:top\">{}</td>\
             <td style=\"padding:2px 0;vertical-align:top;overflow-wrap:anywhere;word-break:break-word\">{}</td></tr>",
            escaped(name),
            escaped(text)
        ),
        Part::Said { name, text } => boxed(html, name, text, FONT),
        Part::Description(text) => boxed(html, WHAT_TO_DO, text, FONT),
        Part::Output(text) => boxed(html, OUTPUT_OF_THE_JOB, text, MONOSPACE),
        Part::Group { head, lines } => {
            let items: String = lines
                .iter()
                .map(|line| format!("<li style=\"margin:0 0 4px\">{}</li>\n", escaped(line)))
                .collect();
            writeln!(
                html,
                "<p style=\"margin:0 0 4px;font-weight:600\">{}</p>\n\
                 <ul style=\"margin:0 0 16px;padding-left:22px;overflow-wrap:anywhere\">\n{items}</ul>",
                escaped(head)
            )
        }
    };
}

/// A text of others under a heading. Its lines are kept, and broken where they are too long.
fn boxed(html: &mut String, name: &str, text: &str, font: &str) -> std::fmt::Result {
    let size = if font == MONOSPACE { "13px" } else { "15px" };
    writeln!(
        html,
        "<p class=\"muted\" style=\"margin:0 0 4px;color:#59636e;font-size:13px\">{}</p>\n\
         <div class=\"box\" style=\"margin:0 0 16px;padding:10px 12px;background:#f6f8fa;border:1px solid #d0d7de;border-radius:6px;color:#1f2328;font-size:{size};line-height:1.45;white-space:pre-wrap;overflow-wrap:anywhere;word-break:break-word;{font}\">{}</div>",
        escaped(name),
        escaped(text.trim_end())
    )
}

/// The text, escaped to stand between tags.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
