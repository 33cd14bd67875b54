//! `rekindle devices`, and backends that are not available.

use assert_cmd::Command;

use crate::common::{Place, text};

#[test]
fn every_backend_is_listed_with_its_devices_or_the_missing_feature() {
    let output = Command::cargo_bin("rekindle").expect("the binary").arg("devices").output().expect("it ran");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let listed = text(&output.stdout);
    for (name, compiled) in
        [("flex", cfg!(feature = "flex")), ("ndarray", cfg!(feature = "ndarray")), ("wgpu", cfg!(feature = "wgpu"))]
    {
        let line = listed.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {listed}"));
        assert_eq!(!line.contains(&format!("--features {name}")), compiled, "{line}");
        assert!(!compiled || name == "wgpu" || line.contains("CPU"), "{line}");
    }
    assert_eq!(listed.matches("(default)").count(), 1, "{listed}");
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn a_backend_that_is_not_compiled_in_is_an_error_that_names_its_feature() {
    let place = Place::new();
    let output = place.command("experiment").args(["--backend", "wgpu", "--output", "out"]).output().expect("it ran");
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("--features wgpu"), "{}", text(&output.stderr));
    assert!(!place.path("out").exists(), "nothing is written");
}
