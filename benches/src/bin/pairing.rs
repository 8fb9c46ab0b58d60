//! Pairs so many times, for `benches/instructions` to count what one pairing takes.

#[path = "../../../wps-core/tests/common/mod.rs"]
mod common;

use std::hint::black_box;

use clap::{Parser, ValueEnum};
use common::{Site, hotspot};
use wps_benches::pairing::{ours, pair, peer};

#[derive(Parser)]
struct Arguments {
    what: What,
    times: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Our machine alone.
    Machine,
    /// The same machine, written with statig.
    Statig,
    /// The whole device: machine, runner and desk, with a simulated radio, disk and clock.
    Device,
}

fn main() {
    let Arguments { what, times } = Arguments::parse();
    for _ in 0..times {
        match what {
            What::Machine => {
                black_box(pair(&mut black_box(ours())));
            }
            What::Statig => {
                black_box(pair(&mut black_box(peer())));
            }
            What::Device => device(),
        }
    }
}

fn device() {
    let site = Site::settled(hotspot(None));
    let mut world = site.booted();
    world.press("home");
    world.button();
    world.pass(5.0);
    world.expect_ended(Ok(()));
}
