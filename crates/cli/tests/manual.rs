//! The man pages and completions of `cargo xtask dist`.

use std::fs;
use std::process::Command;

use crate::common::{Place, text};

#[test]
fn every_command_has_a_page_with_common_options_last() {
    let place = Place::new();
    let Some(mut manual) = place.program("examples/manual") else {
        return println!("skipped: examples/manual is not built; `cargo test --workspace` builds it");
    };
    manual.arg("dist").assert().success();
    let help = place.program("rekindle").expect("the binary").arg("--help").output().expect("it ran");
    let help = text(&help.stdout);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let named = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let commands = named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let mut pages: Vec<String> = commands.map(|name| format!("rekindle-{name}.1")).collect();
    assert!(pages.len() > 7, "{help}");
    pages.push("rekindle.1".into());
    for name in pages {
        let path = place.path("dist/man").join(&name);
        let page = fs::read_to_string(&path).expect("a page");
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let place_of = |heading: &str| headings.iter().position(|one| one.trim_matches('"') == heading);
        assert_eq!(headings[..3], ["NAME", "SYNOPSIS", "DESCRIPTION"], "{name}");
        assert!(
            place_of("HELP") > place_of("OUTPUT") && place_of("HELP") < place_of("EXAMPLES"),
            "{name}: {headings:?}"
        );
        match Command::new("groff").args(["-man", "-Tutf8"]).arg(&path).output() {
            Ok(read) => assert_eq!(text(&read.stderr), "", "{name}"),
            Err(_) => println!("skipped: {name} is not read; there is no groff"),
        }
    }
    let bash = fs::read_to_string(place.path("dist/completions/rekindle.bash")).expect("completions");
    for values in ["flex ndarray wgpu vulkan cuda remote", "linear cosine constant", "reference none"] {
        assert!(bash.contains(&format!("\"{values}\"")), "{values} are not completed");
    }
}
