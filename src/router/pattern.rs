/// A pattern of node names: `*` stands for any text, `?` for one character; the host part ignores case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern; it must have exactly one `@`.
    pub fn new(text: &str) -> Option<Self> {
        (text.matches('@').count() == 1).then(|| Self(text.to_owned()))
    }

    /// Whether a full node name fits.
    pub fn fits(&self, name: &str) -> bool {
        let split = |text: &str| text.split_once('@').map(|(name, host)| (name.to_owned(), host.to_ascii_lowercase()));
        match (split(&self.0), split(name)) {
            (Some((name_pattern, host_pattern)), Some((name, host))) => glob(&name_pattern, &name) && glob(&host_pattern, &host),
            _ => false,
        }
    }
}

/// Matches without recursion: on a mismatch the last star takes one character more.
fn glob(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (mut ahead, mut rest) = (pattern.clone(), text.clone());
        match (ahead.next(), rest.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((ahead.clone(), text.clone()));
                pattern = ahead;
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => (pattern, text) = (ahead, rest),
            _ => {
                let Some((after_star, mut taken)) = retry.take() else {
                    return false;
                };
                if taken.next().is_none() {
                    return false;
                }
                retry = Some((after_star.clone(), taken.clone()));
                (pattern, text) = (after_star, taken);
            }
        }
    }
}
