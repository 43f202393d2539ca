//! Pure. A message as HTML for mail readers: one column, styles at each element, no images, nothing to load.

use std::fmt::Write;

use crate::message::{Message, Severity};

const FONT: &str =
    "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

/// The whole page; `foot` is its last line.
pub(super) fn page(message: &Message, foot: &str) -> String {
    let colour = colour(message.severity);
    let title = escaped(&message.title);
    let text = paragraphs(&message.text);
    let foot = escaped(foot);
    format!(
        "<!DOCTYPE html>\n\
         <html lang=\"en\">\n\
         <head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title></head>\n\
         <body style=\"margin:0;padding:16px;background:#ffffff;color:#1f2328;font-size:15px;line-height:1.5;{FONT}\">\n\
         <div style=\"max-width:640px;margin:0 auto\">\n\
         <h1 style=\"margin:0 0 16px;padding:10px 14px;background:{colour};color:#ffffff;font-size:19px;line-height:1.3;border-radius:6px\">{title}</h1>\n\
         {text}\
         <p style=\"margin:24px 0 0;padding-top:8px;border-top:1px solid #d0d7de;color:#59636e;font-size:12px\">{foot}</p>\n\
         </div>\n\
         </body>\n\
         </html>\n"
    )
}

/// Dark enough for white letters on it.
const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "#b42318",
        Severity::Warning => "#93540a",
        Severity::Ok => "#1a7f37",
        Severity::Info => "#0b5cad",
    }
}

/// Lines that begin with `- ` become a list, empty ones part paragraphs.
fn paragraphs(text: &str) -> String {
    let mut html = String::new();
    let mut open = None;
    for line in text.lines() {
        let (kind, line) = match line.strip_prefix("- ") {
            Some(item) => (Some(Block::List), item),
            None if line.trim().is_empty() => (None, line),
            None => (Some(Block::Paragraph), line),
        };
        if open != kind {
            html.push_str(open.map_or("", Block::end));
            html.push_str(kind.map_or("", Block::begin));
        } else if kind == Some(Block::Paragraph) {
            html.push_str("<br>\n");
        }
        let line = escaped(line);
        let _ = match kind {
            Some(Block::List) => writeln!(html, "<li>{line}</li>"),
            Some(Block::Paragraph) => write!(html, "{line}"),
            None => Ok(()),
        };
        open = kind;
    }
    html.push_str(open.map_or("", Block::end));
    html
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Paragraph,
    List,
}

impl Block {
    const fn begin(self) -> &'static str {
        match self {
            Self::Paragraph => "<p style=\"margin:0 0 12px;overflow-wrap:anywhere\">",
            Self::List => "<ul style=\"margin:0 0 12px;padding-left:22px;overflow-wrap:anywhere\">\n",
        }
    }

    const fn end(self) -> &'static str {
        match self {
            Self::Paragraph => "</p>\n",
            Self::List => "</ul>\n",
        }
    }
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
