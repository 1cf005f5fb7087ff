//! Whether the gate keeps its rate, is fair, and is cheap. The rates that targets are given (5, 20 and 200 per
//! second) are timed from permit to permit for 12 s; high ones are counted for 4 s, shared by 16 and by 64 tasks
//! whose requests take no time. Real time, so the machine should be otherwise idle. `cargo bench --bench pace`
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement prints its table")]

#[path = "common/measure.rs"]
mod measure;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reconcile::wire::{Pace, PaceConfig};
use tokio::time::{Instant, timeout_at};

const SPAN: Duration = Duration::from_secs(4);
const LONG: Duration = Duration::from_secs(12);

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    println!("goals: rate within 1 %; max/min per task <= 1.5; CPU <= 5 us a permit at 10000/s, <= 20 below");
    println!(
        "{:>8} {:>6} {:>6} {:>8} {:>5}..{:<5} {:>8} {:>10}",
        "rate/s", "tasks", "burst", "reached", "min", "max", "max/min", "us/permit"
    );
    for per_second in [100.0, 1_000.0, 10_000.0] {
        for tasks in [16, 64] {
            runtime.block_on(count(per_second, tasks));
        }
    }
    let errors = runtime.block_on(async { tokio::join!(time(5.0), time(20.0), time(200.0)) });
    measure::result("pace_error", errors.0.max(errors.1).max(errors.2), "percent");
}

/// By how many percent the rate is missed, burst apart: from the first permit after it to the last one.
async fn time(per_second: f64) -> f64 {
    let config = PaceConfig::new(per_second, None, 16).expect("a pace in range");
    let pace = Pace::new(config);
    let end = Instant::now() + LONG;
    let permits: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let running: Vec<_> = (0..16)
        .map(|_| {
            let (pace, permits) = (pace.clone(), Arc::clone(&permits));
            tokio::spawn(async move {
                while let Ok(permit) = timeout_at(end, pace.admit()).await {
                    permits.lock().expect("nobody panics").push(Instant::now());
                    drop(permit);
                }
            })
        })
        .collect();
    for task in running {
        task.await.expect("a task that ends");
    }
    let mut permits = std::mem::take(&mut *permits.lock().expect("nobody panics"));
    permits.sort_unstable();
    let permits = &permits[config.burst() as usize..];
    let (first, last) = (permits.first().expect("some permits"), permits.last().expect("some permits"));
    let reached = (permits.len() - 1) as f64 / (*last - *first).as_secs_f64();
    let error = (reached / per_second - 1.0).abs() * 100.0;
    println!("{per_second:>8} per second: {} permits, {reached:.3} per second, {error:.3} % off", permits.len());
    error
}

async fn count(per_second: f64, tasks: usize) {
    let config = PaceConfig::new(per_second, None, 16).expect("a pace in range");
    let pace = Pace::new(config);
    let cpu = measure::process_cpu();
    let end = Instant::now() + SPAN;
    let running: Vec<_> = (0..tasks)
        .map(|_| {
            let pace = pace.clone();
            tokio::spawn(async move {
                let mut count = 0_u32;
                while let Ok(permit) = timeout_at(end, pace.admit()).await {
                    drop(permit);
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut counts = Vec::new();
    for task in running {
        counts.push(task.await.expect("a task that ends"));
    }
    let cpu = measure::process_cpu().saturating_sub(cpu);
    let total: u32 = counts.iter().sum();
    let (least, most) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    // The burst comes on top of the rate, once.
    let reached = f64::from(total - config.burst()) / (per_second * SPAN.as_secs_f64());
    println!(
        "{per_second:>8} {tasks:>6} {:>6} {reached:>8.4} {least:>5}..{most:<5} {:>8.2} {:>10.1}",
        config.burst(),
        f64::from(most) / f64::from(least),
        cpu.as_secs_f64() * 1e6 / f64::from(total),
    );
}
