use std::fmt;
use std::path::PathBuf;

use super::settings::AdminSettings;

/// One mistake in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its line in the file, counted from 1, if it has one.
    pub line: Option<usize>,
    /// The key with its table: `gateway.lanes`, `peer[2].address`. Empty if the file is not valid TOML at this line.
    pub key: String,
    /// The value as written, cut to a readable length; `None` for a missing key.
    pub value: Option<String>,
    /// The kind of mistake, in one or two words: `missing`, `unknown key`, `not allowed`.
    pub fault: &'static str,
    /// What is allowed instead. For invalid TOML, the message of the parser.
    pub allowed: String,
}

impl fmt::Display for Mistake {
    /// `line 4: gateway.lanes = 0: not allowed; allowed: a whole number from 1 to 64`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(formatter, "line {line}: ")?;
        }
        if self.key.is_empty() {
            return write!(formatter, "{}: {}", self.fault, self.allowed);
        }
        formatter.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(formatter, " = {value}")?;
        }
        formatter.write_str(": ")?;
        write!(formatter, "{}; allowed: {}", self.fault, self.allowed)
    }
}

/// All mistakes in the settings. Those of a file are in the order of its lines. Never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// The mistakes.
    pub list: Vec<Mistake>,
    /// `gateway.name`, if this key is correct: allows the certificates to be checked too.
    pub name: Option<String>,
    /// `gateway.certs`, if this key is correct.
    pub certs: Option<PathBuf>,
    /// `[admin]`, if the text could be read at all: allows a daemon that runs to be found although its file has mistakes by now. A key with
    /// a mistake has its default.
    pub admin: Option<Box<AdminSettings>>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.list.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            mistake.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
