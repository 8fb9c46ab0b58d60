//! What was measured, from the lines that the radio lab printed.

use std::collections::BTreeMap;

/// Ours, and then the peers.
pub(crate) const CONTENDERS: [&str; 4] = ["wpsd", "wpa_cli", "iwd", "NetworkManager"];

/// What was the same for all contenders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) bands: String,
    pub(crate) joined: bool,
    pub(crate) button: String,
}

impl Case {
    /// `bands/joined/button`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split('/').map(str::to_owned);
        let (bands, joined, button) = (words.next()?, words.next()?, words.next()?);
        Some(Self { bands, joined: joined == "joined", button })
    }

    /// For people.
    pub(crate) fn words(&self) -> [&str; 3] {
        let button = match &*self.button {
            "before" => "before the start",
            "5s" => "5 s after",
            "60s" => "60 s after",
            other => other,
        };
        let bands = match &*self.bands {
            "2.4-only" => "2.4 GHz card",
            "2.4-listed" => "2.4 GHz by `freq_list`",
            "2.4+5-listed" => "2.4 + 5 GHz by `freq_list`",
            other => other,
        };
        let station = if self.joined { "connected elsewhere" } else { "not connected" };
        [bands, station, button]
    }
}

/// One measurement: its fields by name.
type Fields = BTreeMap<String, String>;

#[derive(Default)]
pub(crate) struct Results {
    cases: Vec<Case>,
    lines: Vec<(Case, Fields)>,
}

impl Results {
    pub(crate) fn parse(text: &str) -> Self {
        let mut results = Self::default();
        for line in text.lines().filter_map(|line| line.strip_prefix("versus: ")) {
            let pairs = line.split_whitespace().filter_map(|field| field.split_once('='));
            let fields: Fields =
                pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let Some(case) = fields.get("case").and_then(|case| Case::parse(case)) else {
                continue;
            };
            if !results.cases.contains(&case) {
                results.cases.push(case.clone());
            }
            results.lines.push((case, fields));
        }
        results
    }

    /// In the order in which they were measured.
    pub(crate) fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// A field over all runs; none if it was not measured.
    pub(crate) fn summary(&self, case: &Case, who: &str, field: &str) -> Option<Summary> {
        let of = |(other, fields): &&(Case, Fields)| {
            other == case && fields.get("who").is_some_and(|it| it == who)
        };
        let lines = self.lines.iter().filter(of);
        let values = lines.filter_map(|(_, fields)| fields.get(field));
        Summary::new(values.map(|value| value.parse().ok()).collect())
    }
}

/// The same in several runs, in seconds.
pub(crate) struct Summary {
    /// In order.
    values: Vec<f64>,
    failed: usize,
}

impl Summary {
    fn new(runs: Vec<Option<f64>>) -> Option<Self> {
        let mut values: Vec<f64> = runs.iter().copied().flatten().collect();
        values.sort_by(f64::total_cmp);
        (!runs.is_empty()).then(|| Self { failed: runs.len() - values.len(), values })
    }

    pub(crate) fn runs(&self) -> usize {
        self.values.len() + self.failed
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    pub(crate) fn least(&self) -> Option<f64> {
        self.values.first().copied()
    }

    pub(crate) fn most(&self) -> Option<f64> {
        self.values.last().copied()
    }

    /// What failed took longer than anything: none if it is in the middle.
    pub(crate) fn median(&self) -> Option<f64> {
        let runs = self.runs();
        let (low, high) = (self.values.get((runs - 1) / 2)?, self.values.get(runs / 2)?);
        Some(f64::midpoint(*low, *high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
        noise\n\
        versus: case=all/joined/5s who=wpsd run=1 connected=0.5 offline=0.1\n\
        versus: case=all/joined/5s who=wpsd run=2 connected=- offline=0.2\n\
        versus: case=all/joined/5s who=wpsd run=3 connected=0.25 offline=0.3\n\
        versus: case=all/free/before who=iwd run=1 connected=-\n";

    #[test]
    fn a_failure_is_longer_than_anything() {
        let results = Results::parse(TEXT);
        let [joined, free] = results.cases() else { panic!("two cases") };
        let summary = |case, who, field| results.summary(case, who, field).expect("measured");
        let connected = summary(joined, "wpsd", "connected");
        assert_eq!((connected.runs(), connected.failed()), (3, 1));
        assert_eq!(connected.median(), Some(0.5));
        assert_eq!((connected.least(), connected.most()), (Some(0.25), Some(0.5)));
        assert_eq!(summary(joined, "wpsd", "offline").median(), Some(0.2));
        assert_eq!(summary(free, "iwd", "connected").median(), None);
        assert!(results.summary(free, "wpsd", "connected").is_none());
    }

    #[test]
    fn an_even_number_of_runs_has_its_median_between_two() {
        let summary = Summary::new(vec![Some(4.0), Some(1.0), Some(2.0), Some(3.0)]);
        assert_eq!(summary.expect("measured").median(), Some(2.5));
    }
}
