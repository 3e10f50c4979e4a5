use super::*;

/// What, from and to in hours, and how many lines it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hours(&'static str, i64, i64, usize);

impl Stretch for Hours {
    fn from(&self) -> Timestamp {
        Timestamp::from_ms(self.1)
    }
    fn to(&self) -> Timestamp {
        Timestamp::from_ms(self.2)
    }
    fn rank(&self) -> u8 {
        u8::from(self.0 != "use")
    }
    fn join(&mut self, next: &Self) -> bool {
        let goes_on = self.0 == next.0 && self.2 == next.1;
        if goes_on {
            (self.2, self.3) = (next.2, self.3 + next.3);
        }
        goes_on
    }
}

fn read(joined: &mut Joined<Hours>, lines: &[Hours]) {
    for line in lines.iter().cloned() {
        if let Some(first) = joined.join(line) {
            joined.begin(first);
        }
    }
}

/// Three days of hours, taken back and given anew day by day.
#[test]
fn each_kind_goes_on_whatever_stands_between() {
    let mut lines: Vec<Hours> = (0..72).map(|hour| Hours("use", hour, hour + 1, 1)).collect();
    for day in 0..3 {
        lines.push(Hours("back", day * 24, day * 24 + 24, 1));
        lines.push(Hours("given", day * 24, day * 24 + 24, 1));
    }
    lines.sort_by_key(|line| (line.1, line.2));
    let mut joined = Joined::new();
    read(&mut joined, &lines);
    assert_eq!(joined.len(), 3);
    let expected = [Hours("use", 0, 72, 72), Hours("back", 0, 72, 3), Hours("given", 0, 72, 3)];
    assert_eq!(joined.done(), expected);
}

#[test]
fn what_begins_together_is_in_order_of_its_kind_and_what_ended_stays_so() {
    let mut joined = Joined::new();
    let lines = [("back", 0, 1), ("use", 0, 2), ("use", 2, 3), ("back", 2, 3), ("use", 4, 5)];
    read(&mut joined, &lines.map(|(what, from, to)| Hours(what, from, to, 1)));
    joined.end_series();
    // Another series begins where the first one ended, and does not go on from it.
    read(&mut joined, &[Hours("use", 5, 6, 1)]);
    let found: Vec<_> =
        joined.done().into_iter().map(|Hours(what, from, to, _)| (what, from, to)).collect();
    let expected = [("use", 0, 3), ("back", 0, 1), ("back", 2, 3), ("use", 4, 5), ("use", 5, 6)];
    assert_eq!(found, expected);
}
