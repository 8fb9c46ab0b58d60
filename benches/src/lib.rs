//! The pairing scenario that the benchmarks run, and the statig machine they compare ours with.

pub mod pairing;
pub mod peer;
