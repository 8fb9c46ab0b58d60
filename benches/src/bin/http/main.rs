//! What the API costs beside an axum handler that does nothing, in one run, so that the ratios hold on
//! any machine: requests per second, what the server computes for each, the time that 99 of 100 answers
//! need, and the memory of an idle connection.
//!
//! `cargo run --release -p wps-benches --bin http`; with `-- --short` it only shows that it runs.

mod idle;
mod load;
mod serve;

use std::io;
use std::time::Duration;

use idle::memory;
use load::{Figures, measure};
use serve::{Served, serve};

/// What is measured is short and often, in turns, and the best of them counts: the others tell how busy
/// the machine was.
const TURNS: usize = 9;
const TURN: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(20);
/// For the memory of one.
const IDLE: usize = 2_000;

fn main() -> io::Result<()> {
    let short = std::env::args().any(|it| it == "--short");
    let (turns, turn, idle) = if short { (1, SHORT, 100) } else { (TURNS, TURN, IDLE) };

    let bare = memory(&serve(Served::Bare)?, idle)?;
    let ours = memory(&serve(Served::Open)?, idle)?;
    println!("| an idle connection to | bytes | of bare axum |");
    println!("|---|---|---|");
    for (served, bytes) in [(Served::Bare, bare), (Served::Open, ours)] {
        println!("| {} | {bytes:.0} | {:.2} |", served.name(), bytes / bare);
    }

    // Servers of its own for each method: the first POST starts a pairing, which the others find running.
    let mut rows = Vec::new();
    for method in ["GET", "POST"] {
        for served in [Served::Bare, Served::Open, Served::WithPassword] {
            let server = serve(served)?;
            measure(&server, method, SHORT)?;
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
        let most = best(bare).rate;
        for (method, server, figures) in rows {
            let best = best(figures);
            let cpu = |it: &Figures| it.cpu.as_secs_f64() * 1e6;
            println!(
                "| {method} | {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.2} |",
                server.served.name(),
                best.rate,
                best.rate / most,
                best.p99.as_secs_f64() * 1e3,
                median(figures.iter().map(cpu)),
                median(figures.iter().zip(bare).map(|(it, bare)| cpu(it) / cpu(bare))),
            );
        }
    }
    let waited = rows.iter().flat_map(|(_, _, figures)| figures).map(|it| it.kept_waiting * 100.0);
    println!(
        "\nThe servers waited for a CPU that others had for {:.0} % of the time.",
        median(waited)
    );
    Ok(())
}

/// The turn that others disturbed least. Where they take the CPU from more than one request in a hundred,
/// a p99 tells only how long they kept it.
fn best(turns: &[Figures]) -> &Figures {
    turns.iter().max_by(|one, other| one.rate.total_cmp(&other.rate)).expect("a turn")
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
