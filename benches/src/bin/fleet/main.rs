//! A fleet: as many devices as wanted, each with one random day with faults on virtual time, on which
//! somebody wants it to pair. Prints how the pairings ended, what one costs, and that it costs no more
//! the millionth time.
//!
//! `cargo run --release -p wps-benches --bin fleet -- 1000000 [--seed SEED]`

#[path = "../../../../wps-core/tests/common/mod.rs"]
mod common;
mod day;
mod size;

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use common::day::LAWS;
use rustix::time::{ClockId, clock_gettime};

#[derive(Parser)]
struct Arguments {
    /// How many devices shall pair.
    devices: u64,
    /// The days are drawn from it: the same seed, the same days.
    #[arg(long)]
    seed: Option<u64>,
}

/// Where the cost is looked at anew.
const STAGES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// From one device's seed to the next: far, so that fleets of neighbouring seeds do not share their days, and
/// odd, so that none comes twice (2^64 divided by the golden ratio).
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;
/// What the process may grow by between the first stage and the last.
const GROWTH_KIB: u64 = 4 * 1024;

/// How the pairings, and the changes of settings on the same day, ended, and how often so.
type Endings = BTreeMap<&'static str, u64>;

fn main() -> anyhow::Result<ExitCode> {
    let Arguments { devices, seed } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let threads = thread::available_parallelism()?.get();
    println!("fleet: {devices} devices, seed {seed}, {threads} threads");
    let (began, mut endings, mut done) = (Instant::now(), Endings::new(), 0);
    let (mut costs, mut resident) = (vec![], vec![]);
    println!("| devices | pairings | CPU time for one, µs | per second | resident, KiB |");
    println!("|---|---|---|---|---|");
    for stage in STAGES.into_iter().filter(|stage| *stage < devices).chain([devices]) {
        let (from, cpu) = (Instant::now(), cpu_time());
        let Some(ended) = live(seed, done..stage, threads) else {
            return Ok(ExitCode::FAILURE);
        };
        let (cpu, took) = (cpu_time() - cpu, from.elapsed());
        let pairings: u64 = ended.values().sum();
        for (ending, times) in ended {
            *endings.entry(ending).or_default() += times;
        }
        let (cost, kib) = (cpu.as_secs_f64() * 1e6 / pairings as f64, resident_kib()?);
        let rate = pairings as f64 / took.as_secs_f64();
        println!("| {done} to {stage} | {pairings} | {cost:.1} | {rate:.0} | {kib} |");
        costs.push(cost);
        resident.push(kib);
        done = stage;
    }
    let (first, last) = (costs.first().context("a stage")?, costs.last().context("one")?);
    println!("the last cost {:.2} of the first", last / first);
    let (pairings, took) = (endings.values().sum::<u64>(), began.elapsed().as_secs_f64());
    println!(
        "{pairings} in {took:.0} s, {:.0} per second; how they ended:",
        pairings as f64 / took
    );
    for (ending, times) in endings {
        println!("{times:>10}  {ending}");
    }
    println!("no law was broken:");
    for law in LAWS {
        println!("  - {law}");
    }
    println!("bytes per device: {}", size::of_a_device());
    let (first, last) = (resident.first().context("a stage")?, resident.last().context("one")?);
    if *last > first + GROWTH_KIB {
        println!("FAILED: memory grew from {first} to {last} KiB");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// These devices live through their days; none if a law was broken.
fn live(seed: u64, devices: std::ops::Range<u64>, threads: usize) -> Option<Endings> {
    let (next, broken) = (AtomicU64::new(devices.start), AtomicBool::new(false));
    let all = Mutex::new(Endings::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Endings::new();
                while !broken.load(Ordering::Relaxed) {
                    let device = next.fetch_add(1, Ordering::Relaxed);
                    if device >= devices.end {
                        break;
                    }
                    let own = seed.wrapping_add(device.wrapping_mul(STRIDE));
                    match catch_unwind(|| day::random(own).live()) {
                        Ok(ended) if ended.is_empty() => {
                            *mine.entry("not begun: refused, or power was cut").or_default() += 1;
                        }
                        Ok(ended) => {
                            for ended in ended {
                                let name = ended.result.map_or_else(|it| it.name(), |()| "paired");
                                *mine.entry(name).or_default() += 1;
                            }
                        }
                        Err(_) => {
                            broken.store(true, Ordering::Relaxed);
                            println!("FAILED: a law was broken; once more: fleet 1 --seed {own}");
                        }
                    }
                }
                let mut all = all.lock().expect("nobody panics with it");
                for (ending, times) in mine {
                    *all.entry(ending).or_default() += times;
                }
            });
        }
    });
    (!broken.into_inner()).then(|| all.into_inner().expect("nobody panics with it"))
}

/// Of all threads, so that a busy machine does not count.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn resident_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.context("VmRSS")?.trim().trim_end_matches(" kB").parse()?)
}
