//! The machine beside its peer, and the parsers over recorded elements.
//!
//! `cargo bench -p wps-benches --bench machine`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wps_benches::pairing::{ours, pair, peer};
use wps_core::wsc::{Advertisement, credentials};

fn machine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step of a pairing");
    group.throughput(Throughput::Elements(pair(&mut ours()).into()));
    group.bench_function("ours", |bench| bench.iter(|| pair(&mut black_box(ours()))));
    group.bench_function("statig", |bench| bench.iter(|| pair(&mut black_box(peer()))));
    group.finish();
}

fn parsers(criterion: &mut Criterion) {
    let recorded = [
        ("beacon", include_str!("../../wps-core/tests/data/beacon_pressed.hex")),
        ("probe response", include_str!("../../wps-core/tests/data/probe_response_pressed.hex")),
    ];
    let mut group = criterion.benchmark_group("elements");
    for (name, text) in recorded {
        let elements = hex(text);
        assert!(Advertisement::parse(&elements).is_some());
        group.throughput(Throughput::Bytes(elements.len() as u64));
        group.bench_function(name, |bench| {
            bench.iter(|| Advertisement::parse(black_box(&elements)));
        });
    }
    group.finish();

    let credential = hex(CREDENTIAL);
    assert!(credentials(&credential).is_ok());
    let mut group = criterion.benchmark_group("credential");
    group.throughput(Throughput::Bytes(credential.len() as u64));
    group.bench_function("hostapd's", |bench| bench.iter(|| credentials(black_box(&credential))));
    group.finish();
}

/// As hostapd 2.10 hands it over.
const CREDENTIAL: &str = "100e0036 10260001 01 10450006 6c61626e6574 10030002 0020 100f0002 0008
    1027000d 636f727265637420686f727365 10200006 020000000100";

fn hex(text: &str) -> Vec<u8> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let digits: String = lines.flat_map(str::split_whitespace).collect();
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}

criterion_group!(benches, machine, parsers);
criterion_main!(benches);
