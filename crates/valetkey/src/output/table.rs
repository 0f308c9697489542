use super::{Style, one_line};

/// Rows under a heading, their columns aligned.
pub(crate) struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    empty: &'static str,
}

impl Table {
    /// A table with these columns; `empty` is what is said when it has no row.
    pub(crate) fn new(heading: &[&'static str], empty: &'static str) -> Self {
        Self { heading: heading.to_vec(), rows: Vec::new(), empty }
    }

    /// Adds a row, a cell per column. What others wrote is shown on one line, without characters that deceive.
    pub(crate) fn row<const N: usize>(&mut self, cells: &[String; N]) {
        debug_assert_eq!(N, self.heading.len(), "a cell per column");
        self.rows.push(cells.iter().map(|cell| one_line(cell)).collect());
    }

    /// The text.
    pub(crate) fn render(&self, style: Style) -> String {
        if self.rows.is_empty() {
            return self.empty.to_owned();
        }
        let width = |n: usize| {
            let cells = self.rows.iter().map(|row| row[n].chars().count());
            cells.chain([self.heading[n].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.heading.len()).map(width).collect();
        let heading: Vec<String> = self.heading.iter().map(|name| (*name).to_owned()).collect();
        let mut lines = vec![style.bold(&line(&heading, &widths))];
        lines.extend(self.rows.iter().map(|row| line(row, &widths)));
        lines.join("\n")
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    padded.join("  ").trim_end().to_owned()
}

/// `name: value` lines with the values aligned; those without a value left out.
pub(crate) fn fields<const N: usize>(pairs: [(&str, Option<String>); N]) -> String {
    let known: Vec<(&str, String)> = pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let width = known.iter().map(|(name, _)| name.len() + 1).max().unwrap_or(0);
    let lines = known.iter().map(|(name, value)| format!("{:width$}  {}", format!("{name}:"), one_line(value)));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let mut table = Table::new(&["ID", "NAME"], "None.");
        assert_eq!(table.render(Style::plain()), "None.");
        table.row(&["1".into(), "a\nb\u{1b}[31m".into()]);
        table.row(&["long".into(), String::new()]);
        assert_eq!(table.render(Style::plain()), "ID    NAME\n1     a b�[31m\nlong");
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let text = fields([("a", Some("1".into())), ("hidden", None), ("longer", Some("2".into()))]);
        assert_eq!(text, "a:       1\nlonger:  2");
    }
}
