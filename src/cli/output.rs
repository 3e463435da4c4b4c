use std::io;
use std::io::Write;

/// Prints one result line on standard output. A closed pipe is not an error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Prints one error line on standard error.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Prints text on standard error as it is, separate from the results.
pub(crate) fn print_beside(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
