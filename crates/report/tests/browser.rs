//! `report.html` in a browser: the console is empty, nothing is loaded, and no page is wider than the window.
//!
//! The tests drive Chromium by its command line. Without it they print that they were skipped.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rekindle_report::report_html;
use rekindle_results::Results;

use crate::samples;

/// Names under which Chromium is installed.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn browser() -> Option<&'static str> {
    let found = BROWSERS
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success()));
    if found.is_none() {
        eprintln!("SKIPPED: no browser ({}); install one to see the report tested in it", BROWSERS.join(", "));
    }
    found
}

/// Opens a page in a headless browser with a fresh profile and without a network.
fn open(browser: &str, page: &Path, options: &[&str]) -> Output {
    let profile = tempfile::tempdir().expect("a folder");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(options)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("it ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn pages() -> Vec<(&'static str, Results)> {
    vec![
        ("toy", samples::toy()),
        ("folds", samples::folds()),
        ("twelve classes", samples::many_classes(12)),
        ("many classes", samples::many_classes(25)),
        ("hostile", samples::hostile()),
    ]
}

/// Widths of frames: a phone, a tablet in portrait and landscape, a desktop.
const WIDTHS: [u32; 4] = [390, 700, 1000, 1280];

/// A page with the report in a frame of each width; its title lists the widths of the report.
fn framed(report: &str) -> String {
    let source = report.replace('&', "&amp;").replace('"', "&quot;");
    let frames = WIDTHS.map(|width| {
        format!(
            "<iframe style=\"width:{width}px;height:800px;border:0\" srcdoc=\"{source}\" onload=\"document.title += \
             ' {width}:' + this.contentDocument.documentElement.scrollWidth\"></iframe>"
        )
    });
    format!("<!DOCTYPE html><title>widths</title>{}", frames.concat())
}

#[test]
fn no_page_is_wider_than_its_window_and_the_console_is_empty() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for (name, results) in pages() {
        let page = folder.path().join("page.html");
        fs::write(&page, framed(&report_html(&results))).expect("written");
        let output = open(browser, &page, &["--dump-dom", "--window-size=1400,1000"]);
        let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap_or_default();
        let widths = title.split(' ').filter_map(|word| word.split_once(':'));
        let widths: Vec<(u32, u32)> = widths.filter_map(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?))).collect();
        assert_eq!(widths.len(), WIDTHS.len(), "{name}: {title}");
        for (frame, report) in widths {
            assert!(report <= frame, "{name}: {report} pixels wide in a frame of {frame}");
        }
        // The page's policy refuses requests, and the browser logs each refusal.
        assert!(!log.contains("CONSOLE"), "{name}: {log}");
    }
}

#[test]
fn the_light_and_the_dark_theme_differ() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    fs::write(&page, report_html(&samples::folds())).expect("written");
    let shot = |scheme: u8| {
        let image = folder.path().join(format!("{scheme}.png"));
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        open(browser, &page, &[&scheme, "--window-size=1200,2000", &format!("--screenshot={}", image.display())]);
        fs::read(image).expect("a screenshot")
    };
    let (dark, light) = (shot(0), shot(1));
    assert!(dark != light, "one theme for both");
    assert!(dark.len().min(light.len()) > 50_000, "{} and {} bytes: hardly anything drawn", dark.len(), light.len());
}

#[test]
fn the_report_prints() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (page, pdf) = (folder.path().join("page.html"), folder.path().join("page.pdf"));
    fs::write(&page, report_html(&samples::folds())).expect("written");
    open(browser, &page, &["--no-pdf-header-footer", &format!("--print-to-pdf={}", pdf.display())]);
    let pdf = fs::read(pdf).expect("a PDF");
    assert!(pdf.starts_with(b"%PDF") && pdf.len() > 50_000);
}
