//! Pure. What templates of users may not use.
//!
//! Fuel pays for every step of the machine and for text. It does not pay for lists that are put together
//! lazily, nor for how deep a comparison or a print goes into lists within lists: sixty assignments double
//! such a list sixty times. So there is no way here to make a list of other values, and the filters that are
//! [allowed] make text or pick something out.

use minijinja::machinery::{Instruction, get_compiled_template};

use super::allowed;
use super::bounded::{Escape, NAME, Template, TemplateError, check_length};

/// Methods that can be called: those of `loop`.
const METHODS: [&str; 2] = ["changed", "cycle"];

/// Operators that must not come as far as the compiler, which works out what is constant without paying.
const OPERATORS: [(&str, &str); 2] =
    [("+", "+ cannot be used; texts are joined by ~"), ("*", "* cannot be used")];

/// This character has no meaning in the language. So a template that can be read with it in place of every
/// operator has that operator in its texts only.
const MEANINGLESS: &str = "$";

pub(super) fn read(source: &str, escape: Escape) -> Result<Template, TemplateError> {
    let mut template = Template::parse("", escape)?;
    check_length(source)?;
    for (operator, what) in OPERATORS {
        let changed = source.replace(operator, MEANINGLESS);
        if changed != source
            && let Err(TemplateError::Syntax { line, .. }) = template.set_source(&changed)
        {
            // If the template is wrong for another reason, it is also wrong with another operator.
            template.set_source(&source.replace(['+', '*'], "-"))?;
            return Err(TemplateError::Forbidden { line, what });
        }
    }
    template.set_source(source)?;
    review(&template)?;
    Ok(template)
}

/// Lists of constants are as long as they are written, and pass. Names are looked at here, too: otherwise one
/// that is wrong in a part which is rarely filled in would be found then.
fn review(template: &Template) -> Result<(), TemplateError> {
    let Ok(parsed) = template.environment.get_template(NAME) else { return Ok(()) };
    let instructions = &get_compiled_template(&parsed).instructions;
    for index in 0.. {
        let Some(instruction) = instructions.get(index) else { break };
        let line = instructions.get_line(index).unwrap_or(1);
        let what = match instruction {
            Instruction::BuildList(_) | Instruction::BuildTuple(_) | Instruction::BuildMap(_) => {
                "only constants can stand in a list or a map"
            }
            Instruction::BuildKwargs(_) | Instruction::MergeKwargs(_) | Instruction::UnpackLists(_) => {
                "arguments are given by position"
            }
            Instruction::Add | Instruction::Mul | Instruction::Pow => "+ and * cannot be used",
            Instruction::SetAttr(_) => "attributes cannot be set",
            Instruction::ApplyFilter(name, ..) if !allowed::filter_names().any(|known| known == *name) => {
                return Err(unknown(line, "filter", name));
            }
            Instruction::PerformTest(name, ..) if !allowed::has_test(name) => {
                return Err(unknown(line, "test", name));
            }
            Instruction::CallMethod(name, _) if !METHODS.contains(name) => {
                "nothing can be called but functions, loop.changed and loop.cycle"
            }
            Instruction::ApplyFilter(..) | Instruction::PerformTest(..) | Instruction::CallMethod(..) => {
                continue;
            }
            // An instruction that a later version adds does not compile here, so it is reviewed before it is
            // allowed.
            Instruction::EmitRaw(_)
            | Instruction::StoreLocal(_)
            | Instruction::Lookup(_)
            | Instruction::GetAttr(_)
            | Instruction::GetItem
            | Instruction::Slice
            | Instruction::LoadConst(_)
            | Instruction::UnpackList(_)
            | Instruction::Sub
            | Instruction::Div
            | Instruction::IntDiv
            | Instruction::Rem
            | Instruction::Neg
            | Instruction::Eq
            | Instruction::Ne
            | Instruction::Gt
            | Instruction::Gte
            | Instruction::Lt
            | Instruction::Lte
            | Instruction::Not
            | Instruction::StringConcat
            | Instruction::In
            | Instruction::CompareAndPreserve(_)
            | Instruction::Emit
            | Instruction::PushLoop(_)
            | Instruction::PushWith
            | Instruction::Iterate(_)
            | Instruction::PushDidNotIterate
            | Instruction::PopFrame
            | Instruction::PopLoopFrame
            | Instruction::Jump(_)
            | Instruction::JumpIfFalse(_)
            | Instruction::JumpIfFalseOrPop(_)
            | Instruction::JumpIfTrueOrPop(_)
            | Instruction::PushAutoEscape
            | Instruction::PopAutoEscape
            | Instruction::BeginCapture(_)
            | Instruction::EndCapture
            | Instruction::CallFunction(..)
            | Instruction::CallObject(_)
            | Instruction::DupTop
            | Instruction::DiscardTop
            | Instruction::FastRecurse
            | Instruction::Swap => continue,
        };
        return Err(TemplateError::Forbidden { line, what });
    }
    Ok(())
}

/// The engine says the same when it comes to such a name.
fn unknown(line: usize, what: &str, name: &str) -> TemplateError {
    let shown: String = name.chars().take(100).collect();
    TemplateError::Syntax { line, what: format!("unknown {what}: {what} {shown} is unknown") }
}
