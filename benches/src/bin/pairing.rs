//! Runs a given number of pairings. `benches/instructions` uses it to count the instructions of
//! one.

#[path = "../../../wps-core/tests/common/mod.rs"]
mod common;

use std::hint::black_box;

use clap::{Parser, ValueEnum};
use common::Environment;
use wps_benches::pairing::{ours, pair, peer};
use wps_testkit::hotspot;

#[derive(Parser)]
struct Arguments {
    /// What pairs
    subject: Subject,
    /// How many pairings to run
    times: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// Our machine alone
    Machine,
    /// The statig machine alone
    Statig,
    /// The whole device: machine, runner and control, with a simulated radio, disk and clock
    Device,
}

fn main() {
    let Arguments { subject, times } = Arguments::parse();
    for _ in 0..times {
        match subject {
            Subject::Machine => {
                black_box(pair(&mut black_box(ours())));
            }
            Subject::Statig => {
                black_box(pair(&mut black_box(peer())));
            }
            Subject::Device => device(),
        }
    }
}

fn device() {
    let env = Environment::settled(hotspot(None));
    let mut sim = env.booted();
    sim.press_router("home");
    sim.press_button();
    sim.advance(5.0);
    sim.expect_ended(Ok(()));
}
