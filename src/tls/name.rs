use std::net::IpAddr;

use rustls_pki_types::DnsName;

use super::error::NameError;

/// Checks that `text` can name a daemon and gives it in lower case, the one spelling used from here on.
///
/// A name is a DNS name of 1 to 253 bytes: labels of 1 to 63 letters, digits, `-` and `_`, joined by dots; the last one
/// not only digits. It needs no entry in any DNS. Wildcards, addresses and a dot at the end are refused: a name means
/// one daemon, in one spelling.
///
/// # Errors
///
/// [`NameError`] says which of these rules is broken.
pub fn daemon_name(text: &str) -> Result<String, NameError> {
    let error = |reason| NameError {
        name: text.chars().take(80).collect(),
        reason,
    };
    if text.is_empty() {
        return Err(error("it is empty"));
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(error("it is an address; a daemon has a name"));
    }
    if text.contains('*') {
        return Err(error("a wildcard would name several daemons"));
    }
    if text.ends_with('.') {
        return Err(error("it ends in a dot"));
    }
    if text.contains('@') {
        return Err(error("it names a node; a daemon's name has no `@`"));
    }
    DnsName::try_from(text).map_err(|_| {
        error("labels of 1 to 63 letters, digits, `-` and `_`, joined by dots, at most 253 bytes in all")
    })?;
    Ok(text.to_ascii_lowercase())
}
