//! What a model's folder cannot do: lead out of itself, run a program, or have a pickle read.

use std::fs;
use std::path::Path;

use rekindle::files::FileError;
use rekindle::infer::{InferError, PretrainedModel};
use safetensors::SafeTensors;

use crate::common::{Place, text};

fn open(folder: &Path) -> Result<PretrainedModel, InferError> {
    PretrainedModel::from_folder(folder)
}

#[test]
fn an_index_names_files_of_its_folder_alone() {
    let place = Place::new();
    place.model("outside");
    place.model("model");
    fs::remove_file(place.path("model/model.safetensors")).expect("removed");
    let absolute = place.path("outside/model.safetensors").display().to_string();
    let names =
        ["../outside/model.safetensors", &absolute, "..\\outside\\model.safetensors", "C:x.safetensors", "..", ""];
    for name in names {
        let index = serde_json::json!({ "weight_map": { "a": name } });
        place.write("model/model.safetensors.index.json", index.to_string());
        let error = open(&place.path("model")).expect_err("refused").to_string();
        assert!(error.contains("model.safetensors.index.json") && error.contains("not a plain file name"), "{error}");
    }
    let weights = fs::read(place.path("outside/model.safetensors")).expect("read");
    place.write("model/part.safetensors", &weights);
    let tensors = SafeTensors::deserialize(&weights).expect("safetensors");
    let entry = |name: &str| (name.to_owned(), "part.safetensors".into());
    let map: serde_json::Map<_, _> = tensors.names().into_iter().map(entry).collect();
    place.write("model/model.safetensors.index.json", serde_json::json!({ "weight_map": map }).to_string());
    open(&place.path("model")).expect("a file of the folder");
}

#[cfg(unix)]
#[test]
fn a_link_leads_to_a_file_of_the_folder_or_into_a_cache() {
    use std::os::unix::fs::symlink;

    let place = Place::new();
    place.model("elsewhere");
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        place.model("model");
        fs::remove_file(place.path("model").join(file)).expect("removed");
        for target in [Path::new("../elsewhere").join(file), place.path("elsewhere").join(file)] {
            let link = place.path("model").join(file);
            symlink(&target, &link).expect("linked");
            let error = open(&place.path("model")).expect_err("refused");
            assert!(matches!(&error, InferError::File(FileError::Symlink { path, .. }) if *path == link), "{error}");
            assert!(error.to_string().contains("elsewhere"), "{error}");
            fs::remove_file(link).expect("removed");
        }
        fs::copy(place.path("elsewhere").join(file), place.path("model").join(format!("old-{file}"))).expect("copied");
        symlink(format!("old-{file}"), place.path("model").join(file)).expect("linked");
        open(&place.path("model")).expect("a file of the folder");
        fs::remove_dir_all(place.path("model")).expect("removed");
    }

    place.model("models--org--name/blobs");
    fs::create_dir_all(place.path("models--org--name/snapshots/c0ffee")).expect("created");
    for file in fs::read_dir(place.path("models--org--name/blobs")).expect("a folder") {
        let name = file.expect("a file").file_name();
        let link = place.path("models--org--name/snapshots/c0ffee").join(&name);
        symlink(Path::new("../../blobs").join(name), link).expect("linked");
    }
    open(&place.path("models--org--name/snapshots/c0ffee")).expect("as the cache has it");

    symlink("elsewhere", place.path("shortcut")).expect("linked");
    symlink("../notes", place.path("elsewhere/notes")).expect("linked");
    open(&place.path("shortcut")).expect("the folder itself may be a link, and so may what is not read");
}

#[cfg(unix)]
#[test]
fn a_link_to_weights_that_were_not_fetched_is_named() {
    let place = Place::new();
    place.model("model");
    let link = place.path("model/model.safetensors");
    fs::remove_file(&link).expect("removed");
    std::os::unix::fs::symlink("../.git/annex/objects/4d", &link).expect("linked");
    let error = open(&place.path("model")).expect_err("refused").to_string();
    let expected = "model.safetensors: is a link to ../.git/annex/objects/4d, which does not exist";
    assert!(error.contains(expected) && error.contains("git annex get"), "{error}");
}

#[test]
fn what_names_a_program_is_not_run_and_not_passed_on() {
    let place = Place::new();
    place.model("model");
    let predictions = || {
        let options = ["--model", "model", "--save-models", "--approaches", "feature-extraction"];
        let (results, _) = place.results(&options);
        results["approaches"][0]["loss"].clone()
    };
    let before = predictions();
    let ran = place.path("ran");
    let program = format!("open({:?}, 'w').write('')\n", ran.display().to_string());
    for name in ["evil.py", "__init__.py", "setup.py"] {
        place.write(&format!("model/{name}"), &program);
    }
    let mut config: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("model/config.json")).expect("read")).expect("JSON");
    config["auto_map"] = serde_json::json!({ "AutoConfig": "evil.Config", "AutoModel": "evil.Model" });
    config["trust_remote_code"] = true.into();
    place.write("model/config.json", config.to_string());
    let tokenizer = serde_json::json!({ "auto_map": { "AutoTokenizer": ["evil.Tokenizer", null] } });
    place.write("model/tokenizer_config.json", tokenizer.to_string());
    assert_eq!(predictions(), before, "the same numbers");
    assert!(!ran.exists());
    let saved = fs::read_to_string(place.path("out/models/feature_extraction_freeze_all/config.json")).expect("saved");
    assert!(!saved.contains("auto_map") && !saved.contains("evil"), "{saved}");
}

#[test]
fn a_pickle_is_refused_with_the_way_around_it() {
    let place = Place::new();
    place.model("model");
    fs::remove_file(place.path("model/model.safetensors")).expect("removed");
    for name in ["pytorch_model.bin", "pytorch_model.bin.index.json"] {
        place.write(&format!("model/{name}"), b"\x80\x02c");
        let output = place.command("predict").args(["--model", "model", "x"]).output().expect("it ran");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{error}");
        assert!(error.contains(name) && error.contains("save_pretrained"), "{error}");
        fs::remove_file(place.path("model").join(name)).expect("removed");
    }
}
