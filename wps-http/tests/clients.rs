//! Digest authentication with common clients: `tests/clients/digest` lists them, CI installs them.

mod common;

use axum::Router as Routes;
use common::Situation::Off;
use common::wire::with_server;
use common::{World, config};
use tokio::process::Command;
use wps_core::Clock;
use wps_http::Password;
use wps_http::axum::{Config, Limits, router};

#[tokio::test]
async fn common_clients_authenticate_with_the_password_only() {
    World::run(Off, async |world| {
        let clock = world.clock;
        let password = Password::new(b"open, sesame");
        let config = Config { password, ..config() };
        let routes = router(world.control, move || clock.now(), config, Routes::new());
        with_server(routes, Limits::default(), async |address| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/digest");
            let mut clients = Command::new(script);
            let clients = clients.args([&address.to_string(), "open, sesame"]).status();
            // The clients run in real time, so the simulated clock must be advanced.
            assert!(world.with_time(clients).await.expect("bash").success());
        })
        .await;
    })
    .await;
}
