//! Lists: a bounded page and the cursor of the next one.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Problem, Result};

/// What a list answers when nothing is asked for, and at most.
pub const DEFAULT_ITEMS: i64 = 100;
pub const MAX_ITEMS: i64 = 1000;

#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give it as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// At most so many items (1 to 1000, 100 where not given).
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A checked [`PageQuery`].
#[derive(Debug, Clone, Copy)]
pub struct Span<Id> {
    pub cursor: Option<Id>,
    limit: i64,
}

impl PageQuery {
    pub fn span<Id: FromStr>(&self) -> Result<Span<Id>> {
        span(self.limit, self.cursor.as_deref())
    }
}

pub fn span<Id: FromStr>(limit: Option<i64>, cursor: Option<&str>) -> Result<Span<Id>> {
    let limit = limit.unwrap_or(DEFAULT_ITEMS);
    if !(1..=MAX_ITEMS).contains(&limit) {
        let message = format!("limit must be from 1 to {MAX_ITEMS}, not {limit}");
        return Err(Problem::invalid("limit", message));
    }
    let cursor = cursor
        .map(str::parse)
        .transpose()
        .map_err(|_| Problem::invalid("cursor", "the cursor is not one that a list answered"))?;
    Ok(Span { cursor, limit })
}

impl<Id> Span<Id> {
    /// One more than asked for: if it comes, there is a next page.
    pub fn fetch(&self) -> i64 {
        self.limit + 1
    }

    pub fn page<R, T>(
        &self,
        mut rows: Vec<R>,
        id: impl Fn(&R) -> String,
        to_item: impl FnMut(R) -> T,
    ) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(id) } else { None };
        Page { items: rows.into_iter().map(to_item).collect(), next_cursor }
    }
}

impl<T> Page<T> {
    /// A list that is short by nature, all of it.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_nothing_follows() {
        let query =
            |limit, cursor: Option<&str>| PageQuery { limit, cursor: cursor.map(str::to_owned) };
        let span = query(Some(2), Some("7")).span::<i64>().unwrap();
        assert_eq!((span.cursor, span.fetch()), (Some(7), 3));
        let page = span.page(vec![8, 9, 10], i64::to_string, |n| n);
        assert_eq!((page.items, page.next_cursor.as_deref()), (vec![8, 9], Some("9")));
        let page = span.page(vec![8, 9], i64::to_string, |n| n);
        assert_eq!(page.next_cursor, None);
        assert_eq!(query(Some(0), None).span::<i64>().unwrap_err().field.unwrap(), "limit");
        assert_eq!(query(None, Some("x")).span::<i64>().unwrap_err().field.unwrap(), "cursor");
    }
}
