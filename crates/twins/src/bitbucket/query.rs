//! Bitbucket's filter language, as far as lists of repositories and pull requests need it:
//! `field = "text"`, `field != "text"` and `field ~ "text"`, joined by `AND` and `OR`.

#[derive(Debug, PartialEq, Eq)]
struct Clause {
    field: String,
    operator: Operator,
    text: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Operator {
    Equals,
    Differs,
    Contains,
}

/// Alternatives of clauses that all must hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter(Vec<Vec<Clause>>);

impl Filter {
    /// Nothing for what is not in the language.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut alternatives = vec![Vec::new()];
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (clause, after) = clause(rest)?;
            alternatives.last_mut()?.push(clause);
            rest = after.trim_start();
            if let Some(after) = keyword(rest, "AND") {
                rest = after;
            } else if let Some(after) = keyword(rest, "OR") {
                alternatives.push(Vec::new());
                rest = after;
            } else if !rest.is_empty() {
                return None;
            }
        }
        Some(Self(alternatives))
    }

    /// Whether something holds of which this tells the fields.
    pub(super) fn holds(&self, field: impl Fn(&str) -> Option<String>) -> bool {
        let clause = |Clause { field: name, operator, text }: &Clause| {
            let value = field(name).unwrap_or_default();
            match operator {
                Operator::Equals => value == *text,
                Operator::Differs => value != *text,
                Operator::Contains => value.to_lowercase().contains(&text.to_lowercase()),
            }
        };
        self.0.iter().any(|all| all.iter().all(clause))
    }
}

fn clause(text: &str) -> Option<(Clause, &str)> {
    let (field, rest) = text.split_at(text.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_')?);
    let rest = rest.trim_start();
    let (operator, rest) = if let Some(rest) = rest.strip_prefix("!=") {
        (Operator::Differs, rest)
    } else if let Some(rest) = rest.strip_prefix('=') {
        (Operator::Equals, rest)
    } else {
        (Operator::Contains, rest.strip_prefix('~')?)
    };
    let mut value = String::new();
    let mut characters = rest.trim_start().strip_prefix('"')?.char_indices();
    let quoted = rest.trim_start().get(1..)?;
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((Clause { field: field.to_owned(), operator, text: value }, quoted.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

fn keyword<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.split_once(' ')?;
    first.eq_ignore_ascii_case(word).then(|| rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::Filter;

    fn holds(filter: &str, value: &str) -> Option<bool> {
        Filter::parse(filter).map(|filter| filter.holds(|field| (field == "a.b").then(|| value.to_owned())))
    }

    #[test]
    fn clauses_are_joined_and_quotes_escaped() {
        assert_eq!(holds(r#"a.b = "x""#, "x"), Some(true));
        assert_eq!(holds(r#"a.b="x" AND c="y""#, "x"), Some(false));
        assert_eq!(holds(r#"c = "y" OR a.b ~ "OO""#, "foobar"), Some(true));
        assert_eq!(holds(r#"a.b = "say \"hi\" \\ there""#, r#"say "hi" \ there"#), Some(true));
        assert_eq!(holds(r#"a.b != "x""#, "y"), Some(true));
    }

    #[test]
    fn anything_else_is_refused() {
        for filter in ["a.b", "a.b = x", r#"a.b = "x"#, r#"a.b = "x" c = "y""#] {
            assert_eq!(holds(filter, "x"), None, "{filter}");
        }
    }
}
