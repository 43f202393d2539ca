//! Pure. What a message says, in parts: each way of sending lays them out as it can.

use super::words;

/// Most characters of a description in a chat.
const DESCRIPTION: usize = 600;

/// Most characters of what a client said in a chat.
const SAID: usize = 1_000;

/// Most lines of either in a chat.
const LINES: usize = 10;

/// Most characters of an output in a chat.
const OUTPUT: usize = 800;

/// Most lines of an output in a chat.
const OUTPUT_LINES: usize = 10;

/// A part of what a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// A sentence of Lubdub's own.
    Line(String),
    /// A fact, in a line of its own.
    Fact {
        /// Its name, `Down since`.
        name: &'static str,
        /// One line.
        text: String,
    },
    /// What a client said, of any lines.
    Said {
        /// What it is, `It said`.
        name: &'static str,
        /// The text as it came.
        text: String,
    },
    /// What the monitor's owner wrote about it, of any lines.
    Description(String),
    /// Several monitors.
    Group {
        /// What they have in common, and how many they are.
        head: String,
        /// A line for each.
        lines: Vec<String>,
    },
    /// The end of a job's output.
    Output(String),
}

/// The name of a description.
pub(crate) const WHAT_TO_DO: &str = "What to do";

/// The name of an output.
pub(crate) const OUTPUT_OF_THE_JOB: &str = "Last lines of its output";

/// How much of long parts a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// All of them.
    Whole,
    /// As much as a chat has room for.
    Chat,
}

/// The parts as lines of plain text. What others wrote and has several lines is marked at the beginning of
/// each of them, so that it cannot pass for a line of Lubdub's.
pub(crate) fn text(parts: &[Part], length: Length) -> String {
    let mut text = String::new();
    for part in parts {
        if !text.is_empty() {
            text.push_str(if matches!(part, Part::Group { .. }) { "\n\n" } else { "\n" });
        }
        match part {
            Part::Line(line) => text.push_str(line),
            Part::Fact { name, text: fact } => text.push_str(&format!("{name}: {fact}")),
            Part::Said { name, text: said } => {
                let said = match length {
                    Length::Whole => said.clone(),
                    Length::Chat => words::beginning(said, LINES, SAID),
                };
                text.push_str(&quoted(name, &said));
            }
            Part::Description(description) => {
                let description = match length {
                    Length::Whole => description.clone(),
                    Length::Chat => words::beginning(description, LINES, DESCRIPTION),
                };
                text.push_str(&quoted(WHAT_TO_DO, &description));
            }
            Part::Group { head, lines } => {
                text.push_str(head);
                for line in lines {
                    text.push_str("\n- ");
                    text.push_str(line);
                }
            }
            Part::Output(output) => {
                let output = match length {
                    Length::Whole => output.as_str(),
                    Length::Chat => words::end(output, OUTPUT_LINES, OUTPUT),
                };
                text.push_str(&marked(OUTPUT_OF_THE_JOB, output));
            }
        }
    }
    text
}

/// `It said: disk full`, or the lines below each other.
fn quoted(name: &str, text: &str) -> String {
    let text = text.trim_end();
    if text.contains('\n') { marked(name, text) } else { format!("{name}: {text}") }
}

fn marked(name: &str, text: &str) -> String {
    let lines = text.split('\n').map(|line| format!("\n| {line}"));
    format!("{name}:{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_pass_for_a_line_of_ours() {
        let parts = [
            Part::Line("No heartbeat for 5 s".to_owned()),
            Part::Said { name: "It said", text: "a\nDown since: never\n".to_owned() },
            Part::Fact { name: "Down since", text: "noon".to_owned() },
            Part::Description("call Ann".to_owned()),
            Part::Output("x\n\ny".to_owned()),
        ];
        assert_eq!(
            text(&parts, Length::Whole),
            "No heartbeat for 5 s\nIt said:\n| a\n| Down since: never\nDown since: noon\nWhat to do: call Ann\n\
             Last lines of its output:\n| x\n| \n| y"
        );
    }

    #[test]
    fn a_chat_gets_the_beginning_of_a_description_and_the_end_of_an_output() {
        let parts = [Part::Description("ä".repeat(2_000)), Part::Output("12345678\n".repeat(200) + "end")];
        let chat = text(&parts, Length::Chat);
        assert!(chat.starts_with(&format!("What to do: {}…\n", "ä".repeat(599))), "{chat}");
        assert_eq!(chat.matches("\n| ").count(), 10);
        assert!(chat.ends_with("\n| end"));
        assert!(text(&parts, Length::Whole).len() > 4_000 + 1_800);
        let lines = [Part::Description("a\n".repeat(50))];
        assert_eq!(text(&lines, Length::Chat).matches("\n| ").count(), 10);
        assert!(text(&lines, Length::Chat).ends_with("\n| a…"));
        let one_line = [Part::Output("x".repeat(2_000))];
        assert_eq!(text(&one_line, Length::Chat).matches('x').count(), 800);
    }
}
