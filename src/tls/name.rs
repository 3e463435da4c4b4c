use std::net::IpAddr;

use rustls_pki_types::DnsName;

use super::error::NameError;

/// Checks that `text` can be the name of a daemon. Returns it in lower case, which is the only spelling used from here on.
///
/// A name is a DNS name of 1 to 253 bytes: labels of 1 to 63 letters, digits, `-` and `_`, joined by dots. The last label must
/// not consist of digits only. The name needs no DNS entry. Wildcards, addresses and a trailing dot are rejected: a name
/// means one daemon, in one spelling.
///
/// # Errors
///
/// [`NameError`] with the rule that is broken.
pub fn daemon_name(text: &str) -> Result<String, NameError> {
    let error = |reason| NameError {
        name: text.chars().take(80).collect(),
        reason,
    };
    if text.is_empty() {
        return Err(error("it is empty"));
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(error("it is an IP address; use a DNS name"));
    }
    if text.contains('*') {
        return Err(error("a wildcard would name several daemons"));
    }
    if text.ends_with('.') {
        return Err(error("it ends in a dot"));
    }
    if text.contains('@') {
        return Err(error("it is a node name; a daemon's name has no `@`"));
    }
    DnsName::try_from(text).map_err(|_| {
        error("use labels of 1 to 63 letters, digits, `-` and `_`, joined by dots, at most 253 bytes in total")
    })?;
    Ok(text.to_ascii_lowercase())
}

/// Checks that `text` can be a host in a certificate: a DNS name as in [`daemon_name`], or an IP address. Returns it in the
/// usual spelling.
///
/// # Errors
///
/// [`NameError`] with the rule that is broken.
#[cfg(any(test, feature = "daemon"))]
pub fn host_name(text: &str) -> Result<String, NameError> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => daemon_name(text),
    }
}
