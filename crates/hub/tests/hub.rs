//! Downloads models from a hub on the loopback interface to a cache in a temporary folder.
#![cfg(feature = "download")]

#[path = "hub/network.rs"]
mod network;
#[path = "hub/server.rs"]
mod server;
#[path = "hub/tls.rs"]
mod tls;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rekindle_hub::{HubError, HubOptions, cached, fetch};
use server::{COMMIT, Quirks, Server, files, sha256};
use tempfile::TempDir;

const ID: &str = "org/tiny";
const CONFIG: (&str, &[u8]) = ("config.json", b"{\"dim\": 8}");
const VOCAB: (&str, &[u8]) = ("vocab.txt", b"[PAD]\n[UNK]\n");

/// Weights that are long enough to cut a download in the middle.
fn weights() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn whole() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (CONFIG.0, CONFIG.1.to_vec()),
        (VOCAB.0, VOCAB.1.to_vec()),
        ("tokenizer.json", b"{}".to_vec()),
        ("model.safetensors", weights()),
        ("pytorch_model.bin", b"never fetched".to_vec()),
    ]
}

fn serve(list: &[(&str, Vec<u8>)], quirks: Quirks) -> Server {
    let list: Vec<_> = list.iter().map(|(name, body)| (*name, body.as_slice())).collect();
    Server::start(ID, files(&list), quirks)
}

fn options(cache: &TempDir, server: &Server) -> HubOptions {
    let mut options = HubOptions::new(cache.path());
    options.endpoint = server.endpoint();
    options
}

fn cache() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn get(options: &HubOptions) -> Result<PathBuf, HubError> {
    fetch(ID, options, &mut |_| {})
}

fn repo(cache: &TempDir) -> PathBuf {
    cache.path().join("models--org--tiny")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_download_has_pythons_layout_and_needs_no_hub_afterwards() {
    let (cache, server) = (cache(), serve(&whole(), Quirks::default()));
    let options = options(&cache, &server);
    let mut seen = Vec::new();
    let snapshot = fetch(ID, &options, &mut |step| {
        assert!(step.done_bytes <= step.total_bytes, "{step:?}");
        seen.push((step.file.to_owned(), step.done_bytes, step.total_bytes));
    })
    .expect("fetched");

    assert_eq!(snapshot, repo(&cache).join("snapshots").join(COMMIT));
    assert_eq!(names(&snapshot), ["config.json", "model.safetensors", "tokenizer.json", "vocab.txt"]);
    assert_eq!(fs::read(snapshot.join("model.safetensors")).expect("read"), weights());
    let refs = repo(&cache).join("refs");
    assert_eq!(names(&refs), ["main"]);
    assert_eq!(fs::read_to_string(refs.join("main")).expect("read"), COMMIT);
    let blob = repo(&cache).join("blobs").join(sha256(&weights()));
    let link = snapshot.join("model.safetensors");
    assert_eq!(link.canonicalize().expect("a link"), blob.canonicalize().expect("a blob"));
    #[cfg(unix)]
    assert_eq!(fs::read_link(&link).expect("a link"), Path::new("../../blobs").join(sha256(&weights())));
    let size = weights().len() as u64;
    assert!(seen.contains(&("model.safetensors".to_owned(), size, size)), "told of its end");

    let asked = server.requests().len();
    assert_eq!(get(&options).expect("cached"), snapshot);
    assert_eq!(server.requests().len(), asked, "the cache is enough");
    let mut offline = options;
    offline.offline = true;
    assert_eq!(get(&offline).expect("cached"), snapshot);
}

#[test]
fn a_model_may_have_a_single_tokenizer_file_and_a_name_without_organisation() {
    let list = [CONFIG, VOCAB].map(|(name, body)| (name, body.to_vec()));
    let mut list = list.to_vec();
    list.push(("model.safetensors", weights()));
    let quirks = Quirks { alias: Some("small".to_owned()), ..Quirks::default() };
    let (cache, server) = (cache(), serve(&list, quirks));
    let snapshot = fetch("small", &options(&cache, &server), &mut |_| {}).expect("fetched");
    assert!(snapshot.starts_with(cache.path().join("models--small")));
    assert_eq!(names(&snapshot), ["config.json", "model.safetensors", "vocab.txt"]);
}

#[test]
fn all_shards_are_downloaded() {
    let index = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    let mut list = vec![
        (CONFIG.0, CONFIG.1.to_vec()),
        (VOCAB.0, VOCAB.1.to_vec()),
        ("model.safetensors.index.json", index.to_vec()),
        ("model-1.safetensors", b"first".to_vec()),
        ("model-2.safetensors", b"second".to_vec()),
    ];
    let (first, server) = (cache(), serve(&list, Quirks::default()));
    let snapshot = get(&options(&first, &server)).expect("fetched");
    assert_eq!(fs::read(snapshot.join("model-1.safetensors")).expect("read"), b"first");
    assert_eq!(fs::read(snapshot.join("model-2.safetensors")).expect("read"), b"second");

    list.pop();
    let (second, server) = (cache(), serve(&list, Quirks::default()));
    let error = get(&options(&second, &server)).expect_err("a shard is missing");
    assert!(error.to_string().contains("model-2.safetensors"), "{error}");
}

#[test]
fn the_modules_of_sentence_transformers_are_downloaded() {
    let modules = br#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]"#;
    let mut list = whole();
    list.extend([
        ("modules.json", modules.to_vec()),
        ("sentence_bert_config.json", b"{\"max_seq_length\": 256}".to_vec()),
        ("1_Pooling/config.json", b"{\"pooling_mode\": \"mean\"}".to_vec()),
        ("2_Dense/config.json", b"{\"in_features\": 8}".to_vec()),
        ("2_Dense/model.safetensors", b"weights of the layer".to_vec()),
        ("2_Dense/pytorch_model.bin", b"never fetched".to_vec()),
        ("onnx/model.onnx", b"never fetched".to_vec()),
    ]);
    let (first, server) = (cache(), serve(&list, Quirks::default()));
    let snapshot = get(&options(&first, &server)).expect("fetched");
    assert_eq!(names(&snapshot.join("1_Pooling")), ["config.json"]);
    assert_eq!(names(&snapshot.join("2_Dense")), ["config.json", "model.safetensors"]);
    assert!(snapshot.join("sentence_bert_config.json").is_file() && !snapshot.join("onnx").exists());
    let weights = snapshot.join("2_Dense/model.safetensors");
    assert_eq!(fs::read(&weights).expect("read"), b"weights of the layer");
    #[cfg(unix)]
    {
        let blob = Path::new("../../../blobs").join(sha256(b"weights of the layer"));
        assert_eq!(fs::read_link(&weights).expect("a link"), blob);
    }
    let asked = server.requests().len();
    assert_eq!(get(&options(&first, &server)).expect("cached"), snapshot);
    assert_eq!(server.requests().len(), asked, "the cache is enough");

    fs::remove_file(weights).expect("removed");
    assert_eq!(cached(ID, &options(&first, &server)).expect("a name"), None, "a module without its weights");

    list.retain(|(name, _)| *name != "1_Pooling/config.json");
    let (second, server) = (cache(), serve(&list, Quirks::default()));
    let error = get(&options(&second, &server)).expect_err("a file of a module is missing");
    assert!(error.to_string().contains("1_Pooling/config.json"), "{error}");

    for (name, body) in &mut list {
        if *name == "modules.json" {
            *body = br#"[{"path": "../../x", "type": "Pooling"}]"#.to_vec();
        }
    }
    let (third, server) = (cache(), serve(&list, Quirks::default()));
    let error = get(&options(&third, &server)).expect_err("a folder outside the model");
    assert!(error.to_string().contains("modules.json"), "{error}");
}

#[test]
fn a_tokenizer_may_be_a_vocabulary_and_its_merges() {
    let with = |files: &[&'static str]| {
        let mut list = vec![(CONFIG.0, CONFIG.1.to_vec()), ("model.safetensors", weights())];
        list.extend(files.iter().map(|file| (*file, b"{}".to_vec())));
        let (cache, server) = (cache(), serve(&list, Quirks::default()));
        get(&options(&cache, &server)).map(|snapshot| names(&snapshot))
    };
    let fetched = with(&["vocab.json", "merges.txt"]).expect("fetched");
    assert_eq!(fetched, ["config.json", "merges.txt", "model.safetensors", "vocab.json"]);
    let error = with(&["vocab.json"]).expect_err("no merges").to_string();
    assert!(error.contains("vocab.json and merges.txt"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    for missing in ["config.json", "model.safetensors"] {
        let wanted = |name: &str| name != missing && name != "pytorch_model.bin";
        let list: Vec<_> = whole().into_iter().filter(|(name, _)| wanted(name)).collect();
        let (cache, server) = (cache(), serve(&list, Quirks::default()));
        let error = get(&options(&cache, &server)).expect_err("incomplete");
        assert!(matches!(&error, HubError::NotFound { what, .. } if what == missing), "{error}");
        assert!(!repo(&cache).join("refs").join("main").exists());
    }
    let list = [(CONFIG.0, CONFIG.1.to_vec()), ("model.safetensors", weights())];
    let (cache, server) = (cache(), serve(&list, Quirks::default()));
    let error = get(&options(&cache, &server)).expect_err("no tokenizer");
    assert!(error.to_string().contains("tokenizer.json or vocab.txt"), "{error}");
}

#[test]
fn error_statuses_have_different_errors() {
    let ask = |status, code, token: &str| {
        let quirks = Quirks { refuse: Some((status, code)), ..Quirks::default() };
        let (cache, server) = (cache(), serve(&whole(), quirks));
        let error = get(&options(&cache, &server).with_token(token)).expect_err("refused");
        assert_eq!(names(cache.path()), Vec::<String>::new(), "nothing is left behind");
        error
    };
    assert!(matches!(ask(404, "RepoNotFound", ""), HubError::NotFound { .. }));
    assert!(matches!(ask(401, "RepoNotFound", "hf_x"), HubError::NotFound { .. }));
    assert!(matches!(ask(401, "", ""), HubError::NotFound { .. }));
    assert!(matches!(ask(401, "", "hf_x"), HubError::Unauthorized { .. }));
    assert!(matches!(ask(403, "GatedRepo", ""), HubError::Unauthorized { .. }));
    assert!(matches!(ask(503, "", ""), HubError::Unreachable { .. }));
    assert!(matches!(ask(418, "", ""), HubError::Unexpected { .. }));
}

#[test]
fn a_refused_connection_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let cache = cache();
    let mut options = HubOptions::new(cache.path());
    options.endpoint = format!("http://{address}");
    let error = get(&options).expect_err("nobody listens");
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
}

#[test]
fn a_name_that_does_not_resolve_is_unreachable() {
    let cache = cache();
    let mut options = HubOptions::new(cache.path());
    options.endpoint = "http://no-such-host.invalid".to_owned();
    let error = get(&options).expect_err("no such host");
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
}

#[test]
fn a_silent_hub_is_unreachable_after_the_default_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let cache = cache();
    let mut options = HubOptions::new(cache.path());
    options.endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let start = Instant::now();
    let error = get(&options).expect_err("no answer");
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_cut_download_is_resumed() {
    let quirks = Quirks { cut_once: Some("model.safetensors".to_owned()), ..Quirks::default() };
    let (cache, server) = (cache(), serve(&whole(), quirks));
    let mut options = options(&cache, &server);
    let error = get(&options).expect_err("cut");
    assert!(matches!(&error, HubError::Incomplete { file, .. } if file == "model.safetensors"), "{error}");
    assert!(!repo(&cache).join("refs").join("main").exists());
    options.offline = true;
    assert!(matches!(get(&options), Err(HubError::NotCached { .. })));

    options.offline = false;
    let snapshot = get(&options).expect("resumed");
    assert_eq!(fs::read(snapshot.join("model.safetensors")).expect("read"), weights());
    let rest = format!("bytes={}-", weights().len() / 2);
    let resumed = server
        .requests()
        .iter()
        .any(|asked| asked.path == "/cdn/model.safetensors" && asked.range.as_ref() == Some(&rest));
    assert!(resumed, "{:?}", server.requests());
}

#[test]
fn a_stalled_download_is_an_error() {
    let quirks = Quirks { stall: Some("model.safetensors".to_owned()), ..Quirks::default() };
    let (cache, server) = (cache(), serve(&whole(), quirks));
    let mut options = options(&cache, &server);
    options.stall_timeout = Duration::from_millis(500);
    let error = get(&options).expect_err("stalled");
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    assert!(!repo(&cache).join("refs").join("main").exists());
}

#[test]
fn a_partial_download_that_is_too_long_is_discarded() {
    for extra in [0, 1] {
        let (cache, server) = (cache(), serve(&whole(), Quirks::default()));
        let blobs = repo(&cache).join("blobs");
        fs::create_dir_all(&blobs).expect("created");
        let part = vec![7; weights().len() + extra];
        fs::write(blobs.join(sha256(&weights())).with_extension("part"), part).expect("written");
        let snapshot = get(&options(&cache, &server)).expect("fetched");
        assert_eq!(fs::read(snapshot.join("model.safetensors")).expect("read"), weights());
    }
}

#[test]
fn a_corrupt_file_is_deleted() {
    let list = whole();
    let list: Vec<_> = list.iter().map(|(name, body)| (*name, body.as_slice())).collect();
    let mut served = files(&list);
    let etag = sha256(b"something else");
    served.get_mut("model.safetensors").expect("served").etag.clone_from(&etag);
    let (cache, server) = (cache(), Server::start(ID, served, Quirks::default()));
    let error = get(&options(&cache, &server)).expect_err("corrupt");
    assert!(matches!(&error, HubError::Corrupt { file, .. } if file == "model.safetensors"), "{error}");
    assert!(!repo(&cache).join("blobs").join(&etag).exists());
    let snapshot = repo(&cache).join("snapshots").join(COMMIT);
    assert!(snapshot.join("model.safetensors").symlink_metadata().is_err());
    assert!(!repo(&cache).join("refs").join("main").exists());
}

#[test]
fn an_unchecked_file_of_an_earlier_call_is_checked() {
    let (cache, server) = (cache(), serve(&whole(), Quirks::default()));
    let options = options(&cache, &server);
    let snapshot = get(&options).expect("fetched");
    fs::remove_file(repo(&cache).join("refs").join("main")).expect("removed");
    fs::remove_file(snapshot.join("config.json")).expect("removed");
    fs::write(repo(&cache).join("blobs").join(sha256(&weights())), b"damaged").expect("written");
    assert_eq!(get(&options).expect("fetched"), snapshot);
    assert_eq!(fs::read(snapshot.join("model.safetensors")).expect("read"), weights());
}

#[test]
fn a_complete_snapshot_without_a_branch_is_used() {
    let (cache, server) = (cache(), serve(&whole(), Quirks::default()));
    let options = options(&cache, &server);
    let snapshot = get(&options).expect("fetched");
    fs::remove_dir_all(repo(&cache).join("refs")).expect("removed");
    let asked = server.requests().len();
    assert_eq!(get(&options).expect("cached"), snapshot);
    assert_eq!(cached(ID, &options).expect("a name"), Some(snapshot));
    assert_eq!(cached("org/other", &options).expect("a name"), None);
    assert_eq!(server.requests().len(), asked, "the cache is enough");
}

#[test]
fn files_of_two_commits_are_not_mixed() {
    let quirks = Quirks { other_commit: true, ..Quirks::default() };
    let (cache, server) = (cache(), serve(&whole(), quirks));
    let error = get(&options(&cache, &server)).expect_err("another commit");
    assert!(matches!(error, HubError::Unexpected { .. }), "{error}");
}

#[test]
fn offline_and_not_cached_is_an_error_without_a_request() {
    let (cache, server) = (cache(), serve(&whole(), Quirks::default()));
    let mut options = options(&cache, &server);
    options.offline = true;
    let error = get(&options).expect_err("not cached");
    assert!(matches!(error, HubError::NotCached { .. }), "{error}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_name_that_leaves_the_cache_is_refused_before_anything_is_read() {
    let cache = cache();
    let error = fetch("../other", &HubOptions::new(cache.path()), &mut |_| {}).expect_err("refused");
    assert!(matches!(error, HubError::InvalidId { .. }), "{error}");
}

#[test]
fn a_cache_that_is_not_writable_is_named() {
    let (cache, server) = (cache(), serve(&whole(), Quirks::default()));
    let mut options = options(&cache, &server);
    options.cache = cache.path().join("file");
    fs::write(&options.cache, b"not a folder").expect("written");
    let error = get(&options).expect_err("no folder");
    assert!(matches!(&error, HubError::Io { path, .. } if path.starts_with(&options.cache)), "{error}");
}

#[test]
fn without_ranges_the_whole_file_is_downloaded() {
    let (cache, server) = (cache(), serve(&whole(), Quirks { no_ranges: true, ..Quirks::default() }));
    let blobs = repo(&cache).join("blobs");
    fs::create_dir_all(&blobs).expect("created");
    fs::write(blobs.join(sha256(&weights())).with_extension("part"), b"left by an earlier call").expect("written");
    let snapshot = get(&options(&cache, &server)).expect("fetched");
    assert_eq!(fs::read(snapshot.join("model.safetensors")).expect("read"), weights());
}

#[test]
fn more_bytes_than_announced_are_an_error() {
    for file in ["config.json", "model.safetensors"] {
        let quirks = Quirks { longer: Some(file.to_owned()), ..Quirks::default() };
        let (cache, server) = (cache(), serve(&whole(), quirks));
        let error = get(&options(&cache, &server)).expect_err("too long");
        assert!(matches!(&error, HubError::Unexpected { reason, .. } if reason.contains(file)), "{error}");
        assert!(!repo(&cache).join("snapshots").join(COMMIT).join(file).exists());
    }
}

#[test]
fn a_file_that_another_process_downloads_is_an_error() {
    let (cache, server) = (cache(), serve(&whole(), Quirks::default()));
    let blobs = repo(&cache).join("blobs");
    fs::create_dir_all(&blobs).expect("created");
    let lock = fs::File::create(blobs.join(sha256(&weights())).with_extension("lock")).expect("created");
    lock.lock().expect("locked");
    let error = get(&options(&cache, &server)).expect_err("locked");
    assert!(matches!(&error, HubError::Locked { file, .. } if file == "model.safetensors"), "{error}");
    drop(lock);
    get(&options(&cache, &server)).expect("fetched");
}

#[test]
fn a_model_with_only_a_pickle_is_refused() {
    let list = [(CONFIG.0, CONFIG.1.to_vec()), (VOCAB.0, VOCAB.1.to_vec()), ("pytorch_model.bin", b"never".to_vec())];
    let (cache, server) = (cache(), serve(&list, Quirks::default()));
    let error = get(&options(&cache, &server)).expect_err("a pickle");
    assert!(matches!(error, HubError::Pickle { .. }), "{error}");
    assert!(error.to_string().contains("save_pretrained"), "{error}");
    assert!(server.requests().iter().all(|asked| !asked.path.ends_with(".bin")), "{:?}", server.requests());
}

#[test]
fn names_from_the_hub_cannot_leave_the_cache() {
    let outside = tempfile::tempdir().expect("a folder");
    let absolute = outside.path().join("absolute").display().to_string();
    for etag in ["../../../outside", &absolute, "..\\..\\outside", "C:outside", ".hidden", "a/b", ""] {
        let mut served = files(&whole().iter().map(|(name, body)| (*name, body.as_slice())).collect::<Vec<_>>());
        served.get_mut("config.json").expect("served").etag = etag.to_owned();
        let (cache, server) = (cache(), Server::start(ID, served, Quirks::default()));
        let error = get(&options(&cache, &server)).expect_err("refused");
        assert!(matches!(error, HubError::Unexpected { .. }), "{etag}: {error}");
        assert_eq!(names(cache.path()), ["models--org--tiny"], "{etag}");
        assert_eq!(names(&repo(&cache)), ["blobs"], "{etag}");
        assert_eq!(names(&repo(&cache).join("blobs")), Vec::<String>::new(), "{etag}");
    }
    for newest in ["../outside", "/outside", "C:outside", "..\\outside", ""] {
        let (cache, server) = (cache(), serve(&whole(), Quirks { newest: Some(newest), ..Quirks::default() }));
        let error = get(&options(&cache, &server)).expect_err("refused");
        assert!(matches!(error, HubError::Unexpected { .. }), "{newest}: {error}");
        assert_eq!(names(cache.path()), Vec::<String>::new(), "{newest}");
    }
    for shard in
        ["../outside.safetensors", "/outside.safetensors", "..\\\\outside.safetensors", "C:outside.safetensors"]
    {
        let index = format!(r#"{{"weight_map": {{"a": "{shard}"}}}}"#);
        let list = [
            (CONFIG.0, CONFIG.1.to_vec()),
            (VOCAB.0, VOCAB.1.to_vec()),
            ("model.safetensors.index.json", index.into_bytes()),
            (shard, b"outside".to_vec()),
        ];
        let (cache, server) = (cache(), serve(&list, Quirks::default()));
        let error = get(&options(&cache, &server)).expect_err("refused");
        assert!(matches!(error, HubError::Unexpected { .. }), "{shard}: {error}");
        assert!(server.requests().iter().all(|asked| !asked.path.contains("outside")), "{shard}");
    }
    assert_eq!(names(outside.path()), Vec::<String>::new());
}

#[test]
fn a_redirected_file_list_is_an_error() {
    let portal = serve(&[("login.html", b"<html>Log in</html>".to_vec())], Quirks::default());
    let login = format!("{}/cdn/login.html", portal.endpoint());
    let (cache, server) = (cache(), serve(&whole(), Quirks { moved: Some(login), ..Quirks::default() }));
    let error = get(&options(&cache, &server).with_token("hf_secret")).expect_err("no list");
    assert!(matches!(error, HubError::Unexpected { .. }), "{error}");
    assert!(portal.requests().iter().all(|asked| asked.authorization.is_none()), "{:?}", portal.requests());
}

#[test]
fn circular_redirects_are_an_error() {
    let quirks = Quirks { moved: Some("/round".to_owned()), ..Quirks::default() };
    let (cache, server) = (cache(), serve(&whole(), quirks));
    let error = get(&options(&cache, &server)).expect_err("a circle");
    assert!(matches!(error, HubError::Unexpected { .. }), "{error}");
}

#[test]
fn the_token_is_sent_only_to_the_hub() {
    let elsewhere = serve(&whole(), Quirks::default());
    let quirks = Quirks { elsewhere: Some(elsewhere.endpoint()), ..Quirks::default() };
    let (cache, server) = (cache(), serve(&whole(), quirks));
    let snapshot = get(&options(&cache, &server).with_token("hf_secret")).expect("fetched");
    assert_eq!(fs::read(snapshot.join("model.safetensors")).expect("read"), weights());
    let (hub, other) = (server.requests(), elsewhere.requests());
    assert!(!hub.is_empty() && !other.is_empty());
    assert!(hub.iter().all(|asked| asked.authorization.as_deref() == Some("Bearer hf_secret")), "{hub:?}");
    assert!(other.iter().all(|asked| asked.authorization.is_none()), "{other:?}");
    for entry in fs::read_dir(repo(&cache).join("blobs")).expect("a folder") {
        let content = fs::read(entry.expect("an entry").path()).expect("read");
        assert!(!content.windows(9).any(|bytes| bytes == b"hf_secret"));
    }
}

#[test]
fn a_password_in_the_endpoint_is_not_shown() {
    for refuse in [(401, ""), (404, "RepoNotFound"), (418, ""), (503, "")] {
        let (cache, server) = (cache(), serve(&whole(), Quirks { refuse: Some(refuse), ..Quirks::default() }));
        let mut options = options(&cache, &server);
        options.endpoint = server.endpoint().replace("http://", "http://someone:open-sesame@");
        let error = get(&options).expect_err("refused");
        let text = format!("{error} {error:?} {options:?}");
        assert!(!text.contains("someone") && !text.contains("sesame"), "{text}");
    }
    let mut options = HubOptions::new("no/such/cache");
    options.endpoint = "http://someone:open-sesame@:x/".to_owned();
    let text = format!("{:?}", get(&options).expect_err("no address"));
    assert!(!text.contains("someone") && !text.contains("sesame"), "{text}");
}

#[test]
fn the_token_is_not_shown() {
    for token in ["hf_secret", "hf_sec\r\nret", "hf_sécret"] {
        let quirks = Quirks { refuse: Some((401, "")), ..Quirks::default() };
        let (cache, server) = (cache(), serve(&whole(), quirks));
        let options = options(&cache, &server).with_token(token);
        let error = get(&options).expect_err("refused");
        assert!(matches!(error, HubError::Unauthorized { .. }), "{error}");
        let text = format!("{error} {error:?} {options:?}");
        // The halves, because quoting would change the line break between them.
        assert!(!text.contains("hf_") && !text.contains("ret\""), "{text}");
    }
}
