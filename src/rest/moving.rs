//! Whether the pages of a list hold all of it although rows move while it is read: a pure decision over the identities of rows, which
//! knows neither requests nor tables. ARCHITECTURE says why it is complete.
//!
//! # Design
//!
//! Two pages are *joined* where they share a row: the order of two rows that nobody touches is always the same, so whoever is behind the
//! shared row is behind it in both pages, and no row can hide between them. So each page begins with the last row of the one before, and
//! where it does not (a row before it was deleted, or stands where the caller may not look), a page from further back is laid over the gap.
//! A row that moves to the front may have left the pages that were not read yet without entering those that were, so a list that moves is
//! read until its front, asked for again, is the old one behind the few rows that moved to it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Rows of the front that are kept in mind, so that no two or three rows that come back in their old order pass for it.
pub(super) const FRONT: usize = 50;
/// Passes over a list before giving up.
const MOST_PASSES: usize = 6;
/// Pages laid over gaps in one pass, beside one for two pages of it.
const MOST_BRIDGES: usize = 20;
/// Pages one after the other that hold nothing but rows of pages before them.
const MOST_REPEATS: usize = 3;

/// What can become of the rows of a list while it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Pages cannot overlap, or rows cannot be told apart: only rows that come twice show that something moved.
    Bare,
    /// Rows come and go, but those that stay keep their order.
    Kept,
    /// The same, but a row that changes moves to the front.
    Latest,
    /// A row that changes moves to any place: only two passes that are alike show that nothing moved.
    Any,
}

/// A page that came.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    /// The places that it covers, by the site's word.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether nothing comes after it.
    pub(super) last: bool,
    pub(super) received: usize,
    /// Rows that this pass over the list had before.
    pub(super) repeated: usize,
    /// What the rows are known by, in order; empty where they cannot be told apart.
    pub(super) rows: Vec<u64>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The page that begins here; it may have been asked for in advance.
    Forward(usize),
    /// A page that is asked for only now, beside those that are under way.
    Aside(usize),
    /// The first page, asked for only now; what was asked for in advance is worth nothing.
    Again,
    /// The same, but of as many rows at least.
    Front(usize),
    /// All rows are here.
    Done,
    /// The list moves faster than it can be read.
    Restless,
    /// The site sends the same rows again and again.
    Repeats,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Forward,
    /// Laying pages over a gap, so many so far.
    Bridge(usize),
    Front,
}

/// The decision about one list.
#[derive(Debug)]
pub(super) struct Moving {
    order: Order,
    phase: Phase,
    /// The first rows of this pass.
    front: Vec<u64>,
    /// The last page of those that are joined to the first one.
    joined: Window,
    /// A page after it that shares no row with it.
    apart: Option<Window>,
    /// Where the last gap was.
    gap: usize,
    /// A whole page of hidden rows, which no row can be shared across: the pass proves something only where the next one is its equal.
    hole: bool,
    /// Rows came or moved ahead of those that were read.
    shifted: bool,
    passes: usize,
    pages: usize,
    bridges: usize,
    repeats: usize,
    digest: DefaultHasher,
    before: Option<u64>,
}

impl Moving {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            phase: Phase::Forward,
            front: Vec::new(),
            joined: Window::default(),
            apart: None,
            gap: 0,
            hole: order == Order::Any,
            shifted: false,
            passes: 1,
            pages: 0,
            bridges: 0,
            repeats: 0,
            digest: DefaultHasher::new(),
            before: None,
        }
    }

    /// Places that a page shares with the one before.
    pub(super) fn overlap(&self) -> usize {
        usize::from(self.order != Order::Bare)
    }

    /// Pages of the present pass, those laid over gaps aside.
    pub(super) fn pages(&self) -> usize {
        self.pages
    }

    /// Decides what comes after a page.
    pub(super) fn take(&mut self, window: Window) -> Step {
        match self.phase {
            Phase::Forward => self.forward(window),
            Phase::Bridge(tries) => self.bridge(window, tries),
            Phase::Front => self.compare(window),
        }
    }

    /// Decides what comes after the first page of a list whose first rows have come already, as another list carries them: it was asked for
    /// from the last of them on.
    ///
    /// Where it begins with that row and has no other of them, they stand in the places before it, in whatever order: there are as many
    /// places as rows. Otherwise the list is read from its beginning.
    pub(super) fn go_on(&mut self, carried: Vec<u64>, window: Window) -> Step {
        if window.rows.first() != carried.last() || window.repeated != 1 {
            return Step::Again;
        }
        self.take(Window {
            start: 0,
            end: carried.len(),
            last: false,
            received: carried.len(),
            repeated: 0,
            rows: carried,
        });
        self.take(window)
    }

    fn forward(&mut self, window: Window) -> Step {
        self.pages += 1;
        (window.start, &window.rows).hash(&mut self.digest);
        if self.pages == 1 {
            self.front.clone_from(&window.rows);
            self.joined = window;
            return self.advance();
        }
        self.repeats = match window.received > 0 && window.repeated == window.received {
            true => self.repeats + 1,
            false => 0,
        };
        if self.repeats > MOST_REPEATS {
            return Step::Repeats;
        }
        if self.order == Order::Bare {
            self.shifted |= window.repeated > 0 && !window.rows.is_empty();
            self.joined = window;
            return self.advance();
        }
        let overlaps = window.start < self.joined.end;
        if !overlaps {
            // After hidden rows, or after all that there was.
            self.hole |= !window.rows.is_empty();
        } else if is_joined(&self.joined, &window) {
            self.shifted |= window.repeated > 1;
        } else if self.joined.rows.len() * 8 < self.joined.end - self.joined.start || window.start <= self.gap {
            // Too few rows here are visible to be shared.
            self.hole = true;
        } else {
            self.gap = window.start;
            self.apart = Some(window);
            return self.over_gap(0);
        }
        self.join(window);
        self.advance()
    }

    fn join(&mut self, window: Window) {
        if self.front.len() < FRONT && !self.hole {
            let known: HashSet<u64> = self.front.iter().copied().collect();
            self.front.extend(window.rows.iter().filter(|row| !known.contains(row)));
        }
        self.joined = window;
    }

    /// A page further back, ever further with each try.
    fn over_gap(&mut self, tries: usize) -> Step {
        self.bridges += 1;
        if self.bridges > MOST_BRIDGES + self.pages / 2 {
            return self.again();
        }
        self.phase = Phase::Bridge(tries);
        let Window {
            start, end, ref rows, ..
        } = self.joined;
        let span = end - start;
        Step::Aside(match tries {
            // The last row that is visible has this place at least.
            0 => (start + rows.len() - 1).min(end.saturating_sub(1 + span / 4)),
            1 => start,
            _ => start.saturating_sub(span << (tries - 2).min(usize::BITS as usize / 2)),
        })
    }

    fn bridge(&mut self, window: Window, tries: usize) -> Step {
        if window.start > 0 && !is_joined(&self.joined, &window) {
            return self.over_gap(tries + 1);
        }
        self.phase = Phase::Forward;
        let apart = self.apart.take().filter(|apart| is_joined(&window, apart));
        self.join(window);
        if let Some(apart) = apart {
            self.join(apart);
        }
        self.advance()
    }

    fn advance(&mut self) -> Step {
        let Window { start, end, last, .. } = self.joined;
        if last {
            return self.end_of_pass();
        }
        // Hidden rows and a page of one row have nothing to share with the next.
        let shares = self.order != Order::Bare && !self.joined.rows.is_empty() && end > start + 1;
        Step::Forward(if shares { end - 1 } else { end })
    }

    fn end_of_pass(&mut self) -> Step {
        let quiet = !self.hole || self.before == Some(self.digest.finish());
        match self.order {
            // One page is one moment.
            _ if self.pages == 1 => Step::Done,
            Order::Latest => {
                self.phase = Phase::Front;
                Step::Front(FRONT)
            }
            Order::Any if !quiet => self.again(),
            Order::Kept | Order::Bare if self.shifted || !quiet => self.again(),
            Order::Kept | Order::Bare | Order::Any => Step::Done,
        }
    }

    /// Compares the front with what it was.
    fn compare(&mut self, window: Window) -> Step {
        let quiet = !self.hole || self.before == Some(self.digest.finish());
        match moved(&self.front, &window.rows) {
            Some(0) if quiet => Step::Done,
            Some(_) if !self.hole => Step::Done,
            _ => self.again(),
        }
    }

    fn again(&mut self) -> Step {
        if self.passes == MOST_PASSES {
            return Step::Restless;
        }
        let (order, passes, before) = (self.order, self.passes + 1, self.digest.finish());
        *self = Self {
            passes,
            before: Some(before),
            ..Self::new(order)
        };
        Step::Again
    }
}

/// Whether a page holds one of the last rows of the page before. A row that moved to the front may be in both pages by chance; it is never
/// among the last rows of the first, unless as many rows as a half page moved after it.
fn is_joined(before: &Window, window: &Window) -> bool {
    let last = &before.rows[before.rows.len() / 2..];
    last.iter().any(|row| window.rows.contains(row))
}

/// How many rows have moved to the front since it was `old`, where that can be told: behind them come the old rows in their old order,
/// but for those that moved or are gone.
fn moved(old: &[u64], now: &[u64]) -> Option<usize> {
    let place = |row: &u64| old.iter().position(|known| known == row);
    // At least half of what is seen must be old.
    (0..=now.len() / 2).find(|&moved| {
        let kept: Vec<usize> = now[moved..].iter().map_while(place).collect();
        let beyond = &now[moved + kept.len()..];
        let is_enough = kept.len() * 3 >= old.len().min(now.len());
        is_enough && kept.is_sorted() && beyond.iter().all(|row| place(row).is_none())
    })
}

#[cfg(test)]
mod tests;
