use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::bail;

use super::findings::Findings;

/// What is written to the folder of a run.
const FINDINGS: &str = "findings.json";
const FINDINGS_NEW: &str = "findings.json.new";

/// The folder of a run, if it has one.
pub(super) struct Store {
    folder: Option<PathBuf>,
}

impl Store {
    /// Makes the folder if there is none.
    pub(super) fn open(folder: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(folder) = &folder {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        Ok(Self { folder })
    }

    /// The findings of an interrupted run, or else those given.
    ///
    /// # Errors
    /// If the interrupted run had other settings.
    pub(super) fn resume(&self, fresh: Findings) -> anyhow::Result<Findings> {
        let Some(file) = self.file(FINDINGS) else {
            return Ok(fresh);
        };
        if !file.exists() {
            return Ok(fresh);
        }
        let earlier = read(&file)?;
        if let Some(differs) = difference(&earlier, &fresh) {
            bail!(
                "{} belongs to a run with other settings ({differs}): choose another folder, or remove it",
                file.display()
            );
        }
        Ok(earlier)
    }

    /// Writes what is found so far: the file is whole at any moment.
    pub(super) fn save(&self, findings: &Findings) -> anyhow::Result<()> {
        let Some((file, new)) = self.file(FINDINGS).zip(self.file(FINDINGS_NEW)) else {
            return Ok(());
        };
        fs::write(&new, serde_json::to_string(findings)?)
            .and_then(|()| fs::rename(&new, &file))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// The folder.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name))
    }
}

/// What a run has left.
pub(super) fn read(file: &Path) -> anyhow::Result<Findings> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a findings.json of beamway bench", file.display()))
}

/// The first setting in which two runs differ.
fn difference(earlier: &Findings, fresh: &Findings) -> Option<String> {
    let (before, now) = (&earlier.about, &fresh.about);
    let fixed = |about: &super::findings::About| {
        let own = [
            ("beamway", about.beamway.clone()),
            ("machine", about.machine.clone()),
            ("cores", about.cores.to_string()),
            ("kernel", about.kernel.clone()),
            ("Erlang/OTP", about.otp.clone()),
            ("TLS", about.tls.clone().unwrap_or_default()),
            ("rounds", about.rounds_wanted.to_string()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        [own.to_vec(), about.settings.clone()].concat()
    };
    let (before, now) = (fixed(before), fixed(now));
    let other = before.iter().find(|setting| !now.contains(setting));
    let other = other.or_else(|| now.iter().find(|setting| !before.contains(setting)));
    let differs = other.map(|(name, value)| format!("{name} {value}"));
    differs.or_else(|| (earlier.rows != fresh.rows).then(|| "other rows".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::bench::findings::About;

    fn findings(settings: &[(&str, &str)]) -> Findings {
        Findings {
            about: About {
                beamway: "0".into(),
                started: String::new(),
                machine: String::new(),
                cores: 1,
                memory_bytes: 1,
                kernel: String::new(),
                otp: "25".into(),
                tls: None,
                settings: settings
                    .iter()
                    .map(|(name, value)| ((*name).into(), (*value).into()))
                    .collect(),
                rounds_wanted: 1,
                complete: false,
                notes: Vec::new(),
            },
            rows: Vec::new(),
            measures: Vec::new(),
        }
    }

    #[test]
    fn what_was_saved_is_gone_on_with_if_it_is_the_same_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Some(folder.path().join("run"))).unwrap();
        let mut first = findings(&[("lanes", "16")]);
        assert_eq!(store.resume(first.clone()).unwrap(), first, "a fresh folder");
        first.about.notes.push("a note".into());
        store.save(&first).unwrap();
        let again = store.resume(findings(&[("lanes", "16")])).unwrap();
        assert_eq!(again, first);
        for other in [
            findings(&[("lanes", "4")]),
            findings(&[]),
            findings(&[("lanes", "16"), ("more", "1")]),
        ] {
            let error = store.resume(other).unwrap_err().to_string();
            assert!(error.contains("other settings"), "{error}");
        }
    }

    #[test]
    fn without_a_folder_nothing_is_written() {
        let store = Store::open(None).unwrap();
        store.save(&findings(&[])).unwrap();
        assert_eq!(store.folder(), None);
    }
}
