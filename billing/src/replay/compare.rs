//! What a file expects against what came out, by path.

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

/// Each is found in the list, and no entry stands for two.
fn include(path: &str, expected: &[Value], found: &Value, differences: &mut Vec<Difference>) {
    let mut left: Vec<&Value> = found.as_array().into_iter().flatten().collect();
    for (index, wanted) in expected.iter().enumerate() {
        let place = left.iter().position(|item| {
            let mut none = Vec::new();
            matches("", wanted, item, &mut none);
            none.is_empty()
        });
        match place {
            Some(place) => drop(left.remove(place)),
            None => missing(&format!("{path}[{index}]"), wanted, differences),
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
