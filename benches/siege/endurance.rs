//! All attacks at once, for a long time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Scale;
use crate::crowd::Crowd;
use crate::ordinary::OrdinaryClients;
use crate::promise::Promise;
use crate::victim::Victim;

/// The interval between memory samples.
const LOOK: Duration = Duration::from_secs(2);

/// One kind of attacker: how many, the first bytes, the bytes per second, and whether the receive buffer is small.
type Kind = (usize, &'static [u8], &'static [u8], bool);

const KINDS: [Kind; 5] = [
    (200, b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"a", false),
    (100, b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n", b"a", false),
    (50, b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n", b"", true),
    (300, b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", b"", false),
    (100, b"\0\xff GET / HTTP/9.9\r\n\r\n", b"", false),
];

/// Attackers of one kind, replaced when the server closes them; a few reset their connections continuously.
fn keep_attacking(victim: &Victim, kind: Kind, over: &AtomicBool) {
    let (count, opening, drip, narrow) = kind;
    let mut crowd = Crowd::new(victim.address, opening);
    let mut round = 0_u32;
    while !over.load(Ordering::Relaxed) {
        let missing = count.saturating_sub(crowd.count()).min(50);
        if narrow { crowd.grow_narrow(missing) } else { crowd.grow(missing) }.unwrap();
        if narrow {
            crowd.watch(Duration::ZERO);
        } else {
            crowd.read(Duration::ZERO);
        }
        round += 1;
        if round.is_multiple_of(10) {
            crowd.drip(drip);
        }
        if round.is_multiple_of(200) {
            crowd.reset();
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The slope of a line through the points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |values: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(values).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(&|point| point.0), mean(&|point| point.1));
    let over = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    over / points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>()
}

/// Every kind of attacker at once, and ordinary clients in between.
pub fn soak(scale: &Scale) -> Vec<Promise> {
    let victim = Victim::start(&[]);
    let over = AtomicBool::new(false);
    let (ordinary, points) = thread::scope(|scope| {
        for kind in KINDS {
            let (victim, over) = (&victim, &over);
            scope.spawn(move || keep_attacking(victim, kind, over));
        }
        let ordinary = scope.spawn(|| OrdinaryClients::visit_until(victim.address, &over, Duration::from_millis(2)));
        let begun = Instant::now();
        let mut points = Vec::new();
        while begun.elapsed() < scale.soak {
            thread::sleep(LOOK);
            points.push((begun.elapsed().as_secs_f64() / 3600.0, victim.figures().rss_kib as f64 / 1024.0));
        }
        over.store(true, Ordering::Relaxed);
        (ordinary.join().unwrap(), points)
    });
    // The first half is a warm-up: the allocator keeps its peak.
    let late = &points[points.len() / 2..];
    println!(
        "             {} requests; final memory {:.1} MiB, peak {} MiB",
        ordinary.asked(),
        late.last().unwrap().1,
        victim.rss_peak_kib() / 1024
    );
    let mut promises = ordinary.promises(50.0);
    promises.push(Promise::at_most("growth of memory in the second half", 1.0, slope(late), "MiB/h"));
    promises.extend(victim.back_at_rest());
    promises
}
