//! The cache's layout, and when a model in it is whole.
//!
//! `models--organisation--name/refs/main` names a commit, `snapshots/<commit>/` holds links to the files of that
//! commit, and `blobs/` holds their contents.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The model's configuration, without which nothing can be loaded.
pub(super) const CONFIG: &str = "config.json";
/// The weights in one file.
pub(super) const WEIGHTS: &str = "model.safetensors";
/// The list of the files that hold the weights when there are several.
pub(super) const INDEX: &str = "model.safetensors.index.json";
/// The files of any one of these are enough to build the tokenizer.
pub(super) const TOKENIZERS: [&[&str]; 3] = [&["tokenizer.json"], &["vocab.txt"], &["vocab.json", "merges.txt"]];
/// Weights in a format that can hold a program, which is never read.
#[cfg(feature = "download")]
pub(super) const PICKLES: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];
/// Settings and further tokens of the tokenizer, the model card with the licence, and the settings and the head of a model of
/// sentence-transformers or SetFit. Not every repository has them.
#[cfg(feature = "download")]
pub(super) const OPTIONAL: [&str; 8] = [
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "README.md",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "config_setfit.json",
    "model_head.safetensors",
];
/// The modules of a model of sentence-transformers. Each has a folder.
pub(super) const MODULES: &str = "modules.json";

/// The folder of the model `id`, which must be a valid name.
pub(super) fn repo_folder(cache: &Path, id: &str) -> PathBuf {
    cache.join(format!("models--{}", id.replace('/', "--")))
}

/// The folder of one commit's files.
pub(super) fn snapshot_folder(cache: &Path, id: &str, commit: &str) -> PathBuf {
    repo_folder(cache, id).join("snapshots").join(commit)
}

/// The snapshot of `main`, if all that is needed to load the model is there.
///
/// A cache that was copied may lack `refs/main`; the complete snapshot that was written last then stands for it.
/// Whatever cannot be read counts as missing: the caller then downloads it, and reports what stands in the way.
pub(super) fn complete_snapshot(cache: &Path, id: &str) -> Option<PathBuf> {
    let repo = repo_folder(cache, id);
    match fs::read_to_string(repo.join("refs").join("main")) {
        Ok(reference) => {
            let commit = reference.trim();
            let snapshot = is_plain_name(commit).then(|| snapshot_folder(cache, id, commit))?;
            is_complete(&snapshot).then_some(snapshot)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let snapshots = fs::read_dir(repo.join("snapshots")).ok()?.flatten().map(|entry| entry.path());
            let written = |snapshot: &PathBuf| snapshot.metadata().and_then(|data| data.modified()).ok();
            snapshots.filter(|snapshot| is_complete(snapshot)).max_by_key(written)
        }
        Err(_) => None,
    }
}

/// Whether a snapshot has all that is needed to load the model.
fn is_complete(snapshot: &Path) -> bool {
    let has = |name: &str| snapshot.join(name).is_file();
    let has_weights = has(WEIGHTS)
        || fs::read(snapshot.join(INDEX))
            .ok()
            .and_then(|index| shards(&index))
            .is_some_and(|shards| shards.iter().all(|shard| has(shard)));
    // A model without modules is one, too.
    let has_modules = fs::read(snapshot.join(MODULES))
        .map_or(true, |list| module_files(&list).is_some_and(|files| files.iter().all(|file| has(file))));
    has(CONFIG) && has_weights && has_modules && TOKENIZERS.iter().any(|files| files.iter().all(|name| has(name)))
}

/// The names of the files that an index of sharded weights points to, each once; `None` if it is not such an index.
pub(super) fn shards(index: &[u8]) -> Option<BTreeSet<String>> {
    let index: serde_json::Value = serde_json::from_slice(index).ok()?;
    let shards = index
        .get("weight_map")?
        .as_object()?
        .values()
        .map(|shard| shard.as_str().filter(|name| is_plain_name(name)).map(str::to_owned))
        .collect::<Option<BTreeSet<_>>>()?;
    (!shards.is_empty()).then_some(shards)
}

/// The files that the modules of sentence-transformers need in their own folders; `None` if it is not a list of modules.
///
/// `Transformer` is the model itself, and `Normalize` has no files. Other modules are not supported, which whoever opens the
/// model says.
pub(super) fn module_files(list: &[u8]) -> Option<Vec<String>> {
    let modules: Vec<serde_json::Value> = serde_json::from_slice(list).ok()?;
    let mut needed = Vec::new();
    for module in &modules {
        let (path, kind) = (module.get("path")?.as_str()?, module.get("type")?.as_str()?);
        let files: &[&str] = match kind.rsplit('.').next() {
            Some("Pooling" | "WeightedLayerPooling") => &[CONFIG],
            Some("Dense") => &[CONFIG, WEIGHTS],
            _ => continue,
        };
        if !is_plain_name(path) {
            return None;
        }
        needed.extend(files.iter().map(|file| format!("{path}/{file}")));
    }
    Some(needed)
}

/// Whether a text that came from outside is safe as the name of a file in a folder.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shard_is_listed_once() {
        let index = br#"{"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}}"#;
        let names: Vec<_> = shards(index).expect("an index").into_iter().collect();
        assert_eq!(names, ["m-1.safetensors", "m-2.safetensors"]);
    }

    #[test]
    fn an_index_cannot_point_out_of_the_snapshot() {
        for shard in ["../x", "/etc/passwd", "a/b", "", "..", "a\\\\b"] {
            let index = format!(r#"{{"weight_map": {{"a": "{shard}"}}}}"#);
            assert_eq!(shards(index.as_bytes()), None, "{shard}");
        }
        assert_eq!(shards(br#"{"weight_map": {}}"#), None);
        assert_eq!(shards(b"not json"), None);
    }

    #[test]
    fn modules_need_the_files_of_their_folders() {
        let list = |path: &str| {
            let module =
                |path: &str, kind: &str| format!(r#"{{"path": "{path}", "type": "sentence_transformers.{kind}"}}"#);
            let modules = [
                module("", "models.Transformer"),
                module(path, "models.Pooling"),
                module("2_Normalize", "models.Normalize"),
                module("3_Dense", "base.modules.dense.Dense"),
            ];
            module_files(format!("[{}]", modules.join(",")).as_bytes())
        };
        let expected = ["1_Pooling/config.json", "3_Dense/config.json", "3_Dense/model.safetensors"];
        assert_eq!(list("1_Pooling").expect("modules"), expected);
        for path in ["", "..", "../x", "/etc", "a/b"] {
            assert_eq!(list(path), None, "{path}");
        }
        assert_eq!(module_files(b"{}"), None);
    }

    #[test]
    fn a_model_counts_only_when_whole() {
        let cache = tempfile::tempdir().expect("a folder");
        let snapshot = snapshot_folder(cache.path(), "o/n", "c0ffee");
        let refs = cache.path().join("models--o--n").join("refs");
        let found = || complete_snapshot(cache.path(), "o/n");
        let write = |name: &str, text: &str| fs::write(snapshot.join(name), text).expect("written");

        fs::create_dir_all(&snapshot).expect("created");
        fs::create_dir_all(&refs).expect("created");
        write(CONFIG, "{}");
        write("vocab.txt", "");
        write(INDEX, r#"{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}"#);
        write("1.safetensors", "");
        assert_eq!(found(), None, "a shard is missing");
        write("2.safetensors", "");
        assert_eq!(found(), Some(snapshot.clone()), "no branch, and one snapshot");
        write(MODULES, r#"[{"path": "1_Pooling", "type": "Pooling"}]"#);
        assert_eq!(found(), None, "the pooling is missing");
        fs::create_dir_all(snapshot.join("1_Pooling")).expect("created");
        write("1_Pooling/config.json", "{}");
        assert_eq!(found(), Some(snapshot.clone()));
        fs::create_dir_all(snapshot.with_file_name("facade")).expect("created");
        assert_eq!(found(), Some(snapshot.clone()), "no branch, and one complete snapshot");
        fs::write(refs.join("main"), "facade").expect("written");
        assert_eq!(found(), None, "a branch whose snapshot is not complete");
        fs::write(refs.join("main"), "c0ffee\n").expect("written");
        assert_eq!(found(), Some(snapshot.clone()));
        fs::remove_file(snapshot.join("vocab.txt")).expect("removed");
        assert_eq!(found(), None, "no tokenizer");
        fs::write(refs.join("main"), "../../elsewhere").expect("written");
        assert_eq!(found(), None, "a branch that leaves the cache");
    }
}
