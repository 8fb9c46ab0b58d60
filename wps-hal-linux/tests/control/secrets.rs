//! No key appears in errors, `Debug` output or the log, and no flood fills the log.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use wps_core::Settings;
use wps_hal_linux::{Event, Events};

use super::*;
use crate::fake::{INTERFACE, Override};

/// Collects everything that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        let _ = writeln!(self.0.lock().unwrap(), "{field}={value:?}");
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Returns whether the text contains the secret as text, in hex, or as a list of bytes.
fn leaks(text: &str) -> bool {
    let text = text.to_lowercase();
    let decimal = format!("{:?}", SECRET.as_bytes());
    [SECRET, &hex(SECRET.as_bytes()), decimal.trim_matches(['[', ']'])]
        .iter()
        .any(|secret| text.contains(secret))
}

#[test]
fn neither_log_nor_errors_contain_a_secret() {
    let log = Log::default();
    let output = tracing::subscriber::with_default(log.clone(), || {
        run(async || {
            let mut output = String::new();
            // Each request fails once, and once it gets a reply with nonsense and the secret.
            for nth in 1..200 {
                let mut done = false;
                let nonsense = ["correct horse", "id=correct horse\n"][nth % 2];
                for reply in ["FAIL\n", nonsense] {
                    let fake = connected_station();
                    let mut left = nth;
                    fake.script(move |request, _| {
                        left -= usize::from(left > 0);
                        let spared = request == "ATTACH" || request.starts_with("SCAN");
                        (left == 1 && !spared).then_some(Override::Reply(reply.into()))
                    });
                    let mut driver = fake.driver();
                    let mut overlap_detector = OverlapDetector::new();
                    let work = async {
                        let snapshot = driver.snapshot().await?;
                        let mut context = PairContext::new(&mut overlap_detector, &|_| {});
                        let offer = driver.pair(&mut context).await?;
                        let _ = write!(output, "{offer:?}");
                        driver.join(offer.at(0), &snapshot).await?;
                        driver.apply(&Settings::Platform, &snapshot).await
                    };
                    match fake.with_timeout(Duration::from_secs(4), work).await {
                        Some(Err(error)) => {
                            let _ = writeln!(output, "{error} {error:?}");
                        }
                        Some(Ok(())) => done = fake.state().requests.len() < nth,
                        None => {}
                    }
                }
                if done {
                    break;
                }
            }
            output
        })
    });
    let log = log.0.lock().unwrap();
    assert!(log.contains("Credentials(") && output.contains("refused SET_NETWORK"), "{output}");
    let leak = log.lines().chain(output.lines()).find(|line| leaks(line));
    // Not even a secret in a reply is logged, although real replies never contain a key.
    assert_eq!(leak, None);
    assert!(log.len() < 64 << 20);
}

#[test]
fn no_debug_output_contains_a_secret() {
    run(async || {
        let fake = connected_station();
        let offer = pair(&fake).await.0.unwrap();
        let event = Event::parse(
            format!("<3>WPS-CRED-RECEIVED {}", credential(b"home", SECRET.as_bytes())).as_bytes(),
        );
        let events = Events::attach(fake.directory(), INTERFACE).await.unwrap();
        let settings = Settings::Station { network: home() };
        let text = format!("{offer:?} {event:?} {events:?} {settings:?} {:?}", fake.driver());
        assert!(!leaks(&text), "{text}");
        assert!(leaks(&format!("{:?}", SECRET.as_bytes())) && leaks(&hex(SECRET.as_bytes())));
    });
}

#[test]
fn a_flood_of_events_does_not_flood_the_log() {
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        run(async || {
            let fake = connected_station();
            fake.script(|request, state| {
                if request.starts_with("SCAN") {
                    for nth in 0..5 {
                        let bssid = address([2, 0, 0, 0, 1, nth]);
                        state.emit_after_reply(format!("CTRL-EVENT-BSS-ADDED {nth} {bssid}"));
                    }
                }
                None
            });
            pair(&fake).await.0.unwrap();
        });
    });
    assert!(!log.0.lock().unwrap().contains("Other"));
}

#[test]
fn garbage_is_logged_once_without_its_content() {
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        run(async || {
            let fake = connected_station();
            fake.script(|request, state| {
                if request.starts_with("SCAN") {
                    state.emit_garbage(b"what is \xff this");
                    state.emit_garbage(b"<3");
                }
                None
            });
            pair(&fake).await.0.unwrap();
        });
    });
    let log = log.0.lock().unwrap();
    assert_eq!(log.matches("malformed event").count(), 1, "{log}");
    assert!(!log.contains("what is"), "{log}");
}
