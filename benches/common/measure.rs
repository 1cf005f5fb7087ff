//! What the kernel tells of this process, and the lines that a bench ends with.

#![allow(dead_code, reason = "each bench uses its part")]

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Wall and processor time of this thread since it was made.
pub struct Since {
    wall: Instant,
    cpu: Duration,
}

impl Since {
    /// From now on.
    pub fn now() -> Self {
        Self { wall: Instant::now(), cpu: thread_cpu() }
    }

    /// Milliseconds by the clock.
    pub fn wall_ms(&self) -> f64 {
        self.wall.elapsed().as_secs_f64() * 1e3
    }

    /// Milliseconds in which this thread had a processor: other work on the machine does not count.
    pub fn cpu_ms(&self) -> f64 {
        thread_cpu().saturating_sub(self.cpu).as_secs_f64() * 1e3
    }
}

/// Of a clock that does not stand still only while other work has the processor; the kernel's files tell it by the
/// tick, which is longer than most of what is measured here.
fn clock(which: ClockId) -> Duration {
    clock_gettime(which).map_or(Duration::ZERO, Duration::from)
}

fn thread_cpu() -> Duration {
    clock(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Processor time of all threads of this process so far.
pub fn process_cpu() -> Duration {
    clock(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// A figure of this process by its name in a file of the kernel's; 0 where it tells none.
pub fn figure(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// Says a result in the form in which results are collected.
pub fn result(name: &str, value: f64, unit: &str) {
    println!("bench {name} {value:.3} {unit}");
}
