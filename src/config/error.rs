use std::fmt;
use std::path::PathBuf;

/// One mistake in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its line, counted from 1, where it has one.
    pub line: Option<usize>,
    /// The key, with its table: `gateway.lanes`, `peer[2].address`. Empty when the file is no TOML there.
    pub key: String,
    /// The value as written, cut to a readable length; `None` for a missing key.
    pub value: Option<String>,
    /// What is wrong, in one or two words: `missing`, `unknown key`, `not allowed`.
    pub fault: &'static str,
    /// What is allowed instead; what the TOML reader says where the file is no TOML.
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

/// All mistakes of a file, in the order of their lines. Never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// The mistakes.
    pub list: Vec<Mistake>,
    /// `gateway.name`, when that key is right: enough to check certificates all the same.
    pub name: Option<String>,
    /// `gateway.certs`, when that key is right.
    pub certs: Option<PathBuf>,
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
