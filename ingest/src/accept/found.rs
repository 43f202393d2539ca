//! Pure. The parameters of a push that were found, wherever they stand.

use model::heartbeat::{HeartbeatKind, MAX_MESSAGE_CHARS};

use super::words;

/// The name of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Status,
    Message,
    Value,
    Ping,
    ExitCode,
    /// An exit code, or the status that a web server answered.
    Code,
    /// Gatus's word for the status, in a query.
    Success,
    /// Cronitor's.
    State,
    /// Dead Man's Snitch's.
    Snitch,
}

impl Name {
    const EVERYWHERE: [(&'static str, Self); 11] = [
        ("status", Self::Status),
        ("msg", Self::Message),
        ("value", Self::Value),
        ("ping", Self::Ping),
        ("exit_code", Self::ExitCode),
        // People type these for it. A job whose code was ignored would count as up.
        ("exitcode", Self::ExitCode),
        ("exit_status", Self::ExitCode),
        ("exitstatus", Self::ExitCode),
        ("return_code", Self::ExitCode),
        ("returncode", Self::ExitCode),
        ("rc", Self::ExitCode),
    ];

    /// In a body these are words like any other, in the push URL they are meant for us.
    const IN_A_QUERY: [(&'static str, Self); 9] = [
        ("success", Self::Success),
        ("state", Self::State),
        ("s", Self::Snitch),
        ("code", Self::Code),
        ("exit", Self::ExitCode),
        ("ret", Self::ExitCode),
        ("retcode", Self::ExitCode),
        ("status_code", Self::Code),
        ("statuscode", Self::Code),
    ];

    /// The parameter of this name, in letters of any case, and as copying and hand-written code leave it:
    /// with blanks, quotation marks, a byte order mark, the rest of an `&amp;`, or the brackets of a list;
    /// `exit-code` is `exit_code`.
    pub(super) fn of(text: &str) -> Option<Self> {
        Self::among(&Self::EVERYWHERE, text)
    }

    /// As [`Self::of`], in the query of a push URL.
    pub(super) fn in_a_query(text: &str) -> Option<Self> {
        Self::of(text).or_else(|| Self::among(&Self::IN_A_QUERY, text))
    }

    fn among(names: &[(&str, Self)], text: &str) -> Option<Self> {
        let text = words::unquoted(text.trim_start_matches('\u{feff}'));
        let text = text.strip_prefix("amp;").unwrap_or(text);
        let text = text.strip_suffix("[]").unwrap_or(text);
        let same = |one: u8, other: u8| one.eq_ignore_ascii_case(&other) || (one, other) == (b'_', b'-');
        let is_it = |name: &str| {
            name.len() == text.len() && name.bytes().zip(text.bytes()).all(|(one, other)| same(one, other))
        };
        names.iter().find(|(name, _)| is_it(name)).map(|(_, name)| *name)
    }

    /// The most bytes of its value that are kept: no good value is longer, but for a message, which is cut.
    pub(super) const fn most(self) -> usize {
        match self {
            Self::Message => MAX_MESSAGE_CHARS * 4,
            Self::Value => 400,
            Self::Status
            | Self::Ping
            | Self::ExitCode
            | Self::Code
            | Self::Success
            | Self::State
            | Self::Snitch => 64,
        }
    }
}

/// A value as it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    Text(String),
    /// A JSON value that is neither text nor a number.
    Unfit,
}

impl Given {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Unfit => None,
        }
    }
}

/// A parameter that tells how the job went, and what it says; `None` if that is not clear.
pub(super) type Told = (Name, Option<HeartbeatKind>);

/// The parameters that were given. An empty one counts as not given.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) status: Option<Given>,
    /// A status by another tool's name for it, or of a second query, in a query.
    pub(super) alias: Option<Told>,
    pub(super) exit_code: Option<Given>,
    pub(super) message: Option<Given>,
    pub(super) value: Option<Given>,
    pub(super) ping: Option<Given>,
    /// Whether a parameter was there, be it empty.
    pub(super) any: bool,
}

impl Found {
    /// Notes a parameter. Of one given twice the first counts; but of two that disagree on the status, one
    /// that says down, or else one that is not understood.
    pub(super) fn add(&mut self, name: Name, given: Given) {
        self.any = true;
        if given == Given::Text(String::new()) {
            return;
        }
        let place = match name {
            Name::Status => {
                let said = |given: &Given| weight(given.text().and_then(words::status_of_any_tool));
                if self.status.as_ref().is_none_or(|status| said(&given) > said(status)) {
                    self.status = Some(given);
                }
                return;
            }
            Name::ExitCode => {
                let said = |given: &Given| weight(given.text().and_then(words::exit_code));
                if self.exit_code.as_ref().is_none_or(|code| said(&given) > said(code)) {
                    self.exit_code = Some(given);
                }
                return;
            }
            Name::Code => {
                let given = if is_like_http(&given) { Given::Unfit } else { given };
                return self.add(Name::ExitCode, given);
            }
            Name::Success => return self.add_alias(name, given.text().and_then(words::success)),
            Name::State => return self.add_alias(name, given.text().and_then(words::state)),
            Name::Snitch => return self.add_alias(name, given.text().and_then(words::zero_is_good)),
            Name::Message => &mut self.message,
            Name::Value => &mut self.value,
            Name::Ping => &mut self.ping,
        };
        place.get_or_insert(given);
    }

    /// Notes what was found behind this.
    pub(super) fn join(&mut self, behind: Self) {
        let Self { status, alias, exit_code, message, value, ping, any } = behind;
        for (name, given) in [
            (Name::Status, status),
            (Name::ExitCode, exit_code),
            (Name::Message, message),
            (Name::Value, value),
            (Name::Ping, ping),
        ] {
            if let Some(given) = given {
                self.add(name, given);
            }
        }
        if let Some((name, kind)) = alias {
            self.add_alias(name, kind);
        }
        self.any |= any;
    }

    /// Notes what a query behind this one says of the status, by any name. Its exit code weighs like a
    /// status: the status in front of it is that of a copied URL.
    pub(super) fn add_told_behind(&mut self, behind: &Self) {
        if let Some((name, kind)) = behind.status(words::status).or_else(|| behind.exit_code()) {
            self.any = true;
            self.add_alias(name, kind);
        }
    }

    fn add_alias(&mut self, name: Name, kind: Option<HeartbeatKind>) {
        if self.alias.is_none_or(|(_, other)| weight(kind) > weight(other)) {
            self.alias = Some((name, kind));
        }
    }

    /// What these parameters say of the status. `read` is how a word of `status` is read.
    pub(super) fn status(&self, read: impl Fn(&str) -> Option<HeartbeatKind>) -> Option<Told> {
        let status = self.status.as_ref().map(|given| (Name::Status, given.text().and_then(read)));
        match (status, self.alias) {
            (Some(status), Some(alias)) if weight(alias.1) > weight(status.1) => Some(alias),
            (Some(status), _) => Some(status),
            (None, alias) => alias,
        }
    }

    /// What the exit code says of the status.
    pub(super) fn exit_code(&self) -> Option<Told> {
        let given = self.exit_code.as_ref()?;
        Some((Name::ExitCode, given.text().and_then(words::exit_code)))
    }

    /// Whether these parameters try to say how the job went.
    pub(super) const fn tells(&self) -> bool {
        self.status.is_some() || self.alias.is_some() || self.exit_code.is_some()
    }

    /// What is believed of a body that was not read to its end: that the job failed, if the body says so.
    pub(super) fn only_a_failure(self) -> Self {
        let failed = matches!(
            self.status(words::status_of_any_tool).or_else(|| self.exit_code()),
            Some((_, Some(HeartbeatKind::Down)))
        );
        Self {
            status: failed.then(|| Given::Text(HeartbeatKind::Down.as_str().to_owned())),
            ..Self::default()
        }
    }
}

/// Whether a value may be the status of an answer by HTTP. Then it says nothing of a job.
fn is_like_http(given: &Given) -> bool {
    let number = given.text().and_then(|text| text.trim().parse::<u16>().ok());
    number.is_some_and(|number| (100..=599).contains(&number))
}

/// What counts of two statuses: down before what is not understood, and that before up.
pub(super) const fn weight(kind: Option<HeartbeatKind>) -> u8 {
    match kind {
        Some(HeartbeatKind::Down) => 2,
        None => 1,
        Some(HeartbeatKind::Up) => 0,
    }
}
