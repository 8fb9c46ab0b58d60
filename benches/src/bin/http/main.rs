//! What the API costs beside an axum handler that does nothing: requests per second and the time that
//! 99 of 100 answers need, in one run, so that the ratios hold on any machine.
//!
//! `cargo run --release -p wps-benches --bin http`; with `-- --short` it only shows that it runs.

mod load;
mod serve;

use std::io;
use std::time::Duration;

use load::{Figures, measure};
use serve::{Served, serve};

/// What is measured is short and often, in turns: a machine that is busy now and then is so for all.
const TURNS: usize = 9;
const TURN: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(20);

fn main() -> io::Result<()> {
    let short = std::env::args().any(|it| it == "--short");
    let (turns, turn) = if short { (1, SHORT) } else { (TURNS, TURN) };
    let servers = [Served::Bare, Served::Open, Served::WithPassword];
    let mut addresses = Vec::new();
    for served in servers {
        addresses.push(serve(served)?);
    }
    println!("| request | served by | requests/s | of bare axum | p99, ms |");
    println!("|---|---|---|---|---|");
    for method in ["GET", "POST"] {
        // The first POST starts a pairing, and waits until that is noted; the others find it running.
        for (served, address) in servers.into_iter().zip(&addresses) {
            measure(*address, method, served == Served::WithPassword, SHORT)?;
        }
        let mut rows = servers.map(|_| Vec::new());
        for _ in 0..turns {
            for ((served, address), row) in servers.into_iter().zip(&addresses).zip(&mut rows) {
                row.push(measure(*address, method, served == Served::WithPassword, turn)?);
            }
        }
        let bare: Vec<_> = rows[0].iter().map(|it: &Figures| it.rate).collect();
        for (served, row) in servers.into_iter().zip(&rows) {
            let rate = median(row.iter().map(|it| it.rate));
            let ratio = median(row.iter().zip(&bare).map(|(it, bare)| it.rate / bare));
            let p99 = median(row.iter().map(|it| it.p99.as_secs_f64() * 1e3));
            println!("| {method} | {} | {rate:.0} | {ratio:.2} | {p99:.2} |", served.name());
        }
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
