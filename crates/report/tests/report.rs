//! `report.html` is complete and well-formed, and escapes every text.

use rekindle_report::{label_issues_csv, predictions_csv, report_html};
use rekindle_results::Results;
use roxmltree::{Document, Node, ParsingOptions};

use crate::samples;

/// The page as XML, without the doctype and with void elements closed.
fn xml(html: &str) -> String {
    let mut xml = html.trim_start_matches("<!DOCTYPE html>").replace("<wbr>", "");
    let mut from = 0;
    while let Some(start) = xml[from..].find("<meta ").map(|start| from + start) {
        let end = start + xml[start..].find('>').expect("an end");
        xml.insert(end, '/');
        from = end;
    }
    xml
}

fn every_sample() -> Vec<(&'static str, Results)> {
    let mut bare = samples::toy();
    (bare.findings, bare.comparisons, bare.baselines) = Default::default();
    bare.misclassified = Default::default();
    for record in &mut bare.approaches {
        (record.runs, record.curve, record.steps, record.epochs) = Default::default();
        record.diagnostics = Default::default();
    }
    let mut nothing = bare.clone();
    nothing.approaches.clear();
    nothing.data.classes.clear();
    nothing.design.sizes.clear();
    nothing.provenance = Default::default();
    let mut numberless = samples::folds();
    for record in &mut numberless.approaches {
        record.scores.get_mut("accuracy").expect("classes").mean = f64::NAN;
        record.runs.iter_mut().flat_map(|run| &mut run.steps).for_each(|step| step.loss = f64::INFINITY);
        record.runs.iter_mut().flat_map(|run| &mut run.epochs).for_each(|epoch| epoch.eval_loss = f64::NAN);
    }
    vec![
        ("twelve sentences", samples::toy()),
        ("folds", samples::folds()),
        ("search", samples::search()),
        ("3 classes", samples::many_classes(3)),
        ("12 classes", samples::many_classes(12)),
        ("25 classes", samples::many_classes(25)),
        ("hostile text", samples::hostile()),
        ("bare", bare),
        ("nothing", nothing),
        ("no numbers", numberless),
    ]
}

#[test]
fn every_page_is_well_formed_and_loads_nothing() {
    for (name, results) in every_sample() {
        let html = report_html(&results);
        let xml = xml(&html);
        let page = Document::parse_with_options(&xml, ParsingOptions::default());
        let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut ids = std::collections::BTreeSet::new();
        for node in page.descendants().filter(Node::is_element) {
            let tag = node.tag_name().name();
            assert!(!["script", "link", "img", "iframe", "object", "image", "use"].contains(&tag), "{name}: <{tag}>");
            for attribute in node.attributes() {
                let (key, value) = (attribute.name(), attribute.value());
                assert!(key != "src" && !key.starts_with("on"), "{name}: {key}={value}");
                assert!(key != "href" || value.starts_with('#'), "{name}: {key}={value}");
                assert!(!value.contains("NaN") && !value.contains("inf"), "{name}: {key}={value}");
                assert!(key != "id" || ids.insert(value.to_string()), "{name}: id {value} twice");
            }
        }
        let style =
            page.descendants().find(|node| node.has_tag_name("style")).and_then(|node| node.text()).expect("style");
        for fetching in ["url(", "@import", "http:", "https:"] {
            assert!(!style.contains(fetching), "{fetching}");
        }
        let policy = page.descendants().find(|node| node.attribute("http-equiv") == Some("Content-Security-Policy"));
        assert!(policy.and_then(|node| node.attribute("content")).expect("a policy").starts_with("default-src 'none'"));
    }
}

/// The text of a node.
fn words(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_chart_has_a_title_and_no_colours_of_its_own() {
    for (name, results) in every_sample() {
        let html = report_html(&results);
        let xml = xml(&html);
        let page = Document::parse(&xml).expect(name);
        let charts = page.descendants().filter(|node| node.attribute("role") == Some("img")).collect::<Vec<_>>();
        for chart in &charts {
            let title = chart.children().find(|node| node.tag_name().name() == "title").and_then(|node| node.text());
            assert!(chart.attribute("viewBox").is_some() && chart.attribute("width").is_none());
            assert_eq!(title, chart.attribute("aria-label"));
            for node in chart.descendants() {
                for colour in ["fill", "stroke"] {
                    assert_eq!(node.attribute(colour), None, "{name}: {title:?}: a colour that no theme changes");
                }
            }
        }
        let expected = match name {
            // Two of scores, one of costs, two of sizes, three per approach and two of all of training, precision and recall, ROC, calibration.
            "folds" => 2 + 1 + 2 + 3 * 4 + 2 + 1 + 1 + 4,
            "twelve sentences" => 2 + 1 + 3 * 2 + 2 + 1 + 1 + 2,
            "25 classes" => 2 + 1 + 3 * 2 + 2 + 2 + 2 + 2,
            "nothing" => 0,
            _ => continue,
        };
        assert_eq!(charts.len(), expected, "{name}");
    }
}

#[test]
fn the_tables_have_every_score_and_comparison() {
    let results = samples::folds();
    let html = report_html(&results);
    let xml = xml(&html);
    let page = Document::parse(&xml).expect("XML");
    let section =
        |id: &str| words(page.descendants().find(|node| node.attribute("id") == Some(id)).expect("a section"));
    let four = |value: f64| format!("{value:.4}").replace("-0.0000", "0.0000").replace('-', "−");
    let scores = section("scores");
    let approaches = results.approaches.iter().map(|record| (record.spec.as_str(), &record.scores));
    let baselines = results.baselines.iter().zip(["majority", "TF-IDF"]);
    for (name, all) in approaches.chain(baselines.map(|(record, name)| (name, &record.scores))) {
        assert!(scores.contains(name), "{name}");
        for estimate in ["accuracy", "f1", "loss"].map(|metric| all.get(metric).expect("classes")) {
            let (low, high) = estimate.interval.expect("an interval");
            for number in [four(estimate.mean), format!("{} to {}", four(low), four(high))] {
                assert!(scores.contains(&number), "{name}: {number}");
            }
        }
    }
    for number in ["15 folds", "592,130 of 66,955,010", "0.88 %", "0.21 s", "saved 255 MiB", "213", "test 740"] {
        assert!(scores.contains(number), "{number}");
    }
    let differences = section("differences");
    for record in &results.comparisons {
        let (low, high) = record.interval.expect("an interval");
        for number in
            [format!("{:+.4}", record.difference).replace('-', "−"), format!("{} to {}", four(low), four(high))]
        {
            assert!(differences.contains(&number), "{} vs. {}: {number}", record.a, record.b);
        }
    }
    for text in ["< 0.001", "0.041", "0.12", "significant", "not significant"] {
        assert!(differences.contains(text), "{text}");
    }
    let run = section("run");
    for text in ["2026-01-02, 15:04 UTC", &results.model.sha256, "burn", "1.20 GiB", "12 min 34 s", "50, 200, 1,000"] {
        assert!(run.contains(text), "{text}");
    }
    assert!(run.contains(r#"rekindle experiment --data "it's my data.csv" --folds 5"#), "as a shell takes it");
}

#[test]
fn findings_come_first_and_hostile_text_is_escaped() {
    let results = samples::hostile();
    let html = report_html(&results);
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<b>"));
    assert_eq!(html.matches("</style>").count(), 1);
    let xml = xml(&html);
    let page = Document::parse(&xml).expect("XML");
    let text = words(page.root());
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is missing"));
    assert!(place("<script>alert(1)</script> stands.") < place("Scores"));
    for part in ["<script>alert(1)</script> & more", "\"><img src=x", "<b>bold</b>\"&'", &"x".repeat(5000), "你好"] {
        place(part);
    }
}

#[test]
fn sections_without_numbers_are_left_out() {
    let samples = every_sample();
    let page = |wanted: &str| {
        let (_, results) = samples.iter().find(|(name, _)| *name == wanted).expect("a sample");
        report_html(results)
    };
    let sections = |page: &str| {
        let all = "scores differences sizes training classes confusion precision-recall roc calibration misclassified data run";
        all.split(' ').filter(|id| page.contains(&format!("id=\"{id}\""))).collect::<Vec<_>>()
    };
    assert_eq!(sections(&page("folds")).len(), 12);
    assert!(!sections(&page("twelve sentences")).contains(&"sizes"), "one size is no curve");
    assert_eq!(sections(&page("bare")), ["scores", "data", "run"]);
    assert_eq!(sections(&page("nothing")), ["data", "run"]);
    let many = page("25 classes");
    assert!(many.contains("Predicted class") && !many.contains("table class=\"matrix"), "pairs, not a matrix");
    assert!(page("12 classes").contains("table class=\"matrix numbered\""));
}

/// Returns the text of a section.
fn section(results: &Results, id: &str) -> String {
    let html = report_html(results);
    let xml = xml(&html);
    let page = Document::parse(&xml).expect("XML");
    words(page.descendants().find(|node| node.attribute("id") == Some(id)).expect("a section"))
}

#[test]
fn one_thing_has_one_name() {
    let results = samples::folds();
    let html = report_html(&results);
    let names = results.approaches.iter().map(|record| record.approach.replace('_', "_<wbr>"));
    for name in names {
        // The table of the section that says how to run the experiment again, which has the names of files.
        assert_eq!(html.matches(&name).count(), 1, "{name}");
    }
    assert!(!html.contains("majority class") && !html.contains("logistic"));
    let run = section(&results, "run");
    for text in ["--approaches", "lr", "--epochs", "--max-length", "--batch-size", "--warmup-steps", "700", "lora_r8_"]
    {
        assert!(run.contains(text), "{text}");
    }
}

#[test]
fn names_in_findings_are_code() {
    let mut results = samples::folds();
    results.findings = vec!["`last-2` is better than `lora:r=4`.".into(), "5` of 6".into()];
    let html = report_html(&results);
    assert!(html.contains("<p><code>last-2</code> is better than <code>lora:r=4</code>.</p>"));
    assert!(html.contains("<p>5` of 6</p>"));
}

#[test]
fn undertrained_approaches_are_marked_and_the_rate_of_the_head_is_shown() {
    let mut results = samples::folds();
    (results.approaches[1].undertrained, results.approaches[1].head_learning_rate) = (2, Some(5e-4));
    let scores = section(&results, "scores");
    assert!(scores.contains("undertrained in 2 runs") && scores.contains("is not compared"), "{scores}");
    assert!(section(&results, "run").contains("head 5e-4"));
    assert!(!section(&samples::folds(), "scores").contains("undertrained"));
}

#[test]
fn the_data_section_describes_the_data() {
    let folds = samples::folds();
    assert!(report_html(&folds).contains("1,180 examples in 5 folds"));
    let data = section(&folds, "data");
    for text in ["reviews.csv", "3 to 83", "median 22", "31 (2.63 %)", "--max-length 64", "12 (1.02 %)", "line 7"] {
        assert!(data.contains(text), "{text} in {data}");
    }
    let files = section(&samples::many_classes(3), "data");
    assert!(files.contains("(training)") && files.contains("(test)") && files.contains("given files"), "{files}");
}

#[test]
fn each_class_has_its_scores_with_intervals() {
    let results = samples::many_classes(12);
    let classes = section(&results, "classes");
    for record in &results.approaches[1].diagnostics.classes {
        for estimate in [&record.precision, &record.recall, &record.f1] {
            let (low, high) = estimate.interval.expect("an interval");
            assert!(classes.contains(&format!("{:.4}", estimate.mean)), "{record:?}");
            assert!(classes.contains(&format!("{low:.4} to {high:.4}")), "{record:?}");
        }
    }
    assert!(section(&samples::many_classes(25), "classes").contains("The other"), "the others are expanded");
}

#[test]
fn misclassified_examples_are_those_of_the_best_approach_and_bounded() {
    let mut results = samples::folds();
    let example = results.misclassified.examples[0].clone();
    results.misclassified.examples = (0..500).map(|_| example.clone()).collect();
    (results.misclassified.total, results.misclassified.total_of_approach) = (700, 600);
    let html = report_html(&results);
    let xml = xml(&html);
    let page = Document::parse(&xml).expect("XML");
    let table =
        page.descendants().find(|node| node.attribute("class") == Some("reflow misclassified")).expect("a table");
    assert_eq!(table.descendants().filter(|node| node.has_tag_name("tr")).count(), 21);
    let headings: Vec<_> = table.descendants().filter(|node| node.has_tag_name("th")).map(words).collect();
    assert_eq!(headings, ["Text", "True class", "full", "feature", "fine", "lora"]);
    let more = page.descendants().find(|node| node.attribute("class") == Some("more")).expect("a list");
    assert_eq!(more.children().filter(|node| node.has_tag_name("li")).count(), 80);
    let text = section(&results, "misclassified");
    for part in ["20 of 600 test examples", "full, the best approach", "line 2", "predictions.csv"] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn predictions_are_one_row_per_run_and_example() {
    let results = samples::hostile();
    let table = String::from_utf8(predictions_csv(&results)).expect("UTF-8");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header = reader.headers().expect("a header").clone();
    assert_eq!(
        header.iter().take(9).collect::<Vec<_>>().join(","),
        "approach,seed,repeat,fold,size,line,text,label,prediction"
    );
    let names: Vec<String> = results.data.classes.iter().map(|name| format!("probability_{name}")).collect();
    assert_eq!(header.iter().skip(9).collect::<Vec<_>>(), names);
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), results.approaches.len() * results.misclassified.examples.len());
    for (row, example) in rows.iter().zip(&results.misclassified.examples) {
        assert_eq!(
            (&row[0], &row[5], &row[6]),
            (&*results.approaches[0].approach, &*example.line.to_string(), &*example.text)
        );
        assert_eq!(row[7], example.label.text(&results.data.classes));
    }
}

#[test]
fn suspected_label_errors_have_a_section_and_a_table() {
    let results = samples::hostile();
    let text = section(&results, "label-issues");
    let issues = results.label_issues.clone().expect("label errors");
    let count = issues.issues.len();
    for part in [&format!("{count} of 10 labels are probably wrong"), "both", "line 2", "−0.250", "label_issues.csv"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let table = String::from_utf8(label_issues_csv(&results, &issues)).expect("UTF-8");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header = reader.headers().expect("a header").iter().collect::<Vec<_>>().join(",");
    assert_eq!(header, "row,given,suspected,margin,method,line,text");
    for (row, issue) in reader.records().map(|row| row.expect("a row")).zip(&issues.issues) {
        let numbers = [&row[0], &row[3], &row[4], &row[5]];
        assert_eq!(numbers, [&*issue.row.to_string(), "-0.25", "both", &*issue.line.to_string()]);
        assert_eq!([&row[1], &row[6]], [&*results.data.classes[0], &*issue.text]);
    }
    assert!(section(&results, "data").contains("2 examples of"), "the dropped ones");
}

#[test]
fn the_page_of_sixty_runs_is_small() {
    let html = report_html(&samples::folds());
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
}

#[test]
fn the_trials_of_a_search_are_shown_with_what_mattered_and_the_optimism() {
    let html = report_html(&samples::search());
    let section =
        html.split("id=\"search\"").nth(1).and_then(|rest| rest.split("</section>").next()).expect("a section");
    for part in
        ["4 candidates on 5 inner folds", "16 searches; 160 trainings", "15 of 15", "0.8200 ✓", "loss is NaN", "lora"]
    {
        assert!(section.contains(part), "{part}: {section}");
    }
    for part in ["Settings that mattered", "0.1000", "Optimism", "0.7900"] {
        assert!(section.contains(part), "{part}: {section}");
    }
    assert!(!report_html(&samples::folds()).contains("id=\"search\""));
}
