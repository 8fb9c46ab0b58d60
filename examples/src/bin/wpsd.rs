//! `wpsd`: a daemon for Linux that does Wi-Fi Protected Setup by push button, with an HTTP API and
//! a web page. `wpsd demo` runs it on a simulated radio.

fn main() -> std::process::ExitCode {
    wps_examples::wpsd()
}
