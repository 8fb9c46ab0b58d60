//! What the benchmarks measure and what they measure it beside.

pub mod pairing;
pub mod peer;
