//! `report.html` is complete and well-formed, and escapes every text.

#[path = "../../results/tests/samples/mod.rs"]
mod samples;

use rekindle_report::report_html;
use rekindle_results::Results;
use roxmltree::{Document, Node, ParsingOptions};

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
        (record.diagnostics.confusion, record.diagnostics.roc, record.diagnostics.calibration) = Default::default();
    }
    let mut nothing = bare.clone();
    nothing.approaches.clear();
    nothing.data.classes.clear();
    nothing.design.sizes.clear();
    nothing.provenance = Default::default();
    let mut numberless = samples::folds();
    for record in &mut numberless.approaches {
        record.scores.accuracy.mean = f64::NAN;
        record.runs.iter_mut().flat_map(|run| &mut run.steps).for_each(|step| step.loss = f64::INFINITY);
        record.runs.iter_mut().flat_map(|run| &mut run.epochs).for_each(|epoch| epoch.eval_loss = f64::NAN);
    }
    vec![
        ("twelve sentences", samples::toy()),
        ("folds", samples::folds()),
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
            // Two of scores, two of sizes, three per approach and two of all of training, ROC, calibration.
            "folds" => 2 + 2 + 3 * 4 + 2 + 1 + 4,
            "twelve sentences" => 2 + 3 * 2 + 2 + 1 + 2,
            "25 classes" => 2 + 3 * 2 + 2 + 2 + 2,
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
    let approaches = results.approaches.iter().map(|record| (record.approach.as_str(), &record.scores));
    let baselines = results.baselines.iter().zip(["majority class", "TF-IDF"]);
    for (name, all) in approaches.chain(baselines.map(|(record, name)| (name, &record.scores))) {
        assert!(scores.contains(name), "{name}");
        for estimate in [&all.accuracy, &all.f1, &all.loss] {
            let (low, high) = estimate.interval.expect("an interval");
            for number in [four(estimate.mean), format!("{} to {}", four(low), four(high))] {
                assert!(scores.contains(&number), "{name}: {number}");
            }
        }
    }
    for number in ["15 folds", "592,130 of 66,955,010", "0.88 %", "0.21 s"] {
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
        let all =
            ["scores", "differences", "sizes", "training", "confusion", "roc", "calibration", "misclassified", "run"];
        all.into_iter().filter(|id| page.contains(&format!("id=\"{id}\""))).collect::<Vec<_>>()
    };
    assert_eq!(sections(&page("folds")).len(), 9);
    assert!(!sections(&page("twelve sentences")).contains(&"sizes"), "one size is no curve");
    assert_eq!(sections(&page("bare")), ["scores", "run"]);
    assert_eq!(sections(&page("nothing")), ["run"]);
    let many = page("25 classes");
    assert!(many.contains("Predicted class") && !many.contains("table class=\"matrix\""), "pairs, not a matrix");
    assert!(page("12 classes").contains("table class=\"matrix\""));
}

#[test]
fn the_page_of_sixty_runs_is_small() {
    let html = report_html(&samples::folds());
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
}
