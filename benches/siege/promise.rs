//! A promise, its measurement, and whether it holds.

use std::fmt::Display;

/// One line of the table.
pub struct Promise {
    what: String,
    asked: String,
    measured: String,
    held: bool,
}

impl Promise {
    /// At most a limit.
    pub fn at_most<T: PartialOrd + Display>(what: impl Into<String>, limit: T, measured: T, unit: &str) -> Promise {
        let held = measured <= limit;
        Promise { what: what.into(), asked: format!("≤ {limit} {unit}"), measured: format!("{measured:.3} {unit}"), held }
    }

    /// All of a number.
    pub fn all(what: impl Into<String>, asked: usize, measured: usize) -> Promise {
        Promise { what: what.into(), asked: asked.to_string(), measured: measured.to_string(), held: measured == asked }
    }

    /// None.
    pub fn none(what: impl Into<String>, measured: usize) -> Promise {
        Promise::all(what, 0, measured)
    }

    /// Prints the line, and returns whether it holds.
    pub fn print(&self, attack: &str) -> bool {
        let held = if self.held { "ok" } else { "FAILED" };
        println!("{attack:<13} {:<58} {:>14} {:>16}  {held}", self.what, self.asked, self.measured);
        self.held
    }
}

/// Prints the column headings.
pub fn print_title() {
    println!("{:<13} {:<58} {:>14} {:>16}  result", "attack", "promise", "required", "measured");
}
