//! Pure. What templates may call: a list of what is allowed, each with bounds of its own.
//!
//! The engine pays with fuel for what a filter made, after it was made. So everything that could make much,
//! or take long, from few bytes of source is bounded here before it begins: by the length of what goes in,
//! and by the arguments that say how much comes out. What a later version of the engine adds is not allowed
//! until it stands here.

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters as builtin, functions, tests};

use super::filters;

/// Longest text that can be given to a filter or a test, or inserted, bytes.
const MAX_TEXT_BYTES: usize = 256 * 1024;

/// Most blanks that `tojson` indents each level by.
const MAX_JSON_INDENT: i64 = 8;

/// Most blanks that `indent` puts before a line.
const MAX_INDENT: i64 = 100;

/// Most characters that `trim` is told to take away; each letter of the text is compared with each of them.
const MAX_TRIMMED_CHARS: usize = 64;

/// Most digits that `round` rounds to, before and behind the point.
const MAX_DIGITS: i64 = 20;

/// Greatest number that `range` takes, so that nothing that it computes overflows.
const MAX_IN_RANGE: i64 = 1_000_000_000;

/// The fuel for an item of a list, if the list does not know its length: nobody has as much.
const UNKNOWN_LENGTH: usize = 1_000_000;

/// Checks the arguments of a call, the value itself first.
type Bound = fn(&[Value]) -> Result<(), Error>;

/// Adds everything that is allowed to an environment that has nothing.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    for (name, filter) in all_filters() {
        let bound = bound_of(name);
        environment.add_filter(name, move |state: &mut State, arguments: Rest<Value>| {
            // Only this filter has something to say about what is not there.
            if name != "default" && arguments.first().is_some_and(Value::is_undefined) {
                return Err(Error::from(ErrorKind::UndefinedError));
            }
            pay(state, &arguments)?;
            bound(&arguments)?;
            filter.call(state, &arguments)
        });
    }
    for (name, test) in all_tests() {
        environment.add_test(name, move |state: &mut State, arguments: Rest<Value>| {
            pay(state, &arguments)?;
            test.call(state, &arguments)
        });
    }
    environment.add_function("range", |state: &mut State, arguments: Rest<Value>| {
        for argument in arguments.iter() {
            at_most(argument, MAX_IN_RANGE, "range: a number")?;
        }
        Value::from_function(functions::range).call(state, &arguments)
    });
    environment.set_formatter(|output, state, value| {
        check_length(value)?;
        minijinja::escape_formatter(output, state, value)
    });
}

/// The names of the filters.
pub fn filter_names() -> impl Iterator<Item = &'static str> {
    all_filters().into_iter().map(|(name, _)| name)
}

/// The names of the tests, besides those that are signs.
pub fn test_names() -> impl Iterator<Item = &'static str> {
    all_tests().into_iter().map(|(name, _)| name).filter(|name| name.starts_with(char::is_alphabetic))
}

pub(super) fn has_test(name: &str) -> bool {
    all_tests().into_iter().any(|(known, _)| known == name)
}

fn all_filters() -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("abs", Value::from_function(builtin::abs)),
        ("capitalize", Value::from_function(builtin::capitalize)),
        ("default", Value::from_function(builtin::default)),
        ("escape", Value::from_function(builtin::escape)),
        ("first", Value::from_function(builtin::first)),
        ("float", Value::from_function(builtin::float)),
        ("indent", Value::from_function(builtin::indent)),
        ("int", Value::from_function(builtin::int)),
        ("join", Value::from_function(builtin::join)),
        ("last", Value::from_function(builtin::last)),
        ("length", Value::from_function(builtin::length)),
        ("lines", Value::from_function(builtin::lines)),
        ("list", Value::from_function(builtin::list)),
        ("lower", Value::from_function(builtin::lower)),
        ("max", Value::from_function(builtin::max)),
        ("min", Value::from_function(builtin::min)),
        ("reject", Value::from_function(builtin::reject)),
        ("replace", Value::from_function(builtin::replace)),
        ("reverse", Value::from_function(builtin::reverse)),
        ("round", Value::from_function(builtin::round)),
        ("select", Value::from_function(builtin::select)),
        ("sort", Value::from_function(builtin::sort)),
        ("split", Value::from_function(builtin::split)),
        ("string", Value::from_function(builtin::string)),
        ("title", Value::from_function(builtin::title)),
        ("tojson", Value::from_function(tojson)),
        ("trim", Value::from_function(builtin::trim)),
        ("unique", Value::from_function(builtin::unique)),
        ("upper", Value::from_function(builtin::upper)),
        ("urlencode", Value::from_function(builtin::urlencode)),
    ];
    all.extend(filters::all());
    all
}

fn all_tests() -> Vec<(&'static str, Value)> {
    let (eq, ne) = (Value::from_function(tests::is_eq), Value::from_function(tests::is_ne));
    let (lt, le) = (Value::from_function(tests::is_lt), Value::from_function(tests::is_le));
    let (gt, ge) = (Value::from_function(tests::is_gt), Value::from_function(tests::is_ge));
    vec![
        ("boolean", Value::from_function(tests::is_boolean)),
        ("defined", Value::from_function(tests::is_defined)),
        ("divisibleby", Value::from_function(tests::is_divisibleby)),
        ("endingwith", Value::from_function(tests::is_endingwith)),
        ("eq", eq.clone()),
        ("even", Value::from_function(tests::is_even)),
        ("false", Value::from_function(tests::is_false)),
        ("float", Value::from_function(tests::is_float)),
        ("ge", ge.clone()),
        ("gt", gt.clone()),
        ("in", Value::from_function(tests::is_in)),
        ("integer", Value::from_function(tests::is_integer)),
        ("iterable", Value::from_function(tests::is_iterable)),
        ("le", le.clone()),
        ("lower", Value::from_function(tests::is_lower)),
        ("lt", lt.clone()),
        ("mapping", Value::from_function(tests::is_mapping)),
        ("ne", ne.clone()),
        ("none", Value::from_function(tests::is_none)),
        ("number", Value::from_function(tests::is_number)),
        ("odd", Value::from_function(tests::is_odd)),
        ("sequence", Value::from_function(tests::is_sequence)),
        ("startingwith", Value::from_function(tests::is_startingwith)),
        ("string", Value::from_function(tests::is_string)),
        ("true", Value::from_function(tests::is_true)),
        ("undefined", Value::from_function(tests::is_undefined)),
        ("upper", Value::from_function(tests::is_upper)),
        ("==", eq),
        ("!=", ne),
        ("<", lt),
        ("<=", le),
        (">", gt),
        (">=", ge),
    ]
}

fn bound_of(filter: &str) -> Bound {
    match filter {
        "tojson" => |arguments| second(arguments, MAX_JSON_INDENT, "tojson: the indent"),
        "indent" => |arguments| second(arguments, MAX_INDENT, "indent: the width"),
        "round" => |arguments| second(arguments, MAX_DIGITS, "round: the number of digits"),
        "trim" => |arguments| match arguments.get(1).and_then(Value::as_str) {
            Some(chars) if chars.chars().count() > MAX_TRIMMED_CHARS => {
                Err(refused(format!("trim: at most {MAX_TRIMMED_CHARS} characters can be taken away")))
            }
            Some(_) | None => Ok(()),
        },
        _ => |_| Ok(()),
    }
}

fn second(arguments: &[Value], most: i64, what: &str) -> Result<(), Error> {
    arguments.get(1).map_or(Ok(()), |argument| at_most(argument, most, what))
}

/// What is no number is refused by the filter itself.
fn at_most(argument: &Value, most: i64, what: &str) -> Result<(), Error> {
    let is_within = match i64::try_from(argument.clone()) {
        Ok(number) => (-most..=most).contains(&number),
        Err(_) => !argument.is_number(),
    };
    if is_within { Ok(()) } else { Err(refused(format!("{what} may be {most} at most"))) }
}

fn check_length(value: &Value) -> Result<(), Error> {
    if value.as_str().is_some_and(|text| text.len() > MAX_TEXT_BYTES) {
        return Err(refused(format!("a text has more than {MAX_TEXT_BYTES} bytes")));
    }
    Ok(())
}

/// Pays for looking at everything that is given to a call, before it begins.
fn pay(state: &State, arguments: &[Value]) -> Result<(), Error> {
    for argument in arguments {
        check_length(argument)?;
        let fuel = match argument.as_str() {
            Some(text) => text.len() / 64,
            None if matches!(argument.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) => {
                argument.len().unwrap_or(UNKNOWN_LENGTH) / 2
            }
            None => 0,
        };
        state.consume_fuel(fuel as u64)?;
    }
    Ok(())
}

/// Making JSON takes longer than copying text.
fn tojson(state: &State, value: &Value, indent: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let made = builtin::tojson(value, indent, named)?;
    state.consume_fuel(made.as_str().map_or(0, |text| text.len() as u64 / 4))?;
    Ok(made)
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}
