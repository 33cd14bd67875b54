//! Queues of work on workers that connect late, fail, refuse or are slow.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use rekindle_remote::{Event, Failure, Items, Unavailable, WorkError, WorkQueue, Worker, run};

/// What a worker does with an item.
type Compute = fn(usize, &mut dyn FnMut(Option<usize>) -> ControlFlow<()>) -> Result<usize, Failure<&'static str>>;

/// Records the squares of the items.
#[derive(Default)]
struct Squares {
    recorded: Mutex<Recorded>,
    /// The costs of the items that follow from an item.
    following: Mutex<HashMap<usize, Vec<f64>>>,
    stopped: AtomicBool,
}

impl WorkQueue for Squares {
    type Connection = Compute;
    type Context<'a> = Compute;
    type Progress = usize;
    type Output = usize;
    type Error = &'static str;

    fn prepare<'a>(&'a self, connection: &'a Compute) -> Result<Compute, Failure<&'static str>> {
        Ok(*connection)
    }

    fn compute(
        &self,
        context: &mut Compute,
        item: usize,
        progress: &mut dyn FnMut(Option<usize>) -> ControlFlow<()>,
    ) -> Result<usize, Failure<&'static str>> {
        context(item, progress)
    }

    fn record(&self, item: usize, output: &usize) -> Result<Vec<f64>, &'static str> {
        self.recorded.lock().expect("no panic").push((item, *output));
        let mut following = self.following.lock().expect("no panic");
        Ok(following.remove(&item).unwrap_or_default())
    }

    fn poisoned(&self, _: usize, _: String) -> &'static str {
        "poisoned"
    }

    fn check_stop(&self) -> Result<(), &'static str> {
        if self.stopped.load(Ordering::Relaxed) { Err("stopped") } else { Ok(()) }
    }

    fn is_stop(error: &&'static str) -> bool {
        *error == "stopped"
    }
}

fn square(item: usize, _: &mut dyn FnMut(Option<usize>) -> ControlFlow<()>) -> Result<usize, Failure<&'static str>> {
    Ok(item * item)
}

fn worker(name: &str, compute: Compute) -> Worker<Compute> {
    Worker { name: name.into(), connect: Box::new(move || Ok(compute)) }
}

fn items(count: usize) -> Items {
    Items { costs: (0..count).map(|item| item as f64).collect(), recorded: vec![false; count] }
}

/// Items with their outputs.
type Recorded = Vec<(usize, usize)>;

/// The recorded items, ascending, and the result.
fn squares(
    queue: &Arc<Squares>,
    items: Items,
    workers: Vec<Worker<Compute>>,
) -> (Recorded, Result<(), WorkError<&'static str>>) {
    let result = run(Arc::clone(queue), items, workers, &mut |_, _| Ok(()));
    let mut recorded = queue.recorded.lock().expect("no panic").clone();
    recorded.sort_unstable();
    (recorded, result)
}

#[test]
fn every_item_is_recorded_once_and_the_most_expensive_starts_first() {
    let queue = Arc::new(Squares::default());
    let mut started = Vec::new();
    let mut observe = |_: &str, event: Event<usize, usize, (usize, usize), String>| {
        if let Event::Started(item) = event {
            started.push(item);
        }
        Ok(())
    };
    let mut first = items(4);
    first.recorded[3] = true;
    run(Arc::clone(&queue), first, vec![worker("one", square)], &mut observe).expect("done");
    assert_eq!(started, [2, 1, 0]);
    assert_eq!(*queue.recorded.lock().expect("no panic"), [(2, 4), (1, 1), (0, 0)]);
}

#[test]
fn items_that_follow_from_others_are_computed_too() {
    let queue = Arc::new(Squares::default());
    *queue.following.lock().expect("no panic") = HashMap::from([(0, vec![1.0, 2.0]), (3, vec![0.0]), (4, vec![5.0])]);
    let (recorded, result) = squares(&queue, items(2), vec![worker("one", square), worker("two", square)]);
    result.expect("done");
    assert_eq!(recorded, [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16), (5, 25)]);
}

#[test]
fn a_worker_that_fails_or_panics_is_connected_again() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    fn flaky(item: usize, _: &mut dyn FnMut(Option<usize>) -> ControlFlow<()>) -> Result<usize, Failure<&'static str>> {
        match CALLS.fetch_add(1, Ordering::Relaxed) {
            0 => Err(Failure::Lost("unplugged".into())),
            1 => panic!("the connection broke"),
            _ => Ok(item * item),
        }
    }
    let queue = Arc::new(Squares::default());
    let mut lost = Vec::new();
    run(Arc::clone(&queue), items(2), vec![worker("flaky", flaky)], &mut |name, event| {
        if let Event::Lost(reason) = event {
            lost.push(format!("{name}: {reason}"));
        }
        Ok(())
    })
    .expect("done");
    assert_eq!(lost, ["flaky: unplugged", "flaky: the connection broke"]);
    assert_eq!(queue.recorded.lock().expect("no panic").len(), 2);
}

#[test]
fn an_item_that_every_worker_fails_on_ends_the_work() {
    let compute: Compute = |_, _| Err(Failure::Lost("out of memory".into()));
    let (recorded, result) =
        squares(&Arc::default(), items(1), (0..3).map(|number| worker(&number.to_string(), compute)).collect());
    assert!(recorded.is_empty());
    assert!(matches!(result, Err(WorkError::Queue("poisoned"))), "{result:?}");
}

#[test]
fn without_a_worker_that_connects_the_last_refusal_is_the_error() {
    let refuse = || Box::new(|| Err(Unavailable::Refused("another version".into())));
    let workers = vec![Worker { name: "old".into(), connect: refuse() }];
    let (_, result) = squares(&Arc::default(), items(1), workers);
    let Err(WorkError::NoWorkers { worker, reason }) = result else { panic!("{result:?}") };
    assert_eq!((worker.as_str(), reason.as_str()), ("old", "another version"));
}

#[test]
fn an_idle_worker_takes_over_a_slow_item_and_the_slow_one_is_cancelled() {
    static STARTED: AtomicBool = AtomicBool::new(false);
    static CANCELLED: AtomicBool = AtomicBool::new(false);
    type Progress<'a> = &'a mut dyn FnMut(Option<usize>) -> ControlFlow<()>;
    // Otherwise it might do all items before the slow worker has one.
    fn fast(item: usize, progress: Progress<'_>) -> Result<usize, Failure<&'static str>> {
        while !STARTED.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(1));
        }
        square(item, progress)
    }
    fn slow(
        item: usize,
        progress: &mut dyn FnMut(Option<usize>) -> ControlFlow<()>,
    ) -> Result<usize, Failure<&'static str>> {
        STARTED.store(true, Ordering::Relaxed);
        while progress(Some(item)).is_continue() {
            sleep(Duration::from_millis(10));
        }
        CANCELLED.store(true, Ordering::Relaxed);
        Err(Failure::Cancelled)
    }
    let queue = Arc::new(Squares::default());
    let (recorded, result) = squares(&queue, items(3), vec![worker("slow", slow), worker("fast", fast)]);
    result.expect("done");
    assert_eq!(recorded, [(0, 0), (1, 1), (2, 4)]);
    assert!(CANCELLED.load(Ordering::Relaxed));
}

#[test]
fn a_stop_ends_the_work() {
    let queue = Arc::new(Squares::default());
    queue.stopped.store(true, Ordering::Relaxed);
    let (recorded, result) = squares(&queue, items(2), vec![worker("one", square)]);
    assert!(recorded.is_empty() && matches!(result, Err(WorkError::Queue("stopped"))), "{result:?}");
}
