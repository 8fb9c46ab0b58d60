//! The measurements, parsed from the lines that the radio lab printed.

use std::collections::BTreeMap;

/// The programs that were measured: ours comes first.
pub(crate) const PROGRAMS: [&str; 4] = ["wpsd", "wpa_cli", "iwd", "NetworkManager"];

/// The conditions of a measurement, the same for all programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) bands: String,
    /// Whether the station was connected to another network.
    pub(crate) joined: bool,
    pub(crate) button: String,
}

impl Case {
    /// Parses `bands/joined/button`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split('/').map(str::to_owned);
        let (bands, joined, button) = (words.next()?, words.next()?, words.next()?);
        Some(Self { bands, joined: joined == "joined", button })
    }

    /// Returns the bands, the station and the button in words.
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

/// The fields of one measurement, by name.
type Fields = BTreeMap<String, String>;

/// All measurements.
#[derive(Default)]
pub(crate) struct Results {
    cases: Vec<Case>,
    lines: Vec<(Case, Fields)>,
}

impl Results {
    /// Parses the lines that begin with `versus: ` and ignores all others.
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

    /// Returns the cases, in the order in which they were measured.
    pub(crate) fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Summarizes a field over all runs. Returns `None` if it was not measured.
    pub(crate) fn summary(&self, case: &Case, program: &str, field: &str) -> Option<Summary> {
        let is_wanted = |(other, fields): &&(Case, Fields)| {
            other == case && fields.get("who").is_some_and(|it| it == program)
        };
        let lines = self.lines.iter().filter(is_wanted);
        let values = lines.filter_map(|(_, fields)| fields.get(field));
        Summary::new(values.map(|value| value.parse().ok()).collect())
    }
}

/// One field in several runs, in seconds.
pub(crate) struct Summary {
    /// The successful runs, sorted.
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

    pub(crate) fn min(&self) -> Option<f64> {
        self.values.first().copied()
    }

    pub(crate) fn max(&self) -> Option<f64> {
        self.values.last().copied()
    }

    /// Returns the median. A failed run counts as longer than any other; returns `None` if the
    /// median falls on one.
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
    fn a_failed_run_counts_as_longer_than_any_other() {
        let results = Results::parse(TEXT);
        let [joined, free] = results.cases() else { panic!("two cases") };
        let summary =
            |case, program, field| results.summary(case, program, field).expect("measured");
        let connected = summary(joined, "wpsd", "connected");
        assert_eq!((connected.runs(), connected.failed()), (3, 1));
        assert_eq!(connected.median(), Some(0.5));
        assert_eq!((connected.min(), connected.max()), (Some(0.25), Some(0.5)));
        assert_eq!(summary(joined, "wpsd", "offline").median(), Some(0.2));
        assert_eq!(summary(free, "iwd", "connected").median(), None);
        assert!(results.summary(free, "wpsd", "connected").is_none());
    }

    #[test]
    fn the_median_of_an_even_number_of_runs_is_the_midpoint_of_the_middle_two() {
        let summary = Summary::new(vec![Some(4.0), Some(1.0), Some(2.0), Some(3.0)]);
        assert_eq!(summary.expect("measured").median(), Some(2.5));
    }
}
