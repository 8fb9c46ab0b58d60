//! The replies to commands, and what each of them changes.

use wps_testkit::{address, unhex};

use super::{Network, REPLY_MAX, ScanFailure, State, printf_encode};

impl State {
    /// Carries out a request and returns the reply, or `None` for `FAIL`.
    pub(super) fn reply(&mut self, request: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(request).into_owned();
        let (command, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let ok = Some("OK\n".to_owned());
        match command {
            "PING" => Some("PONG\n".into()),
            "STATUS" => Some(self.status()),
            "SIGNAL_POLL" if self.joined => Some("RSSI=-41\nFREQUENCY=2412\nWIDTH=20 MHz\n".into()),
            "GET_CAPABILITY" if rest == "freq" => {
                let line = |freq: &u16| {
                    let number = if *freq < 5000 { (freq - 2407) / 5 } else { (freq - 5000) / 5 };
                    format!(" {number} = {freq} MHz\n")
                };
                let lines: String = self.frequencies.iter().map(line).collect();
                Some(format!("Mode[G] Channels:\n{lines}\n"))
            }
            "GET_CAPABILITY" if rest == "modes" => Some("IBSS AP MESH".into()),
            "GET_CAPABILITY" => Some("NONE WPA-PSK WPA-EAP SAE".into()),
            "GET" | "SET" if self.without_wps && is_of_wps(rest) => None,
            "WPS_CANCEL" if self.without_wps => Some("UNKNOWN COMMAND\n".into()),
            "GET" => {
                let value = self.globals.get(rest)?;
                Some(if value.is_empty() { "null".into() } else { value.clone() })
            }
            "SET" => {
                let (name, value) = rest.split_once(' ')?;
                self.globals.insert(name.into(), value.into());
                ok
            }
            "SCAN" => self.scan(rest),
            "BSS" => Some(self.bss(rest)),
            "LIST_NETWORKS" => Some(self.list(rest)),
            "ADD_NETWORK" => Some(format!("{}\n", self.add_network(false, &[]))),
            "REMOVE_NETWORK" => {
                let id = self.network(rest)?.id;
                if self.current == Some(id) {
                    self.disconnect();
                }
                self.networks.retain(|network| network.id != id);
                ok
            }
            "GET_NETWORK" => {
                let (id, name) = rest.split_once(' ')?;
                let value = self.network(id)?.text(name);
                match name {
                    _ if value.is_empty() && name == "priority" => Some("0".into()),
                    "disabled" => Some(u8::from(!self.network(id)?.enabled).to_string()),
                    _ if value.is_empty() && name == "key_mgmt" => Some("WPA-PSK WPA-EAP".into()),
                    _ if value.is_empty() => None,
                    "psk" => Some("*".into()),
                    _ => Some(value),
                }
            }
            "SET_NETWORK" => {
                let mut words = request.splitn(4, |&byte| byte == b' ');
                let (_, id, name) = (words.next()?, words.next()?, words.next()?);
                let (id, name) = (std::str::from_utf8(id).ok()?, std::str::from_utf8(name).ok()?);
                let value = words.next()?;
                if self.is_unknown(name, value) || name == "psk" && !is_valid_psk(value) {
                    return None;
                }
                self.network(id)?.variables.insert(name.into(), value.into());
                ok
            }
            "SELECT_NETWORK" => {
                let id = self.network(rest.split(' ').next()?)?.id;
                if self.current != Some(id) {
                    self.disconnect();
                }
                for network in &mut self.networks {
                    network.enabled = network.id == id;
                }
                self.disconnected = false;
                if !self.joined {
                    self.current = Some(id);
                    self.connect(id);
                }
                ok
            }
            "ENABLE_NETWORK" => {
                let id = rest.strip_suffix(" no-connect").unwrap_or(rest);
                self.network(id)?.enabled = true;
                ok
            }
            "DISABLE_NETWORK" => {
                let network = self.network(rest)?;
                network.enabled = false;
                let id = network.id;
                if self.current == Some(id) {
                    self.disconnect();
                }
                ok
            }
            "DISCONNECT" => {
                self.disconnect();
                self.disconnected = true;
                ok
            }
            "ABORT_SCAN" => {
                let was_hanging = std::mem::take(&mut self.is_scan_hanging);
                was_hanging.then(|| self.emit_after_reply("CTRL-EVENT-SCAN-RESULTS "))?;
                ok
            }
            "REASSOCIATE" if self.blocked => None,
            "REASSOCIATE" => {
                self.disconnected = false;
                let best = self.best_network().or(self.networks.iter().find(|it| it.enabled));
                let best = best.map(|network| network.id);
                if let Some(id) = best.filter(|id| !self.joined || self.current != Some(*id)) {
                    self.disconnect();
                    self.connect(id);
                }
                ok
            }
            "WPS_CANCEL" => {
                if !self.networks.iter().any(Network::is_wps) {
                    self.misuses
                        .push("WPS_CANCEL without a pairing drops a good connection".into());
                }
                self.disconnect();
                self.networks.retain(|network| !network.is_wps());
                ok
            }
            _ => Some("UNKNOWN COMMAND\n".into()),
        }
    }

    fn status(&self) -> String {
        let state = match self.current {
            _ if self.blocked => "INTERFACE_DISABLED",
            Some(_) if self.joined => "COMPLETED",
            _ if self.disconnected => "DISCONNECTED",
            _ if self.networks.iter().any(|network| network.enabled) => "SCANNING",
            _ => "INACTIVE",
        };
        let mut status = String::new();
        let network = self.networks.iter().find(|network| Some(network.id) == self.current);
        if let (Some(network), true) = (network, self.joined) {
            let bssid = address(self.joined_bssid);
            let ssid = printf_encode(&unhex(&network.ssid_hex()));
            let mode = if network.is_access_point() { "AP" } else { "station" };
            status = format!(
                "bssid={bssid}\nfreq=2412\nssid={ssid}\nid={}\nmode={mode}\npairwise_cipher=CCMP\n\
                 group_cipher=CCMP\nkey_mgmt=WPA2-PSK\nid_str={}\n",
                network.id,
                network.text("id_str").trim_matches('"')
            );
        }
        format!("{status}wpa_state={state}\naddress=02:00:00:00:01:00\n")
    }

    /// Returns whether wpa_supplicant refuses this value of this variable of a network.
    fn is_unknown(&self, variable: &str, value: &[u8]) -> bool {
        let value = String::from_utf8_lossy(value);
        let is_this = |(name, part): &(&str, &str)| *name == variable && value.contains(part);
        self.unknown_variables.iter().any(is_this)
    }

    fn scan(&mut self, rest: &str) -> Option<String> {
        if self.blocked {
            return None;
        }
        if let Some(left) = self.busy_scans.checked_sub(1) {
            self.busy_scans = left;
            self.emit_after_reply("CTRL-EVENT-SCAN-RESULTS ");
            return Some("FAIL-BUSY\n".into());
        }
        let is_passive = rest.ends_with(" passive=1");
        let rest = rest.trim_end_matches(" passive=1");
        let frequencies: Vec<u16> = match rest.strip_prefix("TYPE=ONLY")?.strip_prefix(" freq=") {
            Some(list) => list.split(',').filter_map(|freq| freq.parse().ok()).collect(),
            None => self.frequencies.clone(),
        };
        let error = frequencies.iter().find_map(|freq| self.bad_frequencies.get(freq));
        let is_access_point =
            self.networks.iter().any(|it| self.current == Some(it.id) && it.is_access_point());
        // -95 is EOPNOTSUPP.
        let unsupported = (self.cannot_scan_as_access_point && is_access_point).then_some(&-95);
        let in_the_way =
            self.scan_while_joined.as_ref().filter(|_| self.joined && !is_access_point);
        if in_the_way == Some(&ScanFailure::Hangs) {
            let was_hanging = std::mem::replace(&mut self.is_scan_hanging, true);
            return Some(if was_hanging { "FAIL-BUSY\n" } else { "OK\n" }.into());
        } else if in_the_way == Some(&ScanFailure::Refused) {
            return None;
        }
        let in_the_way = match in_the_way {
            Some(ScanFailure::Fails(error)) => Some(error),
            _ => None,
        };
        if let Some(error) = in_the_way.or(unsupported).or(error) {
            self.emit_after_reply(format!("CTRL-EVENT-SCAN-FAILED ret={error}"));
        } else {
            for bss in &mut self.access_points {
                let is_received = bss.on_air && (bss.sends_beacons || !is_passive);
                if is_received && frequencies.contains(&bss.frequency) {
                    (bss.age, bss.tsf) = (0, bss.tsf + 1);
                    if let Some(beacon) = bss.next_beacon.take_if(|_| is_passive) {
                        bss.beacon = beacon;
                    }
                }
            }
            self.emit_after_reply("CTRL-EVENT-SCAN-RESULTS ");
        }
        Some("OK\n".into())
    }

    /// Replies to `LIST_NETWORKS [LAST_ID=id]`: as many whole lines as fit.
    fn list(&self, rest: &str) -> String {
        let last = rest.strip_prefix("LAST_ID=").and_then(|id| id.parse::<u32>().ok());
        let mut reply = "network id / ssid / bssid / flags\n".to_owned();
        for network in self.networks.iter().filter(|network| Some(network.id) > last) {
            let ssid = printf_encode(&unhex(&network.ssid_hex()));
            let current = if self.current == Some(network.id) { "[CURRENT]" } else { "" };
            let disabled = if network.enabled { "" } else { "[DISABLED]" };
            let temp = if self.temp_disabled == Some(network.id) { "[TEMP-DISABLED]" } else { "" };
            let line = format!("{}\t{ssid}\tany\t{current}{disabled}{temp}\n", network.id);
            if reply.len() + line.len() >= REPLY_MAX {
                break;
            }
            reply += &line;
        }
        reply
    }
}

/// Returns whether this global variable exists only with `CONFIG_WPS`.
fn is_of_wps(arguments: &str) -> bool {
    ["wps_cred_processing", "config_methods"].iter().any(|it| arguments.starts_with(it))
}

/// Returns whether `wpa_config_parse_psk` accepts the value: up to the last quote, 8 to 63 bytes
/// without control characters, or 64 hexadecimal digits.
fn is_valid_psk(value: &[u8]) -> bool {
    match value.strip_prefix(b"\"") {
        Some(rest) => {
            let end = rest.iter().rposition(|&byte| byte == b'"').unwrap_or(rest.len());
            (8..=63).contains(&end)
                && rest.iter().take(end).all(|&byte| !(byte < 32 || byte == 127))
        }
        None => value.len() == 64 && value.iter().all(u8::is_ascii_hexdigit),
    }
}
