use sqlx::{AnyPool, AssertSqlSafe, any::AnyRow};
use valetkey_model::Projects;

use crate::StoreError;

/// A query whose conditions depend on what is asked. Its text is made of our own words only; every value is bound.
pub(crate) struct Conditions {
    sql: String,
    values: Vec<Value>,
}

pub(crate) enum Value {
    Text(String),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl Conditions {
    /// Begins with a text that ends in a `WHERE` and a condition.
    pub(crate) fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }

    /// Binds a value, and gives its place in the text.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Goes on with our own words.
    pub(crate) fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// Goes on with another query.
    pub(crate) fn nest(&mut self, inner: Self) {
        // From the last place to the first: what `$1` becomes must not be renumbered as another's.
        let renumbered = (1..=inner.values.len()).rev().fold(inner.sql, |sql, place| {
            sql.replace(&format!("${place}"), &format!("$@{}", place + self.values.len()))
        });
        self.sql.push_str(&renumbered.replace("$@", "$"));
        self.values.extend(inner.values);
    }

    /// Goes on with a value.
    pub(crate) fn value(&mut self, value: impl Into<Value>) {
        let place = self.bind(value);
        self.push(&format!(" {place}"));
    }

    /// One more condition: `column =`, or another comparison, and the value.
    pub(crate) fn and(&mut self, comparison: &'static str, value: impl Into<Value>) {
        self.push(&format!(" AND {comparison}"));
        self.value(value);
    }

    /// The same, where there is a value.
    pub(crate) fn and_if(&mut self, comparison: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.and(comparison, value);
        }
    }

    /// One more condition: the column is one of these.
    pub(crate) fn and_in<'a>(&mut self, column: &'static str, values: impl Iterator<Item = &'a str>) {
        let places: Vec<String> = values.map(|value| self.bind(value)).collect();
        if places.is_empty() {
            self.push(" AND 1 = 0");
        } else {
            self.push(&format!(" AND {column} IN ({})", places.join(", ")));
        }
    }

    /// The text for: the column names one of somebody's projects. Never true of a column that is null.
    pub(crate) fn one_of_projects(&mut self, column: &'static str, projects: Projects<'_>) -> String {
        match projects {
            // Nearly all rows pass: an expression keeps SQLite from an index by project, which would have it sort them.
            Projects::All => format!("{column} || '' IS NOT NULL"),
            Projects::These(projects) if projects.is_empty() => "1 = 0".to_owned(),
            Projects::These(projects) => {
                let places: Vec<String> = projects.into_iter().map(|name| self.bind(name.as_str())).collect();
                format!("{column} IN ({})", places.join(", "))
            }
        }
    }

    /// Asks.
    pub(crate) async fn fetch(self, pool: &AnyPool) -> Result<Vec<AnyRow>, StoreError> {
        let mut query = sqlx::query(AssertSqlSafe(self.sql));
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        Ok(query.fetch_all(pool).await?)
    }
}

/// A pattern for `LIKE … ESCAPE '!'` that finds `text` anywhere in a text in lower case.
pub(crate) fn like(text: &str) -> String {
    let text = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{text}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_query_has_its_own_values() {
        let mut outer = Conditions::new("SELECT a FROM t WHERE a > 0");
        outer.and("b =", "outer");
        let mut inner = Conditions::new("SELECT c FROM u WHERE c > 0");
        for n in 0..11 {
            inner.and("d =", n);
        }
        outer.push(" AND a IN (");
        outer.nest(inner);
        outer.push(")");
        outer.and("e =", "last");
        assert!(
            outer.sql.contains("d = $2 AND d = $3") && outer.sql.ends_with("d = $12) AND e = $13"),
            "{}",
            outer.sql
        );
    }

    #[test]
    fn what_is_looked_for_is_no_pattern() {
        assert_eq!(like("50%_A!"), "%50!%!_a!!%");
    }
}
