//! The fake's end of the control socket.

use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use rustix::net::{SendFlags, SocketAddrUnix};
use tokio::sync::watch;

use super::State;

/// How long the fake waits for a request. After that the test hangs: the fake ends, and with it the
/// test.
const HANG_TIMEOUT: Duration = Duration::from_secs(20);

/// What to do with a request instead of carrying it out.
pub enum Override {
    /// Sends this reply.
    Reply(Vec<u8>),
    /// Sends no reply.
    NoReply,
    /// Ends without a reply. The socket's file stays behind.
    Crash,
    /// Closes the socket and opens a new one, as hostap does when an event listener does not read.
    /// The old one replies OK once more.
    ReopenSocket,
}

/// Serves requests like hostap's `wpa_supplicant_ctrl_iface_receive`: the events of a request come
/// before its reply.
pub(super) fn serve(
    mut socket: UnixDatagram,
    path: &PathBuf,
    shared: &Mutex<State>,
    progress_sender: &watch::Sender<(usize, bool)>,
) {
    let mut monitors: Vec<SocketAddr> = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        socket.set_read_timeout(Some(HANG_TIMEOUT)).expect("a time limit");
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            let all = shared.lock().map(|state| state.requests_with_prefix("")).unwrap_or_default();
            let last = all.get(all.len().saturating_sub(5)..).unwrap_or_default();
            eprintln!("fake: the test hangs, no request for {HANG_TIMEOUT:?} after {last:?}");
            send(&socket, &monitors, b"<3>CTRL-EVENT-TERMINATING ");
            return;
        };
        let request = buffer.get(..length).unwrap_or_default();
        match request {
            b"QUIT" => return,
            b"SETTLE" => {
                let _ = socket.send_to_addr(b"OK\n", &from);
                continue;
            }
            b"ATTACH" => monitors.push(from.clone()),
            _ => {}
        }
        let mut state = shared.lock().expect("tests that did not panic");
        state.requests.push(request.to_vec());
        let frozen = state.freeze_at.is_some_and(|nth| state.requests.len() >= nth);
        let after_freeze = state.freeze_at.is_some_and(|nth| state.requests.len() > nth);
        let text = String::from_utf8_lossy(request).into_owned();
        let mut script = state.script.take();
        let instead = script.as_mut().and_then(|script| script(&text, &mut state));
        state.script = state.script.take().or(script);
        let reply = match instead {
            Some(Override::Crash) => {
                for event in &state.events_before_reply {
                    send(&socket, &monitors, format!("<3>{event}").as_bytes());
                }
                progress_sender.send_modify(|progress| progress.0 += 1);
                return;
            }
            Some(Override::ReopenSocket) => {
                // hostap closes the old socket first. Here the new one is opened first, and waiting
                // requests get a reply, so that no request fails or waits for nothing.
                let new_path = path.with_extension("new");
                let old = std::mem::replace(
                    &mut socket,
                    UnixDatagram::bind(&new_path).expect("a socket"),
                );
                std::fs::rename(&new_path, path).expect("a new socket at the old path");
                old.shutdown(Shutdown::Read).expect("an end");
                // Not before: the next request of this client would be one of those that wait.
                let _ = old.send_to_addr(b"OK\n", &from);
                while let Ok((1.., from)) = old.recv_from(&mut buffer) {
                    let _ = old.send_to_addr(b"OK\n", &from);
                }
                None
            }
            Some(Override::NoReply) => None,
            Some(Override::Reply(bytes)) => Some(bytes),
            None if after_freeze => None,
            None if text == "ATTACH" => Some(b"OK\n".to_vec()),
            None => Some(state.reply(request).unwrap_or_else(|| "FAIL\n".into()).into_bytes()),
        };
        let before = std::mem::take(&mut state.events_before_reply);
        let after = std::mem::take(&mut state.events_after_reply);
        for garbage in std::mem::take(&mut state.garbage_events) {
            send(&socket, &monitors, &garbage);
        }
        drop(state);
        for event in before {
            send(&socket, &monitors, format!("<3>{event}").as_bytes());
        }
        if let (Some(reply), false) = (reply, frozen) {
            let _ = socket.send_to_addr(&reply, &from);
        }
        for event in after {
            send(&socket, &monitors, &[b"<3>", &event[..]].concat());
        }
        progress_sender.send_modify(|progress| *progress = (progress.0 + 1, frozen));
    }
}

/// Sends an event to all listeners. A listener whose queue is full misses it.
fn send(socket: &UnixDatagram, monitors: &[SocketAddr], event: &[u8]) {
    for monitor in monitors {
        if let Some(name) = monitor.as_abstract_name() {
            let to = SocketAddrUnix::new_abstract_name(name).expect("a name");
            let _ = rustix::net::sendto(socket, event, SendFlags::DONTWAIT, &to);
        }
    }
}
