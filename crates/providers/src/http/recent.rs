use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// A map of limited weight that gives up what was not used for longest.
pub(crate) struct Recent<K, V> {
    limit: usize,
    weight: usize,
    uses: u64,
    entries: HashMap<K, Entry<V>>,
    by_use: BTreeMap<u64, K>,
}

struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, weight: 0, uses: 0, entries: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// The value, which counts as a use.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        self.by_use.remove(&entry.used);
        self.uses += 1;
        entry.used = self.uses;
        self.by_use.insert(entry.used, key.clone());
        Some(&mut entry.value)
    }

    /// The value, which does not count as a use.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        self.uses += 1;
        self.weight += weight;
        self.by_use.insert(self.uses, key.clone());
        self.entries.insert(key, Entry { value, weight, used: self.uses });
        while self.weight > self.limit
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.remove(&oldest);
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.weight -= entry.weight;
        }
    }

    pub(crate) fn remove_all(&mut self, matches: impl Fn(&K) -> bool) {
        let gone: Vec<K> = self.entries.keys().filter(|key| matches(key)).cloned().collect();
        for key in gone {
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut recent = Recent::new(10);
        recent.insert('a', 1, 4);
        recent.insert('b', 2, 4);
        assert_eq!(recent.get(&'a').copied(), Some(1));
        recent.insert('c', 3, 4);
        assert_eq!(['a', 'b', 'c'].map(|key| recent.peek(&key).copied()), [Some(1), None, Some(3)]);
        recent.insert('d', 4, 10);
        assert_eq!(['a', 'c', 'd'].map(|key| recent.peek(&key).copied()), [None, None, Some(4)]);
        recent.insert('e', 5, 11);
        assert!(recent.entries.is_empty() && recent.by_use.is_empty());
        assert_eq!(recent.weight, 0);
    }

    #[test]
    fn a_replaced_or_removed_value_weighs_nothing() {
        let mut recent = Recent::new(10);
        for weight in [10, 3, 7] {
            recent.insert('a', weight, weight);
        }
        recent.insert('b', 0, 3);
        assert_eq!(recent.peek(&'a'), Some(&7));
        recent.remove_all(|key| *key == 'a');
        recent.remove(&'a');
        recent.insert('c', 1, 7);
        assert_eq!(recent.peek(&'b'), Some(&0));
        assert_eq!((recent.weight, recent.entries.len(), recent.by_use.len()), (10, 2, 2));
    }
}
