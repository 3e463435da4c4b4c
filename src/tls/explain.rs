use super::x509;

/// What TLS says about the certificate of the other side, and what to tell a person instead: if we refused it, and if the
/// peer refused ours and sent the same text. rustls gives no more than its text to quinn.
const TEXTS: [(&str, &str, &str); 3] = [
    (
        "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
        "the peer presents the certificate of an authority (CA:TRUE); it needs one of its own (`beamway certs issue`)",
        "our certificate is that of an authority (CA:TRUE); this daemon needs one of its own (`beamway certs issue`)",
    ),
    (
        "invalid peer certificate: UnknownIssuer",
        "the peer's certificate is not signed by an authority in our ca.pem",
        "our certificate is not signed by an authority in the peer's ca.pem",
    ),
    (
        "invalid peer certificate: Revoked",
        "the peer's certificate is revoked (our crl.pem)",
        "our certificate is revoked (the peer's crl.pem)",
    ),
];

/// Alerts of TLS, which a peer sends without a text.
const ALERTS: [(&str, &str); 6] = [
    (
        "received fatal alert: CertificateExpired",
        "the peer refused our certificate: it has expired, or is not valid yet, by the peer's clock; check the clocks of \
         both hosts",
    ),
    (
        "received fatal alert: UnknownCA",
        "the peer refused our certificate: it is not signed by an authority in the peer's ca.pem",
    ),
    (
        "received fatal alert: BadCertificate",
        "the peer refused our certificate; its log says why",
    ),
    (
        "received fatal alert: CertificateUnknown",
        "the peer refused our certificate; its log says why",
    ),
    (
        "received fatal alert: CertificateRevoked",
        "the peer refused our certificate: it is revoked",
    ),
    (
        "received fatal alert: CertificateRequired",
        "the peer requires a certificate, and got none from us",
    ),
];

/// Words of rustls that stand before a time in seconds since 1970.
const BEFORE_TIMES: [&str; 3] = ["verification time ", "is not valid after ", "is not valid before "];

/// Makes an error of TLS clear: names of variants become sentences, and seconds since 1970 become dates. `is_theirs` tells that
/// the text comes from the peer, about our certificate. Any other text is left as it is.
pub fn explain(error: &str, is_theirs: bool) -> String {
    let mut text = error.to_owned();
    for (raw, ours, theirs) in TEXTS {
        text = text.replace(raw, if is_theirs { theirs } else { ours });
    }
    for (raw, clear) in ALERTS {
        text = text.replace(raw, clear);
    }
    explain_name(explain_times(text, is_theirs), is_theirs)
}

fn explain_times(mut text: String, is_theirs: bool) -> String {
    let mut has_times = false;
    for words in BEFORE_TIMES {
        let Some((before, after)) = text.split_once(words) else {
            continue;
        };
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = after.split_at(digits);
        let Ok(seconds) = number.parse() else {
            continue;
        };
        let rest = rest.strip_prefix(" (UNIX)").unwrap_or(rest);
        text = format!("{before}{words}{}{rest}", x509::date(seconds));
        has_times = true;
    }
    if !has_times {
        return text;
    }
    let (clock, whose) = if is_theirs {
        ("by the peer's clock it is ", "our certificate: ")
    } else {
        ("by our clock it is ", "the peer's certificate: ")
    };
    text = text.replace("invalid peer certificate: ", whose);
    text = text.replace("verification time ", clock);
    text + "; check the clocks of both hosts"
}

/// The address of a peer answers with another name than that of the `[[peer]]`.
fn explain_name(text: String, is_theirs: bool) -> String {
    let Some((before, after)) = text.split_once("invalid peer certificate: certificate not valid for name ") else {
        return text;
    };
    let after = after.replace("; certificate is only valid for ", ", but for ");
    let after = after.replace("DnsName(\"", "`").replace("IpAddress(", "`");
    let after = after.replace("\")", "`").replace(')', "`");
    if is_theirs {
        format!(
            "{before}our certificate is not for the name {after}; the peer has another `name` in its [[peer]] for us"
        )
    } else {
        format!(
            "{before}the certificate at this address is not for the name {after}; correct `name` or `address` of the [[peer]]"
        )
    }
}
