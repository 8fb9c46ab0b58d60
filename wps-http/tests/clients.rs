//! The clients that people have, at the door: `tests/clients/digest` says which, and CI installs them.

mod common;

use axum::Router as Routes;
use common::Situation::Off;
use common::wire::served;
use common::{World, config};
use tokio::process::Command;
use wps_core::Clock;
use wps_http::Password;
use wps_http::axum::{Config, Limits, router};

#[tokio::test]
async fn they_get_in_with_the_password_and_not_without() {
    World::visit(Off, async |world| {
        let clock = world.clock;
        let password = Password::new(b"open, sesame");
        let config = Config { password, ..config() };
        let routes = router(world.control, move || clock.now(), config, Routes::new());
        served(routes, Limits::default(), async |address| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/digest");
            let mut clients = Command::new(script);
            let clients = clients.args([&address.to_string(), "open, sesame"]).status();
            // The simulated radio takes its time, which is not ours.
            assert!(world.with_time(clients).await.expect("bash").success());
        })
        .await;
    })
    .await;
}
