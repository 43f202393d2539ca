//! Pure. What templates of users may not use.
//!
//! Fuel pays for every step of the machine and for text. It does not pay for lists that are put together
//! lazily, nor for how deep a comparison or a print goes into lists within lists: sixty assignments double
//! such a list sixty times. So there is no way here to make a list of other values, and the filters that are
//! left make text or pick something out.

use minijinja::machinery::{Instruction, get_compiled_template};

use super::bounded::{Escape, NAME, Template, TemplateError, check_length};

/// Filters that make lists of lists, or print them.
const REMOVED_FILTERS: [&str; 11] =
    ["batch", "chain", "dictsort", "format", "groupby", "items", "map", "pprint", "slice", "sum", "zip"];

/// Functions that make lists or objects.
const REMOVED_FUNCTIONS: [&str; 3] = ["debug", "dict", "namespace"];

/// Operators that must not come as far as the compiler, which works out what is constant without paying.
const OPERATORS: [(&str, &str); 2] =
    [("+", "+ cannot be used; texts are joined by ~"), ("*", "* cannot be used")];

/// This character has no meaning in the language. So a template that can be read with it in place of every
/// operator has that operator in its texts only.
const MEANINGLESS: &str = "$";

pub(super) fn read(source: &str, escape: Escape) -> Result<Template, TemplateError> {
    let mut template = Template::parse("", escape)?;
    for filter in REMOVED_FILTERS {
        template.environment.remove_filter(filter);
    }
    for function in REMOVED_FUNCTIONS {
        template.environment.remove_global(function);
    }
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
    refuse_lists(&template)?;
    Ok(template)
}

/// Lists of constants are as long as they are written, and pass.
fn refuse_lists(template: &Template) -> Result<(), TemplateError> {
    let Ok(parsed) = template.environment.get_template(NAME) else { return Ok(()) };
    let instructions = &get_compiled_template(&parsed).instructions;
    for index in 0.. {
        let Some(instruction) = instructions.get(index) else { break };
        let what = match instruction {
            Instruction::BuildList(_) | Instruction::BuildTuple(_) | Instruction::BuildMap(_) => {
                "only constants can stand in a list or a map"
            }
            Instruction::BuildKwargs(_) | Instruction::MergeKwargs(_) | Instruction::UnpackLists(_) => {
                "arguments are given by position"
            }
            Instruction::Add | Instruction::Mul | Instruction::Pow => "+ and * cannot be used",
            Instruction::SetAttr(_) => "attributes cannot be set",
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
            | Instruction::ApplyFilter(..)
            | Instruction::PerformTest(..)
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
            | Instruction::CallMethod(..)
            | Instruction::CallObject(_)
            | Instruction::DupTop
            | Instruction::DiscardTop
            | Instruction::FastRecurse
            | Instruction::Swap => continue,
        };
        let line = instructions.get_line(index).unwrap_or(1);
        return Err(TemplateError::Forbidden { line, what });
    }
    Ok(())
}
