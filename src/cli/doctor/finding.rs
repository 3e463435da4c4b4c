use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It works, but will fail, or is slower than it could be.
    Warning,
    /// It does not work.
    Failure,
}

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The check, in one word or two.
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) text: String,
    /// What to do; empty if nothing is.
    pub(super) remedy: String,
}

impl Finding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Ok,
            text: text.into(),
            remedy: String::new(),
        }
    }

    pub(super) fn warning(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Warning,
            text: text.into(),
            remedy: remedy.into(),
        }
    }

    pub(super) fn failure(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            level: Level::Failure,
            ..Self::warning(check, text, remedy)
        }
    }

    /// One line, and another one with what to do.
    pub(super) fn lines(&self) -> String {
        let mark = match self.level {
            Level::Ok => "ok  ",
            Level::Warning => "WARN",
            Level::Failure => "FAIL",
        };
        let Self {
            check, text, remedy, ..
        } = self;
        let first = format!("{mark}  {check:<13} {text}");
        match remedy.as_str() {
            "" => first,
            remedy => format!("{first}\n      {:<13} -> {remedy}", ""),
        }
    }
}
