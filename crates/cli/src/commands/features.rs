//! `rekindle features`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::num::NonZero;
use std::path::Path;
use std::time::Instant;

use rekindle_data::{ReadOptions, Rows};
use rekindle_experiment::{Devices, Extraction, Host, ShardNews};
use rekindle_train::Stop;

use crate::cli::FeaturesArgs;
use crate::display::{Display, Verbosity};
use crate::exit::Failure;
use crate::files;
use crate::interrupt;
use crate::model;
use crate::text::thousands;

/// Runs the command.
///
/// # Errors
/// Anything that stops it, as a sentence for the user; shards that are written stay.
pub fn run(args: &FeaturesArgs, began: Instant) -> Result<(), Box<dyn std::error::Error>> {
    let mut display = Display::new(Verbosity::of(args.quiet, args.verbose));
    let (device, mut hosts) = args.engine.hosts(NonZero::<usize>::MIN, |text| display.warn(text))?;
    if hosts.is_empty() {
        let connect = Box::new(move || Ok(Devices::from(device.clone())));
        hosts.push(Host { name: args.engine.backend.name().into(), connect });
    }
    if Extraction::is_begun(&args.output) && !args.resume {
        let folder = args.output.display();
        let refusal = format!("{folder} holds features already; go on with --resume, or name another folder");
        return Err(Failure::output(refusal).into());
    }
    let found = model::find(&args.model, args.offline, &mut |download| display.download(&download))?;
    if let Some(reason) = found.substituted {
        return Err(Failure::hub(reason).into());
    }
    let texts = texts(args)?;
    if texts.is_empty() {
        return Err(Failure::input("there is no text to read").into());
    }
    let total = texts.len();
    let extraction = Extraction {
        pooling: args.pooling.map_or(found.model.config.classifier_pooling, Into::into),
        max_length: args.max_length,
        batch_size: args.batch_size.get(),
        shard_size: args.shard_size.get(),
        folder: args.output.clone(),
    };
    files::prepare(&args.output)?;
    let _lock = files::lock(&args.output)?;
    let stop = Stop::default();
    interrupt::handle(&stop)?;
    let (mut kept, mut read) = (0, 0);
    let names: Vec<String> = hosts.iter().map(|host| host.name.clone()).collect();
    let mut observe = |name: &str, news: ShardNews<'_>| {
        display.shard(name, &news);
        match news {
            ShardNews::Kept(texts) => {
                kept = texts;
                if names.len() > 1 {
                    display.spread(&names, kept, total, "texts");
                }
            }
            ShardNews::Read(texts) => {
                // Two hosts may read the same shard.
                read = (read + texts).min(total - kept);
                display.reading(kept, read, total);
            }
            _ => {}
        }
    };
    let backend = args.engine.backend.name();
    let done = extraction.run(&found.model, texts, backend, hosts, &stop, &mut observe);
    display.clear();
    match done {
        Err(error) if stop.is_requested() => {
            return Err(Failure::interrupted(format!("{error}; --resume goes on")).into());
        }
        done => done?,
    }
    let (shards, seconds) = (total.div_ceil(extraction.shard_size), began.elapsed().as_secs_f64());
    display.result(&format!(
        "{} texts, {} of them read now, in {} of {} values each, {seconds:.2} s\nfeatures in {}",
        thousands(total),
        thousands(read),
        if shards == 1 { "one shard".into() } else { format!("{shards} shards") },
        found.model.config.dim,
        args.output.display()
    ));
    Ok(())
}

fn texts(args: &FeaturesArgs) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    if let Some(path) = &args.input {
        let named = |place: String, error| Failure::input(format!("{}{place}: {error}", path.display()));
        let file = File::open(path).map_err(|error| named(String::new(), error))?;
        let lines = BufReader::new(file).lines().enumerate();
        let lines = lines.map(|(index, line)| line.map_err(|error| named(format!(", line {}", index + 1), error)));
        return Ok(lines.collect::<Result<_, _>>()?);
    }
    let options = ReadOptions {
        text_column: args.text_column.clone(),
        label_column: args.label_column.clone(),
        header: !args.no_header,
        ..ReadOptions::default()
    };
    let rows = Rows::open(args.data.as_deref().unwrap_or(Path::new("")), &options)?;
    Ok(rows.map(|row| row.map(|row| row.text)).collect::<Result<_, _>>()?)
}
