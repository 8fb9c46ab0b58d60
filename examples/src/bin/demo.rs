//! The daemon on a simulated radio, which `cargo run` starts: the same as `wpsd demo`.

fn main() -> std::process::ExitCode {
    wps_examples::demo()
}
