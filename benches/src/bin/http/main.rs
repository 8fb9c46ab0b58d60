//! Compares the cost of the API with an axum handler that does nothing: requests per second, CPU
//! time per request, the response time that 99 % of the requests stay within, and the memory of an
//! idle connection. Both are measured in one run, so the ratios hold on any machine.
//!
//! `cargo run --release -p wps-benches --bin http`; with `-- --short` it only checks that it runs.

mod idle;
mod load;
mod serve;

use std::io;
use std::time::Duration;

use idle::memory;
use load::{Figures, measure};
use serve::{Served, serve};

/// The servers are measured in short turns, one after the other, and the best turn of each counts.
/// The other turns show how busy the machine was.
const TURNS: usize = 9;
const TURN_WINDOW: Duration = Duration::from_secs(1);
const SHORT_WINDOW: Duration = Duration::from_millis(20);
/// The number of idle connections from which the memory of one is computed.
const IDLE_CONNECTIONS: usize = 2_000;

fn main() -> io::Result<()> {
    let short = std::env::args().any(|it| it == "--short");
    let (turns, turn, idle) =
        if short { (1, SHORT_WINDOW, 100) } else { (TURNS, TURN_WINDOW, IDLE_CONNECTIONS) };

    let bare = memory(&serve(Served::Bare)?, idle)?;
    let ours = memory(&serve(Served::Open)?, idle)?;
    println!("| an idle connection to | bytes | of bare axum |");
    println!("|---|---|---|");
    for (served, bytes) in [(Served::Bare, bare), (Served::Open, ours)] {
        println!("| {} | {bytes:.0} | {:.2} |", served.name(), bytes / bare);
    }

    // Each method has its own servers: the first POST starts a pairing, and all later requests run
    // while it is running.
    let mut rows = Vec::new();
    for method in ["GET", "POST"] {
        for served in [Served::Bare, Served::Open, Served::WithPassword] {
            let server = serve(served)?;
            measure(&server, method, SHORT_WINDOW)?;
            rows.push((method, server, Vec::new()));
        }
    }
    for _ in 0..turns {
        for (method, server, figures) in &mut rows {
            figures.push(measure(server, method, turn)?);
        }
    }
    println!();
    println!(
        "| request | served by | requests/s | of bare axum | p99, ms | CPU, µs | of bare axum |"
    );
    println!("|---|---|---|---|---|---|---|");
    for rows in rows.chunks(3) {
        let bare = &rows[0].2;
        let bare_rate = best(bare).rate;
        for (method, server, figures) in rows {
            let best = best(figures);
            let cpu = |it: &Figures| it.cpu.as_secs_f64() * 1e6;
            println!(
                "| {method} | {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.2} |",
                server.served.name(),
                best.rate,
                best.rate / bare_rate,
                best.p99.as_secs_f64() * 1e3,
                median(figures.iter().map(cpu)),
                median(figures.iter().zip(bare).map(|(it, bare)| cpu(it) / cpu(bare))),
            );
        }
    }
    let waited =
        rows.iter().flat_map(|(_, _, figures)| figures).map(|it| it.waited_for_cpu * 100.0);
    println!(
        "\nThe servers were ready to run, but had no CPU, for {:.0} % of the time.",
        median(waited)
    );
    Ok(())
}

/// Returns the turn that other processes disturbed least. If they take the CPU from more than one
/// request in a hundred, the p99 shows only how long they kept it.
fn best(turns: &[Figures]) -> &Figures {
    turns.iter().max_by(|one, other| one.rate.total_cmp(&other.rate)).expect("a turn")
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
