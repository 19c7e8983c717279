//! Summaries of repeated measurements.

use crate::load::Trouble;
use crate::measure::{FLOORS, MeasuredRow, Plan};
use crate::rows::Judge;
use crate::servers::{OURS, YARDSTICK};

/// One server in one round of a row.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Requests per second.
    pub rate: f64,
    pub p50_micros: f64,
    pub p99_micros: f64,
    /// User and system time per request.
    pub processor_micros: f64,
    pub rss_kib: f64,
}

/// One server in all rounds of a row.
#[derive(Default)]
pub struct Cell {
    /// The samples, each with the number of its round.
    pub samples: Vec<(usize, Sample)>,
    /// Why there is no figure, if there is none.
    pub wrong: Option<String>,
    /// All errors that its clients saw.
    pub trouble: Trouble,
}

impl Sample {
    /// The compared figure; higher is better.
    fn worth(&self, judge: Judge) -> f64 {
        match judge {
            Judge::Rate => self.rate,
            Judge::P99 => 1.0 / self.p99_micros,
            Judge::Processor => 1.0 / self.processor_micros,
        }
    }
}

impl Cell {
    /// The median of a figure; `None` without samples.
    pub fn median_of(&self, what: impl Fn(&Sample) -> f64) -> Option<f64> {
        // A server with one incorrect response has no figure.
        if self.wrong.is_some() {
            return None;
        }
        median(self.samples.iter().map(|(_, sample)| what(sample)).collect())
    }

    /// The median of the ratios to another server in the same rounds.
    pub fn ratio_to(&self, other: &Cell, judge: Judge) -> Option<f64> {
        median(self.ratios_to(other, judge))
    }

    /// The smallest and largest ratio to another server in the same rounds.
    pub fn spread_to(&self, other: &Cell, judge: Judge) -> Option<(f64, f64)> {
        let mut ratios = self.ratios_to(other, judge);
        ratios.sort_by(f64::total_cmp);
        Some((*ratios.first()?, *ratios.last()?))
    }

    fn ratios_to(&self, other: &Cell, judge: Judge) -> Vec<f64> {
        if self.wrong.is_some() || other.wrong.is_some() {
            return Vec::new();
        }
        let in_round = |round: usize| other.samples.iter().find(|(number, _)| *number == round);
        let ratio = |(round, sample): &(usize, Sample)| {
            let ratio = sample.worth(judge) / in_round(*round)?.1.worth(judge);
            ratio.is_finite().then_some(ratio)
        };
        self.samples.iter().filter_map(ratio).collect()
    }

    /// A line of progress.
    pub fn says(&self, judge: Judge) -> String {
        let of = |what: fn(&Sample) -> f64| self.median_of(what).unwrap_or(f64::NAN);
        let rate = of(|sample| sample.rate);
        let (p50, p99) = (of(|sample| sample.p50_micros), of(|sample| sample.p99_micros));
        let (processor, rss) = (of(|sample| sample.processor_micros), of(|sample| sample.rss_kib) / 1024.0);
        let judged = match judge {
            Judge::Rate => "",
            Judge::P99 => "  (compared by p99)",
            Judge::Processor => "  (compared by CPU time)",
        };
        let trouble = self.trouble.says().map_or(String::new(), |trouble| format!("  ERRORS: {trouble}"));
        let micros = |number: f64| if number.is_finite() { format!("{number:.0}") } else { "–".into() };
        let (p50, p99) = (micros(p50), micros(p99));
        format!("{rate:>10.1}/s  p50 {p50:>8} µs  p99 {p99:>8} µs  {processor:>9.2} µs CPU  {rss:>6.1} MiB{judged}{trouble}")
    }
}

impl MeasuredRow {
    /// The cell of a server.
    pub fn cell(&self, plan: &Plan, name: &str) -> Option<&Cell> {
        self.cells.get(plan.column(name)?)
    }

    /// The ratio of a server to the reference server.
    pub fn to_yardstick(&self, plan: &Plan, column: usize) -> Option<f64> {
        self.cells.get(column)?.ratio_to(self.cell(plan, YARDSTICK)?, self.row.judge)
    }

    /// The best other server, and the ratio to it.
    pub fn to_best(&self, plan: &Plan) -> Option<(&'static str, f64)> {
        let ours = self.cell(plan, OURS)?;
        let others = plan.servers.iter().zip(&self.cells).filter(|(server, _)| !server.is_ours());
        let ratios = others.filter_map(|(server, cell)| Some((server.name, ours.ratio_to(cell, self.row.judge)?)));
        ratios.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The ratio to each floor.
    pub fn to_floors(&self, plan: &Plan) -> [Option<f64>; FLOORS.len()] {
        let ours = self.cell(plan, OURS);
        std::array::from_fn(|number| ours?.ratio_to(self.cells.get(plan.servers.len() + number)?, self.row.judge))
    }
}

/// The median.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = *numbers.get(middle)?;
    Some(if numbers.len() % 2 == 1 { upper } else { f64::midpoint(numbers[middle - 1], upper) })
}
