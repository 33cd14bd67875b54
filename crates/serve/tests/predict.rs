//! What `/predict` and its siblings answer.

use std::fs;
use std::io::Write;

use rekindle_serve::{Limits, Model};
use serde_json::{Value, json};

use crate::client::{Running, model, open, receive, request, write_model};

fn close(value: &Value, expected: f64) -> bool {
    (value.as_f64().expect("a number") - expected).abs() < 1e-5
}

#[test]
fn the_shapes_are_those_of_the_pipeline() {
    let server = Running::start(Limits::default(), None);
    let classifier = open(&server.folder.path().join("first")).expect("a classifier");
    let texts = ["good movie", "bad"];
    let expected = classifier.classify(&texts, 32, 2).expect("predicted");

    let one = server.predict(r#"{"inputs": "good movie"}"#).json();
    assert_eq!(one.as_array().map(Vec::len), Some(1), "the best class: {one}");
    assert_eq!(one[0]["label"], expected[0].label);
    assert!(close(&one[0]["score"], expected[0].score.into()), "{one}");
    assert_eq!(one[0].as_object().map(serde_json::Map::len), Some(2), "nothing but label and score: {one}");
    assert_eq!(server.predict(r#"{"inputs": "good movie", "parameters": {"top_k": 1}}"#).json(), one);

    let many = server.predict(r#"{"inputs": ["good movie", "bad"], "parameters": {"top_k": null}}"#).json();
    for (scores, prediction) in many.as_array().expect("a list").iter().zip(&expected) {
        assert_eq!(scores.as_array().map(Vec::len), Some(3));
        assert_eq!(scores[0]["label"], prediction.label);
        let sum: f64 = (0..3).map(|class| scores[class]["score"].as_f64().expect("a score")).sum();
        assert!((sum - 1.0).abs() < 1e-5 && scores[0]["score"].as_f64() >= scores[1]["score"].as_f64(), "{scores}");
    }
    assert_eq!(server.predict(r#"{"inputs": [["good movie"]]}"#).json(), json!([one]), "a batch as TEI has it");
    assert_eq!(server.predict(r#"{"inputs": {"text": "good movie"}}"#).json(), one);
    let pair = server.predict(r#"{"inputs": {"text": "good", "text_pair": "movie"}}"#).json();
    assert_eq!(server.predict(r#"{"inputs": [["good", "movie"]]}"#).json(), json!([pair]));
    assert_ne!(pair, one, "the two texts are separated");

    let best = expected[0].logits.iter().copied().fold(f32::MIN, f32::max).into();
    let apply = |name: &str| {
        let body = json!({ "inputs": "good movie", "parameters": { "function_to_apply": name, "top_k": 5 } });
        server.predict(&body.to_string()).json()
    };
    assert!(close(&apply("none")[0]["score"], best));
    assert!(close(&apply("sigmoid")[0]["score"], 1.0 / (1.0 + f64::exp(-best))));
    assert!(close(&apply("SOFTMAX")[0]["score"], expected[0].score.into()));
    assert!(close(&server.predict(r#"{"inputs": "good movie", "raw_scores": true}"#).json()[0]["score"], best));
}

#[test]
fn the_label_is_null_below_the_score_that_was_asked_for() {
    let server = Running::start(Limits::default(), None);
    let ask = |parameters: Value| {
        let body = json!({ "inputs": "good movie", "model": "first", "parameters": parameters });
        server.predict(&body.to_string())
    };
    let usual = ask(json!({ "top_k": null })).json();
    let score = usual[0]["score"].as_f64().expect("a score");
    let sure = ask(json!({ "top_k": null, "abstain_below": 0.5 * score })).json();
    assert_eq!(sure, usual);
    let unsure = ask(json!({ "top_k": null, "abstain_below": score + 0.01 })).json();
    assert_eq!((&unsure[0]["label"], &unsure[0]["score"]), (&Value::Null, &usual[0]["score"]));
    assert_eq!((&unsure[1], &unsure[2]), (&usual[1], &usual[2]));
    for (parameters, part) in [
        (json!({ "max_error": 0.1 }), "parameters.max_error: the model has no error bounds"),
        (json!({ "max_error": 0.1, "abstain_below": 0.5 }), "contradicts"),
        (json!({ "abstain_below": 1.5 }), "between 0 and 1"),
        (json!({ "abstain_below": "0.5" }), "found a string"),
    ] {
        let refused = ask(parameters);
        assert!(refused.status == 422 && refused.body.contains(part), "{refused:?}");
    }
}

#[test]
fn labels_that_reach_their_thresholds_are_predicted() {
    let folder = tempfile::tempdir().expect("a folder");
    write_model(&folder.path().join("model"), &["rude", "loud", "late"], 1);
    let file = folder.path().join("model/config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&file).expect("read")).expect("JSON");
    config["problem_type"] = json!("multi_label_classification");
    // Every probability is between them.
    config["rekindle_thresholds"] = json!([1.0, 0.0, 1.0]);
    fs::write(&file, config.to_string()).expect("written");
    let model = model(folder.path(), "model");
    let server = Running::serve(folder, vec![model], Limits::default(), None);
    let answer = server.predict(r#"{"inputs": "good movie", "parameters": {"top_k": null}}"#).json();
    let labels = answer.as_array().expect("a list");
    assert_eq!(labels.len(), 3, "{answer}");
    for label in labels {
        assert_eq!(label["predicted"], json!(label["label"] == "loud"), "{answer}");
    }
}

#[test]
fn a_promised_error_is_kept_by_the_score_that_is_stored_with_the_model() {
    let folder = tempfile::tempdir().expect("a folder");
    write_model(&folder.path().join("model"), &["bad", "good", "mixed"], 1);
    let file = folder.path().join("model/config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&file).expect("read")).expect("JSON");
    let point = |threshold: f64, error: f64| json!({ "threshold": threshold, "coverage": 0.5, "error": error });
    config["rekindle_abstention"] = json!([point(0.0, 0.2), point(1.0, 0.05)]);
    fs::write(&file, config.to_string()).expect("written");
    let model = Model { max_error: Some(0.1), ..model(folder.path(), "model") };
    let server = Running::serve(folder, vec![model], Limits::default(), None);
    let ask = |parameters: Value| {
        let body = json!({ "inputs": ["good movie", "bad"], "parameters": parameters });
        server.predict(&body.to_string())
    };
    let answer = ask(json!({})).json();
    assert!(answer[0][0]["label"].is_null() && answer[1][0]["label"].is_null(), "{answer}");
    let answer = ask(json!({ "max_error": 0.2 })).json();
    assert!(answer[0][0]["label"].is_string() && answer[1][0]["label"].is_string(), "{answer}");
    let refused = ask(json!({ "max_error": 0.01 }));
    assert!(refused.status == 422 && refused.body.contains("0.0500"), "{refused:?}");
    assert_eq!(server.get("/info").json()["models"][0]["abstain_below"], 1.0);
}

#[test]
fn models_are_chosen_by_name() {
    let server = Running::start(Limits::default(), None);
    let second = server.predict(r#"{"inputs": "good", "model": "second"}"#).json();
    assert!(["no", "yes"].contains(&second[0]["label"].as_str().expect("a label")));
    let unknown = server.predict(r#"{"inputs": "good", "model": "third"}"#);
    assert!(unknown.status == 404 && unknown.body.contains("`first`, `second`"), "{unknown:?}");
    let info = server.get("/info").json();
    assert_eq!(info["model_type"]["classifier"]["id2label"], json!({ "0": "bad", "1": "good", "2": "mixed" }));
    assert_eq!((&info["models"][1]["name"], &info["models"][1]["labels"]), (&json!("second"), &json!(["no", "yes"])));
    assert_eq!((&info["max_input_length"], &info["models"][0]["precision"]), (&json!(32), &json!("f32")));
}

#[test]
fn words_are_explained_by_their_absence() {
    let server = Running::start(Limits::default(), None);
    let answer = server.post("/explain", r#"{"inputs": "good bad movie"}"#).json();
    let classifier = open(&server.folder.path().join("first")).expect("a classifier");
    let expected = classifier.classify(&["good bad movie", "good  movie"], 32, 2).expect("predicted");
    assert_eq!(answer["labels"], json!(["bad", "good", "mixed"]));
    assert_eq!((&answer["words"][1]["text"], &answer["words"][1]["start"]), (&json!("bad"), &json!(5)));
    for class in 0..3 {
        let difference = expected[0].logits[class] - expected[1].logits[class];
        assert!(close(&answer["words"][1]["attributions"][class], difference.into()), "{answer}");
    }
}

#[test]
fn the_server_describes_itself() {
    let server = Running::start(Limits::default(), None);
    assert_eq!((server.get("/health").status, server.get("/health").json()), (200, json!({ "status": "ok" })));
    server.predict(r#"{"inputs": ["good", "bad"]}"#);
    let metrics = server.get("/metrics").body;
    for line in [
        r#"rekindle_requests_total{path="/predict",status="200"} 1"#,
        r#"rekindle_requests_total{path="/health",status="200"} 2"#,
        "rekindle_batch_texts_sum 2",
        "rekindle_queue_texts 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    let document = server.get("/openapi.json").json();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let is_get = operations.get("get").is_some();
        let response = if is_get { server.get(path) } else { server.post(path, "{}") };
        assert_eq!(response.status, if is_get { 200 } else { 422 }, "{path}: {response:?}");
    }
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let server = Running::start(Limits::default(), Some("secret"));
    let page = server.get("/");
    assert!(page.status == 200 && page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    for path in ["/page.css", "/page.js"] {
        assert!(page.body.contains(&format!("\"{}\"", &path[1..])), "{path}");
        assert_eq!(server.get(path).status, 200);
    }
    for path in ["/", "/page.css", "/page.js"] {
        assert!(!server.get(path).body.contains("://"), "{path}");
    }
}

#[test]
fn every_error_has_one_shape() {
    let server = Running::start(Limits { max_chars: 40, ..Limits::default() }, None);
    let long = format!(r#"{{"inputs": "{}"}}"#, "a".repeat(41));
    let tokens = r#"{"inputs": "a a a a a a a a a a a a a a a a a", "truncate": false}"#;
    for (body, status, part) in [
        ("", 400, "empty"),
        ("{", 400, "line 1"),
        ("\u{1}", 400, "not JSON"),
        ("[]", 422, "object"),
        ("{}", 422, "inputs: missing"),
        (r#"{"inputs": null}"#, 422, "inputs: missing"),
        (r#"{"inputs": 3}"#, 422, "a number"),
        (r#"{"inputs": []}"#, 422, "empty"),
        (r#"{"inputs": ["a", 3]}"#, 422, "inputs[1]"),
        (r#"{"inputs": [["a", "b", "c"]]}"#, 422, "3 strings"),
        (r#"{"inputs": [[]]}"#, 422, "empty list"),
        (r#"{"inputs": {"txt": "a"}}"#, 422, "without `text`"),
        (r#"{"inputs": "a", "input": "b"}"#, 422, "input: unknown field"),
        (r#"{"inputs": "a", "parameters": {"topk": 1}}"#, 422, "parameters.topk: unknown field"),
        (r#"{"inputs": "a", "parameters": {"top_k": 0}}"#, 422, "parameters.top_k"),
        (r#"{"inputs": "a", "parameters": {"function_to_apply": "tanh"}}"#, 422, "softmax, sigmoid, none"),
        (r#"{"inputs": "a", "model": 3}"#, 422, "model: expected a string"),
        (&long, 413, "41 characters"),
    ] {
        let response = server.predict(body);
        let (error, kind) = (response.json()["error"].clone(), response.json()["error_type"].clone());
        assert_eq!((response.status, kind), (status, json!("validation")), "{body}: {response:?}");
        assert!(error.as_str().is_some_and(|error| error.contains(part)), "{body}: {error}");
    }
    let truncated = server.predict(tokens);
    assert!(truncated.status == 200 || truncated.body.contains("tokens are more"), "{truncated:?}");
    let missing = server.get("/nowhere");
    assert_eq!((missing.status, missing.json()["error_type"].clone()), (404, json!("not_found")));
    let method = server.get("/predict");
    assert_eq!((method.status, method.json()["error_type"].clone()), (405, json!("method_not_allowed")));
    assert!(method.head.contains("allow: post"), "{}", method.head);
    let mut stream = server.connect();
    stream.write_all(&request("POST", "/predict", "Content-Type: text/plain\r\n", "{}")).expect("sent");
    let media = receive(&mut stream);
    assert!(media.status == 415 && media.json()["error"].as_str().expect("a text").contains("application/json"));
}

#[test]
fn a_token_is_required_but_for_the_health() {
    let server = Running::start(Limits::default(), Some("secret"));
    let ask = |path: &str, headers: &str| {
        let mut stream = server.connect();
        stream.write_all(&request("GET", path, headers, "")).expect("sent");
        receive(&mut stream)
    };
    assert_eq!(ask("/health", "").status, 200);
    let refused = ask("/info", "");
    assert_eq!((refused.status, refused.json()["error_type"].clone()), (401, json!("unauthorized")));
    assert!(refused.head.contains("www-authenticate: bearer"), "{}", refused.head);
    assert_eq!(ask("/metrics", "Authorization: Bearer wrong\r\n").status, 401);
    assert_eq!(ask("/info", "Authorization: Bearer secret\r\n").status, 200);
}
