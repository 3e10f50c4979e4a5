//! The heap behind `topk` and `bottomk`: which of several equal values stay depends on its shape,
//! so it moves its elements as Go's `container/heap` does.

/// `worse(a, b)`: a leaves before b.
pub struct Heap<T, F> {
    items: Vec<T>,
    worse: F,
}

impl<T, F: Fn(&T, &T) -> bool> Heap<T, F> {
    pub fn new(worse: F) -> Self {
        Self { items: Vec::new(), worse }
    }
    pub fn len(&self) -> usize {
        self.items.len()
    }
    pub fn worst(&self) -> Option<&T> {
        self.items.first()
    }
    pub fn push(&mut self, item: T) {
        self.items.push(item);
        let mut at = self.items.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if !(self.worse)(&self.items[at], &self.items[parent]) {
                break;
            }
            self.items.swap(parent, at);
            at = parent;
        }
    }
    pub fn pop(&mut self) {
        let Some(last) = self.items.len().checked_sub(1) else { return };
        self.items.swap(0, last);
        let mut at = 0;
        loop {
            let left = 2 * at + 1;
            if left >= last {
                break;
            }
            let right = left + 1;
            let right_worse = right < last && (self.worse)(&self.items[right], &self.items[left]);
            let child = if right_worse { right } else { left };
            if !(self.worse)(&self.items[child], &self.items[at]) {
                break;
            }
            self.items.swap(at, child);
            at = child;
        }
        self.items.pop();
    }
    pub fn into_items(self) -> Vec<T> {
        self.items
    }
}
