//! Writes man pages and shell completions of the command line: `manual FOLDER`. `cargo xtask dist` runs it.
//!
//! Both are generated from the definitions of the options, and generated here so that the program does not contain the
//! generators.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder] = paths.as_slice() else { return Err("usage: manual FOLDER".into()) };
    let (pages, completions) = (folder.join("man"), folder.join("completions"));
    for folder in [&pages, &completions] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut root = rekindle_cli::command().disable_help_subcommand(true).subcommand_help_heading("COMMANDS");
    root.build();
    for command in root.get_subcommands().chain([&root]) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        fs::write(pages.join(format!("{name}.1")), page(command)?)?;
    }
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut rekindle_cli::command(), "rekindle", &completions)?;
    }
    println!("man pages in {}, completions in {}", pages.display(), completions.display());
    Ok(())
}

/// A manual page of section 1. The text after the options in `--help` gets sections of its own.
fn page(command: &Command) -> io::Result<String> {
    let named = command.clone().mut_args(|arg| if arg.is_positional() { arg.help_heading("Arguments") } else { arg });
    let version = command.get_version().unwrap_or_default();
    let man = Man::new(named).source(format!("rekindle {version}"));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let usage = command.clone().render_usage().to_string();
    writeln!(page, ".SH SYNOPSIS\n{}", roff(usage.trim_start_matches("Usage: ")))?;
    man.render_description_section(&mut page)?;
    let is_root = command.has_subcommands();
    if is_root {
        man.render_subcommands_section(&mut page)?;
    }
    man.render_options_section(&mut page)?;
    let below = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    for paragraph in below.split("\n\n") {
        match paragraph.split_once('\n') {
            Some(("Examples:", lines)) => writeln!(page, ".SH EXAMPLES\n.EX\n{}\n.EE", roff(lines))?,
            Some(("Exit codes:", lines)) => {
                writeln!(page, ".SH EXIT STATUS")?;
                for (code, meaning) in lines.lines().filter_map(|line| line.trim().split_once("  ")) {
                    writeln!(page, ".TP\n{code}\n{}", roff(meaning))?;
                }
            }
            // Without the references to other help, because this page has everything.
            _ => {}
        }
    }
    if !is_root {
        writeln!(page, ".SH SEE ALSO\n.BR rekindle (1),\nwhich has the other commands, and what exit codes mean.")?;
    }
    // In ASCII, which is the same in every locale.
    let ascii = |character: char| match character {
        ascii if ascii.is_ascii() => ascii.to_string(),
        other => format!("\\[u{:04X}]", u32::from(other)),
    };
    Ok(String::from_utf8_lossy(&page).chars().map(ascii).collect())
}

/// Formats lines so that they can be copied from groff's output into a shell.
fn roff(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str(r"\e"),
            '-' => escaped.push_str(r"\-"),
            '\'' => escaped.push_str(r"\(aq"),
            '`' => escaped.push_str(r"\(ga"),
            other => escaped.push(other),
        }
    }
    escaped
}
