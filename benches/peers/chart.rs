//! The chart of the results.
//!
//! One line per workload, one dot per server; further right is better. Colours of medium brightness on a transparent background are
//! readable on white and on black.

use std::fmt::Write;

use crate::measure::{Measured, Plan};
use crate::servers::{OURS, YARDSTICK};

const LEFT: f64 = 400.0;
const WIDTH: f64 = 480.0;
const ROW_HEIGHT: f64 = 24.0;
const TOP: f64 = 64.0;
/// Larger ratios are drawn at the edge, with the number beside the dot.
const RATIO_MAX: f64 = 2.5;
const TEXT: &str = "#7d7d7d";

/// A colour for each server; servers without one share the last.
const COLOURS: [(&str, &str); 5] =
    [(OURS, "#e8590c"), (YARDSTICK, "#2b8a3e"), ("lighttpd", "#1c7ed6"), ("static-web-server", "#ae3ec9"), ("", "#868e96")];

fn colour(name: &str) -> &'static str {
    let found = COLOURS.iter().find(|(known, _)| *known == name).or(COLOURS.last());
    found.map_or(TEXT, |(_, colour)| colour)
}

fn x(ratio: f64) -> f64 {
    LEFT + ratio.min(RATIO_MAX) / RATIO_MAX * WIDTH
}

/// `benches/results.svg`.
pub fn svg(plan: &Plan, measured: &Measured) -> String {
    let height = TOP + ROW_HEIGHT * measured.rows.len() as f64 + 16.0;
    let full = LEFT + WIDTH + 60.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {full} {height}\" width=\"{full}\" height=\"{height}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"{TEXT}\">\n\
         <title>Each server relative to nginx, by workload</title>\n\
         <desc>Requests per second divided by those of nginx in the same round; further right is better. RESULTS.md has the figures.</desc>\n"
    );
    legend(&mut svg, plan);
    for step in 0..=5 {
        let ratio = f64::from(step) / 2.0;
        let (at, bottom) = (x(ratio), height - 16.0);
        let (width, dash) = if step == 2 { (1.5, "none") } else { (0.5, "2 3") };
        let _ = write!(
            svg,
            "<line x1=\"{at}\" x2=\"{at}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"{TEXT}\" stroke-width=\"{width}\" stroke-dasharray=\"{dash}\"/>\n\
             <text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{ratio:.1}</text>\n",
            TOP - 8.0
        );
    }
    for (number, row) in measured.rows.iter().enumerate() {
        let y = TOP + ROW_HEIGHT * (number as f64 + 0.5);
        let says = row
            .row
            .says
            .replace('`', "")
            .replace(": CPU time per request", ": CPU time")
            .replace(" kept busy by another program", " busy");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", LEFT - 12.0, y + 4.0, escaped(&says));
        // threadbare is drawn last, above the others.
        let mut columns: Vec<usize> = (0..plan.servers.len()).collect();
        columns.sort_by_key(|column| plan.servers.get(*column).is_some_and(|server| server.is_ours()));
        for column in columns {
            let Some(server) = plan.servers.get(column) else { continue };
            let Some(ratio) = row.to_yardstick(plan, column) else { continue };
            dot(&mut svg, server.name, ratio, y);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn dot(svg: &mut String, name: &str, ratio: f64, y: f64) {
    let radius = if name == OURS { 6.0 } else { 4.0 };
    let _ = writeln!(
        svg,
        "<circle cx=\"{:.1}\" cy=\"{y}\" r=\"{radius}\" fill=\"{}\"><title>{name}: {ratio:.2}</title></circle>",
        x(ratio),
        colour(name)
    );
    if ratio > RATIO_MAX {
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{}\" fill=\"{}\">{ratio:.1}</text>", x(ratio) + 9.0, y + 4.0, colour(name));
    }
}

fn legend(svg: &mut String, plan: &Plan) {
    let mut at = 20.0;
    let colours: Vec<&str> = plan.servers.iter().map(|server| self::colour(server.name)).collect();
    for (name, colour) in COLOURS.into_iter().filter(|(_, colour)| colours.contains(colour)) {
        let says = if name.is_empty() { "others" } else { name };
        let radius = if name == OURS { 6.0 } else { 4.0 };
        let _ = write!(
            svg,
            "<circle cx=\"{at}\" cy=\"20\" r=\"{radius}\" fill=\"{colour}\"/>\n<text x=\"{}\" y=\"24\">{says}</text>\n",
            at + 12.0
        );
        at += 40.0 + 8.0 * says.len() as f64;
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"24\" text-anchor=\"end\">relative to nginx in the same round; right is better</text>",
        LEFT + WIDTH
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
