//! `cargo xtask bench --gpu`: training and evaluation on the GPU of this machine beside its CPU, and beside PyTorch.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::{cargo, optimised, root, run, told};

/// The model. Speed does not depend on its weights.
const MODEL: &str = "random";
/// The sentences to train on and to evaluate.
const SENTENCES: &str = "fixtures/transfer/sentences.tsv";
const BATCH: &str = "32";

/// The options of the command.
struct Settings<'a> {
    backend: &'static str,
    /// Of cargo, beside the backend.
    features: String,
    /// A Python interpreter with PyTorch.
    peer: Option<&'a OsString>,
    rounds: usize,
}

/// The values of each case, in the order in which the program printed them.
#[derive(Default)]
struct Figures {
    cases: Vec<String>,
    values: BTreeMap<String, Vec<f64>>,
}

/// Runs the programs alternately, and prints a table.
pub fn bench(options: &[OsString]) -> Result<(), u8> {
    let Settings { backend, features, peer, rounds } = Settings::parse(options).map_err(|error| {
        eprintln!("xtask: bench --gpu: {error}; `cargo xtask help` lists the options");
        2
    })?;
    let features = format!("measure,{backend}{features}");
    let build = ["build", "--release", "--package", "rekindle", "--example", "bench", "--features", &features];
    run(cargo(&build))?;
    let measure = |into: &mut Figures, mut program: Command, device: &str| {
        let sentences = root().join(SENTENCES);
        program.arg(MODEL).args([&sentences, &sentences]).args([device, BATCH]);
        into.measure(program)
    };
    let ours = || Command::new(optimised("examples/bench"));
    let [mut cpu, mut gpu, mut theirs] = [Figures::default(), Figures::default(), Figures::default()];
    for round in 1..=rounds {
        if let Some(python) = peer {
            let mut torch = Command::new(python);
            torch.arg(root().join("fixtures/bench/reference.py"));
            measure(&mut theirs, torch, "gpu")?;
        }
        measure(&mut gpu, ours(), backend)?;
        measure(&mut cpu, ours(), "flex")?;
        eprintln!("round {round} of {rounds}");
    }
    print(backend, rounds, [&cpu, &gpu, &theirs]);
    Ok(())
}

impl<'a> Settings<'a> {
    fn parse(options: &'a [OsString]) -> Result<Self, String> {
        let mut settings = Self { backend: "wgpu", features: String::new(), peer: None, rounds: 3 };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            let name = option.to_string_lossy();
            let value = options.next().ok_or_else(|| format!("{name}: unknown option, or without its value"))?;
            let text = value.to_string_lossy();
            match &*name {
                "--backend" => {
                    let backend = ["wgpu", "vulkan", "cuda"].into_iter().find(|backend| *backend == text);
                    settings.backend = backend.ok_or("--backend: expected wgpu, vulkan or cuda")?;
                }
                "--features" => {
                    if text.split(',').any(|feature| !["fusion", "autotune"].contains(&feature)) {
                        return Err("--features: expected fusion, autotune, or both with a comma".into());
                    }
                    settings.features = format!(",{text}");
                }
                "--peer" => settings.peer = Some(value),
                "--rounds" => {
                    let rounds = text.parse().ok().filter(|&rounds| rounds > 0);
                    settings.rounds = rounds.ok_or("--rounds: expected a number from 1")?;
                }
                _ => return Err(format!("{name}: unknown option")),
            }
        }
        Ok(settings)
    }
}

fn print(backend: &str, rounds: usize, [cpu, gpu, theirs]: [&Figures; 3]) {
    println!(
        "DistilBERT, 66,955,010 parameters, random weights, f32, batches of {BATCH}; steps in ms; rounds: {rounds}\n"
    );
    println!(
        "| figure | flex, CPU | {backend} | times the CPU's speed | PyTorch | time / PyTorch's |\n|---|---|---|---|---|---|"
    );
    for case in &gpu.cases {
        let [cpu, gpu, theirs] = [cpu, gpu, theirs].map(|figures| figures.values.get(case));
        // Some cases are times, others are rates.
        let [(slow, fast), (ours, others)] = if case.contains("a second") || case.contains("/s") {
            [(gpu, cpu), (theirs, gpu)]
        } else {
            [(cpu, gpu), (gpu, theirs)]
        };
        let [cpu, gpu, theirs] = [cpu, gpu, theirs].map(cell);
        let case = case.replace("SST-2", "sentences");
        println!("| {case} | {cpu} | {gpu} | {} | {theirs} | {} |", ratio(slow, fast), ratio(ours, others));
    }
}

impl Figures {
    /// Runs a program, and adds the values that it prints: `case TAB value` lines.
    fn measure(&mut self, mut program: Command) -> Result<(), u8> {
        let output = told(program.stderr(Stdio::inherit()).output())?;
        if !output.status.success() {
            eprintln!("xtask: bench --gpu: a program failed ({})", output.status);
            return Err(1);
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Some((case, value)) = line.split_once('\t') else { continue };
            let Ok(value) = value.parse() else { continue };
            if !self.values.contains_key(case) {
                self.cases.push(case.into());
            }
            self.values.entry(case.into()).or_default().push(value);
        }
        Ok(())
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

/// The median, and the least and the largest value.
fn cell(values: Option<&Vec<f64>>) -> String {
    let Some(values) = values else { return String::new() };
    let (least, largest) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), &value| (a.min(value), b.max(value)));
    format!("{:.1} ({least:.1}–{largest:.1})", median(values))
}

fn ratio(over: Option<&Vec<f64>>, under: Option<&Vec<f64>>) -> String {
    let (Some(over), Some(under)) = (over, under) else { return String::new() };
    format!("{:.2}", median(over) / median(under))
}
