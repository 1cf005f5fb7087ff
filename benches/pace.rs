//! Whether the gate keeps its rate, is fair, and is cheap: 4 s at each rate, shared by 16 and by 64 tasks
//! whose requests take no time. Real time, so the machine should be otherwise idle.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement prints its table")]

use std::fs;
use std::time::Duration;

use reconcile::wire::{Pace, PaceConfig};
use tokio::time::{Instant, timeout_at};

const SPAN: Duration = Duration::from_secs(4);

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
            runtime.block_on(measure(per_second, tasks));
        }
    }
}

async fn measure(per_second: f64, tasks: usize) {
    let config = PaceConfig::new(per_second, None, 16).expect("a pace in range");
    let pace = Pace::new(config);
    let cpu = cpu_time();
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
    let cpu = cpu_time().saturating_sub(cpu);
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

/// CPU time of all threads of this process so far; zero where the system does not tell.
fn cpu_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}
