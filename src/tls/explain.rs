use super::x509;

/// What TLS says about certificates, and what to tell a person instead. rustls gives no more than its text to quinn.
const TEXTS: [(&str, &str); 8] = [
    (
        "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
        "the peer presents the certificate of an authority (CA:TRUE); it needs one of its own (`beamway certs issue`)",
    ),
    (
        "invalid peer certificate: UnknownIssuer",
        "the peer's certificate is not signed by an authority in our ca.pem",
    ),
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

/// Makes an error of TLS clear: names of variants become sentences, and seconds since 1970 become dates. Any other text is
/// left as it is.
pub fn explain(error: &str) -> String {
    let mut text = error.to_owned();
    for (raw, clear) in TEXTS {
        text = text.replace(raw, clear);
    }
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
    if has_times {
        text = text.replace("verification time ", "by our clock it is ");
        text.push_str("; check the clocks of both hosts");
    }
    // The address of a peer answers with another name.
    if let Some((before, after)) = text.split_once("invalid peer certificate: certificate not valid for name ") {
        let after = after.replace("; certificate is only valid for ", ", but for ");
        let after = after.replace("DnsName(\"", "`").replace("IpAddress(", "`");
        let after = after.replace("\")", "`").replace(')', "`");
        text = format!(
            "{before}the certificate at this address is not for the name {after}; correct `name` or `address` of the [[peer]]"
        );
    }
    text
}
