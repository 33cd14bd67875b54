//! The steps that are commands with an end.

use std::collections::BTreeMap;

use super::job::{Job, check_fraction};
use super::json::Json;
use super::program::{Program, check};
use super::tables::{self, Example};

/// The folder of the model that `fit` leaves.
pub const MODEL: &str = "fit/models/fit";

/// Writes the training examples in the text formats, and profiles each file.
pub fn read(job: &mut Job) -> Result<String, String> {
    job.write("train.csv", &tables::csv(&job.train))?;
    job.write("train.tsv", &tables::tsv(&job.train))?;
    job.write("train.json", &tables::json(&job.train))?;
    job.write("train.jsonl", &tables::jsonl(&job.train))?;
    job.write("test.tsv", &tables::tsv(&job.test))?;
    let texts = job.unlabelled.iter().map(|example| format!("{{\"text\": {}}}\n", super::json::quoted(&example.text)));
    job.write("unlabelled.jsonl", &texts.collect::<String>())?;
    for format in ["csv", "tsv", "json", "jsonl"] {
        profile(&mut job.program, &job.model, &format!("train.{format}"), format, &job.train)?;
    }
    job.write("broken.csv", "text,label\na joy,1\nno label\n")?;
    let message = job.program.refuse(3, &["data", "broken.csv", "--model", &job.model])?;
    check(message.contains("broken.csv, line 3"), || format!("the message does not name the line: {message}"))?;
    Ok(format!("{} examples, the same in each format; a row without a label is refused by its line", job.train.len()))
}

/// Checks that a file is of a format, and has the classes of the examples.
fn profile(program: &mut Program, model: &str, file: &str, format: &str, examples: &[Example]) -> Result<(), String> {
    let json = Json::parse(&program.run(&["data", file, "--model", model, "--json"])?.out)?;
    let mut expected: BTreeMap<&str, f64> = BTreeMap::new();
    examples.iter().for_each(|example| *expected.entry(&example.label).or_default() += 1.0);
    let classes = json.at("data.classes").list().iter();
    let classes: BTreeMap<&str, f64> =
        classes.map(|class| (class.at("name").text(), class.at("rows").number())).collect();
    check(classes == expected, || format!("{file} has the classes {classes:?} instead of {expected:?}"))?;
    let found = json.at("data.format").text();
    check(found == format, || format!("{file} is read as `{found}` instead of `{format}`"))
}

/// Lets the program choose a model.
pub fn fit(job: &mut Job) -> Result<String, String> {
    let mut command = vec!["fit", "train.csv", "--model", &job.model, "--output", "fit"];
    command.extend(if job.is_small { &["--folds", "2", "--runs", "3"][..] } else { &["--budget", "1m"] });
    job.program.run(&command)?;
    let results = job.results("fit")?;
    check(results.at("approaches.0.approach").text() == "fit", || "results.json has no approach `fit`".into())?;
    let accuracy = check_fraction("the accuracy", results.at("approaches.0.accuracy"))?;
    let majority = check_fraction("the accuracy of a baseline", results.at("baselines.0.accuracy"))?;
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        job.read(&format!("{MODEL}/{file}"))?;
    }
    Ok(format!("accuracy {accuracy:.3}, majority class {majority:.3}"))
}

/// Writes the examples in the two formats that are not text, with predictions beside them.
pub fn convert(job: &mut Job) -> Result<String, String> {
    job.program.run(&["predict", "--data", "train.csv", "--model", MODEL, "--output", "train.parquet"])?;
    job.program.run(&["predict", "--data", "test.tsv", "--model", MODEL, "--output", "test.jsonl.gz"])?;
    check(job.read("train.parquet")?.starts_with(b"PAR1"), || "train.parquet is no Parquet".into())?;
    check(job.read("test.jsonl.gz")?.starts_with(&[0x1f, 0x8b]), || "test.jsonl.gz is no gzip".into())?;
    profile(&mut job.program, &job.model, "train.parquet", "parquet", &job.train)?;
    profile(&mut job.program, &job.model, "test.jsonl.gz", "jsonl", &job.test)?;
    job.predicted = predictions(job)?;
    Ok(format!("{} and {} rows, with their labels", job.train.len(), job.test.len()))
}

/// Looks for wrong labels, of which there are some, and measures a learning curve.
pub fn audit(job: &mut Job) -> Result<String, String> {
    let examples = job.train.len();
    let sizes = format!("{},{},all", examples / 4, examples / 2);
    let command =
        ["experiment", "--data", "train.parquet", "--model", &job.model, "--approaches", "probe", "--folds", "3"];
    job.program.run(&[&command[..], &["--sizes", &sizes, "--save-models", "--output", "audit"]].concat())?;
    let results = job.results("audit")?;
    let tested = results.at("label_issues.examples").number();
    check(tested == examples as f64, || format!("{tested} of {examples} labels were examined"))?;
    let classes = results.at("data.classes");
    let issues = results.at("label_issues.issues").list();
    let rows: Vec<usize> = issues.iter().map(|issue| issue.at("row").number() as usize).collect();
    for (issue, row) in issues.iter().zip(&rows) {
        let example = job.train.get(*row).ok_or_else(|| format!("there is no row {row}"))?;
        let given = classes.at(&issue.at("given").number().to_string()).text();
        check(issue.at("text").text() == example.text && given == example.label, || {
            format!("row {row} is another example than in label_issues.csv")
        })?;
    }
    let table = String::from_utf8_lossy(&job.read("audit/label_issues.csv")?).into_owned();
    check(table.starts_with("row,given,suspected,margin,method,line,text\n"), || {
        "label_issues.csv has another header".into()
    })?;
    let found = rows.iter().filter(|row| job.wrong.contains(row)).count();
    check(found > 0, || format!("none of the {} wrong labels is suspected", job.wrong.len()))?;
    Ok(format!("{} of {examples} labels suspected, {found} of the {} wrong ones", rows.len(), job.wrong.len()))
}

/// Trains without the suspected labels.
pub fn clean(job: &mut Job) -> Result<String, String> {
    let command = ["experiment", "--data", "train.parquet", "--model", &job.model, "--approaches", "probe,last-layer"];
    let more = ["--folds", "3", "--epochs", "2", "--drop-label-issues", "audit/label_issues.csv", "--save-models"];
    job.program.run(&[&command[..], &more, &["--output", "cleaned"]].concat())?;
    let (results, audit) = (job.results("cleaned")?, job.results("audit")?);
    let (dropped, suspected) =
        (results.at("data.dropped.examples").number(), audit.at("label_issues.issues").list().len());
    check(dropped == suspected as f64, || format!("{dropped} examples instead of {suspected} were dropped"))?;
    let runs = results.at("approaches.1.runs").list();
    let sum = |field: &str| runs.iter().map(|run| run.at(field).number()).sum::<f64>();
    let examples = job.train.len() as f64;
    check(sum("test") == examples, || "not every example was tested on".into())?;
    check(sum("size") == 2.0 * (examples - dropped), || "a dropped example was trained on".into())?;
    let accuracy = check_fraction("the accuracy", results.at("approaches.1.accuracy"))?;
    Ok(format!("{dropped} examples not trained on; accuracy of the last layer {accuracy:.3}"))
}

/// Asks which texts to label next.
pub fn suggest(job: &mut Job) -> Result<String, String> {
    let count = (job.unlabelled.len() / 2).min(20);
    let command = ["suggest", "--model", "audit/models/probe", "--data", "unlabelled.jsonl", "--results", "audit"];
    let said = job.program.run(&[&command[..], &["--count", &count.to_string(), "--output", "next.jsonl"]].concat())?;
    let rows = Json::lines(&String::from_utf8_lossy(&job.read("next.jsonl")?))?;
    check(rows.len() == count, || format!("{} texts were suggested instead of {count}", rows.len()))?;
    for row in &rows {
        let text = row.at("text").text();
        check(job.unlabelled.iter().any(|example| example.text == text), || {
            format!("`{text}` is no text of the table")
        })?;
        check_fraction("a score", row.at("score"))?;
        let again = rows.iter().filter(|other| other.at("text") == row.at("text")).count();
        check(again == 1, || format!("`{text}` is suggested {again} times"))?;
    }
    let forecast = format!("{count} more labels would bring");
    let is_forecast = said.err.contains("labels drawn at random") || said.err.contains(&forecast);
    check(is_forecast, || "it does not say what more labels would bring".into())?;
    Ok(format!("{count} different texts of {}", job.unlabelled.len()))
}

/// Tests two models on the same texts.
pub fn evaluate(job: &mut Job) -> Result<String, String> {
    let models = ["--model", MODEL, "--model", "cleaned/models/fine_tune_last_layer"];
    let command = [&["evaluate", "--data", "test.jsonl.gz", "--output", "evaluation", "--json"], &models[..]].concat();
    let printed = Json::parse(&job.program.run(&command)?.out)?;
    let results = job.results("evaluation")?;
    check(printed == results, || "--json prints something else than results.json".into())?;
    let right = job.predicted.iter().zip(&job.test).filter(|(label, example)| **label == example.label).count();
    let accuracy = check_fraction("the accuracy", results.at("approaches.0.accuracy"))?;
    let counted = right as f64 / job.test.len() as f64;
    check((accuracy - counted).abs() < 1e-9, || format!("accuracy {accuracy}, but `predict` is right for {counted}"))?;
    let p = check_fraction("the p-value", results.at("comparisons.0.p_value"))?;
    let other = check_fraction("the accuracy", results.at("approaches.1.accuracy"))?;
    Ok(format!("accuracy {accuracy:.3} and {other:.3} on {} texts, p = {p:.2}", job.test.len()))
}

/// Returns the labels that the fitted model predicts for the test texts.
fn predictions(job: &mut Job) -> Result<Vec<String>, String> {
    let rows = Json::lines(&job.program.run(&["predict", "--data", "test.tsv", "--model", MODEL])?.out)?;
    check(rows.len() == job.test.len(), || format!("{} predictions for {} texts", rows.len(), job.test.len()))?;
    for (row, example) in rows.iter().zip(&job.test) {
        check(row.at("text").text() == example.text, || format!("the rows are in another order: {row:?}"))?;
        check_fraction("a score", row.at("predicted_score"))?;
    }
    Ok(rows.iter().map(|row| row.at("predicted_label").text().to_owned()).collect())
}

/// Compares the two experiments.
pub fn compare(job: &mut Job) -> Result<String, String> {
    let comparison = Json::parse(&job.program.run(&["compare", "audit", "cleaned", "--json"])?.out)?;
    let names =
        |list: &str| -> Vec<&str> { comparison.at(list).list().iter().map(|entry| entry.at("name").text()).collect() };
    let different = names("different");
    for setting in ["approaches", "sizes", "dropped label errors"] {
        check(different.contains(&setting), || format!("`{setting}` differs, but is not among {different:?}"))?;
    }
    let scores = names("scores");
    for approach in ["probe", "fine_tune_last_layer", "majority"] {
        check(scores.contains(&approach), || format!("no scores of `{approach}`, only of {scores:?}"))?;
    }
    Ok(format!("{} settings differ, {} approaches and baselines", different.len(), scores.len()))
}

/// Explains two predictions.
pub fn explain(job: &mut Job) -> Result<String, String> {
    let texts: Vec<String> = job.test.iter().take(2).map(|example| example.text.clone()).collect();
    let command =
        [&["explain", "--model", MODEL, "--json", "--"][..], &texts.iter().map(String::as_str).collect::<Vec<_>>()];
    let explanations = Json::lines(&job.program.run(&command.concat())?.out)?;
    check(explanations.len() == texts.len(), || format!("{} explanations", explanations.len()))?;
    for ((explanation, text), label) in explanations.iter().zip(&texts).zip(&job.predicted) {
        check(explanation.at("label").text() == label, || {
            format!("another class than that of `predict`: {explanation:?}")
        })?;
        let mut sum = 0.0;
        for word in explanation.at("words").list() {
            let [start, end] = ["start", "end"].map(|field| word.at(field).number() as usize);
            let cut = text.get(start..end).unwrap_or_default();
            check(cut == word.at("text").text(), || format!("`{cut}` is at the place of {word:?}"))?;
            sum += word.at("attribution").number();
        }
        let difference = explanation.at("logit").number() - explanation.at("baseline_logit").number();
        let error = (sum - difference - explanation.at("gap").number()).abs();
        check(error < 1e-3, || format!("the words add {sum}, but the logits differ by {difference}"))?;
    }
    let words: usize = explanations.iter().map(|explanation| explanation.at("words").list().len()).sum();
    Ok(format!("{words} words of {} texts add what the logits differ", texts.len()))
}

/// Exports the model in both precisions.
pub fn export(job: &mut Job) -> Result<String, String> {
    job.program.run(&["export", "--model", MODEL, "--onnx", "model.onnx"])?;
    let file = job.read("model.onnx")?;
    for name in ["input_ids", "attention_mask", "logits", "id2label"] {
        let has = file.windows(name.len()).any(|window| window == name.as_bytes());
        check(has, || format!("model.onnx has no `{name}`"))?;
    }
    let message = job.program.refuse(4, &["export", "--model", MODEL, "--onnx", "model.onnx"])?;
    check(message.contains("model.onnx") && message.contains("--overwrite"), || {
        format!("an unclear message: {message}")
    })?;
    check(job.read("model.onnx")? == file, || "model.onnx was replaced without --overwrite".into())?;
    let int8 = ["export", "--model", MODEL, "--onnx", "int8.onnx", "--int8", "--data", "test.tsv"];
    let said = job.program.run(&int8)?.out;
    check(said.contains(&format!("accuracy on {} examples", job.test.len())), || "no accuracy of int8".into())?;
    let small = job.read("int8.onnx")?.len();
    check(small < file.len(), || "int8.onnx is not smaller than model.onnx".into())?;
    Ok(format!("{:.1} MB in f32, {:.1} MB in int8", file.len() as f64 / 1e6, small as f64 / 1e6))
}
