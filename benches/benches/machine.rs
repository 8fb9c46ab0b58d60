//! Compares our pairing machine with the statig machine, and our parsers with the parser of libwifi
//! on recorded elements. libwifi parses every element and stores the result on the heap.
//!
//! `cargo bench -p wps-benches --bench machine`

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use libwifi::parsers::parse_station_info;
use rustix::time::{ClockId, clock_gettime};
use wps_benches::pairing::{ours, pair, peer};
use wps_core::wsc::{Advertisement, Bssid, credentials};
use wps_core::{BssInfo, Security};
use wps_testkit::{recorded, unhex};

fn machine(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("step of a pairing");
    group.throughput(Throughput::Elements(pair(&mut ours()).into()));
    group.bench_function("ours", |bench| bench.iter(|| pair(&mut black_box(ours()))));
    group.bench_function("statig", |bench| bench.iter(|| pair(&mut black_box(peer()))));
    group.finish();
}

fn parsers(criterion: &mut Criterion<CpuTime>) {
    let recorded = [
        ("beacon", recorded::pressed_beacon()),
        ("probe response", recorded::pressed_probe_response()),
    ];
    for (name, elements) in recorded {
        assert!(Advertisement::parse(&elements).is_some());
        let (_, known) = parse_station_info(&elements).expect("libwifi parses it");
        assert!(known.wps_info.is_some());
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(elements.len() as u64));
        group.bench_function("ours", |bench| {
            bench.iter(|| Advertisement::parse(black_box(&elements)));
        });
        group.bench_function("libwifi", |bench| {
            bench.iter(|| parse_station_info(black_box(&elements)));
        });
        group.finish();
    }

    let credential = unhex(CREDENTIAL);
    let security = Some(Security::Wpa2);
    let access_point = BssInfo { security, ..BssInfo::new(Bssid([2; 6])) };
    assert!(credentials(&credential, &access_point).is_ok());
    let mut group = criterion.benchmark_group("credential");
    group.throughput(Throughput::Bytes(credential.len() as u64));
    group.bench_function("hostapd's", |bench| {
        bench.iter(|| credentials(black_box(&credential), &access_point))
    });
    group.finish();
}

/// A credential as hostapd 2.10 sends it.
const CREDENTIAL: &str = "100e0036 10260001 01 10450006 6c61626e6574 10030002 0020 100f0002 0008
    1027000d 636f727265637420686f727365 10200006 020000000100";

/// Measures the CPU time of the thread. Other processes on the machine do not affect it.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
    }

    fn end(&self, start: Duration) -> Duration {
        self.start() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = machine, parsers
}
criterion_main!(benches);
