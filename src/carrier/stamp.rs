use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// How files look from outside: enough to see that one was written, or replaced by another one. Symbolic links are followed, since
/// Kubernetes changes a mounted secret by moving one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Option<[i64; 5]>>);

impl Stamp {
    /// A file that is not there has a look of its own.
    pub(super) fn of(files: &[PathBuf]) -> Self {
        let look = |file: &PathBuf| {
            let found = fs::metadata(file).ok()?;
            Some([
                found.dev() as i64,
                found.ino() as i64,
                found.size() as i64,
                found.mtime(),
                found.mtime_nsec(),
            ])
        };
        Self(files.iter().map(look).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_removed_or_behind_a_link_that_moves_looks_otherwise() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (file, link) = (path("file"), path("link"));
        fs::write(&file, "one").expect("room");
        fs::write(path("other"), "one").expect("room");
        symlink(&file, &link).expect("a link");
        let files = [file.clone(), link.clone()];
        let mut looks = vec![Stamp::of(&files)];
        assert_eq!(looks[0], Stamp::of(&files));
        fs::write(&file, "three").expect("room");
        looks.push(Stamp::of(&files));
        fs::rename(path("other"), &file).expect("a file");
        looks.push(Stamp::of(&files));
        fs::write(path("third"), "one").expect("room");
        symlink(path("third"), path("next")).expect("a link");
        fs::rename(path("next"), &link).expect("a link");
        looks.push(Stamp::of(&files));
        fs::remove_file(&file).expect("a file");
        looks.push(Stamp::of(&files));
        for (index, look) in looks.iter().enumerate() {
            assert!(!looks[..index].contains(look), "{index}");
        }
    }
}
