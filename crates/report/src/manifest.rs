//! The files that an experiment wrote to a folder: only these may be replaced.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path};

use rekindle_files::{FileError, write_atomic};

/// The name of the list, in the folder itself.
const LIST: &str = ".rekindle";

/// Names of files, relative to the output folder, with `/`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest(BTreeSet<String>);

impl Manifest {
    /// Reads what experiments wrote to a folder; nothing if it has no list.
    pub(crate) fn read(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(LIST);
        match fs::read_to_string(&path) {
            // A folder from elsewhere must not choose files outside of it.
            Ok(list) => Ok(Self(list.lines().filter(|name| is_inside(name)).map(str::to_owned).collect())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Self::default())
            }
            Err(error) => Err(FileError::read(&path, error)),
        }
    }

    /// Whether a file or a folder is an experiment's.
    pub(crate) fn owns(&self, name: &str) -> bool {
        let below = format!("{name}/");
        self.0.contains(name) || self.0.iter().any(|file| file.starts_with(&below))
    }

    /// Whether a listed file is still in the folder.
    pub(crate) fn is_present(&self, folder: &Path) -> bool {
        self.0.iter().any(|name| folder.join(name).exists())
    }

    /// Adds files, and writes the list before they are in the folder.
    pub(crate) fn extend(&mut self, folder: &Path, names: &[String]) -> Result<(), FileError> {
        self.0.extend(names.iter().cloned());
        self.write(folder)
    }

    /// Removes all files but these from the folder and from the list, and folders that are empty then.
    pub(crate) fn retain(&mut self, folder: &Path, names: &[String]) -> Result<(), FileError> {
        let kept: BTreeSet<String> = names.iter().cloned().collect();
        for name in self.0.difference(&kept) {
            let path = folder.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(FileError::write(&path, error)),
                _ => {}
            }
            let above = Path::new(name).ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
            // Removes only empty folders.
            above.for_each(|above| drop(fs::remove_dir(folder.join(above))));
        }
        self.0 = kept;
        self.write(folder)
    }

    fn write(&self, folder: &Path) -> Result<(), FileError> {
        let list: String = self.0.iter().map(|name| format!("{name}\n")).collect();
        let path = folder.join(LIST);
        write_atomic(&path, |new| fs::write(new, list).map_err(|source| FileError::write(&path, source)))
    }
}

/// Whether a name leads to a file below the folder.
fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_files_are_removed_and_only_empty_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let mut manifest = Manifest::read(root).expect("no list");
        assert!(!manifest.is_present(root));
        let names = ["a.csv", "models/one/weights", "models/two/weights"].map(str::to_owned);
        manifest.extend(root, &names).expect("written");
        for name in names.iter().map(String::as_str).chain(["models/two/notes", "b.csv"]) {
            fs::create_dir_all(root.join(name).parent().expect("a parent")).expect("a folder");
            fs::write(root.join(name), name).expect("written");
        }
        let mut manifest = Manifest::read(root).expect("the list");
        assert!(manifest.owns("a.csv") && manifest.owns("models/one") && manifest.owns("models"));
        assert!(!manifest.owns("b.csv") && !manifest.owns("models/on") && manifest.is_present(root));
        manifest.retain(root, &["a.csv".to_owned()]).expect("removed");
        assert!(root.join("a.csv").exists() && root.join("b.csv").exists() && root.join("models/two/notes").exists());
        assert!(!root.join("models/one").exists() && !root.join("models/two/weights").exists());
        assert!(!Manifest::read(root).expect("the list").owns("models"));
    }

    #[test]
    fn a_list_from_elsewhere_names_no_file_outside_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(LIST), "../a\n/etc/passwd\nmodels/../../b\n\nc\n").expect("written");
        let manifest = Manifest::read(folder.path()).expect("the list");
        assert!(manifest.owns("c") && manifest.0.len() == 1, "{manifest:?}");
    }
}
