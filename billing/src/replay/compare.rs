//! What a file expects against what came out, by path.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use super::file::Expect;

/// One place where a replay did otherwise than its file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `expect.lines[2].net`, `steps[3].fact`.
    pub path: String,
    pub expected: String,
    pub found: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} was expected, but it is {}", self.path, self.expected, self.found)
    }
}

/// The parts that the file names; a part of its own kind is `lines_include`.
pub fn compare(expect: &Expect, report: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (part, expected) in &expect.parts {
        let path = format!("{}.{part}", expect.path);
        match (part.as_str(), expected) {
            ("lines_include", Value::Array(expected)) => {
                include(&path, expected, &report["lines"], &mut differences);
            }
            _ => matches(&path, expected, &report[part], &mut differences),
        }
    }
    differences
}

/// Lists in order and in full, maps in the keys that are named.
fn matches(path: &str, expected: &Value, found: &Value, differences: &mut Vec<Difference>) {
    match (expected, found) {
        (Value::Object(keys), Value::Object(entries)) => {
            for (key, expected) in keys {
                let path = format!("{path}.{key}");
                match entries.get(key) {
                    Some(found) => matches(&path, expected, found, differences),
                    None => missing(&path, expected, differences),
                }
            }
        }
        (Value::Array(wanted), Value::Array(items)) => {
            for (index, (wanted, item)) in wanted.iter().zip(items).enumerate() {
                matches(&format!("{path}[{index}]"), wanted, item, differences);
            }
            for (index, wanted) in wanted.iter().enumerate().skip(items.len()) {
                missing(&format!("{path}[{index}]"), wanted, differences);
            }
            for (index, item) in items.iter().enumerate().skip(wanted.len()) {
                let path = format!("{path}[{index}]");
                let expected = "nothing".to_owned();
                differences.push(Difference { path, expected, found: item.to_string() });
            }
        }
        _ if expected == found => {}
        _ => differences.push(Difference {
            path: path.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
        }),
    }
}

fn missing(path: &str, expected: &Value, differences: &mut Vec<Difference>) {
    differences.push(Difference {
        path: path.to_owned(),
        expected: expected.to_string(),
        found: "not there".to_owned(),
    });
}

/// Each is found in the list, and no entry stands for two: as many as can be are found.
fn include(path: &str, expected: &[Value], found: &Value, differences: &mut Vec<Difference>) {
    let suits = |wanted: &Value, item: &Value| {
        let mut none = Vec::new();
        matches("", wanted, item, &mut none);
        none.is_empty()
    };
    // Who has as many to choose from as there are wishes always finds one.
    let choices = |wanted: &Value| -> Vec<usize> {
        let items = found.as_array().into_iter().flatten().enumerate();
        let suiting = items.filter(|(_, item)| suits(wanted, item)).map(|(index, _)| index);
        suiting.take(expected.len()).collect()
    };
    let mut matching = Matching::new(expected.iter().map(choices).collect());
    for (index, wanted) in expected.iter().enumerate() {
        if !matching.place(index) {
            missing(&format!("{path}[{index}]"), wanted, differences);
        }
    }
}

/// Gives each wish one of the items that suit it; who has one may get another for it instead.
struct Matching {
    /// By wish.
    choices: Vec<Vec<usize>>,
    items: Vec<Option<usize>>,
    /// By item.
    wishes: HashMap<usize, usize>,
}

impl Matching {
    fn new(choices: Vec<Vec<usize>>) -> Self {
        Self { items: vec![None; choices.len()], choices, wishes: HashMap::new() }
    }

    /// Whether the wish gets an item; all that had one keep one.
    fn place(&mut self, wish: usize) -> bool {
        // For each item that was asked for, who would take it.
        let mut takers: HashMap<usize, usize> = HashMap::new();
        let mut asking = VecDeque::from([wish]);
        while let Some(taker) = asking.pop_front() {
            for item in &self.choices[taker] {
                if takers.contains_key(item) {
                    continue;
                }
                takers.insert(*item, taker);
                match self.wishes.get(item) {
                    Some(holder) => asking.push_back(*holder),
                    None => {
                        self.hand_on(*item, &takers);
                        return true;
                    }
                }
            }
        }
        false
    }

    /// The free item goes to its taker, what that one had to the next, up to the wish that had none.
    fn hand_on(&mut self, free: usize, takers: &HashMap<usize, usize>) {
        let mut next = Some(free);
        while let Some(item) = next {
            let taker = takers[&item];
            self.wishes.insert(item, taker);
            next = self.items[taker].replace(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(expected: Value, report: Value) -> Vec<String> {
        let Value::Object(parts) = expected else { panic!("a map") };
        let expect = Expect { path: "expect".to_owned(), parts };
        compare(&expect, &report).into_iter().map(|difference| difference.path).collect()
    }

    #[test]
    fn a_map_matches_in_the_keys_it_names_and_a_list_in_full() {
        let report = json!({"lines": [{"net": "1", "to": "a"}, {"net": "2"}], "sums": {"x": "3"}});
        assert!(paths(json!({"lines": [{"net": "1"}, {"net": "2"}]}), report.clone()).is_empty());
        assert!(paths(json!({"sums": {}}), report.clone()).is_empty());
        assert_eq!(
            paths(json!({"lines": [{"net": "1", "to": "b"}]}), report.clone()),
            ["expect.lines[0].to", "expect.lines[1]"]
        );
        assert_eq!(
            paths(json!({"lines": [{}, {}, {"net": "3"}], "sums": {"y": "3"}}), report.clone()),
            ["expect.lines[2]", "expect.sums.y"]
        );
        assert_eq!(paths(json!({"lines": []}), report).len(), 2);
    }

    #[test]
    fn a_subset_takes_each_line_once() {
        let report = json!({"lines": [{"net": "1", "to": "a"}, {"net": "1", "to": "b"}]});
        let twice = json!({"lines_include": [{"net": "1"}, {"net": "1"}]});
        assert!(paths(twice, report.clone()).is_empty());
        let thrice = json!({"lines_include": [{"net": "1"}, {"net": "1"}, {"net": "1"}]});
        assert_eq!(paths(thrice, report), ["expect.lines_include[2]"]);
    }

    /// The first wish would take the only line that suits the second, and the third's.
    #[test]
    fn a_subset_is_found_whatever_its_order() {
        let line = |to: &str, kind: &str| json!({"net": "1", "to": to, "kind": kind});
        let report = json!({"lines": [line("a", "x"), line("b", "x"), line("b", "y")]});
        let all = [json!({"net": "1"}), json!({"to": "a"}), json!({"to": "b", "kind": "x"})];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let wishes = order.map(|index| all[index].clone());
            assert!(paths(json!({"lines_include": wishes}), report.clone()).is_empty());
        }
        let wishes = json!([{"net": "1"}, {"kind": "y"}, {"to": "b"}, {"to": "b"}]);
        assert_eq!(paths(json!({"lines_include": wishes}), report), ["expect.lines_include[3]"]);
    }

    #[test]
    fn a_difference_says_both() {
        let expect = Expect {
            path: "expect".to_owned(),
            parts: json!({"sums": {"acme": "1.000000"}}).as_object().unwrap().clone(),
        };
        let all = compare(&expect, &json!({"sums": {"acme": "2.000000"}}));
        assert_eq!(
            all[0].to_string(),
            "expect.sums.acme: \"1.000000\" was expected, but it is \"2.000000\""
        );
    }
}
