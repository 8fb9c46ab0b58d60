//! Simulates a fleet of devices. Each device runs one random scenario on virtual time, with faults
//! and with somebody who wants to pair it. Prints how the pairings ended, the cost of one, and
//! whether the cost stays the same up to the millionth.
//!
//! `cargo run --release -p wps-benches --bin fleet -- 1000000 [--seed SEED]`

#[path = "../../../../wps-core/tests/common/mod.rs"]
mod common;
mod scenario;
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
use common::scenario::INVARIANTS;
use rustix::time::{ClockId, clock_gettime};
use wps_core::{Cause, ErrorKind};

#[derive(Parser)]
struct Arguments {
    /// The number of devices
    devices: u64,
    /// The seed of the random scenarios; the same seed gives the same scenarios
    #[arg(long)]
    seed: Option<u64>,
}

/// The numbers of devices after which the cost is measured.
const STAGES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The distance between the seeds of two devices: 2^64 divided by the golden ratio. It is large, so
/// that fleets with adjacent seeds share no scenarios. It is odd, so that no seed comes twice.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;
/// How much the process may grow between the first stage and the last, in KiB.
const MAX_GROWTH_KIB: u64 = 4 * 1024;

/// A fleet of this size meets every cause in [`MUST_BE_MET`].
const LARGE_FLEET: u64 = 10_000;
/// What a large fleet must meet. Otherwise the scenarios no longer reach it.
const MUST_BE_MET: [Cause; 10] = [
    Cause::NotPressed,
    Cause::Cancelled,
    Cause::Interrupted,
    Cause::Store,
    Cause::NotKept,
    Cause::Driver(ErrorKind::Overlap),
    Cause::Driver(ErrorKind::Refused),
    Cause::Driver(ErrorKind::RouterLost),
    Cause::Driver(ErrorKind::Insecure),
    Cause::Driver(ErrorKind::WrongKey),
];

/// How a pairing ended: a name, and a detail.
type Ending = (&'static str, Option<&'static str>);
/// How often the pairings ended in each way.
type Endings = BTreeMap<Ending, u64>;

const PAIRED: Ending = ("paired", None);
const NOT_STARTED: Ending = ("not started", Some("refused, or power was cut"));

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
        let Some(ended) = run_devices(seed, done..stage, threads) else {
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
    println!("cost of the last stage / cost of the first: {:.2}", last / first);
    let (pairings, took) = (endings.values().sum::<u64>(), began.elapsed().as_secs_f64());
    println!(
        "{pairings} in {took:.0} s, {:.0} per second; how they ended:",
        pairings as f64 / took
    );
    for (ending, times) in &endings {
        println!("{times:>10}  {}", format(*ending));
    }
    println!("no invariant was violated:");
    for invariant in INVARIANTS {
        println!("  - {invariant}");
    }
    println!("bytes per device: {}", size::of_a_device());
    let not_met = MUST_BE_MET.map(ending_of).into_iter().find(|it| !endings.contains_key(it));
    if let (true, Some(ending)) = (devices >= LARGE_FLEET, not_met) {
        println!("FAILED: no pairing ended so: {}", format(ending));
        return Ok(ExitCode::FAILURE);
    }
    let (first, last) = (resident.first().context("a stage")?, resident.last().context("one")?);
    if *last > first + MAX_GROWTH_KIB {
        println!("FAILED: memory grew from {first} to {last} KiB");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the scenarios of these devices. Returns `None` if an invariant was violated.
fn run_devices(seed: u64, devices: std::ops::Range<u64>, threads: usize) -> Option<Endings> {
    let (next, violated) = (AtomicU64::new(devices.start), AtomicBool::new(false));
    let all = Mutex::new(Endings::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Endings::new();
                while !violated.load(Ordering::Relaxed) {
                    let device = next.fetch_add(1, Ordering::Relaxed);
                    if device >= devices.end {
                        break;
                    }
                    let device_seed = seed.wrapping_add(device.wrapping_mul(STRIDE));
                    match catch_unwind(|| scenario::random(device_seed).run()) {
                        Ok(ended) if ended.is_empty() => {
                            *mine.entry(NOT_STARTED).or_default() += 1;
                        }
                        Ok(ended) => {
                            for ended in ended {
                                let ending = ended.result.map_or_else(ending_of, |()| PAIRED);
                                *mine.entry(ending).or_default() += 1;
                            }
                        }
                        Err(_) => {
                            violated.store(true, Ordering::Relaxed);
                            println!("FAILED: an invariant was violated; to repeat it: fleet 1 --seed {device_seed}");
                        }
                    }
                }
                let mut all = all.lock().expect("no thread panics while it holds the lock");
                for (ending, times) in mine {
                    *all.entry(ending).or_default() += times;
                }
            });
        }
    });
    (!violated.into_inner())
        .then(|| all.into_inner().expect("no thread panics while it holds the lock"))
}

fn ending_of(cause: Cause) -> Ending {
    (cause.name(), cause.detail())
}

fn format((name, detail): Ending) -> String {
    detail.map_or_else(|| name.into(), |detail| format!("{name} ({detail})"))
}

/// Returns the CPU time of all threads. Other processes on the machine do not affect it.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Returns the resident memory of the process.
fn resident_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.context("VmRSS")?.trim().trim_end_matches(" kB").parse()?)
}
