use std::io;
use std::io::Write;

/// One result for the person, on standard output. Nobody listening (a closed pipe) is no failure.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// One complaint, on standard error.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Text beside the results, on standard error, as it is.
pub(crate) fn print_beside(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
