use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Checks that only its owner can read a file with a secret. The error says what to do.
///
/// The rule is that of PostgreSQL for keys: a file of root may be readable by its group, since Kubernetes mounts secrets in
/// that way for a program that runs as another user (`fsGroup`).
pub(crate) fn check_secret(file: &Path) -> Result<(), String> {
    // A file that is missing is reported by who reads it.
    let exposed = fs::metadata(file)
        .ok()
        .and_then(|found| exposed(found.mode(), found.uid()));
    match exposed {
        Some(who) => Err(format!(
            "{0} can be read or changed by {who}; run `chmod 600 {0}` (only a file of root may be readable by a group: mode 640)",
            file.display()
        )),
        None => Ok(()),
    }
}

/// Who else than its owner may use a file of this mode and owner.
fn exposed(mode: u32, owner: u32) -> Option<String> {
    const OTHERS: u32 = 0o007;
    const GROUP: u32 = 0o070;
    const GROUP_UNLESS_READING: u32 = 0o030;
    let group = if owner == 0 { GROUP_UNLESS_READING } else { GROUP };
    let who = match (mode & OTHERS != 0, mode & group != 0) {
        (true, _) => "every user of this machine",
        (false, true) => "its group",
        (false, false) => return None,
    };
    Some(format!("{who} (mode {:o})", mode & 0o777))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_for_its_owner_and_that_of_root_for_a_group_too() {
        for (mode, owner, who) in [
            (0o100_600, 1000, None),
            (0o100_400, 1000, None),
            (0o100_640, 1000, Some("its group (mode 640)")),
            (0o100_620, 1000, Some("its group (mode 620)")),
            (0o100_644, 1000, Some("every user of this machine (mode 644)")),
            (0o100_604, 0, Some("every user of this machine (mode 604)")),
            (0o100_640, 0, None),
            (0o100_440, 0, None),
            (0o100_660, 0, Some("its group (mode 660)")),
            (0o100_600, 0, None),
        ] {
            assert_eq!(exposed(mode, owner).as_deref(), who, "{mode:o} {owner}");
        }
    }
}
