//! Lists that move at random while they are read, without a site: whoever was there all the time is read, or the read fails.

use std::collections::{BTreeSet, VecDeque};

use super::*;

/// A small generator, so that a schedule is known by its number.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most.max(1)
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

/// What happens to a list.
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// Changes for each hundred requests.
    changes: usize,
    touch: usize,
    create: usize,
    /// Whether a row that is touched moves to any place, and not to the front.
    anywhere: bool,
}

struct List {
    rows: Vec<u64>,
    hidden: BTreeSet<u64>,
    /// Rows that were there all the time.
    stayed: BTreeSet<u64>,
    next: u64,
}

impl List {
    fn change(&mut self, dice: &mut Dice, rate: Rate) {
        let place = dice.below(self.rows.len());
        match dice.below(100) {
            what if what < rate.touch && !self.rows.is_empty() => {
                let row = self.rows.remove(place);
                let to = if rate.anywhere { dice.below(self.rows.len() + 1) } else { 0 };
                self.rows.insert(to, row);
            }
            what if what < rate.touch + rate.create => {
                self.rows.insert(0, self.next);
                self.next += 1;
            }
            _ if !self.rows.is_empty() => {
                let row = self.rows.remove(place);
                self.stayed.remove(&row);
            }
            _ => {}
        }
    }

    fn page(&self, start: usize, rows: usize, pass: &mut BTreeSet<u64>) -> Window {
        let end = start.saturating_add(rows);
        let places = self
            .rows
            .get(start.min(self.rows.len())..end.min(self.rows.len()))
            .unwrap_or_default();
        let rows: Vec<u64> = places.iter().copied().filter(|row| !self.hidden.contains(row)).collect();
        let last = end >= self.rows.len();
        Window {
            start,
            end: if last { start + rows.len() } else { end },
            last,
            received: rows.len(),
            repeated: rows.iter().filter(|row| !pass.insert(**row)).count(),
            rows,
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    complete: usize,
    restless: usize,
    lost: usize,
    requests: usize,
}

/// Reads a list by one schedule: pages in advance are read whenever chance has it, in any order.
fn schedule(seed: u64, rate: Rate, tally: &mut Tally) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let count = 20 + dice.below(180) as u64;
    let rows: Vec<u64> = (0..count).collect();
    let veil = [0, 0, 5, 30][dice.below(4)];
    let mut hidden: BTreeSet<u64> = rows.iter().copied().filter(|_| dice.percent(veil)).collect();
    if dice.percent(20) {
        let from = dice.below(rows.len()) as u64;
        hidden.extend(from..(from + dice.below(60) as u64).min(count));
    }
    let mut list = List {
        stayed: rows.iter().copied().filter(|row| !hidden.contains(row)).collect(),
        rows,
        hidden,
        next: count,
    };
    let (size, at_once) = (20 + dice.below(20), 1 + dice.below(8));
    let latest = !dice.percent(20);
    let mut moving = Moving::new(match (rate.anywhere, latest) {
        (true, _) => Order::Any,
        (false, true) => Order::Latest,
        (false, false) => Order::Kept,
    });
    let mut pass = BTreeSet::new();
    let mut found = BTreeSet::new();
    let mut queue: VecDeque<(usize, Option<Window>)> = VecDeque::new();
    let happen = |list: &mut List, dice: &mut Dice| {
        // Where rows keep their places, they only come and go.
        let rate = match latest || rate.anywhere {
            true => rate,
            false => Rate { touch: 0, ..rate },
        };
        let mut left = rate.changes;
        while left > 0 && dice.percent(left.min(100)) {
            list.change(dice, rate);
            left = left.saturating_sub(100);
        }
    };
    let mut requests = 1;
    let first = list.page(0, size, &mut pass);
    found.extend(first.rows.iter().copied());
    let mut step = moving.take(first);
    loop {
        let window = match step {
            Step::Done => break,
            Step::Restless | Step::Repeats => {
                tally.restless += 1;
                tally.requests += requests;
                return;
            }
            Step::Forward(start) => {
                if queue.front().is_none_or(|(asked, _)| *asked != start) {
                    queue.clear();
                }
                while queue.len() < at_once {
                    queue.push_back((start + queue.len() * (size - 1), None));
                }
                // Those behind it may be answered first.
                loop {
                    let which = dice.below(queue.len());
                    happen(&mut list, &mut dice);
                    let (start, answer) = &mut queue[which];
                    if answer.is_none() {
                        requests += 1;
                        *answer = Some(list.page(*start, size, &mut BTreeSet::new()));
                    }
                    if queue[0].1.is_some() {
                        break;
                    }
                }
                let (_, window) = queue.pop_front().unwrap_or_default();
                let mut window = window.unwrap_or_default();
                window.repeated = window.rows.iter().filter(|row| !pass.insert(**row)).count();
                window
            }
            Step::Aside(start) => {
                happen(&mut list, &mut dice);
                requests += 1;
                list.page(start, size, &mut pass)
            }
            Step::Again => {
                queue.clear();
                pass.clear();
                happen(&mut list, &mut dice);
                requests += 1;
                list.page(0, size, &mut pass)
            }
            Step::Front(rows) => {
                happen(&mut list, &mut dice);
                requests += 1;
                list.page(0, size.max(rows), &mut pass)
            }
        };
        found.extend(window.rows.iter().copied());
        step = moving.take(window);
        assert!(
            requests < 5_000,
            "schedule {seed} at {rate:?} does not end: {step:?}, {moving:?}"
        );
    }
    tally.requests += requests;
    match list.stayed.is_subset(&found) {
        true => tally.complete += 1,
        false => tally.lost += 1,
    }
}

#[test]
fn nothing_is_lost_in_silence_however_a_list_moves() {
    tallies(false, 2_000);
}

#[test]
fn nothing_is_lost_where_rows_move_anywhere() {
    tallies(true, 500);
}

/// So many schedules for each rate of changes.
fn tallies(anywhere: bool, schedules: u64) {
    let mut lost = Vec::new();
    for changes in [0, 5, 20, 50, 100, 300] {
        let mut tally = Tally::default();
        for seed in 0..schedules {
            let mixes = [(100, 0), (0, 100), (0, 0), (50, 0), (40, 30)];
            let (touch, create) = mixes[(seed % 5) as usize];
            let rate = Rate {
                changes,
                touch,
                create,
                anywhere,
            };
            let before = tally.lost;
            schedule(seed * 7 + changes as u64, rate, &mut tally);
            if tally.lost > before {
                lost.push((changes, seed));
            }
        }
        println!("{changes:>4} changes per 100 requests: {tally:?}");
        if changes == 0 {
            assert_eq!(tally.restless, 0, "a list that does not move is read");
        }
    }
    assert!(lost.is_empty(), "lost rows (changes, seed): {lost:?}");
}

#[test]
fn what_came_before_a_list_is_gone_on_from_only_where_nothing_is_missed() {
    let mut dice = Dice(7);
    let (mut on, mut again) = (0, 0);
    for _ in 0..10_000 {
        let rows = 2 + dice.below(40);
        let list: Vec<u64> = (0..rows as u64).collect();
        // In the order of the list, the other way round, from somewhere else, in any order.
        let mut carried = list.clone();
        match dice.below(4) {
            0 => {}
            1 => carried.reverse(),
            2 => carried.rotate_left(dice.below(rows)),
            _ => (0..rows).for_each(|row| carried.swap(row, dice.below(rows))),
        }
        carried.truncate(1 + dice.below(rows - 1));
        let start = carried.len() - 1;
        let window = Window {
            start,
            end: rows,
            last: true,
            received: rows - start,
            repeated: list[start..].iter().filter(|row| carried.contains(row)).count(),
            rows: list[start..].to_vec(),
        };
        match Moving::new(Order::Kept).go_on(carried.clone(), window) {
            Step::Again => again += 1,
            Step::Done => {
                on += 1;
                let found: BTreeSet<u64> = carried.iter().chain(&list[start..]).copied().collect();
                assert_eq!(found.len(), rows, "{carried:?}");
            }
            step => panic!("{step:?} after {carried:?}"),
        }
    }
    assert!(on > 1_000 && again > 1_000, "{on} gone on, {again} read again");
}
